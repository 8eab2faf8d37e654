/* The log as the engine sees it: the term of every entry kept, and the size of the recent ones. The
 * bytes live elsewhere. */
#ifndef PHALANX_RAFT_TRAIL_H
#define PHALANX_RAFT_TRAIL_H

#include "raft/raft.h"

/* Sizes are known of this many of the newest entries; older ones are counted as TRAIL_SIZE_GUESS,
 * since only their rough sum matters (replication windows). */
#define TRAIL_SIZES_MAX ((size_t)65536)
#define TRAIL_SIZE_GUESS ((size_t)1024)

struct raft_trail {
    raft_index cut_index; /* the last entry cut; its term is known */
    raft_term cut_term;
    raft_index last_index;
    struct raft_term_run *runs; /* in order of index */
    size_t run_count;
    uint32_t *sizes;       /* by index modulo TRAIL_SIZES_MAX */
    raft_index sized_from; /* sizes are known from here on */
};

MUST_USE enum status raft__trail_init(struct raft_trail *trail, const struct raft_config *config);
void raft__trail_close(struct raft_trail *trail);

/* The term of an entry from cut_index to last_index; 0: not there (index 0 has term 0). */
raft_term raft__trail_term(const struct raft_trail *trail, raft_index index);
raft_term raft__trail_last_term(const struct raft_trail *trail);
size_t raft__trail_size(const struct raft_trail *trail, raft_index index);

/* False: too many runs; nothing changed. */
MUST_USE bool raft__trail_append(struct raft_trail *trail, raft_term term, size_t payload_bytes);
void raft__trail_truncate(struct raft_trail *trail, raft_index from);
void raft__trail_cut(struct raft_trail *trail, raft_index through);

/* An empty log after a snapshot. */
void raft__trail_reset(struct raft_trail *trail, raft_index index, raft_term term);

/* The largest index at or below `index` whose term is at most `term`; cut_index when there is none
 * that is kept. */
raft_index raft__trail_find_term(const struct raft_trail *trail, raft_index index, raft_term term);

#endif
