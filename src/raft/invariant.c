#include "raft/engine.h"

static void check_log(const struct raft *r) {
    const struct raft_status *s = &r->status;
    CHECK(r->applied_index <= s->commit_index);
    CHECK(s->commit_index <= s->durable_index);
    CHECK(s->durable_index <= r->handed_index);
    CHECK(r->handed_index <= s->last_index);
    CHECK(r->noop_index <= s->last_index);
}

static void check_role(const struct raft *r) {
    const struct raft_status *s = &r->status;
    CHECK(s->term == r->hard.term);
    switch (s->role) {
    case RAFT_FOLLOWER:
        CHECK(s->leader == 0);
        return;
    case RAFT_CANDIDATE:
        CHECK(r->hard.vote == r->self);
        CHECK(s->leader == 0);
        return;
    case RAFT_LEADER:
        CHECK(r->hard.vote == r->self);
        CHECK(s->leader == r->self);
        CHECK(r->noop_index > 0);
        CHECK(!r->is_hard_dirty);
        return;
    }
}

/* Batches in flight follow each other without a gap, and none is of a later term than the node. */
static void check_batches(const struct raft *r) {
    CHECK(r->in_flight_count <= BATCHES_IN_FLIGHT_MAX);
    for (size_t i = 0; i < r->in_flight_count; i++) {
        const struct raft_batch *batch = &r->in_flight[i];
        CHECK(batch->number == r->batch_number - (r->in_flight_count - 1 - i));
        CHECK(batch->term <= r->hard.term);
        CHECK(i == 0 || batch->first == r->in_flight[i - 1].last + 1);
    }
    if (r->in_flight_count > 0)
        CHECK(r->in_flight[r->in_flight_count - 1].last == r->handed_index);
}

void raft_check(const struct raft *r) {
    CHECK(r->self != 0);
    check_log(r);
    check_role(r);
    check_batches(r);
}
