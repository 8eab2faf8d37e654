#include "kv/record.h"

#include "mix.h"

/* Of the meta record's body. */
#define META_VERSION 1

static uint32_t seal_of(struct bytes key, struct bytes body) {
    return kv__crc32c(kv__crc32c(0, key), body);
}

static struct bytes body_of(struct bytes record) {
    return bytes_of(record.data + KV_SEAL_BYTES, record.len - KV_SEAL_BYTES);
}

static uint32_t stored_seal(struct bytes record) {
    struct wire_reader r = wire_reader_of(record);
    return wire_get_u32(&r);
}

void kv__record_seal(struct bytes key, uint8_t *record, size_t len) {
    CHECK(len >= KV_SEAL_BYTES);
    struct wire_writer w = wire_writer_of(record, KV_SEAL_BYTES);
    wire_put_u32(&w, seal_of(key, body_of(bytes_of(record, len))));
}

enum status kv__record_open(struct bytes key, struct bytes record, struct bytes *ret_body) {
    if (record.len < KV_SEAL_BYTES)
        return STATUS_CORRUPT;
    struct bytes body = body_of(record);
    if (stored_seal(record) != seal_of(key, body))
        return STATUS_CORRUPT;
    *ret_body = body;
    return STATUS_OK;
}

/* The seal already depends on every bit of key and body, so it needs no second reading of them; it
 * is spread over 64 bits (the finalizer of SplitMix64) so that sums of records do not cancel. */
uint64_t kv__record_hash(struct bytes record) {
    CHECK(record.len >= KV_SEAL_BYTES);
    uint64_t hash = (uint64_t)record.len << 32 | stored_seal(record);
    return mix_next(&hash);
}

void kv__meta_encode(const struct kv_meta *meta, uint8_t body[KV_META_BYTES]) {
    struct wire_writer w = wire_writer_of(body, KV_META_BYTES);
    wire_put_u32(&w, META_VERSION);
    wire_put_u32(&w, 0); /* room for flags */
    wire_put_u64(&w, meta->applied_index);
    wire_put_u64(&w, meta->applied_term);
    wire_put_u64(&w, (uint64_t)meta->revision);
    wire_put_u64(&w, meta->key_count);
    wire_put_u64(&w, meta->key_value_bytes);
    wire_put_u64(&w, meta->session_count);
    wire_put_u64(&w, meta->record_count);
    wire_put_u64(&w, meta->hash);
    wire_put_u64(&w, meta->logged_ms);
    wire_put_u64(&w, meta->sweep_client);
    CHECK(!w.has_failed && w.len == KV_META_BYTES);
}

enum status kv__meta_decode(struct bytes body, struct kv_meta *ret_meta) {
    struct wire_reader r = wire_reader_of(body);
    uint32_t version = wire_get_u32(&r);
    uint32_t flags = wire_get_u32(&r);
    if (r.has_failed)
        return STATUS_CORRUPT;
    if (version != META_VERSION || flags != 0)
        return STATUS_UNSUPPORTED;
    struct kv_meta meta = {
        .applied_index = wire_get_u64(&r),
        .applied_term = wire_get_u64(&r),
        .revision = (int64_t)wire_get_u64(&r),
        .key_count = wire_get_u64(&r),
        .key_value_bytes = wire_get_u64(&r),
        .session_count = wire_get_u64(&r),
        .record_count = wire_get_u64(&r),
        .hash = wire_get_u64(&r),
        .logged_ms = wire_get_u64(&r),
        .sweep_client = wire_get_u64(&r),
    };
    if (!wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_meta = meta;
    return STATUS_OK;
}
