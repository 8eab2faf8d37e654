/* Given requests and answers, the client's bytes are those of the protos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"
#include "rpc/codec.h"
#include "rpc/codec_client.h"

/* One arena for the messages of a test, and the client's memory. */
struct fixture {
    upb_Arena *arena;
    struct rpc__memory *memory;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.arena = upb_Arena_New();
    fixture.memory = rpc__memory_new();
    *state = &fixture;
    return fixture.arena == NULL || fixture.memory == NULL;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    upb_Arena_Free(f->arena);
    rpc__memory_free(f->memory);
    return 0;
}

/* The request's bytes, kept by the arena. */
static struct bytes encoded(struct fixture *f, const struct kv_request *request) {
    grpc_slice slice;
    assert_int_equal(rpc__encode_kv_request(request, &slice), STATUS_OK);
    size_t len = GRPC_SLICE_LENGTH(slice);
    uint8_t *copy = upb_Arena_Malloc(f->arena, len + 1);
    memcpy(copy, GRPC_SLICE_START_PTR(slice), len);
    grpc_slice_unref(slice);
    return bytes_of(copy, len);
}

static void assert_view(upb_StringView view, const char *expected) {
    assert_int_equal(view.size, strlen(expected));
    assert_memory_equal(view.data, expected, view.size);
}

static void assert_bytes(struct bytes bytes, const char *expected) {
    assert_true(bytes_equal(bytes, bytes_of_text(expected)));
}

#define SERIALIZED(type, message, f) serialized_##type((message), (f))
#define SERIALIZER(type) \
    static struct bytes serialized_##type(phalanx_v1_##type *message, struct fixture *f) { \
        size_t len = 0; \
        char *data = phalanx_v1_##type##_serialize(message, f->arena, &len); \
        assert_non_null(data); \
        return bytes_of(data, len); \
    }
SERIALIZER(GetResponse)
SERIALIZER(ScanResponse)
SERIALIZER(StatusResponse)

static void a_put_carries_all_that_was_asked(void **state) {
    struct fixture *f = *state;
    struct kv_request request = {
        .operation = KV_PUT,
        .key = bytes_of_text("k"),
        .value = bytes_of("\0\xff", 2),
        .has_prev_revision = true, /* of 0: which must not get lost as a default */
        .has_request_id = true,
        .client_id = UINT64_MAX,
        .sequence = 256,
    };
    struct bytes body = encoded(f, &request);
    const phalanx_v1_PutRequest *put =
        phalanx_v1_PutRequest_parse((const char *)body.data, body.len, f->arena);
    assert_non_null(put);
    assert_view(phalanx_v1_PutRequest_key(put), "k");
    assert_int_equal(phalanx_v1_PutRequest_value(put).size, 2);
    assert_true(phalanx_v1_PutRequest_has_prev_revision(put));
    assert_int_equal(phalanx_v1_PutRequest_prev_revision(put), 0);
    const phalanx_v1_RequestId *id = phalanx_v1_PutRequest_request_id(put);
    assert_non_null(id);
    assert_true(phalanx_v1_RequestId_client_id(id) == UINT64_MAX);
    assert_int_equal(phalanx_v1_RequestId_sequence(id), 256);
}

static void what_was_not_asked_is_not_sent(void **state) {
    struct fixture *f = *state;
    struct kv_request request = {.operation = KV_DELETE,
                                 .key = bytes_of_text("k"),
                                 .prev_revision = 7,
                                 .client_id = 7,
                                 .sequence = 7};
    struct bytes body = encoded(f, &request);
    assert_int_equal(body.len, 3);
    request.operation = KV_GET;
    assert_true(bytes_equal(encoded(f, &request), body));
    request.is_stale = true;
    assert_int_equal(encoded(f, &request).len, 5);
}

static void a_scan_carries_its_range_and_limit(void **state) {
    struct fixture *f = *state;
    struct kv_request request = {.operation = KV_SCAN,
                                 .key = bytes_of_text("a"),
                                 .end = bytes_of_text("b"),
                                 .limit = 10};
    struct bytes body = encoded(f, &request);
    const phalanx_v1_ScanRequest *scan =
        phalanx_v1_ScanRequest_parse((const char *)body.data, body.len, f->arena);
    assert_non_null(scan);
    assert_view(phalanx_v1_ScanRequest_start(scan), "a");
    assert_view(phalanx_v1_ScanRequest_end(scan), "b");
    assert_int_equal(phalanx_v1_ScanRequest_limit(scan), 10);
}

static void a_large_value_is_encoded_whole(void **state) {
    struct fixture *f = *state;
    static uint8_t value[VALUE_BYTES_MAX];
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of(value, sizeof value)};
    struct bytes body = encoded(f, &request);
    assert_true(body.len > sizeof value && body.len < sizeof value + 16);
}

static void an_empty_answer_to_a_get_is_a_missing_key(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    assert_int_equal(rpc__decode_kv_response(f->memory, bytes_of(NULL, 0), KV_GET, &response),
                     STATUS_OK);
    assert_false(response.is_found);
    assert_int_equal(response.item.value.len, 0);
}

