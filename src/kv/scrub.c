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
    enum status status = kv__state_meta_read(reader, &meta);
    scrub->walks++;
    scrub->next_len = 0;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK || scrub->flush != meta.applied_index)
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
    enum status status = STATUS_OK;
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

/* The number of entries fits their first and last index. */
static enum status end_log_walk(struct kv_reader *reader, const struct kv_cut_point *cut,
                                struct kv_scrub *scrub) {
    struct bytes key, record;
    struct raft_entry last = {.index = cut->index};
    uint64_t others;
    enum status status = kv__log_count_others(reader, &others);
    if (status != STATUS_OK)
        return status;
    uint64_t entries = kv__reader_count(reader) - others;
    scrub->walks++;
    scrub->next_len = 0;
    if (entries > 0)
        status = kv__reader_last(reader, &key, &record);
    if (entries > 0 && status == STATUS_OK)
        status = kv__log_entry_decode(key, record, &last);
    if (status == STATUS_OK && last.index - cut->index != entries) {
        scrub->mismatches++;
        status = STATUS_CORRUPT;
    }
    return status;
}

/* Where to begin: after what was checked, unless that was cut meanwhile. */
static struct bytes log_start(struct kv_scrub *scrub, const struct kv_cut_point *cut) {
    if (scrub->next_len == 0)
        scrub->checked = 0;
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    struct bytes first = kv__log_number_key(KV_LOG_ENTRIES, cut->index + 1, memory);
    struct bytes next = bytes_of(scrub->next, scrub->next_len);
    if (bytes_compare(next, first) < 0) {
        memcpy(scrub->next, first.data, first.len);
        scrub->next_len = first.len;
    }
    return bytes_of(scrub->next, scrub->next_len);
}

static enum status scrub_log(struct kv_reader *reader, struct kv_scrub *scrub, size_t records) {
    struct kv_log_head head;
    struct bytes key, record;
    struct raft_entry entry;
    enum status found = STATUS_OK;
    enum status status = kv__log_head_read(reader, &head);
    if (status != STATUS_OK) {
        scrub->damaged += status == STATUS_CORRUPT;
        return status;
    }
    status = kv__reader_seek(reader, log_start(scrub, &head.cut), &key, &record);
    for (size_t n = 0; status == STATUS_OK && n < records; n++) {
        if (kv__log_entry_decode(key, record, &entry) != STATUS_OK) {
            scrub->damaged++;
            found = STATUS_CORRUPT;
        }
        scrub->checked++;
        go_on_after(scrub, key);
        status = kv__reader_next(reader, &key, &record);
    }
    if (status == STATUS_NOT_FOUND)
        status = end_log_walk(reader, &head.cut, scrub);
    return found != STATUS_OK ? found : status;
}

enum status kv_log_scrub(struct kv_log *log, struct kv_scrub *scrub, size_t records) {
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = scrub_log(&reader, scrub, records);
    kv__reader_close(&reader);
    return status;
}
