#include "kv/stores.h"

/* What one read transaction visits, so that a long range does not keep old pages from reuse. */
#define READ_ENTRIES_MAX 256
#define READ_BYTES_MAX (4 * MIB)

/* The way to the marks of configurations, which lie apart from the entries. */
#define MARK_PAGES 4

/* ---- Writing ------------------------------------------------------------------------------- */

/* Deleting copies pages on the way and frees what it empties; the lists of those are counted by
 * kv__env_make_room(). */
static struct kv_demand demand_of(struct kv_env *env, const struct kv_log_batch *const *batches,
                                  size_t batch_count) {
    struct kv_demand demand = {0};
    size_t leaf_bytes = 0;
    for (size_t b = 0; b < batch_count; b++)
        for (size_t i = 0; i < batches[b]->entry_count; i++)
            demand.run_pages +=
                kv__env_run_pages(env, KV_LOG_NUMBER_KEY_BYTES,
                                  KV_LOG_ENTRY_EXTRA_BYTES + batches[b]->entries[i].payload.len,
                                  &leaf_bytes);
    demand.single_pages = kv__env_leaf_pages(env, leaf_bytes) + MARK_PAGES;
    return demand;
}

/* They share one transaction, so one client's batch among them must leave the reserve alone. */
static bool are_essential(const struct kv_log_batch *const *batches, size_t batch_count) {
    for (size_t b = 0; b < batch_count; b++)
        if (!batches[b]->is_essential)
            return false;
    return true;
}

/* The mark of one that is a configuration goes with it. */
static enum status delete_entry(struct kv_writer *writer, raft_index index) {
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    enum status status =
        kv__writer_delete(writer, kv__log_number_key(KV_LOG_ENTRIES, index, memory));
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
    status = kv__writer_delete(writer, kv__log_number_key(KV_LOG_CONFIGURATIONS, index, memory));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status kv__log_delete(struct kv_writer *writer, raft_index from, raft_index to) {
    enum status status = STATUS_OK;
    for (raft_index i = from; i <= to && status == STATUS_OK; i++)
        status = delete_entry(writer, i);
    return status;
}

static enum status put_hard(struct kv_writer *writer, const struct raft_hard_state *hard) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    uint8_t record[KV_LOG_META_BYTES_MAX];
    return kv__writer_put(writer, kv__log_meta_key(KV_LOG_HARD, key),
                          kv__log_hard_record(hard, record));
}

static enum status mark(struct kv_writer *writer, raft_index index) {
    uint8_t key[KV_LOG_NUMBER_KEY_BYTES];
    uint8_t record[KV_LOG_META_BYTES_MAX];
    return kv__writer_put(writer, kv__log_number_key(KV_LOG_CONFIGURATIONS, index, key),
                          kv__log_mark_record(index, record));
}

enum status kv__log_append(struct kv_writer *writer, const struct raft_entry *entry) {
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    struct bytes key = kv__log_number_key(KV_LOG_ENTRIES, entry->index, memory);
    uint8_t *record;
    CHECK(entry->payload.len <= ENTRY_BYTES_MAX);
    enum status status =
        kv__writer_append(writer, key, KV_LOG_ENTRY_EXTRA_BYTES + entry->payload.len, &record);
    if (status != STATUS_OK)
        return status;
    kv__log_entry_encode(entry, key, record);
    return entry->type == RAFT_ENTRY_CONFIGURATION ? mark(writer, entry->index) : STATUS_OK;
}

/* Truncate, then vote, then append. `last` is the log's last index, before and after. */
static enum status write_batch(struct kv_writer *writer, const struct kv_log_batch *batch,
                               raft_index first, raft_index *last) {
    enum status status = STATUS_OK;
    if (batch->truncate_from != 0 && batch->truncate_from <= *last) {
        CHECK(batch->truncate_from >= first);
        status = kv__log_delete(writer, batch->truncate_from, *last);
        *last = batch->truncate_from - 1;
    }
    if (status == STATUS_OK && batch->hard)
        status = put_hard(writer, batch->hard);
    for (size_t i = 0; i < batch->entry_count && status == STATUS_OK; i++) {
        CHECK(batch->entries[i].index == *last + 1);
        status = kv__log_append(writer, &batch->entries[i]);
        ++*last;
    }
    return status;
}