static void a_get_answers_value_and_revisions(void **state) {
    struct fixture *f = *state;
    phalanx_v1_GetResponse *get = phalanx_v1_GetResponse_new(f->arena);
    phalanx_v1_GetResponse_set_found(get, true);
    phalanx_v1_GetResponse_set_value(get, upb_StringView_FromString("v"));
    phalanx_v1_GetResponse_set_mod_revision(get, 9);
    phalanx_v1_GetResponse_set_create_revision(get, 5);
    phalanx_v1_GetResponse_set_version(get, 3);
    struct kv_response response;
    assert_int_equal(rpc__decode_kv_response(f->memory, SERIALIZED(GetResponse, get, f), KV_GET,
                                             &response),
                     STATUS_OK);
    assert_true(response.is_found);
    assert_bytes(response.item.value, "v");
    assert_int_equal(response.item.mod_revision, 9);
    assert_int_equal(response.item.create_revision, 5);
    assert_int_equal(response.item.version, 3);
}

static void a_scan_answers_its_items_in_order(void **state) {
    struct fixture *f = *state;
    phalanx_v1_ScanResponse *scan = phalanx_v1_ScanResponse_new(f->arena);
    for (int i = 0; i < 500; i++) {
        phalanx_v1_KeyValue *item = phalanx_v1_ScanResponse_add_items(scan, f->arena);
        phalanx_v1_KeyValue_set_key(item, upb_StringView_FromString(i == 0 ? "first" : "other"));
        phalanx_v1_KeyValue_set_mod_revision(item, i);
    }
    phalanx_v1_ScanResponse_set_more(scan, true);
    struct bytes body = SERIALIZED(ScanResponse, scan, f);
    struct kv_response response;
    for (int times = 0; times < 2; times++) { /* the memory is used again */
        assert_int_equal(rpc__decode_kv_response(f->memory, body, KV_SCAN, &response), STATUS_OK);
        assert_true(response.has_more);
        assert_int_equal(response.item_count, 500);
        assert_bytes(response.items[0].key, "first");
        assert_int_equal(response.items[499].mod_revision, 499);
    }
}

static void what_is_not_the_message_is_refused(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    struct bytes chunk;
    struct bytes garbage = bytes_of("\x0a\xff\xff\xff\xff\x0f", 6);
    for (int operation = KV_PUT; operation <= KV_SCAN; operation++)
        assert_int_equal(rpc__decode_kv_response(f->memory, garbage, (enum kv_operation)operation,
                                                 &response),
                         STATUS_CORRUPT);
    assert_int_equal(rpc__decode_chunk(f->memory, garbage, &chunk), STATUS_CORRUPT);
}

static void a_status_is_copied_and_cut_to_fit(void **state) {
    struct fixture *f = *state;
    char long_name[200];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    phalanx_v1_StatusResponse *message = phalanx_v1_StatusResponse_new(f->arena);
    phalanx_v1_StatusResponse_set_node_id(message, upb_StringView_FromString(long_name));
    phalanx_v1_StatusResponse_set_version(message, upb_StringView_FromString("1.0.0"));
    phalanx_v1_StatusResponse_set_role(message, phalanx_v1_ROLE_LEADER);
    phalanx_v1_StatusResponse_set_identity(message, UINT64_MAX);
    struct node_status status;
    char version[4];
    assert_int_equal(rpc__decode_status(f->memory, SERIALIZED(StatusResponse, message, f), &status,
                                        version, sizeof version),
                     STATUS_OK);
    assert_int_equal(strlen(status.name), NAME_BYTES_MAX - 1);
    assert_string_equal(version, "1.0");
    assert_int_equal(status.role, NODE_LEADER);
    assert_true(status.identity == UINT64_MAX);
    assert_string_equal(status.leader_name, "");
}

/* The longest texts there can be: the answer has room for them. */
static void a_status_comes_back_as_the_server_told_it(void **state) {
    struct fixture *f = *state;
    struct node_status told = {.role = NODE_LEARNER,
                               .voter_count = 3,
                               .learner_count = 1,
                               .uptime_ms = UINT64_MAX};
    memset(told.name, 'n', sizeof told.name - 1);
    memset(told.leader_name, 'l', sizeof told.leader_name - 1);
    memset(told.leader_address, 'a', sizeof told.leader_address - 1);
    memset(told.waiting, 'w', sizeof told.waiting - 1);
    uint8_t data[RPC__STATUS_BYTES_MAX];
    size_t len = rpc__status_encode(&told, data);
    struct node_status status;
    char version[64];
    assert_int_equal(rpc__decode_status(f->memory, bytes_of(data, len), &status, version,
                                        sizeof version),
                     STATUS_OK);
    assert_string_equal(status.name, told.name);
    assert_string_equal(status.leader_name, told.leader_name);
    assert_string_equal(status.leader_address, told.leader_address);
    assert_string_equal(status.waiting, told.waiting);
    assert_int_equal(status.role, NODE_LEARNER);
    assert_int_equal(status.voter_count, 3);
    assert_int_equal(status.learner_count, 1);
    assert_true(status.uptime_ms == UINT64_MAX);
    assert_true(version[0] != '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_put_carries_all_that_was_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_asked_is_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scan_carries_its_range_and_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_value_is_encoded_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_answer_to_a_get_is_a_missing_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_get_answers_value_and_revisions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scan_answers_its_items_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_the_message_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_status_is_copied_and_cut_to_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_status_comes_back_as_the_server_told_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
