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

struct log_fixture {
    struct kv_directory *directory;
    struct kv_log *log;
};

static void open_log(struct log_fixture *f, const struct temporary *t) {
    struct kv_log_options options = {.name = "n1"};
    struct kv_log_summary summary;
    assert_int_equal(kv_directory_open(temporary_path(t, "data"), &f->directory), STATUS_OK);
    assert_int_equal(kv_log_open(f->directory, &options, &f->log, &summary), STATUS_OK);
}

static void close_log(struct log_fixture *f) {
    kv_log_close(f->log);
    kv_directory_close(f->directory);
}

static void append(struct log_fixture *f, raft_index first, raft_index last) {
    struct raft_hard_state hard = {.term = 1};
    for (raft_index i = first; i <= last; i++) {
        char payload[32];
        (void)snprintf(payload, sizeof payload, "payload-%03llu.", (unsigned long long)i);
        struct raft_entry entry = {.index = i,
                                   .term = 1,
                                   .type = RAFT_ENTRY_COMMAND,
                                   .payload = bytes_of_text(payload)};
        struct kv_log_batch batch = {.hard = &hard, .entries = &entry, .entry_count = 1};
        const struct kv_log_batch *group = &batch;
        assert_int_equal(kv_log_write(f->log, &group, 1), STATUS_OK);
    }
}

static void walks_a_sound_log_while_it_grows_and_is_cut(void **state) {
    struct log_fixture f;
    struct kv_scrub scrub = {0};
    raft_index first;
    open_log(&f, *state);
    append(&f, 1, 100);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 30), STATUS_OK);
    assert_int_equal(kv_log_cut(f.log, 60, &first), STATUS_OK);
    append(&f, 101, 110);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 1);
    assert_int_equal(scrub.checked, 30 + 50);
    assert_int_equal(kv_log_cut(f.log, 110, &first), STATUS_OK);
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.walks, 2);
    assert_int_equal(scrub.checked, 0);
    assert_int_equal(scrub.damaged + scrub.mismatches, 0);
    close_log(&f);
}

static void finds_a_damaged_entry(void **state) {
    struct log_fixture f;
    struct kv_scrub scrub = {0};
    open_log(&f, *state);
    append(&f, 1, 100);
    close_log(&f);
    temporary_flip(temporary_path(*state, "data/log/data.mdb"), "payload-050.", 12, 2);
    open_log(&f, *state);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 40), STATUS_OK);
    assert_int_equal(kv_log_scrub(f.log, &scrub, 40), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 1);
    close_log(&f);
}

static void finds_a_missing_entry_and_a_damaged_vote(void **state) {
    struct log_fixture f;
    struct kv_scrub scrub = {0};
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    uint8_t meta[KV_LOG_META_KEY_BYTES];
    open_log(&f, *state);
    append(&f, 1, 100);
    write_raw(f.log->env, kv__log_number_key(KV_LOG_ENTRIES, 50, memory), (struct bytes){0});
    assert_int_equal(kv_log_scrub(f.log, &scrub, SIZE_MAX), STATUS_CORRUPT);
    assert_int_equal(scrub.mismatches, 1);
    write_raw(f.log->env, kv__log_meta_key(KV_LOG_HARD, meta), bytes_of_text("no vote at all"));
    assert_int_equal(kv_log_scrub(f.log, &scrub, 1), STATUS_CORRUPT);
    assert_int_equal(scrub.damaged, 1);
    close_log(&f);
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
        TEST(finds_a_damaged_entry),
        TEST(finds_a_missing_entry_and_a_damaged_vote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
