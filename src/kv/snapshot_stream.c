#include "kv/snapshot_stream.h"

#include "kv/machine.h"

#include <stdlib.h>

enum stage { STAGE_PREAMBLE, STAGE_HEAD, STAGE_PAYLOAD, STAGE_DONE };

struct kv_stream {
    kv_record_visit *visit;
    void *context;
    struct kv_snapshot_info info;
    enum status failed; /* sticky */
    enum stage stage;
    bool has_header;
    uint64_t number; /* of the next frame */
    uint8_t type;    /* of the frame under way, with its announced sum */
    uint32_t crc;
    size_t have; /* bytes of `piece` */
    size_t want;
    uint8_t piece[KV_FRAME_BYTES_MAX];
    uint8_t last_key[KV_INTERNAL_KEY_BYTES_MAX];
    size_t last_key_len;
    size_t record_have; /* bytes of `record`: head, key, sealed record */
    size_t record_want;
    uint8_t record[KV_RECORD_HEAD_BYTES + KV_INTERNAL_KEY_BYTES_MAX + KV_RECORD_BYTES_MAX];
};

uint32_t kv__frame_crc(uint64_t number, uint8_t type, struct bytes payload) {
    uint8_t memory[9];
    struct wire_writer w = wire_writer_of(memory, sizeof memory);
    wire_put_u64(&w, number);
    wire_put_u8(&w, type);
    return kv__crc32c(kv__crc32c(0, bytes_of(memory, w.len)), payload);
}

static void expect(struct kv_stream *s, enum stage stage, size_t want) {
    s->stage = stage;
    s->have = 0;
    s->want = want;
}

enum status kv__stream_new(kv_record_visit *visit, void *context, struct kv_stream **ret_stream) {
    struct kv_stream *s = calloc(1, sizeof *s);
    if (!s)
        return STATUS_NO_MEMORY;
    s->visit = visit;
    s->context = context;
    s->record_want = KV_RECORD_HEAD_BYTES;
    expect(s, STAGE_PREAMBLE, KV_STREAM_PREAMBLE_BYTES);
    *ret_stream = s;
    return STATUS_OK;
}

void kv__stream_free(struct kv_stream *stream) {
    free(stream);
}

const struct kv_snapshot_info *kv__stream_info(const struct kv_stream *stream) {
    return &stream->info;
}

/* ---- Records ------------------------------------------------------------------------------- */

static void read_record_head(struct wire_reader *r, size_t *ret_key_len, size_t *ret_record_len) {
    size_t low = wire_get_u8(r);
    size_t high = wire_get_u8(r);
    *ret_key_len = low | high << 8;
    *ret_record_len = wire_get_u32(r);
}

static enum status take_record_head(struct kv_stream *s) {
    struct wire_reader r = wire_reader_of(bytes_of(s->record, KV_RECORD_HEAD_BYTES));
    size_t key_len, record_len;
    read_record_head(&r, &key_len, &record_len);
    if (key_len == 0 || key_len > KV_INTERNAL_KEY_BYTES_MAX)
        return STATUS_CORRUPT;
    if (record_len < KV_SEAL_BYTES || record_len > KV_RECORD_BYTES_MAX)
        return STATUS_CORRUPT;
    s->record_want = KV_RECORD_HEAD_BYTES + key_len + record_len;
    return STATUS_OK;
}

static enum status check_key(struct kv_stream *s, struct bytes key) {
    if (key.data[0] != KV_TABLE_SESSION && key.data[0] != KV_TABLE_KEY &&
        key.data[0] != KV_TABLE_CONFIGURATION)
        return STATUS_UNSUPPORTED;
    if (bytes_compare(bytes_of(s->last_key, s->last_key_len), key) >= 0)
        return STATUS_CORRUPT;
    memcpy(s->last_key, key.data, key.len);
    s->last_key_len = key.len;
    return STATUS_OK;
}

static enum status take_record(struct kv_stream *s) {
    struct wire_reader r = wire_reader_of(bytes_of(s->record, s->record_want));
    struct bytes body;
    size_t key_len, record_len;
    read_record_head(&r, &key_len, &record_len);
    struct bytes key = wire_get(&r, key_len);
    struct bytes record = wire_get(&r, record_len);
    CHECK(wire_reader_is_done(&r));
    enum status status = check_key(s, key);
    if (status == STATUS_OK)
        status = kv__record_open(key, record, &body);
    if (status == STATUS_OK && bytes_equal(key, kv__configuration_key()))
        status = kv__configuration_decode(body, &s->info.configuration);
    if (status != STATUS_OK)
        return status;
    s->info.records++;
    s->info.hash += kv__record_hash(record);
    s->record_have = 0;
    s->record_want = KV_RECORD_HEAD_BYTES;
    return s->visit ? s->visit(s->context, key, record) : STATUS_OK;
}

