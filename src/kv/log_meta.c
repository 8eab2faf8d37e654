#include "kv/stores.h"

static enum status read_meta(struct kv_reader *reader, enum kv_log_meta meta,
                             struct bytes *ret_record) {
    uint8_t memory[KV_LOG_META_KEY_BYTES];
    enum status status = kv__reader_get(reader, kv__log_meta_key(meta, memory), ret_record);
    return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

enum status kv__log_head_read(struct kv_reader *reader, struct kv_log_head *ret_head) {
    struct bytes record;
    enum status status = read_meta(reader, KV_LOG_IDENTITY, &record);
    if (status == STATUS_OK)
        status = kv__log_identity_decode(record, &ret_head->identity);
    if (status == STATUS_OK)
        status = read_meta(reader, KV_LOG_HARD, &record);
    if (status == STATUS_OK)
        status = kv__log_hard_decode(record, &ret_head->hard);
    if (status == STATUS_OK)
        status = read_meta(reader, KV_LOG_CUT, &record);
    if (status == STATUS_OK)
        status = kv__log_cut_decode(record, &ret_head->cut);
    if (status == STATUS_OK)
        status = read_meta(reader, KV_LOG_STATE, &record);
    if (status == STATUS_OK)
        status = kv__log_state_decode(record, &ret_head->state_generation);
    return status;
}

enum status kv__log_head_load(struct kv_log *log, struct kv_log_head *ret_head) {
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = kv__log_head_read(&reader, ret_head);
    kv__reader_close(&reader);
    return status;
}

static enum status put_meta(struct kv_writer *writer, enum kv_log_meta meta, struct bytes record) {
    uint8_t memory[KV_LOG_META_KEY_BYTES];
    return kv__writer_put(writer, kv__log_meta_key(meta, memory), record);
}

enum status kv__log_head_put(struct kv_writer *writer, const struct kv_log_head *head) {
    uint8_t memory[KV_LOG_META_BYTES_MAX];
    enum status status = put_meta(writer, KV_LOG_HARD, kv__log_hard_record(&head->hard, memory));
    if (status == STATUS_OK)
        status =
            put_meta(writer, KV_LOG_IDENTITY, kv__log_identity_record(&head->identity, memory));
    if (status == STATUS_OK)
        status = put_meta(writer, KV_LOG_CUT, kv__log_cut_record(&head->cut, memory));
    if (status == STATUS_OK)
        status =
            put_meta(writer, KV_LOG_STATE, kv__log_state_record(head->state_generation, memory));
    return status;
}

enum status kv__log_create(struct kv_directory *directory, const char *name,
                           const struct kv_log_head *head) {
    struct kv_env_options options = {0};
    struct kv_demand demand = {.single_pages = 1};
    struct kv_writer writer;
    struct kv_env *env;
    enum status status = kv__env_open(directory, name, &options, &env);
    if (status != STATUS_OK)
        return status;
    status = kv__writer_begin(env, &demand, true, &writer);
    if (status == STATUS_OK)
        status = kv__writer_end(&writer, kv__log_head_put(&writer, head));
    kv__env_close(env);
    return status;
}

enum status kv__log_count_others(struct kv_reader *reader, uint64_t *ret_count) {
    static const uint8_t entries = KV_LOG_ENTRIES;
    struct bytes end = bytes_of(&entries, sizeof entries);
    struct bytes key, record;
    uint64_t count = 0;
    enum status status = kv__reader_seek(reader, (struct bytes){0}, &key, &record);
    while (status == STATUS_OK && bytes_compare(key, end) < 0) {
        count++;
        status = kv__reader_next(reader, &key, &record);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *ret_count = count;
    return STATUS_OK;
}
