/* How long a leader's entries take from being proposed to being committed. Looks at the two indexes
 * once a turn rather than at each entry, so it costs nothing that counts. */
#ifndef PHALANX_SERVER_COMMIT_WATCH_H
#define PHALANX_SERVER_COMMIT_WATCH_H

#include "durations.h"
#include "raft/raft.h"

/* Turns whose entries are not yet committed; those of further ones are not measured. */
#define COMMIT_WATCH_MARKS ((size_t)1024)

struct commit_mark {
    raft_index last_index; /* of the entries proposed in one turn */
    uint64_t count;
    uint64_t at_us;
};

/* Zeroed before its first use. */
struct commit_watch {
    raft_term term; /* of the office it watches; 0: none */
    raft_index last_index;
    struct commit_mark marks[COMMIT_WATCH_MARKS]; /* a ring, oldest first */
    size_t first;
    size_t count;
    struct durations durations;
};

/* After each turn; `now_us` is when the turn began. */
void commit_watch_look(struct commit_watch *watch, const struct raft_status *raft, uint64_t now_us);

#endif
