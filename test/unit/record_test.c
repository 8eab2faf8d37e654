#include "kv/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4. */
static void crc32c_gives_the_vectors_of_rfc_3720(void **state) {
    (void)state;
    uint8_t data[32];
    memset(data, 0, sizeof data);
    assert_true(kv__crc32c(0, bytes_of(data, sizeof data)) == 0x8a9136aa);
    memset(data, 0xff, sizeof data);
    assert_true(kv__crc32c(0, bytes_of(data, sizeof data)) == 0x62a8ab43);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    assert_true(kv__crc32c(0, bytes_of(data, sizeof data)) == 0x46dd794e);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(31 - i);
    assert_true(kv__crc32c(0, bytes_of(data, sizeof data)) == 0x113fdb5c);
    assert_true(kv__crc32c(0, bytes_of_text("123456789")) == 0xe3069283);
}

static void crc32c_goes_on_where_it_stopped(void **state) {
    (void)state;
    uint32_t crc = kv__crc32c(0, bytes_of_text("1234"));
    crc = kv__crc32c(crc, (struct bytes){0});
    assert_true(kv__crc32c(crc, bytes_of_text("56789")) == 0xe3069283);
}

static struct bytes sealed(struct bytes key, const char *body, uint8_t memory[64]) {
    size_t len = strlen(body);
    memcpy(memory + KV_SEAL_BYTES, body, len);
    kv__record_seal(key, memory, KV_SEAL_BYTES + len);
    return bytes_of(memory, KV_SEAL_BYTES + len);
}

static void sealed_record_opens_to_its_body(void **state) {
    (void)state;
    uint8_t memory[64];
    struct bytes key = bytes_of_text("key"), body;
    assert_int_equal(kv__record_open(key, sealed(key, "body", memory), &body), STATUS_OK);
    assert_true(bytes_equal(body, bytes_of_text("body")));
    assert_int_equal(kv__record_open(key, sealed(key, "", memory), &body), STATUS_OK);
    assert_int_equal(body.len, 0);
}

static void every_flipped_bit_breaks_the_seal(void **state) {
    (void)state;
    uint8_t memory[64];
    struct bytes key = bytes_of_text("key"), body = {0};
    struct bytes record = sealed(key, "some body", memory);
    for (size_t bit = 0; bit < record.len * 8; bit++) {
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(kv__record_open(key, record, &body), STATUS_CORRUPT);
        memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(body.data);
}

static void record_under_another_key_is_damage(void **state) {
    (void)state;
    uint8_t memory[64];
    struct bytes body;
    struct bytes record = sealed(bytes_of_text("key-1"), "body", memory);
    assert_int_equal(kv__record_open(bytes_of_text("key-2"), record, &body), STATUS_CORRUPT);
    record.len--;
    assert_int_equal(kv__record_open(bytes_of_text("key-1"), record, &body), STATUS_CORRUPT);
    record.len = KV_SEAL_BYTES - 1;
    assert_int_equal(kv__record_open(bytes_of_text("key-1"), record, &body), STATUS_CORRUPT);
}

static void hash_depends_on_key_and_body(void **state) {
    (void)state;
    uint8_t a[64], b[64], c[64];
    uint64_t of_a = kv__record_hash(sealed(bytes_of_text("key-1"), "body", a));
    uint64_t of_b = kv__record_hash(sealed(bytes_of_text("key-2"), "body", b));
    uint64_t of_c = kv__record_hash(sealed(bytes_of_text("key-1"), "bodx", c));
    assert_true(of_a != of_b && of_a != of_c && of_b != of_c);
}

static void meta_comes_back_as_it_was(void **state) {
    (void)state;
    uint8_t body[KV_META_BYTES];
    struct kv_meta meta = {1, 2, -3, 4, 5, 6, 7, UINT64_MAX, 9, 10};
    struct kv_meta read;
    kv__meta_encode(&meta, body);
    assert_int_equal(kv__meta_decode(bytes_of(body, sizeof body), &read), STATUS_OK);
    assert_memory_equal(&meta, &read, sizeof meta);
    assert_int_equal(kv__meta_decode(bytes_of(body, sizeof body - 1), &read), STATUS_CORRUPT);
    body[0] = 2;
    assert_int_equal(kv__meta_decode(bytes_of(body, sizeof body), &read), STATUS_UNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_vectors_of_rfc_3720),
        cmocka_unit_test(crc32c_goes_on_where_it_stopped),
        cmocka_unit_test(sealed_record_opens_to_its_body),
        cmocka_unit_test(every_flipped_bit_breaks_the_seal),
        cmocka_unit_test(record_under_another_key_is_damage),
        cmocka_unit_test(hash_depends_on_key_and_body),
        cmocka_unit_test(meta_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
