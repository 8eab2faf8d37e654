/* What a leader knows of one peer (thesis 10.2.1: pipelining).
 *
 *     PROBE ------ an answer matches -----> REPLICATE
 *       ^  ^------- refused, unheard ----------+ |
 *       |                                        | the log no longer reaches it
 *       +-- transfer over --- SNAPSHOT <---------+
 *
 * PROBE      one append at a time, without entries beyond what one message holds.
 * REPLICATE  `next` runs ahead of `match`, as far as the window allows.
 * SNAPSHOT   nothing is appended until the transfer has ended. */
#ifndef PHALANX_RAFT_PROGRESS_H
#define PHALANX_RAFT_PROGRESS_H

#include "raft/raft.h"

/* Appends on their way to one peer: enough to fill a path of 300 ms at some thousand a second. */
#define WINDOW_MESSAGES_MAX ((size_t)256)
#define WINDOW_BYTES_MAX (8 * MIB)

enum raft_progress_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SNAPSHOT };

struct raft_in_flight {
    raft_index last_index;
    size_t bytes;
};

struct raft_progress {
    raft_id id;
    enum raft_progress_state state;
    raft_index match_index;
    raft_index next_index;
    bool is_probing;              /* a probe is on its way */
    uint64_t acked_ms;            /* when it was last heard in this term; 0: not yet */
    uint64_t acked_round;         /* the newest heartbeat round it answered */
    uint64_t round_sent_ms;       /* when that round was sent */
    uint64_t election_timeout_ms; /* as it declared */
    struct raft_in_flight window[WINDOW_MESSAGES_MAX]; /* a ring, oldest first; a probe alone */
    size_t window_first;
    size_t window_count;
    size_t window_bytes;
};

void raft__progress_init(struct raft_progress *progress, raft_id id, raft_index next_index);
void raft__progress_to_probe(struct raft_progress *progress, raft_index next_index);
void raft__progress_to_snapshot(struct raft_progress *progress);

bool raft__progress_may_send(const struct raft_progress *progress);

/* An append up to last_index, with `bytes` of payload, goes out. */
void raft__progress_sent(struct raft_progress *progress, raft_index last_index, size_t bytes);

/* The peer holds everything up to `index`. */
void raft__progress_matched(struct raft_progress *progress, raft_index index);

void raft__progress_check(const struct raft_progress *progress);

#endif
