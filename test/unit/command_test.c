/* Commands as bytes, and the limits of requests. */
#include "kv/command.h"
#include "support/death.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t zeros[VALUE_BYTES_MAX + 1];

static struct kv_request a_put(void) {
    return (struct kv_request){.operation = KV_PUT,
                               .key = bytes_of_text("colour"),
                               .value = bytes_of_text("green")};
}

static struct kv_request a_scan(const char *start, const char *end) {
    return (struct kv_request){.operation = KV_SCAN,
                               .key = bytes_of_text(start),
                               .end = bytes_of_text(end)};
}

static void assert_refused(const struct kv_request *request, const char *sentence) {
    const char *problem = kv_request_check(request);
    assert_non_null(problem);
    assert_string_equal(problem, sentence);
}

/* ---- Limits -------------------------------------------------------------------------------- */

static void refuses_an_empty_key_of_all_but_a_scan(void **state) {
    (void)state;
    for (enum kv_operation operation = KV_PUT; operation <= KV_GET; operation++) {
        const struct kv_request request = {.operation = operation};
        assert_refused(&request, "key: must not be empty");
    }
    const struct kv_request scan = a_scan("", "");
    assert_null(kv_request_check(&scan));
}

static void takes_keys_of_480_bytes_and_no_more(void **state) {
    (void)state;
    uint8_t key[481];
    memset(key, 'k', sizeof key);
    for (enum kv_operation operation = KV_PUT; operation <= KV_SCAN; operation++) {
        struct kv_request request = {.operation = operation, .key = bytes_of(key, 480)};
        assert_null(kv_request_check(&request));
        request.key.len = 481;
        assert_refused(&request, operation == KV_SCAN ? "start: at most 480 bytes"
                                                      : "key: at most 480 bytes");
    }
}

static void lets_a_scan_start_behind_the_longest_key(void **state) {
    (void)state;
    struct kv_request request = {.operation = KV_SCAN, .key = bytes_of(zeros, 481)};
    assert_null(kv_request_check(&request));
    request.key.len = 482;
    assert_refused(&request, "start: at most 480 bytes");
    request.operation = KV_GET;
    request.key.len = 481;
    assert_refused(&request, "key: at most 480 bytes");
}

static void takes_an_end_of_480_bytes_and_no_more(void **state) {
    (void)state;
    struct kv_request scan = a_scan("", "");
    scan.end = bytes_of(zeros, 480);
    assert_null(kv_request_check(&scan));
    scan.end.len = 481;
    assert_refused(&scan, "end: at most 480 bytes");
}

static void takes_values_of_a_mebibyte_and_no_more(void **state) {
    (void)state;
    struct kv_request put = a_put();
    put.value = bytes_of(zeros, 1048576);
    assert_null(kv_request_check(&put));
    put.value.len++;
    assert_refused(&put, "value: at most 1 MiB (1048576 bytes)");
}

static void takes_an_empty_value(void **state) {
    (void)state;
    struct kv_request put = a_put();
    put.value = (struct bytes){0};
    assert_null(kv_request_check(&put));
}

static void refuses_an_end_before_the_start(void **state) {
    (void)state;
    struct kv_request scan = a_scan("b", "a");
    assert_refused(&scan, "end: must not be before start");
    scan = a_scan("ab", "a");
    assert_refused(&scan, "end: must not be before start");
    scan = a_scan("b", "b");
    assert_null(kv_request_check(&scan));
    scan = a_scan("b", "");
    assert_null(kv_request_check(&scan));
}

static void refuses_negative_numbers(void **state) {
    (void)state;
    struct kv_request scan = a_scan("", "");
    scan.limit = -1;
    assert_refused(&scan, "limit: must not be negative");
    scan.limit = INT64_MAX;
    assert_null(kv_request_check(&scan));

    struct kv_request put = a_put();
    put.has_prev_revision = true;
    assert_null(kv_request_check(&put));
    put.prev_revision = INT64_MIN;
    assert_refused(&put, "prev_revision: must not be negative");
    put.has_prev_revision = false;
    assert_null(kv_request_check(&put));
}

static void refuses_half_a_request_id(void **state) {
    (void)state;
    struct kv_request put = a_put();
    put.has_request_id = true;
    put.sequence = 1;
    assert_refused(&put, "request_id.client_id: must not be 0");
    put.client_id = UINT64_MAX;
    put.sequence = 0;
    assert_refused(&put, "request_id.sequence: counts from 1");
    put.sequence = UINT64_MAX;
    assert_null(kv_request_check(&put));
}

/* ---- Bytes --------------------------------------------------------------------------------- */

/* In memory of exactly its size, so that the sanitizer sees a step outside; the caller frees it. */
static uint8_t *encode(const struct kv_request *request, size_t *ret_size) {
    size_t size = kv_command_size(request);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    kv_command_encode(request, 12345, data, size);
    *ret_size = size;
    return data;
}

