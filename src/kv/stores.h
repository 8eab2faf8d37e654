/* The two stores as the rest of the room sees them: for the scrub, snapshots and restores. */
#ifndef PHALANX_KV_STORES_H
#define PHALANX_KV_STORES_H

#include "kv/flush_journal.h"
#include "kv/lmdb_env.h"
#include "kv/log_index.h"
#include "kv/log_record.h"
#include "kv/segment.h"

#include <pthread.h>

/* How far a flush has come; of the thread that flushes. */
struct kv_flush_walk {
    uint64_t number;                    /* of the flush; 0: none was begun */
    const struct kv_overlay_node *next; /* that is to be written; NULL: all are */
    struct kv_demand demand;            /* of each of its transactions */
    bool is_journaled;                  /* it takes several transactions */
    bool is_marked;                     /* the state holds records of two times, and says so */
};

struct kv_state {
    struct kv_env *env;
    struct kv_reader view; /* the loop's */
    struct kv_journal journal;
    uint64_t slice_pages; /* of one transaction, about */
    struct kv_flush_walk walk;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t settled;
    bool is_settled; /* no flush is halfway: the state is that of one moment */
};

/* Random bytes that are not all zero. STATUS_IO: the kernel has none. */
MUST_USE enum status kv__random_id(uint64_t *ret_id);

/* STATUS_BUSY: kv_directory_set_aside() was cut short. */
MUST_USE enum status kv__aside_check(struct kv_directory *directory);

/* ---- The log ------------------------------------------------------------------------------- */

/* The meta records of a log: its own environment has them. */
struct kv_log_head {
    struct raft_hard_state hard; /* newer ones are in the segments */
    struct kv_identity identity;
    struct kv_cut_point cut;
    uint64_t state_generation;
    struct kv_segments segments;
    struct raft_configuration founding; /* of entry 1, if this node founded its cluster; count 0 */
};

/* Two places, one order: the segments take what a batch writes, in one sync. The meta records take
 * what changes seldom, each time in one transaction, and say from where on the segments count; what
 * they say wins over what lies in the segments before that, so nothing has to be changed in both at
 * once.
 *
 * All but what `mutex` guards belongs to the thread that writes. */
struct kv_log {
    struct kv_env *env;
    char folder[PATH_MAX];
    size_t reserve_bytes;
    struct kv_log_head head; /* as stored */
    struct raft_hard_state hard;
    struct kv_segment_place next; /* in the newest segment: where the next frame goes */
    uint8_t *frame;               /* memory to write one in */
    size_t frame_bytes;
    uint64_t overlong_bytes; /* how much longer than usual the newest segment is to become */
    bool has_failed;         /* a write failed, and what the disk has is not known */

    pthread_mutex_t mutex; /* taken by the writer to change what follows, by others to read it */
    struct kv_log_index index;
    struct kv_segment **segments; /* oldest first; the last one is written to */
    size_t segment_count;
    size_t segment_capacity;
    uint64_t room_from; /* next.offset, for others */
};

/* In either place; then nothing is written any more. */
static inline bool kv__log_has_failed(const struct kv_log *log) {
    return log->has_failed || log->env->has_failed;
}

MUST_USE enum status kv__log_head_read(struct kv_reader *reader, struct kv_log_head *ret_head);
MUST_USE enum status kv__log_head_put(struct kv_writer *writer, const struct kv_log_head *head);
/* In one transaction; then it is log->head. Statuses as for kv_log_write(). */
MUST_USE enum status kv__log_head_save(struct kv_log *log, const struct kv_log_head *head);

/* Make the log of a new node in `<directory>/<name>`, which must not be there: no entries. */
MUST_USE enum status kv__log_create(struct kv_directory *directory, const char *name,
                                    const struct kv_log_head *head);

/* Store the pair of the start that `identity` tells, and forget the oldest. */
MUST_USE enum status kv__log_start_put(struct kv_writer *writer,
                                       const struct kv_identity *identity);

/* Write entry 1 of a log that is empty, as head.founding has it. */
MUST_USE enum status kv__log_write_founding(struct kv_log *log);
struct raft_configuration kv__sole_voter(const struct kv_identity *identity, raft_index index);

/* The newest configuration at or below an index and the one before it, from the entries or else the
 * cut point. By the thread that writes. */
