/* KVService's answers in protobuf's wire format, written by hand: straight into the memory that
 * gRPC sends from, with nothing built or copied in between. A scan of 16384 items is one pass for
 * the size and one for the bytes. The field numbers are those of kv.proto; the codec's tests read
 * these answers with the generated code. */
#include "rpc/codec.h"

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Bytes that a varint takes: 7 bits in each. */
static size_t varint_size(uint64_t value) {
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

static uint8_t *put_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_tag(uint8_t *to, unsigned field, enum wire_type type) {
    *to++ = (uint8_t)(field << 3 | (unsigned)type); /* fields below 16 have one byte */
    return to;
}

/* proto3 leaves out what is zero or empty. */
static size_t number_size(int64_t value) {
    return value == 0 ? 0 : 1 + varint_size((uint64_t)value);
}

static uint8_t *put_number(uint8_t *to, unsigned field, int64_t value) {
    if (value == 0)
        return to;
    return put_varint(put_tag(to, field, WIRE_VARINT), (uint64_t)value);
}

static size_t string_size(struct bytes value) {
    return value.len == 0 ? 0 : 1 + varint_size(value.len) + value.len;
}

static uint8_t *put_string(uint8_t *to, unsigned field, struct bytes value) {
    if (value.len == 0)
        return to;
    to = put_varint(put_tag(to, field, WIRE_BYTES), value.len);
    memcpy(to, value.data, value.len);
    return to + value.len;
}

/* ---- GetResponse: found = 1, value = 2, mod_revision = 3, create_revision = 4, version = 5 -- */

static size_t get_size(const struct kv_response *response) {
    const struct kv_item *item = &response->item;
    if (!response->is_found)
        return 0;
    return number_size(true) + string_size(item->value) + number_size(item->mod_revision) +
           number_size(item->create_revision) + number_size(item->version);
}

static uint8_t *put_get(uint8_t *to, const struct kv_response *response) {
    const struct kv_item *item = &response->item;
    if (!response->is_found)
        return to;
    to = put_number(to, 1, true);
    to = put_string(to, 2, item->value);
    to = put_number(to, 3, item->mod_revision);
    to = put_number(to, 4, item->create_revision);
    return put_number(to, 5, item->version);
}

/* ---- KeyValue: key = 1, value = 2, mod_revision = 3, create_revision = 4, version = 5 ------ */

static size_t item_size(const struct kv_item *item) {
    return string_size(item->key) + string_size(item->value) + number_size(item->mod_revision) +
           number_size(item->create_revision) + number_size(item->version);
}

static uint8_t *put_item(uint8_t *to, const struct kv_item *item) {
    to = put_string(to, 1, item->key);
    to = put_string(to, 2, item->value);
    to = put_number(to, 3, item->mod_revision);
    to = put_number(to, 4, item->create_revision);
    return put_number(to, 5, item->version);
}

/* ---- ScanResponse: items = 1, more = 2 ------------------------------------------------------ */

static size_t scan_size(const struct kv_response *response) {
    size_t size = number_size(response->has_more);
    for (size_t i = 0; i < response->item_count; i++) {
        size_t len = item_size(&response->items[i]);
        size += 1 + varint_size(len) + len;
    }
    return size;
}

static uint8_t *put_scan(uint8_t *to, const struct kv_response *response) {
    for (size_t i = 0; i < response->item_count; i++) {
        const struct kv_item *item = &response->items[i];
        to = put_varint(put_tag(to, 1, WIRE_BYTES), item_size(item));
        to = put_item(to, item);
    }
    return put_number(to, 2, response->has_more);
}

/* ---- All ------------------------------------------------------------------------------------ */

size_t rpc__response_size(enum kv_operation operation, const struct kv_response *response) {
    switch (operation) {
    case KV_PUT: return number_size(response->revision);
    case KV_DELETE: return number_size(response->is_found) + number_size(response->revision);
    case KV_GET: return get_size(response);
    case KV_SCAN: return scan_size(response);
    }
    return 0;
}

void rpc__response_encode(enum kv_operation operation, const struct kv_response *response,
                          uint8_t *data, size_t size) {
    uint8_t *end = data;
    switch (operation) {
    case KV_PUT: end = put_number(data, 1, response->revision); break;
    case KV_DELETE:
        end = put_number(put_number(data, 1, response->is_found), 2, response->revision);
        break;
    case KV_GET: end = put_get(data, response); break;
    case KV_SCAN: end = put_scan(data, response); break;
    }
    CHECK((size_t)(end - data) == size);
}

size_t rpc__chunk_header_encode(size_t chunk_len, uint8_t data[RPC__CHUNK_HEADER_BYTES_MAX]) {
    if (chunk_len == 0)
        return 0;
    return (size_t)(put_varint(put_tag(data, 1, WIRE_BYTES), chunk_len) - data);
}
