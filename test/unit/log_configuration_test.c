#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_configurations(const struct log_fixture *f, raft_index newest, size_t voters,
                                  raft_index before, size_t voters_before) {
    assert_int_equal(f->summary.configuration.index, newest);
    assert_int_equal(f->summary.configuration.count, voters);
    assert_int_equal(f->summary.configuration_before.index, before);
    assert_int_equal(f->summary.configuration_before.count, voters_before);
}

/* Configurations of 1, 2 and 3 voters at 1, 5 and 9; entries up to 12. */
static void write_story(struct log_fixture *f) {
    fixture_configure(f, 1, 1, 1);
    fixture_append(f, 2, 4, 1);
    fixture_configure(f, 5, 1, 2);
    fixture_append(f, 6, 8, 1);
    fixture_configure(f, 9, 2, 3);
    fixture_append(f, 10, 12, 2);
}

static void start_finds_the_newest_configuration_and_the_one_before(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    write_story(&f);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 9, 3, 5, 2);
    fixture_close(&f);
}

static void truncation_brings_the_one_before_back(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    write_story(&f);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.truncate_from = 9}), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 5, 2, 1, 1);
    fixture_append(&f, 9, 9, 3);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 5, 2, 1, 1);
    fixture_close(&f);
}

static void group_of_batches_leaves_only_what_it_ends_with(void **state) {
    struct log_fixture f = {0};
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration four = fixture_voters(4, 0);
    struct raft_hard_state hard = {.term = 4};
    fixture_open(&f, *state);
    write_story(&f);
    size_t len = raft_configuration_encode(&four, payload, sizeof payload);
    struct raft_entry entry = {.index = 13,
                               .term = 4,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .payload = bytes_of(payload, len)};
    struct raft_entry other = fixture_entry(8, 4, "instead");
    struct kv_log_batch first = {.hard = &hard, .entries = &entry, .entry_count = 1};
    struct kv_log_batch second = {.truncate_from = 8, .entries = &other, .entry_count = 1};
    const struct kv_log_batch *group[] = {&first, &second};
    assert_int_equal(kv_log_write(f.log, group, 2), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 5, 2, 1, 1);
    fixture_close(&f);
}

static void cut_point_keeps_the_newest_configuration_that_went(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    fixture_open(&f, *state);
    write_story(&f);
    assert_int_equal(kv_log_cut(f.log, 4, &first), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 9, 3, 5, 2);
    assert_int_equal(kv_log_cut(f.log, 6, &first), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 9, 3, 5, 2);
    assert_int_equal(kv_log_cut(f.log, 12, &first), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 9, 3, 9, 3);
    fixture_append(&f, 13, 14, 3);
    assert_int_equal(kv_log_cut(f.log, 13, &first), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 9, 3, 9, 3);
    assert_int_equal(f.summary.configuration_term, 2); /* of entry 9, not of the cut point */
    fixture_configure(&f, 15, 3, 5);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 15, 5, 9, 3);
    fixture_close(&f);
}

static void truncating_down_to_the_cut_point_leaves_its_configuration(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    fixture_open(&f, *state);
    write_story(&f);
    assert_int_equal(kv_log_cut(f.log, 6, &first), STATUS_OK);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.truncate_from = 7}), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_configurations(&f, 5, 2, 5, 2);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(start_finds_the_newest_configuration_and_the_one_before),
        TEST(truncation_brings_the_one_before_back),
        TEST(group_of_batches_leaves_only_what_it_ends_with),
        TEST(cut_point_keeps_the_newest_configuration_that_went),
        TEST(truncating_down_to_the_cut_point_leaves_its_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
