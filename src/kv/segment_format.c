#include "kv/segment_format.h"

#include "kv/sectors.h"

#define MAGIC "PHLXSEGM"
#define MAGIC_BYTES ((size_t)8)
#define FORMAT_VERSION 1
#define FRAME_MAGIC 0x464c4850u /* "PHLF" */
#define CRC_BYTES ((size_t)4)

/* ---- The head ------------------------------------------------------------------------------ */

void kv__segment_head_encode(const struct kv_segment_head *head,
                             uint8_t page[KV_SEGMENT_HEAD_BYTES]) {
    memset(page, 0, KV_SEGMENT_HEAD_BYTES);
    struct wire_writer w = wire_writer_of(page + CRC_BYTES, KV_SEGMENT_HEAD_BYTES - CRC_BYTES);
    wire_put(&w, MAGIC, MAGIC_BYTES);
    wire_put_u32(&w, FORMAT_VERSION);
    wire_put_u64(&w, head->number);
    wire_put_u64(&w, head->salt);
    wire_put_u64(&w, head->node);
    wire_put_u64(&w, head->previous_end);
    wire_put_u64(&w, head->first_frame);
    struct wire_writer seal = wire_writer_of(page, CRC_BYTES);
    wire_put_u32(&seal,
                 kv__crc32c(0, bytes_of(page + CRC_BYTES, KV_SEGMENT_HEAD_BYTES - CRC_BYTES)));
}

enum status kv__segment_head_decode(struct bytes page, struct kv_segment_head *ret_head) {
    struct wire_reader r = wire_reader_of(page);
    if (page.len < KV_SEGMENT_HEAD_BYTES)
        return STATUS_CORRUPT;
    uint32_t crc = wire_get_u32(&r);
    if (crc != kv__crc32c(0, bytes_of(r.data, KV_SEGMENT_HEAD_BYTES - CRC_BYTES)))
        return STATUS_CORRUPT;
    if (!bytes_equal(wire_get(&r, MAGIC_BYTES), bytes_of(MAGIC, MAGIC_BYTES)))
        return STATUS_CORRUPT;
    if (wire_get_u32(&r) != FORMAT_VERSION)
        return STATUS_UNSUPPORTED;
    ret_head->number = wire_get_u64(&r);
    ret_head->salt = wire_get_u64(&r);
    ret_head->node = wire_get_u64(&r);
    ret_head->previous_end = wire_get_u64(&r);
    ret_head->first_frame = wire_get_u64(&r);
    return STATUS_OK;
}

/* ---- Sums ---------------------------------------------------------------------------------- */

/* Of what follows the sum itself, in this segment and at this place. */
static uint32_t sum(uint64_t salt, uint64_t offset, struct bytes bytes) {
    uint8_t memory[16];
    struct wire_writer w = wire_writer_of(memory, sizeof memory);
    wire_put_u64(&w, salt);
    wire_put_u64(&w, offset);
    uint32_t crc = kv__crc32c(0, bytes_of(memory, w.len));
    return kv__crc32c(crc, bytes_of(bytes.data + CRC_BYTES, bytes.len - CRC_BYTES));
}

static void seal(uint64_t salt, uint64_t offset, uint8_t *data, size_t len) {
    struct wire_writer w = wire_writer_of(data, CRC_BYTES);
    wire_put_u32(&w, sum(salt, offset, bytes_of(data, len)));
}

/* ---- Writing a frame ----------------------------------------------------------------------- */

size_t kv__segment_record_bytes(size_t payload_len) {
    return KV_SEGMENT_RECORD_BYTES + (payload_len + 7) / 8 * 8;
}

struct kv_frame_writer kv__frame_begin(const struct kv_segment_head *head,
                                       const struct kv_segment_place *place, uint8_t *memory,
                                       size_t capacity) {
    CHECK(place->offset % 8 == 0 && capacity >= KV_SEGMENT_FRAME_BYTES);
    return (struct kv_frame_writer){.memory = memory,
                                    .capacity = capacity,
                                    .len = KV_SEGMENT_FRAME_BYTES,
                                    .salt = head->salt,
                                    .place = *place};
}

