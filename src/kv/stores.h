/* The two stores as the rest of the room sees them: for the scrub, snapshots and restores. */
#ifndef PHALANX_KV_STORES_H
#define PHALANX_KV_STORES_H

#include "kv/lmdb_env.h"
#include "kv/log_record.h"

struct kv_log {
    struct kv_env *env;
    raft_index first; /* kept; last + 1 when none is. Both belong to the log writer. */
    raft_index last;
};

struct kv_state {
    struct kv_env *env;
    struct kv_reader view; /* the loop's */
};

/* Random bytes that are not all zero. STATUS_IO: the kernel has none. */
MUST_USE enum status kv__random_id(uint64_t *ret_id);

/* The three meta records of a log. */
struct kv_log_head {
    struct raft_hard_state hard;
    struct kv_identity identity;
    struct kv_cut_point cut;
};

MUST_USE enum status kv__log_head_read(struct kv_reader *reader, struct kv_log_head *ret_head);

/* Make the log of a new node in `<directory>/<name>`, which must not be there: no entries. */
MUST_USE enum status kv__log_create(struct kv_directory *directory, const char *name,
                                    const struct kv_log_head *head);

/* The state's meta; STATUS_NOT_FOUND: none was written yet. */
MUST_USE enum status kv__state_meta_read(struct kv_reader *reader, struct kv_meta *ret_meta);

/* A meta record in the caller's memory. */
#define KV_META_RECORD_BYTES (KV_SEAL_BYTES + KV_META_BYTES)
struct bytes kv__state_meta_record(const struct kv_meta *meta,
                                   uint8_t memory[KV_META_RECORD_BYTES]);
struct bytes kv__state_meta_key(void);

#endif
