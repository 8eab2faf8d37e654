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

/* STATUS_BUSY: kv_directory_set_aside() was cut short. */
MUST_USE enum status kv__aside_check(struct kv_directory *directory);

/* ---- The log ------------------------------------------------------------------------------- */

/* The meta records of a log. */
struct kv_log_head {
    struct raft_hard_state hard;
    struct kv_identity identity;
    struct kv_cut_point cut;
    uint64_t state_generation;
};

MUST_USE enum status kv__log_head_read(struct kv_reader *reader, struct kv_log_head *ret_head);
/* With a reader of its own. */
MUST_USE enum status kv__log_head_load(struct kv_log *log, struct kv_log_head *ret_head);
MUST_USE enum status kv__log_head_put(struct kv_writer *writer, const struct kv_log_head *head);

/* Records of other kinds, which all lie before the entries. */
MUST_USE enum status kv__log_count_others(struct kv_reader *reader, uint64_t *ret_count);

/* Make the log of a new node in `<directory>/<name>`, which must not be there: no entries. */
MUST_USE enum status kv__log_create(struct kv_directory *directory, const char *name,
                                    const struct kv_log_head *head);

/* Store the pair of the start that `identity` tells, and forget the oldest. */
MUST_USE enum status kv__log_start_put(struct kv_writer *writer,
                                       const struct kv_identity *identity);

/* The entry that founds a cluster; it borrows `configuration`. */
struct raft_entry kv__log_founding(struct bytes configuration);
struct raft_configuration kv__sole_voter(const struct kv_identity *identity, raft_index index);

/* One entry, sound; STATUS_NOT_FOUND or STATUS_CORRUPT. It borrows from the reader. */
MUST_USE enum status kv__log_entry_get(struct kv_reader *reader, raft_index index,
                                       struct raft_entry *ret_entry);
/* Add an entry after all others; delete entries from..to, which are all there. */
MUST_USE enum status kv__log_append(struct kv_writer *writer, const struct raft_entry *entry);
MUST_USE enum status kv__log_delete(struct kv_writer *writer, raft_index from, raft_index to);

/* The newest configuration at or below an index and the one before it, from the entries after the
 * cut point or else the cut point itself. */
struct kv_log_configurations {
    struct raft_configuration newest;
    struct raft_configuration before;
    raft_term newest_term; /* of its entry, at most */
};

MUST_USE enum status kv__log_configurations(struct kv_reader *reader,
                                            const struct kv_cut_point *cut, raft_index through,
                                            struct kv_log_configurations *ret_configurations);

/* ---- The state ----------------------------------------------------------------------------- */

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