enum status kv_log_write(struct kv_log *log, const struct kv_log_batch *const *batches,
                         size_t batch_count) {
    struct kv_demand demand = demand_of(log->env, batches, batch_count);
    struct kv_writer writer;
    enum status status =
        kv__writer_begin(log->env, &demand, are_essential(batches, batch_count), &writer);
    if (status != STATUS_OK)
        return status;
    raft_index last = log->last;
    for (size_t b = 0; b < batch_count && status == STATUS_OK; b++)
        status = write_batch(&writer, batches[b], log->first, &last);
    status = kv__writer_end(&writer, status);
    if (status == STATUS_OK)
        log->last = last;
    return status;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* Visits from `*next` on, as many as one transaction may, and moves it behind them. */
static enum status read_some(struct kv_reader *reader, raft_index *next, raft_index last,
                             kv_entry_visit *visit, void *context) {
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    struct bytes key, record;
    struct raft_entry entry;
    size_t bytes = 0;
    enum status status =
        kv__reader_seek(reader, kv__log_number_key(KV_LOG_ENTRIES, *next, memory), &key, &record);
    for (size_t n = 0; status == STATUS_OK; n++) {
        status = kv__log_entry_decode(key, record, &entry);
        if (status != STATUS_OK)
            return status;
        if (entry.index != *next)
            return STATUS_NOT_FOUND;
        status = visit(context, &entry);
        if (status != STATUS_OK)
            return status;
        bytes += record.len;
        if (++*next > last || n + 1 >= READ_ENTRIES_MAX || bytes >= READ_BYTES_MAX)
            return STATUS_OK;
        status = kv__reader_next(reader, &key, &record);
    }
    return status;
}

enum status kv__log_entry_get(struct kv_reader *reader, raft_index index,
                              struct raft_entry *ret_entry) {
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    struct bytes key = kv__log_number_key(KV_LOG_ENTRIES, index, memory);
    struct bytes record;
    enum status status = kv__reader_get(reader, key, &record);
    return status == STATUS_OK ? kv__log_entry_decode(key, record, ret_entry) : status;
}

enum status kv_log_read(struct kv_log *log, raft_index first, raft_index last,
                        kv_entry_visit *visit, void *context) {
    CHECK(first > 0);
    struct kv_reader reader;
    enum status status = STATUS_OK;
    while (first <= last && status == STATUS_OK) {
        status = kv__reader_open(log->env, &reader);
        if (status != STATUS_OK)
            return status;
        status = read_some(&reader, &first, last, visit, context);
        kv__reader_close(&reader);
    }
    return status;
}

/* ---- Cutting ------------------------------------------------------------------------------- */

/* The new cut point: the last entry that goes, and the newest configuration up to there. */
static enum status find_cut(struct kv_reader *reader, raft_index through,
                            struct kv_cut_point *ret_cut) {
    struct kv_log_head head;
    struct raft_entry last;
    struct kv_log_configurations configurations;
    enum status status = kv__log_head_read(reader, &head);
    if (status == STATUS_OK)
        status = kv__log_entry_get(reader, through, &last);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
    ret_cut->index = through;
    ret_cut->term = last.term;
    status = kv__log_configurations(reader, &head.cut, through, &configurations);
    ret_cut->configuration = configurations.newest;
    ret_cut->configuration_term = configurations.newest_term;
    return status;
}

static enum status write_cut(struct kv_log *log, const struct kv_cut_point *point) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    uint8_t memory[KV_LOG_META_BYTES_MAX];
    struct kv_demand demand = {.single_pages = MARK_PAGES};
    struct kv_writer writer;
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    status = kv__log_delete(&writer, log->first, point->index);
    if (status == STATUS_OK)
        status = kv__writer_put(&writer, kv__log_meta_key(KV_LOG_CUT, key),
                                kv__log_cut_record(point, memory));
    return kv__writer_end(&writer, status);
}

/* Only this thread writes, so what is read first still holds when it is written. */
static enum status cut(struct kv_log *log, raft_index through) {
    struct kv_cut_point point = {0};
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = find_cut(&reader, through, &point);
    kv__reader_close(&reader);
    return status == STATUS_OK ? write_cut(log, &point) : status;
}

enum status kv_log_cut(struct kv_log *log, raft_index through, raft_index *ret_first) {
    CHECK(through <= log->last);
    if (through >= log->first + CUT_ENTRIES_MAX)
        through = log->first + CUT_ENTRIES_MAX - 1;
    if (through >= log->first) {
        enum status status = cut(log, through);
        if (status != STATUS_OK)
            return status;
        log->first = through + 1;
    }
    *ret_first = log->first;
    return STATUS_OK;
}

/* ---- Room ---------------------------------------------------------------------------------- */

uint64_t kv_log_file_bytes(struct kv_log *log) {
    return kv__env_file_bytes(log->env);
}

/* As if `bytes` came in entries of the least favourable size: half a page each. */
bool kv_log_has_room(struct kv_log *log, size_t bytes) {
    struct kv_demand demand = {.single_pages = kv__env_leaf_pages(log->env, bytes)};
    return kv__env_make_room(log->env, &demand, false) == STATUS_OK;
}
