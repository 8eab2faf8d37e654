/* Where each entry of the log lies, and its term: in memory, rebuilt by each start. Eight bytes an
 * entry. Who uses it sees to it that nobody changes it meanwhile. */
#ifndef PHALANX_KV_LOG_INDEX_H
#define PHALANX_KV_LOG_INDEX_H

#include "kv/kv.h"

/* A record's place: its segment, and its offset there. */
struct kv_log_place {
    uint64_t segment;
    uint64_t offset;
};

struct kv_log_index {
    raft_index first; /* of those kept; first + count is the next one's */
    size_t count;
    uint64_t *places; /* packed; the first `skip` of them are of entries that were cut */
    size_t skip;
    size_t capacity;
    struct raft_term_run *runs; /* the first one may begin before `first` */
    size_t run_count;
    size_t run_capacity;
    raft_index
        *configurations; /* entries that are one, ascending; those before `first` do not count */
    size_t configuration_count;
    size_t configuration_capacity;
};

/* Empty: the next entry is `first`. */
void kv__log_index_reset(struct kv_log_index *index, raft_index first);
void kv__log_index_close(struct kv_log_index *index);

/* Memory for so many more: then kv__log_index_add() cannot fail. STATUS_NO_MEMORY. */
MUST_USE enum status kv__log_index_reserve(struct kv_log_index *index, size_t entries);
/* The next entry. */
void kv__log_index_add(struct kv_log_index *index, const struct raft_entry *entry,
                       const struct kv_log_place *place);
/* Forget entries from `from` on; up to and including `through`. */
void kv__log_index_truncate(struct kv_log_index *index, raft_index from);
void kv__log_index_cut(struct kv_log_index *index, raft_index through);

static inline raft_index kv__log_index_last(const struct kv_log_index *index) {
    return index->first + index->count - 1;
}

bool kv__log_index_has(const struct kv_log_index *index, raft_index entry);
/* Of an entry that it has. */
struct kv_log_place kv__log_index_place(const struct kv_log_index *index, raft_index entry);
raft_term kv__log_index_term(const struct kv_log_index *index, raft_index entry);

/* The newest entries at or below `through` that are a configuration; 0: none. */
void kv__log_index_configurations(const struct kv_log_index *index, raft_index through,
                                  raft_index *ret_newest, raft_index *ret_before);

#endif
