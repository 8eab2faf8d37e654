/* The server's codec against the generated code of both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"
#include "rpc/codec.h"

#include <stdlib.h>

static upb_Arena *arena;

static int make_arena(void **state) {
    (void)state;
    arena = upb_Arena_New();
    return 0;
}

static int free_arena(void **state) {
    (void)state;
    upb_Arena_Free(arena);
    return 0;
}

static upb_StringView view(const char *text) {
    return upb_StringView_FromString(text);
}

static void assert_text(struct bytes actual, const char *expected) {
    assert_int_equal(actual.len, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.len);
}

static void assert_view(upb_StringView actual, const char *expected) {
    assert_text(bytes_of(actual.data, actual.size), expected);
}

static bool lies_within(struct bytes inner, struct bytes outer) {
    return inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len;
}

/* ---- Requests ------------------------------------------------------------------------------ */

static struct bytes put_body(void) {
    phalanx_v1_PutRequest *put = phalanx_v1_PutRequest_new(arena);
    phalanx_v1_PutRequest_set_key(put, view("key"));
    phalanx_v1_PutRequest_set_value(put, view("some value that is a little longer"));
    phalanx_v1_PutRequest_set_prev_revision(put, 0);
    phalanx_v1_RequestId *id = phalanx_v1_PutRequest_mutable_request_id(put, arena);
    phalanx_v1_RequestId_set_client_id(id, UINT64_MAX);
    phalanx_v1_RequestId_set_sequence(id, 7);
    size_t len = 0;
    const char *data = phalanx_v1_PutRequest_serialize(put, arena, &len);
    return bytes_of(data, len);
}

static void reads_every_field_of_a_put(void **state) {
    (void)state;
    struct kv_request request;
    assert_true(rpc__decode_request(KV_PUT, put_body(), &request));
    assert_int_equal(request.operation, KV_PUT);
    assert_text(request.key, "key");
    assert_text(request.value, "some value that is a little longer");
    assert_true(request.has_prev_revision);
    assert_int_equal(request.prev_revision, 0);
    assert_true(request.has_request_id);
    assert_true(request.client_id == UINT64_MAX);
    assert_int_equal(request.sequence, 7);
}

static void borrows_strings_from_the_body(void **state) {
    (void)state;
    struct bytes body = put_body();
    struct kv_request request;
    assert_true(rpc__decode_request(KV_PUT, body, &request));
    assert_true(lies_within(request.key, body));
    assert_true(lies_within(request.value, body));
}

static void tells_an_unset_revision_from_zero(void **state) {
    (void)state;
    struct kv_request request;
    phalanx_v1_DeleteRequest *delete = phalanx_v1_DeleteRequest_new(arena);
    phalanx_v1_DeleteRequest_set_key(delete, view("k"));
    size_t len = 0;
    const char *data = phalanx_v1_DeleteRequest_serialize(delete, arena, &len);
    assert_true(rpc__decode_request(KV_DELETE, bytes_of(data, len), &request));
    assert_false(request.has_prev_revision);
    assert_false(request.has_request_id);

    phalanx_v1_DeleteRequest_set_prev_revision(delete, 0);
    data = phalanx_v1_DeleteRequest_serialize(delete, arena, &len);
    assert_true(rpc__decode_request(KV_DELETE, bytes_of(data, len), &request));
    assert_true(request.has_prev_revision);
}

static bool get_is_stale(int32_t consistency) {
    phalanx_v1_GetRequest *get = phalanx_v1_GetRequest_new(arena);
    phalanx_v1_GetRequest_set_key(get, view("k"));
    phalanx_v1_GetRequest_set_consistency(get, consistency);
    size_t len = 0;
    const char *data = phalanx_v1_GetRequest_serialize(get, arena, &len);
    struct kv_request request;
    assert_true(rpc__decode_request(KV_GET, bytes_of(data, len), &request));
    assert_text(request.key, "k");
    return request.is_stale;
}

static void reads_are_linearizable_unless_asked_otherwise(void **state) {
    (void)state;
    assert_false(get_is_stale(phalanx_v1_CONSISTENCY_UNSPECIFIED));
    assert_false(get_is_stale(phalanx_v1_CONSISTENCY_LINEARIZABLE));
    assert_true(get_is_stale(phalanx_v1_CONSISTENCY_STALE));
    assert_false(get_is_stale(77));
}

static void reads_every_field_of_a_scan(void **state) {
    (void)state;
    phalanx_v1_ScanRequest *scan = phalanx_v1_ScanRequest_new(arena);
    phalanx_v1_ScanRequest_set_start(scan, view("a"));
    phalanx_v1_ScanRequest_set_end(scan, view("b"));
    phalanx_v1_ScanRequest_set_limit(scan, -3);
    phalanx_v1_ScanRequest_set_consistency(scan, phalanx_v1_CONSISTENCY_STALE);
    size_t len = 0;
    const char *data = phalanx_v1_ScanRequest_serialize(scan, arena, &len);
    struct kv_request request;
    assert_true(rpc__decode_request(KV_SCAN, bytes_of(data, len), &request));
    assert_text(request.key, "a");
    assert_text(request.end, "b");
    assert_int_equal(request.limit, -3);
    assert_true(request.is_stale);
}

