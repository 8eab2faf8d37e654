#include "kv/command.h"

#include "wire.h"

#define FORMAT_VERSION 1
#define FLAG_REQUEST_ID 1
#define FLAG_PREV_REVISION 1
#define OPERATION_PUT 1
#define OPERATION_DELETE 2

_Static_assert(KEY_BYTES_MAX == 480 && VALUE_BYTES_MAX == 1048576, "the sentences name them");

/* A scan also starts behind the longest key: at the key with a zero byte after it, as pages do. */
static bool key_fits(const struct kv_request *request) {
    size_t len = request->key.len;
    bool is_behind = request->operation == KV_SCAN && len == KEY_BYTES_MAX + 1 &&
                     request->key.data[KEY_BYTES_MAX] == 0;
    return len <= KEY_BYTES_MAX || is_behind;
}

const char *kv_request_check(const struct kv_request *request) {
    bool is_scan = request->operation == KV_SCAN;
    if (!is_scan && request->key.len == 0)
        return "key: must not be empty";
    if (!key_fits(request))
        return is_scan ? "start: at most 480 bytes" : "key: at most 480 bytes";
    if (request->end.len > KEY_BYTES_MAX)
        return "end: at most 480 bytes";
    if (request->value.len > VALUE_BYTES_MAX)
        return "value: at most 1 MiB (1048576 bytes)";
    if (request->end.len > 0 && bytes_compare(request->end, request->key) < 0)
        return "end: must not be before start";
    if (request->limit < 0)
        return "limit: must not be negative";
    if (request->has_prev_revision && request->prev_revision < 0)
        return "prev_revision: must not be negative";
    if (request->has_request_id && request->client_id == 0)
        return "request_id.client_id: must not be 0";
    if (request->has_request_id && request->sequence == 0)
        return "request_id.sequence: counts from 1";
    return NULL;
}

size_t kv_command_size(const struct kv_request *request) {
    size_t size = 1 + 1 + 8 + 4;
    if (request->has_request_id)
        size += 8 + 8;
    size += 1 + 1 + 4 + 4 + request->key.len + request->value.len;
    if (request->has_prev_revision)
        size += 8;
    return size;
}

static void put_operation(struct wire_writer *w, const struct kv_request *request) {
    wire_put_u8(w, request->operation == KV_PUT ? OPERATION_PUT : OPERATION_DELETE);
    wire_put_u8(w, request->has_prev_revision ? FLAG_PREV_REVISION : 0);
    if (request->has_prev_revision)
        wire_put_u64(w, (uint64_t)request->prev_revision);
    wire_put_u32(w, (uint32_t)request->key.len);
    wire_put_u32(w, (uint32_t)request->value.len);
    wire_put(w, request->key.data, request->key.len);
    wire_put(w, request->value.data, request->value.len);
}

void kv_command_encode(const struct kv_request *request, uint64_t logged_ms, uint8_t *data,
                       size_t size) {
    /* Once in the log, what cannot be decoded would stop every node, at every start. */
    CHECK(kv_request_is_write(request) && kv_request_check(request) == NULL);
    struct wire_writer w = wire_writer_of(data, size);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u8(&w, request->has_request_id ? FLAG_REQUEST_ID : 0);
    wire_put_u64(&w, logged_ms);
    if (request->has_request_id) {
        wire_put_u64(&w, request->client_id);
        wire_put_u64(&w, request->sequence);
    }
    wire_put_u32(&w, 1);
    put_operation(&w, request);
    CHECK(!w.has_failed && w.len == size);
}

static void get_operation(struct wire_reader *r, struct kv_request *request) {
    uint8_t operation = wire_get_u8(r);
    uint8_t flags = wire_get_u8(r);
    if ((operation != OPERATION_PUT && operation != OPERATION_DELETE) || flags > FLAG_PREV_REVISION)
        r->has_failed = true;
    request->operation = operation == OPERATION_PUT ? KV_PUT : KV_DELETE;
    request->has_prev_revision = flags & FLAG_PREV_REVISION;
    if (request->has_prev_revision)
        request->prev_revision = (int64_t)wire_get_u64(r);
    uint32_t key_len = wire_get_u32(r);
    uint32_t value_len = wire_get_u32(r);
    request->key = wire_get(r, key_len);
    request->value = wire_get(r, value_len);
}

enum status kv__command_decode(struct bytes payload, struct kv_command *ret_command) {
    struct kv_command command = {0};
    struct wire_reader r = wire_reader_of(payload);
    uint8_t version = wire_get_u8(&r);
    if (version != FORMAT_VERSION)
        return version < FORMAT_VERSION ? STATUS_CORRUPT : STATUS_UNSUPPORTED;
    uint8_t flags = wire_get_u8(&r);
    command.logged_ms = wire_get_u64(&r);
    command.request.has_request_id = flags & FLAG_REQUEST_ID;
    if (command.request.has_request_id) {
        command.request.client_id = wire_get_u64(&r);
        command.request.sequence = wire_get_u64(&r);
    }
    uint32_t operations = wire_get_u32(&r);
    get_operation(&r, &command.request);
    bool is_sound = wire_reader_is_done(&r) && flags <= FLAG_REQUEST_ID && operations == 1 &&
                    kv_request_check(&command.request) == NULL;
    if (!is_sound)
        return STATUS_CORRUPT;
    *ret_command = command;
    return STATUS_OK;
}
