#include "raft/engine.h"

/* "To begin an election, a follower increments its current term and transitions to candidate
 * state." (thesis 3.4) Its vote for itself counts once it is durable. */
void raft__become_candidate(struct raft *r) {
    CHECK(r->status.role == RAFT_FOLLOWER);
    r->hard.term++;
    r->hard.vote = r->self;
    r->is_hard_dirty = true;
    r->deadline_ms = UINT64_MAX;
    r->status.role = RAFT_CANDIDATE;
    r->status.term = r->hard.term;
    r->status.leader = 0;
    r->status.elections_total++;
}

/* "It does so by having each leader commit a blank no-op entry into the log at the start of its
 * term." (thesis 6.4) */
void raft__become_leader(struct raft *r) {
    CHECK(r->status.role == RAFT_CANDIDATE);
    CHECK(r->hard.vote == r->self && !r->is_hard_dirty);
    r->status.role = RAFT_LEADER;
    r->status.leader = r->self;
    r->noop_index = ++r->status.last_index;
}
