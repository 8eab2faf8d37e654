#include "kv/stores.h"

/* ---- The state ----------------------------------------------------------------------------- */

static enum status begin_state_walk(struct kv_reader *reader, struct kv_scrub *scrub) {
    struct kv_meta meta = {0};
    enum status status = kv__state_meta_read(reader, &meta);
    scrub->checked = 0;
    scrub->hash = 0;
    scrub->flush = meta.applied_index;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Compares with the meta of the same read transaction, which says nothing of a walk that another
 * flush came into. */
static enum status end_state_walk(struct kv_reader *reader, struct kv_scrub *scrub) {
    struct kv_meta meta = {0};
    bool is_mixed = false;
    enum status status = kv__state_is_mixed(reader, &is_mixed);
    if (status == STATUS_OK)
        status = kv__state_meta_read(reader, &meta);
    scrub->walks++;
    scrub->next_len = 0;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK || is_mixed || scrub->flush != meta.applied_index)
        return status;
    if (scrub->checked == meta.record_count && scrub->hash == meta.hash)
        return STATUS_OK;
    scrub->mismatches++;
    return STATUS_CORRUPT;
}

/* The least key after `key`. */
static void go_on_after(struct kv_scrub *scrub, struct bytes key) {
    CHECK(key.len < sizeof scrub->next);
    memcpy(scrub->next, key.data, key.len);
    scrub->next[key.len] = 0;
    scrub->next_len = key.len + 1;
}

static enum status check_record(struct kv_scrub *scrub, struct bytes key, struct bytes record) {
    struct bytes body;
    enum status status = kv__record_open(key, record, &body);
    if (status != STATUS_OK)
        scrub->damaged++;
    if (key.data[0] == KV_TABLE_META)
        return status;
    scrub->checked++;
    if (status == STATUS_OK)
        scrub->hash += kv__record_hash(record);
    return status;
}

static enum status scrub_state(struct kv_reader *reader, struct kv_scrub *scrub, size_t records) {
    struct bytes key, record;
    enum status found = STATUS_OK;
    bool is_mixed = false;
    enum status status = kv__state_is_mixed(reader, &is_mixed);
    if (status != STATUS_OK || (is_mixed && scrub->next_len == 0))
        return status; /* a walk begins when the flush is over */
    if (scrub->next_len == 0)
        status = begin_state_walk(reader, scrub);
    if (status != STATUS_OK)
        return status;
    status = kv__reader_seek(reader, bytes_of(scrub->next, scrub->next_len), &key, &record);
    for (size_t n = 0; status == STATUS_OK && n < records; n++) {
        if (check_record(scrub, key, record) != STATUS_OK)
            found = STATUS_CORRUPT;
        go_on_after(scrub, key);
        status = kv__reader_next(reader, &key, &record);
    }
    if (status == STATUS_NOT_FOUND)
        status = end_state_walk(reader, scrub);
    return found != STATUS_OK ? found : status;
}

enum status kv_state_scrub(struct kv_state *state, struct kv_scrub *scrub, size_t records) {
    struct kv_reader reader;
    enum status status = kv__reader_open(state->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = scrub_state(&reader, scrub, records);
    kv__reader_close(&reader);
    return status;
}

/* ---- The log ------------------------------------------------------------------------------- */

static enum status count_entry(void *context, const struct raft_entry *entry) {
    struct kv_scrub *scrub = context;
    (void)entry;
    scrub->checked++;
    return STATUS_OK;
}

static raft_index next_entry(const struct kv_scrub *scrub) {
    raft_index next = 0;
    memcpy(&next, scrub->next, scrub->next_len);
    return next;
}

static void go_on_at(struct kv_scrub *scrub, raft_index next) {
    memcpy(scrub->next, &next, sizeof next);
    scrub->next_len = sizeof next;
}

/* Entries from..to, also behind a damaged one. */
static enum status check_entries(struct kv_log *log, struct kv_scrub *scrub, raft_index from,
                                 raft_index to) {
    enum status found = STATUS_OK;
    while (from <= to) {
        uint64_t before = scrub->checked;
        enum status status = kv_log_read(log, from, to, count_entry, scrub);
        from += scrub->checked - before;
        if (status == STATUS_NOT_FOUND) /* cut or truncated meanwhile */
            from++;
        else if (status == STATUS_CORRUPT) {
            scrub->damaged++;
            scrub->checked++;
            found = STATUS_CORRUPT;
            from++;
        } else if (status != STATUS_OK)
            return status;
    }
    return found;
}

static enum status check_head(struct kv_log *log, struct kv_scrub *scrub) {
    struct kv_log_head head;
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = kv__log_head_read(&reader, &head);
    kv__reader_close(&reader);
    scrub->damaged += status == STATUS_CORRUPT;
    return status;
}

static void bounds_of(struct kv_log *log, raft_index *ret_first, raft_index *ret_last) {
    (void)pthread_mutex_lock(&log->mutex);
    *ret_first = log->index.first;
    *ret_last = kv__log_index_last(&log->index);
    (void)pthread_mutex_unlock(&log->mutex);
}

static void end_log_walk(struct kv_scrub *scrub) {
    scrub->walks++;
    scrub->next_len = 0;
}

enum status kv_log_scrub(struct kv_log *log, struct kv_scrub *scrub, size_t records) {
    raft_index first, last;
    enum status status = check_head(log, scrub);
    if (status != STATUS_OK)
        return status;
    bounds_of(log, &first, &last);
    if (scrub->next_len == 0)
        scrub->checked = 0;
    raft_index from = next_entry(scrub);
    if (from < first)
        from = first;
    if (from > last) {
        end_log_walk(scrub);
        return STATUS_OK;
    }
    raft_index to = records < last + 1 - from ? from + records - 1 : last;
    status = check_entries(log, scrub, from, to);
    go_on_at(scrub, to + 1);
    if (to == last)
        end_log_walk(scrub);
    return status;
}