/* Moves what it needs from the front of `from`. */
static void fill(uint8_t *to, size_t *have, size_t want, struct bytes *from) {
    size_t missing = want - *have;
    size_t len = missing < from->len ? missing : from->len;
    if (len > 0)
        memcpy(to + *have, from->data, len);
    *have += len;
    *from = bytes_of(from->data + len, from->len - len);
}

static enum status take_records(struct kv_stream *s, struct bytes payload) {
    enum status status = STATUS_OK;
    while (payload.len > 0 && status == STATUS_OK) {
        fill(s->record, &s->record_have, s->record_want, &payload);
        if (s->record_have < s->record_want)
            continue;
        bool is_head = s->record_want == KV_RECORD_HEAD_BYTES;
        status = is_head ? take_record_head(s) : take_record(s);
    }
    return status;
}

/* ---- Frames -------------------------------------------------------------------------------- */

static enum status take_preamble(struct kv_stream *s) {
    struct wire_reader r = wire_reader_of(bytes_of(s->piece, s->want));
    struct bytes magic = wire_get(&r, KV_STREAM_MAGIC_BYTES);
    if (!bytes_equal(magic, bytes_of(KV_STREAM_MAGIC, KV_STREAM_MAGIC_BYTES)))
        return STATUS_CORRUPT;
    s->info.version = wire_get_u32(&r);
    expect(s, STAGE_HEAD, KV_FRAME_HEAD_BYTES);
    return s->info.version == KV_STREAM_VERSION ? STATUS_OK : STATUS_UNSUPPORTED;
}

static enum status take_head(struct kv_stream *s) {
    struct wire_reader r = wire_reader_of(bytes_of(s->piece, s->want));
    s->type = wire_get_u8(&r);
    size_t len = wire_get_u32(&r);
    s->crc = wire_get_u32(&r);
    if (len == 0 || len > KV_FRAME_PAYLOAD_MAX)
        return STATUS_CORRUPT;
    expect(s, STAGE_PAYLOAD, len);
    return STATUS_OK;
}

static enum status take_header(struct kv_stream *s, struct bytes payload) {
    struct wire_reader r = wire_reader_of(payload);
    if (s->has_header)
        return STATUS_CORRUPT;
    s->has_header = true;
    s->info.cluster_id = wire_get_u64(&r);
    if (r.has_failed)
        return STATUS_CORRUPT;
    return kv__meta_decode(bytes_of(r.data, r.len), &s->info.meta);
}

/* Three must agree: what was counted, what the end says, and what the state said of itself. */
static enum status take_end(struct kv_stream *s, struct bytes payload) {
    struct wire_reader r = wire_reader_of(payload);
    uint64_t records = wire_get_u64(&r);
    uint64_t hash = wire_get_u64(&r);
    if (!wire_reader_is_done(&r) || s->record_have > 0)
        return STATUS_CORRUPT;
    if (records != s->info.records || hash != s->info.hash)
        return STATUS_CORRUPT;
    if (records != s->info.meta.record_count || hash != s->info.meta.hash)
        return STATUS_CORRUPT;
    expect(s, STAGE_DONE, 0);
    return STATUS_OK;
}

static enum status take_payload(struct kv_stream *s) {
    struct bytes payload = bytes_of(s->piece, s->want);
    if (kv__frame_crc(s->number++, s->type, payload) != s->crc)
        return STATUS_CORRUPT;
    expect(s, STAGE_HEAD, KV_FRAME_HEAD_BYTES);
    if (!s->has_header && s->type != KV_FRAME_HEADER)
        return STATUS_CORRUPT;
    switch (s->type) {
    case KV_FRAME_HEADER: return take_header(s, payload);
    case KV_FRAME_RECORDS: return take_records(s, payload);
    case KV_FRAME_END: return take_end(s, payload);
    default: return STATUS_CORRUPT; /* the type is a byte of the stream, not our enum */
    }
}

static enum status take_piece(struct kv_stream *s) {
    switch (s->stage) {
    case STAGE_PREAMBLE: return take_preamble(s);
    case STAGE_HEAD: return take_head(s);
    case STAGE_PAYLOAD: return take_payload(s);
    case STAGE_DONE: return STATUS_CORRUPT; /* bytes after the end */
    }
    return STATUS_CORRUPT;
}

enum status kv__stream_write(struct kv_stream *s, struct bytes chunk) {
    s->info.bytes += chunk.len;
    while (chunk.len > 0 && s->failed == STATUS_OK) {
        fill(s->piece, &s->have, s->want, &chunk);
        if (s->have == s->want)
            s->failed = take_piece(s);
    }
    return s->failed;
}

enum status kv__stream_finish(struct kv_stream *s) {
    if (s->failed == STATUS_OK && s->stage != STAGE_DONE)
        s->failed = STATUS_CORRUPT;
    return s->failed;
}
