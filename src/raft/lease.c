/* The lease (thesis 6.4.1, with the design's rules): for two fifths of the smallest timeout that
 * the acknowledging quorum declared, from the moment its round was sent, nobody else can lead.
 * Voters are silent for twice as long at least, also when they saw the leader's connection break:
 * this leaves room for a clock that runs twice as fast. */
#include "raft/engine.h"

static const struct raft_progress *peer_of(const struct raft *r, raft_id id) {
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == id)
            return &r->peers[i];
    return NULL;
}

/* When the newest round that this member answered was sent; 0: none that counts. */
static uint64_t lease_since(const void *context, raft_id id) {
    const struct raft *r = context;
    if (id == r->self)
        return r->now_ms;
    const struct raft_progress *peer = peer_of(r, id);
    return peer && peer->acked_round > r->lease_floor_round ? peer->round_sent_ms : 0;
}

static uint64_t heard_since(const void *context, raft_id id) {
    const struct raft *r = context;
    if (id == r->self)
        return r->now_ms;
    const struct raft_progress *peer = peer_of(r, id);
    return peer && peer->acked_ms > r->elected_ms ? peer->acked_ms : r->elected_ms;
}

/* Since when a quorum has been heard; its election counts as hearing all. */
uint64_t raft__quorum_heard_ms(const struct raft *r) {
    return raft__quorum_value(&r->configuration, heard_since, r);
}

/* Of those voters whose answers make the lease. */
static uint64_t least_timeout_ms(const struct raft *r, uint64_t since_ms) {
    uint64_t least = r->election_timeout_ms;
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_progress *peer = &r->peers[i];
        if (raft__is_voter(&r->configuration, peer->id) && lease_since(r, peer->id) >= since_ms &&
            peer->election_timeout_ms < least)
            least = peer->election_timeout_ms;
    }
    return least;
}

bool raft_has_lease(const struct raft *r, uint64_t now_ms) {
    if (r->status.role != RAFT_LEADER || !r->has_lease_reads || !r->status.is_in_office ||
        (r->has_sent_timeout_now && !PLANTED(lease_after_transfer)))
        return false;
    uint64_t since_ms = raft__quorum_value(&r->configuration, lease_since, r);
    if (PLANTED(lease_forever))
        return since_ms != 0;
    return since_ms != 0 && now_ms < since_ms + raft__lease_ms(least_timeout_ms(r, since_ms));
}
