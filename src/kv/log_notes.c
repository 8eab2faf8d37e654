/* Small durable facts of others, in the log's store: a name and a value. */
#include "kv/stores.h"

static enum status write_note(struct kv_writer *writer, const struct kv_note *note) {
    uint8_t memory[KV_LOG_NOTE_KEY_BYTES_MAX];
    struct bytes key = kv__log_note_key(note->key, memory);
    uint8_t *record;
    if (note->value.len == 0) {
        enum status status = kv__writer_delete(writer, key);
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    enum status status =
        kv__writer_place(writer, key, KV_LOG_HEAD_BYTES + note->value.len, &record);
    if (status == STATUS_OK)
        kv__log_note_encode(note->value, key, record);
    return status;
}

static struct kv_demand demand_of(const struct kv_env *env, const struct kv_note *notes,
                                  size_t count) {
    struct kv_demand demand = {0};
    size_t leaf_bytes = 0;
    for (size_t i = 0; i < count; i++)
        demand.run_pages += kv__env_run_pages(env, 1 + notes[i].key.len,
                                              KV_LOG_HEAD_BYTES + notes[i].value.len, &leaf_bytes);
    /* Each may lie in a leaf of its own, which is copied and may split. */
    demand.single_pages = 2 * count + kv__env_leaf_pages(env, leaf_bytes);
    return demand;
}

static bool is_valid(const struct kv_note *note) {
    return note->key.len > 0 && note->key.len <= KV_NOTE_KEY_BYTES_MAX &&
           note->value.len <= KV_NOTE_VALUE_BYTES_MAX;
}

enum status kv_log_notes_write(struct kv_log *log, const struct kv_note *notes, size_t count) {
    struct kv_writer writer;
    for (size_t i = 0; i < count; i++)
        if (!is_valid(&notes[i]))
            return STATUS_INVALID;
    if (kv__log_has_failed(log))
        return STATUS_IO;
    struct kv_demand demand = demand_of(log->env, notes, count);
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = write_note(&writer, &notes[i]);
    return kv__writer_end(&writer, status);
}

enum status kv_log_note_write(struct kv_log *log, struct bytes key, struct bytes value) {
    struct kv_note note = {.key = key, .value = value};
    return kv_log_notes_write(log, &note, 1);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum status copy(struct bytes value, uint8_t *memory, size_t capacity, size_t *ret_len) {
    if (value.len > capacity)
        return STATUS_OVERLOAD;
    memcpy(memory, value.data, value.len);
    *ret_len = value.len;
    return STATUS_OK;
}

enum status kv_log_note_read(struct kv_log *log, struct bytes key, uint8_t *memory, size_t capacity,
                             size_t *ret_len) {
    uint8_t key_memory[KV_LOG_NOTE_KEY_BYTES_MAX];
    struct bytes record, value;
    struct kv_reader reader;
    struct bytes full = kv__log_note_key(key, key_memory);
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = kv__reader_get(&reader, full, &record);
    if (status == STATUS_OK)
        status = kv__log_note_decode(full, record, &value);
    if (status == STATUS_OK)
        status = copy(value, memory, capacity, ret_len);
    kv__reader_close(&reader);
    return status;
}

static bool has_prefix(struct bytes key, struct bytes prefix) {
    return key.len >= prefix.len && bytes_equal(bytes_of(key.data, prefix.len), prefix);
}

static enum status visit_all(struct kv_reader *reader, struct bytes prefix, kv_note_visit *visit,
                             void *context) {
    struct bytes key, record, name, value;
    enum status status = kv__reader_seek(reader, prefix, &key, &record);
    while (status == STATUS_OK && has_prefix(key, prefix)) {
        status = kv__log_note_decode(key, record, &value);
        if (status == STATUS_OK && !kv__log_name_of_note(key, &name))
            status = STATUS_CORRUPT;
        if (status == STATUS_OK)
            status = visit(context, name, value);
        if (status != STATUS_OK)
            return status;
        status = kv__reader_next(reader, &key, &record);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status kv_log_notes_each(struct kv_log *log, struct bytes prefix, kv_note_visit *visit,
                              void *context) {
    uint8_t memory[KV_LOG_NOTE_KEY_BYTES_MAX];
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = visit_all(&reader, kv__log_note_key(prefix, memory), visit, context);
    kv__reader_close(&reader);
    return status;
}
