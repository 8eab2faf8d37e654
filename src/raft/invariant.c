#include "raft/engine.h"

static void check_log(const struct raft *r) {
    const struct raft_status *s = &r->status;
    CHECK(r->trail.cut_index <= s->commit_index);
    CHECK(s->commit_index <= s->last_index);
    CHECK(s->last_index == r->trail.last_index);
    CHECK(s->durable_index <= r->handed_index);
    CHECK(r->handed_index <= s->last_index);
    CHECK(r->matched_index <= s->last_index);
    CHECK(raft__trail_last_term(&r->trail) <= r->hard.term);
    CHECK(r->truncate_from == 0 || r->truncate_from == r->handed_index + 1);
}

static void check_role(const struct raft *r) {
    const struct raft_status *s = &r->status;
    CHECK(s->term == r->hard.term);
    switch (s->role) {
    case RAFT_FOLLOWER:
        CHECK(s->leader != r->self);
        CHECK(!s->is_in_office);
        return;
    case RAFT_PRE_CANDIDATE: CHECK(s->leader == 0); return;
    case RAFT_CANDIDATE:
        CHECK(r->hard.vote == r->self);
        CHECK(s->leader == 0);
        return;
    case RAFT_LEADER:
        CHECK(r->hard.vote == r->self);
        CHECK(!r->is_hard_dirty);
        CHECK(s->leader == r->self);
        CHECK(r->noop_index > 0);
        CHECK(s->is_in_office == (s->commit_index >= r->noop_index));
        return;
    }
}

/* Batches in flight are numbered without a gap, and none is of a later term than the node. */
static void check_batches(const struct raft *r) {
    CHECK(r->handed_count <= BATCHES_IN_FLIGHT_MAX);
    for (size_t i = 0; i < r->handed_count; i++) {
        const struct raft_handed *handed = &r->handed[i];
        CHECK(handed->batch.number == r->batch_number - (r->handed_count - 1 - i));
        CHECK(handed->batch.term <= r->hard.term);
        CHECK(handed->counts_to <= r->status.last_index);
    }
}

static void check_peers(const struct raft *r) {
    if (r->status.role != RAFT_LEADER)
        return;
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_progress *peer = &r->peers[i];
        raft__progress_check(peer);
        CHECK(peer->id != r->self);
        CHECK(peer->match_index <= r->status.last_index);
        CHECK(peer->next_index <= r->status.last_index + 1);
        CHECK(peer->acked_round <= r->round);
        CHECK(raft_configuration_find(&r->configuration, peer->id) != NULL);
    }
}

static void check_configuration(const struct raft *r) {
    CHECK(r->configuration.count <= MEMBERS_MAX);
    CHECK(r->configuration.index <= r->status.last_index);
    CHECK(r->configuration_before.index <= r->configuration.index);
}

void raft_check(const struct raft *r) {
    CHECK(r->self != 0);
    check_log(r);
    check_role(r);
    check_batches(r);
    check_peers(r);
    check_configuration(r);
}