struct kv_log_configurations {
    struct raft_configuration newest;
    struct raft_configuration before;
    raft_term newest_term; /* of its entry, at most */
};

MUST_USE enum status kv__log_configurations(struct kv_log *log, const struct kv_cut_point *cut,
                                            raft_index through,
                                            struct kv_log_configurations *ret_configurations);

/* ---- Its segments (log_segments.c, log_recover.c)
 * ----------------------------------------------------------- */

/* Open those that head.segments tells, remove others, read their frames into `log`, and make the
 * last one durable. kv_directory_problem() says what is wrong. */
MUST_USE enum status kv__log_segments_open(struct kv_log *log, struct kv_directory *directory);
void kv__log_segments_close(struct kv_log *log);
/* Takes it over, as the newest one. STATUS_NO_MEMORY. */
MUST_USE enum status kv__log_segments_add(struct kv_log *log, struct kv_segment *segment);

/* The first segment of a new log; `ret_segments`: as head.segments will tell. */
MUST_USE enum status kv__log_segments_create(const char *folder, uint64_t node,
                                             size_t reserve_bytes,
                                             struct kv_segments *ret_segments);
/* Whether the folder has segments with frames; those without are removed. */
MUST_USE enum status kv__log_segments_exist(const char *folder, bool *ret_exist);

/* A further segment takes the frames to come. STATUS_DISK_FULL: the newest one goes on. */
MUST_USE enum status kv__log_segments_rotate(struct kv_log *log);

static inline struct kv_segment *kv__log_newest(const struct kv_log *log) {
    return log->segments[log->segment_count - 1];
}

/* Where the frames begin of which entry `first` is the first to count; behind the last entry: where
 * the next frame goes. */
MUST_USE enum status kv__log_segments_start(struct kv_log *log, raft_index first,
                                            struct kv_segments *ret_segments);
/* Remove what lies before what head.segments tells; not under the mutex. */
void kv__log_segments_drop(struct kv_log *log);

/* Keep a segment for reading: under the mutex. Let go of it: not under it. */
struct kv_segment *kv__log_segment_take(struct kv_log *log, uint64_t number);
void kv__log_segment_release(struct kv_log *log, struct kv_segment *segment);

/* ---- The state ----------------------------------------------------------------------------- */

/* A reader of the state as it was at one moment: waits while a flush is halfway, for a few seconds.
 * STATUS_BUSY: for no longer. Else as for kv__reader_open(). */
MUST_USE enum status kv__state_reader_open(struct kv_state *state, struct kv_reader *ret_reader);
/* Whether a flush is halfway, as this reader sees the state. */
MUST_USE enum status kv__state_is_mixed(struct kv_reader *reader, bool *ret_is_mixed);

/* A crash left a flush halfway: bring it to its end. STATUS_CORRUPT: its journal is of no use. */
MUST_USE enum status kv__state_flush_finish(struct kv_state *state);

/* The state's meta; STATUS_NOT_FOUND: none was written yet. */
MUST_USE enum status kv__state_meta_read(struct kv_reader *reader, struct kv_meta *ret_meta);

/* A meta record in the caller's memory. */
#define KV_META_RECORD_BYTES (KV_SEAL_BYTES + KV_META_BYTES)
struct bytes kv__state_meta_record(const struct kv_meta *meta,
                                   uint8_t memory[KV_META_RECORD_BYTES]);
struct bytes kv__state_meta_key(void);

/* The folder of a generation: "state", then "state.1" and so on. */
#define KV_STATE_NAME_BYTES ((size_t)32)
void kv__state_name(uint64_t generation, char ret_name[KV_STATE_NAME_BYTES]);

/* Any folder of a state, also one without a file in it. */
MUST_USE enum status kv__state_any(const struct kv_directory *directory, bool *ret_is_found,
                                   uint64_t *ret_generation);
/* Whether the directory has a state of any generation. */
MUST_USE enum status kv__state_exists(const struct kv_directory *directory, bool *ret_exists);
/* Remove one generation, or all but one. A missing one is fine. */
enum status kv__state_remove(const struct kv_directory *directory, uint64_t generation);
MUST_USE enum status kv__state_remove_others(struct kv_directory *directory, uint64_t generation);

#endif
