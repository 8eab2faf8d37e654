/* Whom gossip has found: dialled there, for as long as gossip knows of them. */
#include "server/mesh_parts.h"

#include "log.h"

#include <stdio.h>

/* How often it is said that an address is of no use. */
#define INVALID_LOG_MS 60000

const struct mesh_finding *mesh__finding(const struct mesh *mesh, raft_id id) {
    for (size_t i = 0; i < mesh->found_count; i++)
        if (mesh->found[i].id == id)
            return &mesh->found[i];
    return NULL;
}

/* That one is dialled already. */
static bool is_target(const struct mesh *mesh, const char *address) {
    for (size_t i = 0; i < mesh->config.target_count; i++)
        if (strcmp(mesh->targets[i].address, address) == 0)
            return true;
    return false;
}

/* Whatever dials it already goes on, to the new address. */
static void dial(struct mesh *mesh, struct mesh_finding *finding) {
    struct mesh_peer *peer = mesh__peer_find(mesh, finding->id);
    if (!finding->dial && peer) {
        finding->dial = peer->dial;
        peer->dial = NULL;
    }
    if (!finding->dial && !is_target(mesh, finding->address))
        finding->dial = mesh__dial(mesh, finding->address);
    else if (finding->dial && rpc_dial_set_address(finding->dial, finding->address) != STATUS_OK)
        log_every(INVALID_LOG_MS, LOG_LEVEL_WARN, "a found address cannot be dialled",
                  log_hex("identity", finding->id), log_text("address", finding->address));
}

void mesh_found(struct mesh *mesh, raft_id id, const char *address) {
    struct mesh_finding *finding = (struct mesh_finding *)(uintptr_t)mesh__finding(mesh, id);
    if (finding && !finding->is_lost && strcmp(finding->address, address) == 0)
        return;
    if (!finding && mesh->found_count == MESH_FOUND_MAX)
        return;
    if (!finding) {
        finding = &mesh->found[mesh->found_count++];
        *finding = (struct mesh_finding){.id = id};
    }
    snprintf(finding->address, sizeof finding->address, "%s", address);
    finding->is_lost = false;
    if (mesh->server)
        dial(mesh, finding);
}

void mesh_lost(struct mesh *mesh, raft_id id) {
    struct mesh_finding *finding = (struct mesh_finding *)(uintptr_t)mesh__finding(mesh, id);
    if (finding)
        finding->is_lost = true;
}

void mesh__found_tend(struct mesh *mesh) {
    for (size_t i = 0; i < mesh->found_count; i++) {
        struct mesh_finding *finding = &mesh->found[i];
        if (!finding->is_lost || raft_configuration_find(&mesh->members, finding->id))
            continue;
        rpc_dial_free(finding->dial);
        finding->dial = NULL;
    }
}

/* What is known of a member stays, and so does what dials it. */
void mesh_forget(struct mesh *mesh, raft_id id) {
    struct mesh_finding *finding = (struct mesh_finding *)(uintptr_t)mesh__finding(mesh, id);
    struct mesh_peer *peer = mesh__peer_find(mesh, id);
    if (!finding)
        return;
    if (peer && raft_configuration_find(&mesh->members, id))
        peer->dial = finding->dial;
    else
        rpc_dial_free(finding->dial);
    *finding = mesh->found[--mesh->found_count];
}

void mesh__found_start(struct mesh *mesh) {
    for (size_t i = 0; i < mesh->found_count; i++)
        dial(mesh, &mesh->found[i]);
}

void mesh__found_stop(struct mesh *mesh) {
    for (size_t i = 0; i < mesh->found_count; i++)
        rpc_dial_free(mesh->found[i].dial);
    mesh->found_count = 0;
}