uint64_t kv__frame_add(struct kv_frame_writer *w, const struct kv_segment_record *record) {
    size_t size = kv__segment_record_bytes(record->payload.len);
    uint64_t offset = w->place.offset + w->len;
    uint8_t *data = w->memory + w->len;
    CHECK(size <= w->capacity - w->len);
    struct wire_writer out = wire_writer_of(data, size);
    wire_put_u32(&out, 0);
    wire_put_u32(&out, (uint32_t)record->payload.len);
    wire_put_u64(&out, record->index);
    wire_put_u64(&out, record->term);
    wire_put_u32(&out, record->type);
    wire_put_u32(&out, (uint32_t)w->len);
    wire_put(&out, record->payload.data, record->payload.len);
    memset(data + out.len, 0, size - out.len);
    seal(w->salt, offset, data, size);
    w->len += size;
    w->records++;
    return offset;
}

static void put_frame_head(struct kv_frame_writer *w, uint32_t zero_sectors) {
    struct wire_writer out = wire_writer_of(w->memory, KV_SEGMENT_FRAME_BYTES);
    wire_put_u32(&out, 0);
    wire_put_u32(&out, FRAME_MAGIC);
    wire_put_u64(&out, w->place.frame);
    wire_put_u32(&out, (uint32_t)(w->len - KV_SEGMENT_FRAME_BYTES));
    wire_put_u32(&out, w->records);
    wire_put_u32(&out, zero_sectors);
    wire_put_u32(&out, FRAME_MAGIC);
    seal(w->salt, w->place.offset, w->memory, KV_SEGMENT_FRAME_BYTES);
}

/* The magic at both ends keeps the head from being all zero in a sector, wherever that begins. */
struct bytes kv__frame_end(struct kv_frame_writer *w) {
    CHECK(w->records > 0);
    struct bytes frame = bytes_of(w->memory, w->len);
    put_frame_head(w, 0);
    put_frame_head(w, kv__zero_sectors(w->place.offset, frame));
    return frame;
}

/* ---- Reading ------------------------------------------------------------------------------- */

bool kv__frame_head_decode(uint64_t salt, uint64_t offset, struct bytes bytes,
                           struct kv_frame_head *ret_head) {
    if (bytes.len < KV_SEGMENT_FRAME_BYTES)
        return false;
    struct wire_reader r = wire_reader_of(bytes);
    uint32_t crc = wire_get_u32(&r);
    if (wire_get_u32(&r) != FRAME_MAGIC)
        return false;
    if (crc != sum(salt, offset, bytes_of(bytes.data, KV_SEGMENT_FRAME_BYTES)))
        return false;
    ret_head->number = wire_get_u64(&r);
    ret_head->body_bytes = wire_get_u32(&r);
    ret_head->records = wire_get_u32(&r);
    ret_head->zero_sectors = wire_get_u32(&r);
    return true;
}

enum status kv__segment_record_decode(uint64_t salt, uint64_t offset, struct bytes bytes,
                                      struct kv_segment_record *ret_record, size_t *ret_bytes) {
    *ret_bytes = KV_SEGMENT_RECORD_BYTES;
    if (bytes.len < KV_SEGMENT_RECORD_BYTES)
        return STATUS_NOT_FOUND;
    struct wire_reader r = wire_reader_of(bytes);
    uint32_t crc = wire_get_u32(&r);
    size_t len = wire_get_u32(&r);
    if (len > ENTRY_BYTES_MAX)
        return STATUS_CORRUPT;
    *ret_bytes = kv__segment_record_bytes(len);
    if (bytes.len < *ret_bytes)
        return STATUS_NOT_FOUND;
    if (crc != sum(salt, offset, bytes_of(bytes.data, *ret_bytes)))
        return STATUS_CORRUPT;
    ret_record->index = wire_get_u64(&r);
    ret_record->term = wire_get_u64(&r);
    ret_record->type = (uint8_t)wire_get_u32(&r);
    ret_record->back = wire_get_u32(&r);
    ret_record->payload = wire_get(&r, len);
    return STATUS_OK;
}

uint32_t kv__segment_record_back(const uint8_t head[KV_SEGMENT_RECORD_BYTES]) {
    struct wire_reader r = wire_reader_of(bytes_of(head + KV_SEGMENT_RECORD_BYTES - 4, 4));
    return wire_get_u32(&r);
}
