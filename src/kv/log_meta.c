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
    if (status == STATUS_OK)
        status = read_meta(reader, KV_LOG_SEGMENTS, &record);
    if (status == STATUS_OK)
        status = kv__log_segments_decode(record, &ret_head->segments);
    if (status == STATUS_OK)
        status = read_meta(reader, KV_LOG_FOUNDING, &record);
    if (status == STATUS_OK)
        status = kv__log_founding_decode(record, &ret_head->founding);
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
    if (status == STATUS_OK)
        status =
            put_meta(writer, KV_LOG_SEGMENTS, kv__log_segments_record(&head->segments, memory));
    if (status == STATUS_OK)
        status =
            put_meta(writer, KV_LOG_FOUNDING, kv__log_founding_record(&head->founding, memory));
    return status;
}

enum status kv__log_head_save(struct kv_log *log, const struct kv_log_head *head) {
    struct kv_demand demand = {0};
    struct kv_writer writer;
    if (kv__log_has_failed(log))
        return STATUS_IO;
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status == STATUS_OK)
        status = kv__writer_end(&writer, kv__log_head_put(&writer, head));
    if (status == STATUS_OK)
        log->head = *head;
    return status;
}

static enum status fill(struct kv_env *env, const struct kv_log_head *head) {
    struct kv_demand demand = {.single_pages = 1};
    struct kv_writer writer;
    enum status status = kv__writer_begin(env, &demand, true, &writer);
    return status == STATUS_OK ? kv__writer_end(&writer, kv__log_head_put(&writer, head)) : status;
}

enum status kv__log_create(struct kv_directory *directory, const char *name,
                           const struct kv_log_head *head) {
    struct kv_env_options options = {0};
    struct kv_log_head complete = *head;
    char folder[PATH_MAX];
    struct kv_env *env;
    enum status status = kv__directory_join(directory, name, folder);
    if (status == STATUS_OK)
        status = kv__env_open(directory, name, &options, &env);
    if (status != STATUS_OK)
        return status;
    status = kv__log_segments_create(folder, head->identity.id, 0, &complete.segments);
    if (status == STATUS_OK)
        status = fill(env, &complete);
    kv__env_close(env);
    return status;
}