static struct bytes clone(struct bytes bytes) {
    uint8_t *data = malloc(bytes.len + (bytes.len == 0));
    assert_non_null(data);
    if (bytes.len > 0)
        memcpy(data, bytes.data, bytes.len);
    return bytes_of(data, bytes.len);
}

/* What a decoder says of these bytes, alone in their memory; it must touch its output only for
 * STATUS_OK. */
static enum status decode_alone(const uint8_t *data, size_t len) {
    struct bytes payload = clone(bytes_of(data, len));
    struct kv_command command, untouched;
    memset(&command, 0x5a, sizeof command);
    memset(&untouched, 0x5a, sizeof untouched);
    enum status status = kv__command_decode(payload, &command);
    if (status != STATUS_OK)
        assert_memory_equal(&command, &untouched, sizeof command);
    free((void *)payload.data);
    return status;
}

static void assert_round_trip(const struct kv_request *request) {
    size_t size;
    uint8_t *data = encode(request, &size);
    struct kv_command command;
    assert_int_equal(kv__command_decode(bytes_of(data, size), &command), STATUS_OK);
    assert_int_equal(command.logged_ms, 12345);
    const struct kv_request *back = &command.request;
    assert_int_equal(back->operation, request->operation);
    assert_true(bytes_equal(back->key, request->key));
    assert_true(bytes_equal(back->value, request->value));
    assert_int_equal(back->has_prev_revision, request->has_prev_revision);
    assert_int_equal(back->prev_revision, request->prev_revision);
    assert_int_equal(back->has_request_id, request->has_request_id);
    assert_int_equal(back->client_id, request->client_id);
    assert_int_equal(back->sequence, request->sequence);
    free(data);
}

/* Each of the sixteen kinds: put or delete, with or without value, precondition and request id. */
static struct kv_request request_of_kind(unsigned kind) {
    struct kv_request request = {.key = bytes_of_text("colour")};
    request.operation = kind & 1 ? KV_DELETE : KV_PUT;
    if (kind & 2)
        request.value = bytes_of_text("green");
    if (kind & 4) {
        request.has_prev_revision = true;
        request.prev_revision = INT64_MAX - 1;
    }
    if (kind & 8) {
        request.has_request_id = true;
        request.client_id = UINT64_MAX;
        request.sequence = 0x0102030405060708;
    }
    return request;
}

#define KINDS 16

static void every_kind_of_write_survives_the_round_trip(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct kv_request request = request_of_kind(kind);
        assert_round_trip(&request);
    }
}

static void the_largest_write_fits_an_entry(void **state) {
    (void)state;
    struct kv_request request = request_of_kind(4 | 8);
    request.key = bytes_of(zeros, KEY_BYTES_MAX);
    request.value = bytes_of(zeros, VALUE_BYTES_MAX);
    assert_round_trip(&request);
    assert_true(kv_command_size(&request) <= ENTRY_BYTES_MAX);
}

static void a_command_cut_anywhere_is_corrupt(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct kv_request request = request_of_kind(kind);
        size_t size;
        uint8_t *data = encode(&request, &size);
        for (size_t len = 0; len < size; len++)
            assert_int_equal(decode_alone(data, len), STATUS_CORRUPT);
        free(data);
    }
}

static void nothing_is_no_command(void **state) {
    (void)state;
    struct kv_command command;
    assert_int_equal(kv__command_decode((struct bytes){0}, &command), STATUS_CORRUPT);
}

static void a_command_with_something_after_it_is_corrupt(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint8_t data[256] = {0};
        struct kv_request request = request_of_kind(kind);
        size_t size = kv_command_size(&request);
        kv_command_encode(&request, 1, data, size);
        assert_int_equal(decode_alone(data, size), STATUS_OK);
        assert_int_equal(decode_alone(data, size + 1), STATUS_CORRUPT);
    }
}

/* Where things are in the bytes of a plain put (command.h). */
enum { AT_VERSION = 0, AT_FLAGS = 1, AT_COUNT = 10, AT_OPERATION = 14, AT_OPERATION_FLAGS = 15 };
enum { AT_KEY_BYTES = 16, AT_VALUE_BYTES = 20 };

/* A plain put with one byte changed. */
static enum status decode_with(size_t at, uint8_t value) {
    uint8_t data[64];
    struct kv_request request = a_put();
    size_t size = kv_command_size(&request);
    kv_command_encode(&request, 1, data, size);
    data[at] = value;
    return decode_alone(data, size);
}

static void a_later_version_is_unsupported(void **state) {
    (void)state;
    assert_int_equal(decode_with(AT_VERSION, 1), STATUS_OK);
    assert_int_equal(decode_with(AT_VERSION, 0), STATUS_CORRUPT);
    for (unsigned version = 2; version <= UINT8_MAX; version++)
        assert_int_equal(decode_with(AT_VERSION, (uint8_t)version), STATUS_UNSUPPORTED);
}

