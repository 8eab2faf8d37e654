/* What nodes tell each other of themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/digest.h"

static const struct node_digest sample = {
    .version = "1.2.3",
    .region = "lhr",
    .http_address = "10.0.0.2:8080",
    .role = NODE_LEARNER,
    .is_ready = true,
    .term = 1,
    .leader = 2,
    .log = {3, 4, 5, 6, 7},
    .key_count = 8,
    .log_file_bytes = 9,
    .state_file_bytes = 10,
    .memory_bytes = 11,
    .uptime_ms = 12,
    .writes_per_1000s = 13,
    .reads_per_1000s = 14,
    .commit_p99_us = NODE_UNKNOWN,
    .sync_p99_us = 16,
    .trip_count = 2,
    .trips = {{17, 18}, {19, 20}},
};

static uint8_t bytes[DIGEST_BYTES_MAX + 8];

static void comes_back_as_it_was(void **state) {
    (void)state;
    struct node_digest back;
    memset(&back, 0, sizeof back);
    size_t len = digest_encode(&sample, bytes, DIGEST_BYTES_MAX);
    assert_int_equal(digest_decode(bytes_of(bytes, len), &back), STATUS_OK);
    assert_string_equal(back.region, "lhr");
    assert_string_equal(back.http_address, "10.0.0.2:8080");
    assert_int_equal(back.role, NODE_LEARNER);
    assert_int_equal(back.log.last, 7);
    assert_int_equal(back.sync_p99_us, 16);
    assert_true(back.commit_p99_us == NODE_UNKNOWN);
    assert_int_equal(back.trips[1].us, 20);
    uint8_t again[DIGEST_BYTES_MAX];
    assert_int_equal(digest_encode(&back, again, sizeof again), len);
    assert_memory_equal(again, bytes, len);
}

static void ignores_what_a_later_version_appends(void **state) {
    (void)state;
    struct node_digest back;
    size_t len = digest_encode(&sample, bytes, DIGEST_BYTES_MAX);
    assert_int_equal(digest_decode(bytes_of(bytes, len + 8), &back), STATUS_OK);
    assert_int_equal(back.trip_count, 2);
}

static void refuses_what_is_cut_off(void **state) {
    (void)state;
    struct node_digest back = {.term = 99};
    size_t len = digest_encode(&sample, bytes, DIGEST_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(digest_decode(bytes_of(bytes, i), &back), STATUS_CORRUPT);
    assert_int_equal(back.term, 99);
}

static void refuses_texts_roles_and_rows_that_are_too_large(void **state) {
    (void)state;
    struct node_digest back;
    size_t len = digest_encode(&sample, bytes, DIGEST_BYTES_MAX);
    size_t role_at = 3 + strlen("1.2.3") + strlen("lhr") + strlen("10.0.0.2:8080");
    bytes[role_at] = NODE_LEARNER + 1;
    assert_int_equal(digest_decode(bytes_of(bytes, len), &back), STATUS_CORRUPT);
    bytes[role_at] = NODE_LEADER;
    size_t count_at = len - 2 * 16 - 1;
    bytes[count_at] = MEMBERS_MAX + 1;
    assert_int_equal(digest_decode(bytes_of(bytes, len), &back), STATUS_CORRUPT);
    memset(bytes, 'x', sizeof bytes);
    bytes[0] = VERSION_BYTES_MAX;
    assert_int_equal(digest_decode(bytes_of(bytes, sizeof bytes), &back), STATUS_CORRUPT);
}

static void fits_with_the_longest_texts(void **state) {
    (void)state;
    struct node_digest digest = sample;
    memset(digest.version, 'v', sizeof digest.version - 1);
    memset(digest.region, 'r', sizeof digest.region - 1);
    memset(digest.http_address, 'a', sizeof digest.http_address - 1);
    digest.trip_count = MEMBERS_MAX;
    assert_in_range(digest_encode(&digest, bytes, DIGEST_BYTES_MAX), 1, DIGEST_BYTES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(ignores_what_a_later_version_appends),
        cmocka_unit_test(refuses_what_is_cut_off),
        cmocka_unit_test(refuses_texts_roles_and_rows_that_are_too_large),
        cmocka_unit_test(fits_with_the_longest_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
