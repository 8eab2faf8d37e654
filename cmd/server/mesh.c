#include "server/mesh.h"

#include "log.h"
#include "server/clock.h"
#include "server/mesh_parts.h"

#include <stdio.h>
#include <stdlib.h>

/* A peer that vanished is noticed within about this share of an election timeout, twice: once to
 * ask, once to wait for the answer. */
#define KEEPALIVE_MS_MIN 1000

/* How often one place says that an address is of no use. */
#define INVALID_LOG_MS 60000

static bool find_start(void *context, uint64_t counter, uint64_t *ret_nonce) {
    struct mesh *mesh = context;
    return kv_log_start_nonce(mesh->config.log, counter, ret_nonce) == STATUS_OK;
}

enum status mesh_new(const struct mesh_config *config, struct mesh **ret_mesh) {
    struct mesh *mesh = calloc(1, sizeof *mesh);
    CHECK(config->target_count <= MEMBERS_MAX);
    if (!mesh)
        return STATUS_NO_MEMORY;
    mesh->config = *config;
    for (size_t i = 0; i < config->target_count; i++)
        mesh->targets[i] = config->targets[i];
    mesh->config.targets = mesh->targets;
    mesh->members = config->members;
    snprintf(mesh->label, sizeof mesh->label, "%s", config->label);
    mesh->self = (struct gate_self){
        .id = config->identity->id,
        .cluster_id = config->identity->cluster_id,
        .current = {.counter = config->identity->start_counter,
                    .nonce = config->identity->start_nonce},
        .find_start = find_start,
        .context = mesh,
    };
    LIST_INIT(&mesh->links);
    STAILQ_INIT(&mesh->stuck_notes);
    gate_memory_init(&mesh->memory);
    mesh->started_ms = clock_ms();
    enum status status = mesh__peers_load(mesh);
    if (status != STATUS_OK) {
        free(mesh);
        return status;
    }
    *ret_mesh = mesh;
    return STATUS_OK;
}

void mesh_free(struct mesh *mesh) {
    if (!mesh)
        return;
    CHECK(LIST_EMPTY(&mesh->links));
    mesh__notes_drop(mesh);
    free(mesh);
}

/* ---- Dialling -------------------------------------------------------------------------------- */

struct rpc_dial *mesh__dial(struct mesh *mesh, const char *address) {
    uint64_t keepalive_ms = mesh->config.election_ms / 2;
    struct rpc_dial *made = NULL;
    struct rpc_dial_config config = {.address = address};
    config.keepalive_ms = keepalive_ms > KEEPALIVE_MS_MIN ? keepalive_ms : KEEPALIVE_MS_MIN;
    config.keepalive_timeout_ms = config.keepalive_ms;
    enum status status = rpc_dial_new(mesh->server, &config, &made);
    if (status != STATUS_OK)
        log_warn("cannot dial", log_text("address", address), log_status("status", status));
    return made;
}

void mesh_start(struct mesh *mesh, struct rpc_server *server) {
    mesh->server = server;
    for (size_t i = 0; i < mesh->config.target_count; i++)
        mesh->dials[i] = mesh__dial(mesh, mesh->config.targets[i].address);
    mesh__found_start(mesh);
}

void mesh_stop(struct mesh *mesh) {
    if (!mesh || !mesh->server)
        return;
    for (size_t i = 0; i < mesh->config.target_count; i++)
        rpc_dial_free(mesh->dials[i]);
    for (size_t i = 0; i < mesh->peer_count; i++)
        rpc_dial_free(mesh->peers[i].dial);
    mesh__found_stop(mesh);
    struct mesh_link *link;
    LIST_FOREACH (link, &mesh->links, link)
        rpc_link_cancel(link->rpc);
}

/* A member whom PEERS does not name, or names elsewhere, is dialled where it says it is. */
static bool is_to_dial(const struct mesh *mesh, const struct mesh_peer *peer) {
    bool is_member = raft_configuration_find(&mesh->members, peer->id) != NULL;
    bool is_target = false;
    for (size_t i = 0; i < mesh->config.target_count; i++)
        is_target = is_target || strcmp(mesh->config.targets[i].name, peer->name) == 0;
    return is_member && !is_target && !peer->dial && peer->address[0] != '\0' &&
           !mesh__finding(mesh, peer->id);
}

/* A peer that has moved says so on the connections that it makes. */
static void follow(const struct mesh_peer *peer) {
    if (rpc_dial_set_address(peer->dial, peer->address) != STATUS_OK)
        log_every(INVALID_LOG_MS, LOG_LEVEL_WARN, "a peer's address cannot be dialled",
                  log_text("peer", peer->name), log_text("address", peer->address));
}

