/* What nodes tell each other about themselves, and how long it takes to get there and back. All of
 * it travels as notes: a node of an older version ignores those that it does not know. */
#include "server/mesh_parts.h"

#include "server/clock.h"
#include "server/digest.h"
#include "wire.h"

struct mesh_link *mesh__link_seen(const struct mesh *mesh, raft_id id) {
    struct mesh_link *found = NULL;
    struct mesh_link *link;
    LIST_FOREACH (link, &mesh->links, link) {
        if (link->is_ended || !link->is_seen || link->peer->id != id)
            continue;
        if (!found || !rpc_link_is_incoming(link->rpc))
            found = link;
    }
    return found;
}

void mesh__link_heard(struct mesh_link *link) {
    if (link->peer)
        link->peer->heard_ms = clock_ms();
}

/* ---- Sent ------------------------------------------------------------------------------------ */

static void send_token(struct mesh_link *link, enum mesh_note note, uint64_t token) {
    uint8_t bytes[9];
    struct wire_writer w = wire_writer_of(bytes, sizeof bytes);
    wire_put_u8(&w, (uint8_t)note);
    wire_put_u64(&w, token);
    mesh__link_note(link, bytes_of(bytes, w.len));
}

void mesh_tell(struct mesh *mesh, const struct node_digest *digest) {
    uint8_t bytes[1 + DIGEST_BYTES_MAX] = {MESH_DIGEST};
    size_t len = 1 + digest_encode(digest, bytes + 1, DIGEST_BYTES_MAX);
    for (size_t i = 0; i < mesh->peer_count; i++) {
        struct mesh_link *link = mesh__link_seen(mesh, mesh->peers[i].id);
        if (!link)
            continue;
        mesh__link_note(link, bytes_of(bytes, len));
        send_token(link, MESH_PING, clock_us());
    }
}

/* ---- Received -------------------------------------------------------------------------------- */

/* The token is our own clock, come back. What is in the future is none of ours. */
static void take_pong(struct mesh_peer *peer, uint64_t token) {
    uint64_t now_us = clock_us();
    if (token > now_us)
        return;
    peer->trips_us[peer->trip_count++ % MESH_TRIPS] = now_us - token;
}

static void take_digest(struct mesh_peer *peer, struct bytes bytes) {
    if (digest_decode(bytes, &peer->digest) == STATUS_OK)
        peer->digest_ms = clock_ms();
}

void mesh__take_talk(struct mesh_link *link, enum mesh_note note, struct bytes bytes) {
    struct wire_reader r = wire_reader_of(bytes);
    uint64_t token = note == MESH_DIGEST ? 0 : wire_get_u64(&r);
    if (note == MESH_DIGEST)
        take_digest(link->peer, bytes);
    else if (note == MESH_PING && !r.has_failed)
        send_token(link, MESH_PONG, token);
    else if (note == MESH_PONG && !r.has_failed)
        take_pong(link->peer, token);
}

/* ---- What is known --------------------------------------------------------------------------- */

/* The shortest of the last few: what was not held up on the way. */
static uint64_t trip_us(const struct mesh *mesh, const struct mesh_peer *peer) {
    uint64_t least_us = NODE_UNKNOWN;
    if (!mesh__link_seen(mesh, peer->id))
        return least_us;
    for (size_t i = 0; i < peer->trip_count && i < MESH_TRIPS; i++)
        least_us = peer->trips_us[i] < least_us ? peer->trips_us[i] : least_us;
    return least_us;
}

static uint64_t since_ms(uint64_t then_ms, uint64_t now_ms) {
    if (then_ms == 0)
        return NODE_UNKNOWN;
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

void mesh_describe(const struct mesh *mesh, raft_id id, struct node_member *member) {
    const struct mesh_peer *peer = mesh__peer_find((struct mesh *)(uintptr_t)mesh, id);
    uint64_t now_ms = clock_ms();
    member->silent_ms = NODE_UNKNOWN;
    member->trip_us = NODE_UNKNOWN;
    member->digest_age_ms = NODE_UNKNOWN;
    if (!peer)
        return;
    memcpy(member->address, peer->address, sizeof member->address);
    member->is_connected = mesh__link_seen(mesh, id) != NULL;
    member->silent_ms = since_ms(peer->heard_ms, now_ms);
    member->trip_us = trip_us(mesh, peer);
    member->digest_age_ms = since_ms(peer->digest_ms, now_ms);
    member->digest = peer->digest;
}

size_t mesh_in_sight(const struct mesh *mesh, raft_id *ids, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < mesh->peer_count && count < max; i++)
        if (mesh__link_seen(mesh, mesh->peers[i].id))
            ids[count++] = mesh->peers[i].id;
    return count;
}