static void unknown_flags_operations_and_counts_are_corrupt(void **state) {
    (void)state;
    for (unsigned value = 2; value <= UINT8_MAX; value++) {
        assert_int_equal(decode_with(AT_FLAGS, (uint8_t)value), STATUS_CORRUPT);
        assert_int_equal(decode_with(AT_OPERATION_FLAGS, (uint8_t)value), STATUS_CORRUPT);
        assert_int_equal(decode_with(AT_COUNT, (uint8_t)value), STATUS_CORRUPT);
    }
    assert_int_equal(decode_with(AT_COUNT, 0), STATUS_CORRUPT);
    assert_int_equal(decode_with(AT_OPERATION, 0), STATUS_CORRUPT);
    for (unsigned value = 3; value <= UINT8_MAX; value++)
        assert_int_equal(decode_with(AT_OPERATION, (uint8_t)value), STATUS_CORRUPT);
}

static void lengths_that_lie_are_corrupt(void **state) {
    (void)state;
    for (size_t byte = 0; byte < 4; byte++) {
        assert_int_equal(decode_with(AT_KEY_BYTES + byte, 0xff), STATUS_CORRUPT);
        assert_int_equal(decode_with(AT_VALUE_BYTES + byte, 0xff), STATUS_CORRUPT);
    }
    assert_int_equal(decode_with(AT_KEY_BYTES, 0), STATUS_CORRUPT);
}

/* A command that no leader of ours writes, made by hand. */
static enum status decode_made_by_hand(uint64_t client_id, uint64_t prev_revision, size_t key_len,
                                       size_t value_len) {
    size_t capacity = 64 + key_len + value_len;
    uint8_t *data = malloc(capacity);
    assert_non_null(data);
    struct wire_writer w = wire_writer_of(data, capacity);
    wire_put_u8(&w, 1);
    wire_put_u8(&w, 1);
    wire_put_u64(&w, 12345);
    wire_put_u64(&w, client_id);
    wire_put_u64(&w, 1);
    wire_put_u32(&w, 1);
    wire_put_u8(&w, 1);
    wire_put_u8(&w, 1);
    wire_put_u64(&w, prev_revision);
    wire_put_u32(&w, (uint32_t)key_len);
    wire_put_u32(&w, (uint32_t)value_len);
    wire_put(&w, zeros, key_len);
    wire_put(&w, zeros, value_len);
    assert_false(w.has_failed);
    enum status status = decode_alone(data, w.len);
    free(data);
    return status;
}

static void a_command_outside_the_limits_is_corrupt(void **state) {
    (void)state;
    assert_int_equal(decode_made_by_hand(1, 0, 1, 0), STATUS_OK);
    assert_int_equal(decode_made_by_hand(0, 0, 1, 0), STATUS_CORRUPT);
    assert_int_equal(decode_made_by_hand(1, UINT64_MAX, 1, 0), STATUS_CORRUPT);
    assert_int_equal(decode_made_by_hand(1, 0, KEY_BYTES_MAX, VALUE_BYTES_MAX), STATUS_OK);
    assert_int_equal(decode_made_by_hand(1, 0, KEY_BYTES_MAX + 1, 0), STATUS_CORRUPT);
    assert_int_equal(decode_made_by_hand(1, 0, 1, VALUE_BYTES_MAX + 1), STATUS_CORRUPT);
}

static void encode_an_empty_key(void *context) {
    uint8_t data[64];
    struct kv_request request = a_put();
    (void)context;
    request.key.len = 0;
    kv_command_encode(&request, 1, data, kv_command_size(&request));
}

static void dies_rather_than_encode_what_no_node_could_decode(void **state) {
    (void)state;
    assert_true(death_follows(encode_an_empty_key, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_an_empty_key_of_all_but_a_scan),
        cmocka_unit_test(takes_keys_of_480_bytes_and_no_more),
        cmocka_unit_test(lets_a_scan_start_behind_the_longest_key),
        cmocka_unit_test(takes_an_end_of_480_bytes_and_no_more),
        cmocka_unit_test(takes_values_of_a_mebibyte_and_no_more),
        cmocka_unit_test(takes_an_empty_value),
        cmocka_unit_test(refuses_an_end_before_the_start),
        cmocka_unit_test(refuses_negative_numbers),
        cmocka_unit_test(refuses_half_a_request_id),
        cmocka_unit_test(every_kind_of_write_survives_the_round_trip),
        cmocka_unit_test(the_largest_write_fits_an_entry),
        cmocka_unit_test(a_command_cut_anywhere_is_corrupt),
        cmocka_unit_test(nothing_is_no_command),
        cmocka_unit_test(a_command_with_something_after_it_is_corrupt),
        cmocka_unit_test(a_later_version_is_unsupported),
        cmocka_unit_test(unknown_flags_operations_and_counts_are_corrupt),
        cmocka_unit_test(lengths_that_lie_are_corrupt),
        cmocka_unit_test(a_command_outside_the_limits_is_corrupt),
        cmocka_unit_test(dies_rather_than_encode_what_no_node_could_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
