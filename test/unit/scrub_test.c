#include "support/log_fixture.h"
#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- The state ----------------------------------------------------------------------------- */

static void walks_a_sound_state_in_slices(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 250);
    state_flush(&f);
    int slices = 0;
    while (scrub.walks == 0) {
        assert_int_equal(kv_state_scrub(f.state, &scrub, 100), STATUS_OK);
        slices++;
    }
    assert_int_equal(slices, 3);
    assert_int_equal(scrub.checked, 250);
    assert_true(scrub.hash == f.meta.hash);
    assert_int_equal(scrub.damaged + scrub.mismatches, 0);
    assert_int_equal(kv_state_scrub(f.state, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 2);
    state_close(&f);
}

static void empty_state_is_sound(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    state_open(&f, *state);
    assert_int_equal(kv_state_scrub(f.state, &scrub, 10), STATUS_OK);
    assert_int_equal(scrub.walks, 1);
    state_close(&f);
}

static void finds_the_slice_with_the_damage(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 300);
    state_flush(&f);
    state_close(&f);
    temporary_flip(temporary_path(*state, "data/state/data.mdb"), "body of number 000150.", 22, 3);
    state_open(&f, *state);
    assert_int_equal(kv_state_scrub(f.state, &scrub, 100), STATUS_OK);
    assert_int_equal(kv_state_scrub(f.state, &scrub, 100), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 1);
    assert_int_equal(kv_state_scrub(f.state, &scrub, SIZE_MAX), STATUS_CORRUPT);
    assert_int_equal(scrub.mismatches, 1);
    state_close(&f);
}

static void write_raw(struct kv_env *env, struct bytes key, struct bytes record) {
    struct kv_writer writer;
    struct kv_demand demand = {0};
    assert_int_equal(kv__writer_begin(env, &demand, true, &writer), STATUS_OK);
    enum status status =
        record.data ? kv__writer_put(&writer, key, record) : kv__writer_delete(&writer, key);
    assert_int_equal(kv__writer_end(&writer, status), STATUS_OK);
}

static void notices_a_sound_record_that_should_not_be_there(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    uint8_t record[32] = {0};
    struct bytes key = bytes_of_text("\3key-000001");
    state_open(&f, *state);
    state_put_many(&f, 1, 10);
    state_flush(&f);
    kv__record_seal(key, record, sizeof record);
    write_raw(f.state->env, key, bytes_of(record, sizeof record)); /* an old value, come back */
    assert_int_equal(kv_state_scrub(f.state, &scrub, SIZE_MAX), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 0);
    assert_int_equal(scrub.mismatches, 1);
    state_close(&f);
}

static void flush_in_between_makes_no_mismatch(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 200);
    state_flush(&f);
    assert_int_equal(kv_state_scrub(f.state, &scrub, 100), STATUS_OK);
    state_put_many(&f, 1, 20);
    state_put_many(&f, 201, 220);
    state_flush(&f);
    assert_int_equal(kv_state_scrub(f.state, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 1);
    assert_int_equal(kv_state_scrub(f.state, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 2);
    assert_int_equal(scrub.checked, 220);
    state_close(&f);
}

/* ---- The log ------------------------------------------------------------------------------- */

static void walks_a_sound_log_while_it_grows_and_is_cut(void **state) {
    struct log_fixture f = {0};
    struct kv_scrub scrub = {0};
    raft_index first;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 100, 1);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 30), STATUS_OK);
    assert_int_equal(kv_log_cut(f.log, 60, &first), STATUS_OK);
    fixture_append(&f, 101, 110, 1);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 1);
    assert_int_equal(scrub.checked, 30 + 50);
    assert_int_equal(kv_log_cut(f.log, 110, &first), STATUS_OK);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 2);
    assert_int_equal(scrub.checked, 0);
    assert_int_equal(scrub.damaged + scrub.mismatches, 0);
    fixture_close(&f);
}

static void finds_each_damaged_entry(void **state) {
    struct log_fixture f = {0};
    struct kv_scrub scrub = {0};
    const char *segment = temporary_path(*state, "data/log/00000001.seg");
    fixture_open(&f, *state);
    fixture_append(&f, 1, 100, 1);
    temporary_flip(segment, "payload-50-1.", 13, 2);
    temporary_flip(segment, "payload-51-1.", 13, 2);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 40), STATUS_OK);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 40), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 2);
    assert_int_equal(scrub.checked, 80);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 40), STATUS_OK);
    assert_int_equal(scrub.checked, 100);
    assert_int_equal(scrub.walks, 1);
    fixture_close(&f);
}

static void finds_a_damaged_vote(void **state) {
    struct log_fixture f = {0};
    struct kv_scrub scrub = {0};
    uint8_t meta[KV_LOG_META_KEY_BYTES];
    fixture_open(&f, *state);
    fixture_append(&f, 1, 10, 1);
    write_raw(f.log->env, kv__log_meta_key(KV_LOG_HARD, meta), bytes_of_text("no vote at all"));
    assert_int_equal(kv_log_scrub(f.log, &scrub, 1), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 1);
    fixture_close(&f);
}

static void walks_on_when_the_log_got_shorter(void **state) {
    struct log_fixture f = {0};
    struct kv_scrub scrub = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 20, 1);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 15), STATUS_OK);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.truncate_from = 5}), STATUS_OK);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 1);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.checked, 4);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(walks_a_sound_state_in_slices),
        TEST(empty_state_is_sound),
        TEST(finds_the_slice_with_the_damage),
        TEST(notices_a_sound_record_that_should_not_be_there),
        TEST(flush_in_between_makes_no_mismatch),
        TEST(walks_a_sound_log_while_it_grows_and_is_cut),
        TEST(finds_each_damaged_entry),
        TEST(finds_a_damaged_vote),
        TEST(walks_on_when_the_log_got_shorter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
