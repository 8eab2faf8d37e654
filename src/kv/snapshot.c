#include "kv/snapshot_stream.h"
#include "kv/stores.h"

#include <stdlib.h>

/* Collects payload behind room for a frame's head. */
struct output {
    kv_sink *sink;
    void *context;
    uint64_t number; /* of the next frame */
    size_t len;      /* bytes of payload */
    uint8_t memory[KV_FRAME_BYTES_MAX];
};

static enum status send_preamble(struct output *o) {
    struct wire_writer w = wire_writer_of(o->memory, sizeof o->memory);
    wire_put(&w, KV_STREAM_MAGIC, KV_STREAM_MAGIC_BYTES);
    wire_put_u32(&w, KV_STREAM_VERSION);
    return o->sink(o->context, bytes_of(o->memory, w.len));
}

static enum status send_frame(struct output *o, enum kv_frame type) {
    struct bytes payload = bytes_of(o->memory + KV_FRAME_HEAD_BYTES, o->len);
    struct wire_writer w = wire_writer_of(o->memory, KV_FRAME_HEAD_BYTES);
    wire_put_u8(&w, (uint8_t)type);
    wire_put_u32(&w, (uint32_t)payload.len);
    wire_put_u32(&w, kv__frame_crc(o->number++, (uint8_t)type, payload));
    o->len = 0;
    return o->sink(o->context, bytes_of(o->memory, KV_FRAME_HEAD_BYTES + payload.len));
}

static enum status send_header(struct output *o, uint64_t cluster_id, const struct kv_meta *meta) {
    uint8_t body[KV_META_BYTES];
    struct wire_writer w = wire_writer_of(o->memory + KV_FRAME_HEAD_BYTES, KV_FRAME_PAYLOAD_MAX);
    kv__meta_encode(meta, body);
    wire_put_u64(&w, cluster_id);
    wire_put(&w, body, sizeof body);
    o->len = w.len;
    return send_frame(o, KV_FRAME_HEADER);
}

static enum status send_end(struct output *o, const struct kv_meta *meta) {
    struct wire_writer w = wire_writer_of(o->memory + KV_FRAME_HEAD_BYTES, KV_FRAME_PAYLOAD_MAX);
    wire_put_u64(&w, meta->record_count);
    wire_put_u64(&w, meta->hash);
    o->len = w.len;
    return send_frame(o, KV_FRAME_END);
}

/* Sends a frame whenever one is full. */
static enum status put(struct output *o, struct bytes bytes) {
    enum status status = STATUS_OK;
    while (bytes.len > 0 && status == STATUS_OK) {
        size_t room = KV_FRAME_PAYLOAD_MAX - o->len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(o->memory + KV_FRAME_HEAD_BYTES + o->len, bytes.data, len);
        o->len += len;
        bytes = bytes_of(bytes.data + len, bytes.len - len);
        if (o->len == KV_FRAME_PAYLOAD_MAX)
            status = send_frame(o, KV_FRAME_RECORDS);
    }
    return status;
}

static enum status put_record(struct output *o, struct bytes key, struct bytes record) {
    uint8_t head[KV_RECORD_HEAD_BYTES];
    struct wire_writer w = wire_writer_of(head, sizeof head);
    CHECK(key.len <= KV_INTERNAL_KEY_BYTES_MAX && record.len <= KV_RECORD_BYTES_MAX);
    wire_put_u8(&w, (uint8_t)(key.len & 0xff));
    wire_put_u8(&w, (uint8_t)(key.len >> 8));
    wire_put_u32(&w, (uint32_t)record.len);
    enum status status = put(o, bytes_of(head, w.len));
    if (status == STATUS_OK)
        status = put(o, key);
    if (status == STATUS_OK)
        status = put(o, record);
    return status;
}

/* The walk keeps pages of the past from being reused; meanwhile the file grows. */
struct growth {
    struct kv_env *env;
    uint64_t pages_max; /* stop when the file uses more; 0: no bound */
};

static struct growth growth_of(struct kv_env *env, uint64_t bytes_max) {
    uint64_t pages = atomic_load(&env->used_pages) + bytes_max / env->page_bytes;
    return (struct growth){.env = env, .pages_max = bytes_max > 0 ? pages : 0};
}

static bool is_too_much(const struct growth *growth) {
    return growth->pages_max > 0 && atomic_load(&growth->env->used_pages) > growth->pages_max;
}

static enum status send_records(struct output *o, struct kv_reader *reader,
                                const struct kv_meta *meta, const struct growth *growth) {
    struct bytes key, record, body;
    uint64_t records = 0;
    uint64_t hash = 0;
    /* The meta record is the first one, and is in the header instead. */
    static const uint8_t first[] = {KV_TABLE_META + 1};
    enum status status = kv__reader_seek(reader, bytes_of(first, sizeof first), &key, &record);
    while (status == STATUS_OK) {
        if (is_too_much(growth))
            return STATUS_OVERLOAD;
        status = kv__record_open(key, record, &body);
        if (status == STATUS_OK)
            status = put_record(o, key, record);
        if (status != STATUS_OK)
            return status;
        records++;
        hash += kv__record_hash(record);
        status = kv__reader_next(reader, &key, &record);
    }
    if (status != STATUS_NOT_FOUND)
        return status;
    if (records != meta->record_count || hash != meta->hash)
        return STATUS_CORRUPT;
    return o->len > 0 ? send_frame(o, KV_FRAME_RECORDS) : STATUS_OK;
}

static enum status save(struct output *o, struct kv_reader *reader, uint64_t cluster_id,
                        const struct growth *growth) {
    struct kv_meta meta = {0};
    enum status status = kv__state_meta_read(reader, &meta);
    if (status == STATUS_NOT_FOUND) /* nothing was flushed yet: an empty state */
        status = STATUS_OK;
    if (status == STATUS_OK)
        status = send_preamble(o);
    if (status == STATUS_OK)
        status = send_header(o, cluster_id, &meta);
    if (status == STATUS_OK)
        status = send_records(o, reader, &meta, growth);
    if (status == STATUS_OK)
        status = send_end(o, &meta);
    return status;
}

enum status kv_snapshot_save(struct kv_state *state, uint64_t cluster_id, uint64_t growth_bytes_max,
                             kv_sink *sink, void *context) {
    struct kv_reader reader;
    struct output *o = calloc(1, sizeof *o);
    if (!o)
        return STATUS_NO_MEMORY;
    o->sink = sink;
    o->context = context;
    struct growth growth = growth_of(state->env, growth_bytes_max);
    enum status status = kv__state_reader_open(state, &reader);
    if (status == STATUS_OK) {
        status = save(o, &reader, cluster_id, &growth);
        kv__reader_close(&reader);
    }
    free(o);
    return status;
}