static void refuses_a_body_that_is_not_the_message(void **state) {
    (void)state;
    static const uint8_t cut[] = {0x0a, 0x05, 'a'};
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct kv_request request;
    for (int operation = KV_PUT; operation <= KV_SCAN; operation++) {
        assert_false(rpc__decode_request(operation, bytes_of(cut, sizeof cut), &request));
        assert_false(rpc__decode_request(operation, bytes_of(endless, sizeof endless), &request));
    }
}

static void survives_every_cut_and_every_flipped_bit(void **state) {
    (void)state;
    struct bytes body = put_body();
    struct kv_request request;
    for (size_t len = 0; len < body.len; len++) {
        uint8_t *cut = malloc(len + 1); /* exactly sized, so that reading past it is caught */
        memcpy(cut, body.data, len);
        (void)rpc__decode_request(KV_PUT, bytes_of(cut, len), &request);
        free(cut);
    }
    for (size_t bit = 0; bit < body.len * 8; bit++) {
        uint8_t *flipped = malloc(body.len);
        memcpy(flipped, body.data, body.len);
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (rpc__decode_request(KV_PUT, bytes_of(flipped, body.len), &request))
            assert_true(request.key.len <= body.len && request.value.len <= body.len);
        free(flipped);
    }
}

/* ---- Answers ------------------------------------------------------------------------------- */

/* What is in a slice, as long as the arena is there. */
static struct bytes take(grpc_slice slice) {
    size_t size = GRPC_SLICE_LENGTH(slice);
    uint8_t *data = upb_Arena_Malloc(arena, size + 1);
    memcpy(data, GRPC_SLICE_START_PTR(slice), size);
    grpc_slice_unref(slice);
    return bytes_of(data, size);
}

static struct bytes encode(enum kv_operation operation, const struct kv_response *response) {
    return take(rpc__response_encode(operation, response));
}

static void writes_a_put_answer(void **state) {
    (void)state;
    static const int64_t revisions[] = {0, 1, 127, 128, 300, INT64_MAX, -1};
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++) {
        struct bytes body = encode(KV_PUT, &(struct kv_response){.revision = revisions[i]});
        const phalanx_v1_PutResponse *put =
            phalanx_v1_PutResponse_parse((const char *)body.data, body.len, arena);
        assert_non_null(put);
        assert_true(phalanx_v1_PutResponse_revision(put) == revisions[i]);
    }
}

static void writes_a_delete_answer(void **state) {
    (void)state;
    struct bytes body = encode(KV_DELETE, &(struct kv_response){.is_found = true, .revision = 9});
    const phalanx_v1_DeleteResponse *delete =
        phalanx_v1_DeleteResponse_parse((const char *)body.data, body.len, arena);
    assert_non_null(delete);
    assert_true(phalanx_v1_DeleteResponse_deleted(delete));
    assert_int_equal(phalanx_v1_DeleteResponse_revision(delete), 9);
}

static void writes_a_get_answer(void **state) {
    (void)state;
    struct kv_response found = {.is_found = true,
                                .item = {.value = bytes_of_text("value"),
                                         .mod_revision = 500,
                                         .create_revision = 400,
                                         .version = 3}};
    struct bytes body = encode(KV_GET, &found);
    const phalanx_v1_GetResponse *get =
        phalanx_v1_GetResponse_parse((const char *)body.data, body.len, arena);
    assert_non_null(get);
    assert_true(phalanx_v1_GetResponse_found(get));
    assert_view(phalanx_v1_GetResponse_value(get), "value");
    assert_int_equal(phalanx_v1_GetResponse_mod_revision(get), 500);
    assert_int_equal(phalanx_v1_GetResponse_create_revision(get), 400);
    assert_int_equal(phalanx_v1_GetResponse_version(get), 3);
    assert_int_equal(encode(KV_GET, &(struct kv_response){0}).len, 0);
}

/* Around where the bytes stop fitting the block on the stack, and the largest. */
static void writes_a_value_of_any_length(void **state) {
    (void)state;
    static uint8_t value[VALUE_BYTES_MAX];
    static const size_t lengths[] = {1, 127, 128, 511, 512, 513, 1000, 2048, 65536, sizeof value};
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct kv_response found = {.is_found = true,
                                    .item = {.value = bytes_of(value, lengths[i]),
                                             .mod_revision = INT64_MAX,
                                             .create_revision = INT64_MAX,
                                             .version = INT64_MAX}};
        struct bytes body = encode(KV_GET, &found);
        const phalanx_v1_GetResponse *get =
            phalanx_v1_GetResponse_parse((const char *)body.data, body.len, arena);
        assert_non_null(get);
        assert_int_equal(phalanx_v1_GetResponse_value(get).size, lengths[i]);
        assert_memory_equal(phalanx_v1_GetResponse_value(get).data, value, lengths[i]);
        assert_true(phalanx_v1_GetResponse_version(get) == INT64_MAX);
    }
}