void mesh_tend(struct mesh *mesh) {
    for (size_t i = 0; i < mesh->peer_count; i++) {
        struct mesh_peer *peer = &mesh->peers[i];
        if (is_to_dial(mesh, peer))
            peer->dial = mesh__dial(mesh, peer->address);
        else if (peer->dial)
            follow(peer);
    }
    mesh__found_tend(mesh);
    mesh__notes_retry(mesh);
}

/* ---- What this node is ----------------------------------------------------------------------- */

void mesh_join(struct mesh *mesh, uint64_t cluster_id) {
    struct mesh_link *link;
    mesh->self.cluster_id = cluster_id;
    LIST_FOREACH (link, &mesh->links, link) {
        if (link->is_ended)
            continue;
        link->is_ended = true;
        rpc_link_close(link->rpc);
    }
}

void mesh_set_configuration(struct mesh *mesh, const struct raft_configuration *configuration) {
    struct mesh_link *link;
    mesh->members = *configuration;
    mesh->are_committed = true;
    LIST_FOREACH (link, &mesh->links, link)
        mesh__link_tell(link);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static bool may_speak(struct mesh *mesh) {
    return gate_memory_may_speak(&mesh->memory, &mesh->members, mesh->config.identity->id,
                                 clock_ms() - mesh->started_ms, mesh->config.election_ms);
}

void mesh_send(struct mesh *mesh, const struct raft_message *message,
               const struct raft_entry *entries, size_t count) {
    struct mesh_link *link = mesh__link_open(mesh, message->to);
    if (!link || !may_speak(mesh) || !gate_lets_out(&link->gate, message->to))
        return;
    /* What finds no room is sent again by the engine; a link that is down comes anew. */
    if (rpc_link_send_message(link->rpc, message, entries, count) != STATUS_OK)
        mesh->dropped_total++;
}

void mesh_send_founding(struct mesh *mesh, raft_id to, struct bytes bytes) {
    struct mesh_link *link;
    LIST_FOREACH (link, &mesh->links, link) {
        if (link->is_ended || !link->is_seen || link->peer->id != to)
            continue;
        if (rpc_link_send_bytes(link->rpc, RPC_BYTES_FOUNDING, bytes) != STATUS_OK)
            mesh->dropped_total++;
        return;
    }
}

const char *mesh_label(const struct mesh *mesh) {
    return mesh->label;
}

/* ---- What it knows --------------------------------------------------------------------------- */

const char *mesh_address(const struct mesh *mesh, raft_id id) {
    const struct mesh_peer *peer = mesh__peer_find((struct mesh *)(uintptr_t)mesh, id);
    return peer && peer->address[0] != '\0' ? peer->address : NULL;
}

const char *mesh_name(const struct mesh *mesh, raft_id id) {
    const struct mesh_peer *peer = mesh__peer_find((struct mesh *)(uintptr_t)mesh, id);
    return peer ? peer->name : NULL;
}

const char *mesh_region(const struct mesh *mesh, raft_id id) {
    const struct mesh_peer *peer = mesh__peer_find((struct mesh *)(uintptr_t)mesh, id);
    return peer ? peer->region : "";
}

const char *mesh_version(const struct mesh *mesh, raft_id id) {
    const struct mesh_peer *peer = mesh__peer_find((struct mesh *)(uintptr_t)mesh, id);
    return peer ? peer->version : "";
}

raft_id mesh_find(const struct mesh *mesh, const char *name) {
    raft_id found = 0;
    for (size_t i = 0; i < mesh->peer_count; i++) {
        const struct mesh_peer *peer = &mesh->peers[i];
        if (peer->links == 0 || strcmp(peer->name, name) != 0)
            continue;
        if (found != 0)
            return 0;
        found = peer->id;
    }
    return found;
}

bool mesh_is_open(const struct mesh *mesh, raft_id id) {
    return mesh__link_open(mesh, id) != NULL;
}

size_t mesh_outsiders(const struct mesh *mesh, raft_id *ids, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < mesh->peer_count && count < max; i++) {
        raft_id id = mesh->peers[i].id;
        if (mesh_is_open(mesh, id) && !raft_configuration_find(&mesh->members, id))
            ids[count++] = id;
    }
    return count;
}

uint64_t mesh_refused_total(const struct mesh *mesh) {
    return mesh->memory.refused_messages_total;
}
