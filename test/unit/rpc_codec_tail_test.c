/* upb copies strings in a message's last bytes; the codec promises that they lie in the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/v1/kv.upb.h"
#include "rpc/codec.h"

static bool lies_within(struct bytes inner, struct bytes outer) {
    return inner.len == 0 ||
           (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

static void check_put(struct bytes key, struct bytes value) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_PutRequest *put = phalanx_v1_PutRequest_new(arena);
    phalanx_v1_PutRequest_set_key(put,
                                  upb_StringView_FromDataAndSize((const char *)key.data, key.len));
    phalanx_v1_PutRequest_set_value(put, upb_StringView_FromDataAndSize((const char *)value.data,
                                                                        value.len));
    size_t len = 0;
    const char *data = phalanx_v1_PutRequest_serialize(put, arena, &len);
    struct bytes body = bytes_of(data, len);
    struct kv_request request;
    assert_true(rpc__decode_request(KV_PUT, body, &request));
    assert_true(bytes_equal(request.key, key));
    assert_true(bytes_equal(request.value, value));
    assert_true(lies_within(request.key, body));
    assert_true(lies_within(request.value, body));
    upb_Arena_Free(arena);
}

/* Bytes that differ, and bytes that are all the same: then many places look right. */
static void borrows_strings_of_any_length_from_the_body(void **state) {
    (void)state;
    uint8_t different[64];
    uint8_t same[64];
    for (size_t i = 0; i < sizeof different; i++)
        different[i] = (uint8_t)(i + 1);
    memset(same, 10, sizeof same); /* the tag of a key */
    for (size_t key_len = 0; key_len <= 32; key_len++) {
        for (size_t value_len = 0; value_len <= 32; value_len++) {
            check_put(bytes_of(different, key_len), bytes_of(different + 32, value_len));
            check_put(bytes_of(same, key_len), bytes_of(same, value_len));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borrows_strings_of_any_length_from_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
