/* What the files of the engine share. */
#ifndef PHALANX_RAFT_ENGINE_H
#define PHALANX_RAFT_ENGINE_H

#include "raft/raft.h"

struct raft {
    raft_id self;
    uint64_t election_timeout_ms;
    uint64_t deadline_ms; /* of the election timer; UINT64_MAX: not running */

    struct raft_status status;
    struct raft_hard_state hard;
    bool is_hard_dirty; /* `hard` is not yet in any batch */

    raft_index noop_index;   /* of this node's current or last leadership; 0: none */
    raft_index handed_index; /* entries up to here are in some batch */

    /* Batches handed out and not yet durable, oldest first. */
    struct raft_batch in_flight[BATCHES_IN_FLIGHT_MAX];
    size_t in_flight_count;
    uint64_t batch_number; /* of the last batch handed out */

    raft_index applied_index; /* what raft_advance() saw last */
    bool has_read;            /* reads were stepped since the last raft_advance() */
};

/* election.c: the edges between roles.
 *
 *     follower --timeout--> candidate --own vote durable--> leader
 *
 * A sole voter is its own quorum: it leaves no office but by ending. */
void raft__become_candidate(struct raft *r);
void raft__become_leader(struct raft *r);

/* append.c */
MUST_USE enum status raft__propose(struct raft *r, const struct raft_event *event);
MUST_USE enum status raft__batch_durable(struct raft *r, const struct raft_event *event);
bool raft__next_batch(const struct raft *r, struct raft_batch *ret_batch);
void raft__batch_handed(struct raft *r, const struct raft_batch *batch);

/* read.c */
MUST_USE enum status raft__read(struct raft *r);

#endif