static void writes_a_scan_answer_without_items(void **state) {
    (void)state;
    assert_int_equal(encode(KV_SCAN, &(struct kv_response){0}).len, 0);
}

static void writes_a_scan_answer_of_the_largest_size(void **state) {
    (void)state;
    static uint8_t value[VALUE_BYTES_MAX];
    struct kv_item *items = calloc(SCAN_ITEMS_MAX, sizeof *items);
    for (size_t i = 0; i < SCAN_ITEMS_MAX; i++)
        items[i] = (struct kv_item){.key = bytes_of_text("key"),
                                    .value = bytes_of(value, i % 200),
                                    .mod_revision = (int64_t)i,
                                    .create_revision = 1,
                                    .version = 2};
    items[5].value = bytes_of(value, sizeof value);
    struct kv_response response = {.items = items, .item_count = SCAN_ITEMS_MAX, .has_more = true};
    struct bytes body = encode(KV_SCAN, &response);
    const phalanx_v1_ScanResponse *scan =
        phalanx_v1_ScanResponse_parse((const char *)body.data, body.len, arena);
    assert_non_null(scan);
    assert_true(phalanx_v1_ScanResponse_more(scan));
    size_t count = 0;
    const phalanx_v1_KeyValue *const *read = phalanx_v1_ScanResponse_items(scan, &count);
    assert_int_equal(count, SCAN_ITEMS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_view(phalanx_v1_KeyValue_key(read[i]), "key");
        assert_int_equal(phalanx_v1_KeyValue_value(read[i]).size, items[i].value.len);
        assert_int_equal(phalanx_v1_KeyValue_mod_revision(read[i]), i);
        assert_int_equal(phalanx_v1_KeyValue_create_revision(read[i]), 1);
        assert_int_equal(phalanx_v1_KeyValue_version(read[i]), 2);
    }
    free(items);
}

static void writes_what_a_node_says_of_itself(void **state) {
    (void)state;
    struct node_status status = {
        .name = "n1", .identity = UINT64_MAX, .role = NODE_LEARNER, .term = 5, .revision = -1};
    memset(status.leader_address, 'a', sizeof status.leader_address - 1);
    memset(status.leader_name, 'n', sizeof status.leader_name - 1);
    uint8_t data[RPC__STATUS_BYTES_MAX];
    size_t len = rpc__status_encode(&status, data);
    const phalanx_v1_StatusResponse *read =
        phalanx_v1_StatusResponse_parse((const char *)data, len, arena);
    assert_non_null(read);
    assert_view(phalanx_v1_StatusResponse_node_id(read), "n1");
    assert_true(phalanx_v1_StatusResponse_identity(read) == UINT64_MAX);
    assert_int_equal(phalanx_v1_StatusResponse_role(read), phalanx_v1_ROLE_LEARNER);
    assert_int_equal(phalanx_v1_StatusResponse_term(read), 5);
    assert_int_equal(phalanx_v1_StatusResponse_revision(read), -1);
    assert_view(phalanx_v1_StatusResponse_leader_address(read), status.leader_address);
}

static void writes_a_chunk(void **state) {
    (void)state;
    static uint8_t chunk[65536];
    memset(chunk, 'c', sizeof chunk);
    struct bytes body = take(rpc__chunk_encode(bytes_of(chunk, sizeof chunk)));
    const phalanx_v1_SaveSnapshotResponse *read =
        phalanx_v1_SaveSnapshotResponse_parse((const char *)body.data, body.len, arena);
    assert_non_null(read);
    assert_int_equal(phalanx_v1_SaveSnapshotResponse_chunk(read).size, sizeof chunk);
    assert_memory_equal(phalanx_v1_SaveSnapshotResponse_chunk(read).data, chunk, sizeof chunk);
    assert_int_equal(take(rpc__chunk_encode(bytes_of(NULL, 0))).len, 0);
}

#define CODEC_TEST(name) cmocka_unit_test_setup_teardown(name, make_arena, free_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        CODEC_TEST(reads_every_field_of_a_put),
        CODEC_TEST(borrows_strings_from_the_body),
        CODEC_TEST(tells_an_unset_revision_from_zero),
        CODEC_TEST(reads_are_linearizable_unless_asked_otherwise),
        CODEC_TEST(reads_every_field_of_a_scan),
        CODEC_TEST(refuses_a_body_that_is_not_the_message),
        CODEC_TEST(survives_every_cut_and_every_flipped_bit),
        CODEC_TEST(writes_a_put_answer),
        CODEC_TEST(writes_a_delete_answer),
        CODEC_TEST(writes_a_get_answer),
        CODEC_TEST(writes_a_value_of_any_length),
        CODEC_TEST(writes_a_scan_answer_without_items),
        CODEC_TEST(writes_a_scan_answer_of_the_largest_size),
        CODEC_TEST(writes_what_a_node_says_of_itself),
        CODEC_TEST(writes_a_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
