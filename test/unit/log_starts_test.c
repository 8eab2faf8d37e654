#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void every_start_is_remembered(void **state) {
    struct log_fixture f = {0};
    uint64_t nonces[6];
    uint64_t nonce = 0;
    fixture_open(&f, *state);
    for (size_t i = 1; i <= 5; i++) {
        nonces[i] = f.summary.identity.start_nonce;
        fixture_reopen(&f, *state);
    }
    for (size_t i = 1; i <= 5; i++) {
        assert_int_equal(kv_log_start_nonce(f.log, i, &nonce), STATUS_OK);
        assert_true(nonce == nonces[i]);
    }
    assert_int_equal(kv_log_start_nonce(f.log, 6, &nonce), STATUS_OK);
    assert_true(nonce == f.summary.identity.start_nonce);
    assert_int_equal(kv_log_start_nonce(f.log, 7, &nonce), STATUS_NOT_FOUND);
    assert_int_equal(kv_log_start_nonce(f.log, 0, &nonce), STATUS_NOT_FOUND);
    fixture_close(&f);
}

/* Starts `from` to `to`, in one transaction. */
static void start_often(struct log_fixture *f, uint64_t from, uint64_t to) {
    struct kv_demand demand = {.single_pages = 256};
    struct kv_writer writer;
    assert_int_equal(kv__writer_begin(f->log->env, &demand, true, &writer), STATUS_OK);
    for (uint64_t i = from; i <= to; i++) {
        struct kv_identity identity = {.start_counter = i, .start_nonce = 2 * i + 1};
        assert_int_equal(kv__log_start_put(&writer, &identity), STATUS_OK);
    }
    assert_int_equal(kv__writer_end(&writer, STATUS_OK), STATUS_OK);
}

static void oldest_starts_are_forgotten(void **state) {
    struct log_fixture f = {0};
    uint64_t nonce;
    fixture_open(&f, *state);
    start_often(&f, 2, STARTS_KEPT + 2);
    assert_int_equal(kv_log_start_nonce(f.log, 2, &nonce), STATUS_NOT_FOUND);
    assert_int_equal(kv_log_start_nonce(f.log, 3, &nonce), STATUS_OK);
    assert_int_equal(nonce, 7);
    assert_int_equal(kv_log_start_nonce(f.log, STARTS_KEPT + 2, &nonce), STATUS_OK);
    fixture_append(&f, 1, 3, 1); /* entries still come last */
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 3);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_start_is_remembered),
        TEST(oldest_starts_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
