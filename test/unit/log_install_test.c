#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum status install(struct log_fixture *f, raft_index index, raft_term term,
                           struct kv_log_installed *ret_installed) {
    struct raft_configuration configuration = fixture_voters(3, index - 1);
    struct kv_log_install install = {.index = index,
                                     .term = term,
                                     .configuration = &configuration,
                                     .state_generation = 4};
    return kv_log_install(f->log, &install, ret_installed);
}

static void log_that_holds_the_snapshot_keeps_what_follows(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 20, 2);
    assert_int_equal(install(&f, 12, 2, &installed), STATUS_OK);
    assert_true(installed.is_kept);
    assert_int_equal(installed.first_index, 13);
    assert_int_equal(installed.last_index, 20);
    assert_int_equal(installed.last_term, 2);
    assert_int_equal(installed.configuration.index, 11);
    fixture_append(&f, 21, 21, 2);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, 13);
    assert_int_equal(f.summary.last_index, 21);
    assert_int_equal(f.summary.cut_term, 2);
    assert_int_equal(f.summary.state_generation, 4);
    assert_int_equal(f.summary.configuration.index, 11);
    assert_int_equal(f.summary.configuration.count, 3);
    assert_int_equal(fixture_read(&f, 13, 21, &seen), STATUS_OK);
    assert_int_equal(fixture_read(&f, 12, 12, &seen), STATUS_NOT_FOUND);
    fixture_close(&f);
}

static void log_that_reaches_just_to_the_snapshot_is_kept_too(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 12, 2);
    assert_int_equal(install(&f, 12, 2, &installed), STATUS_OK);
    assert_true(installed.is_kept);
    assert_int_equal(installed.first_index, 13);
    assert_int_equal(installed.last_index, 12);
    assert_int_equal(installed.last_term, 2);
    fixture_close(&f);
}

static void configuration_behind_the_snapshot_stays_the_newest(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 14, 2);
    fixture_configure(&f, 15, 2, 5);
    assert_int_equal(install(&f, 12, 2, &installed), STATUS_OK);
    assert_int_equal(installed.configuration.index, 15);
    assert_int_equal(installed.configuration.count, 5);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.configuration.index, 15);
    assert_int_equal(f.summary.configuration_before.index, 11);
    fixture_close(&f);
}

/* Whatever it holds there: it has never agreed with the snapshot. */
static void log_of_another_history_begins_anew(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 14, 2);
    fixture_configure(&f, 15, 2, 5);
    assert_int_equal(install(&f, 12, 3, &installed), STATUS_OK);
    assert_false(installed.is_kept);
    assert_int_equal(installed.first_index, 13);
    assert_int_equal(installed.last_index, 12);
    assert_int_equal(installed.last_term, 3);
    assert_int_equal(installed.hard.term, 3);
    assert_int_equal(installed.configuration.count, 3);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 12);
    assert_int_equal(f.summary.last_term, 3);
    assert_int_equal(f.summary.configuration.count, 3);
    fixture_append(&f, 13, 14, 4);
    fixture_reopen(&f, *state);
    assert_int_equal(fixture_read(&f, 13, 14, &seen), STATUS_OK);
    assert_int_equal(seen.last_term, 4);
    fixture_close(&f);
}

static void log_that_ends_before_the_snapshot_begins_anew(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 5, 2);
    assert_int_equal(install(&f, 1000, 7, &installed), STATUS_OK);
    assert_false(installed.is_kept);
    fixture_append(&f, 1001, 1002, 7);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, 1001);
    assert_int_equal(f.summary.last_index, 1002);
    fixture_close(&f);
}

static void older_term_is_raised_and_votes_for_nobody(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    struct raft_hard_state hard = {.term = 2, .vote = 9};
    fixture_open(&f, *state);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.hard = &hard}), STATUS_OK);
    assert_int_equal(install(&f, 12, 5, &installed), STATUS_OK);
    assert_int_equal(installed.hard.term, 5);
    assert_int_equal(installed.hard.vote, 0);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.hard.term, 5);
    assert_int_equal(f.summary.hard.vote, 0);
    fixture_close(&f);
}

static void newer_term_keeps_its_vote(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    struct raft_hard_state hard = {.term = 8, .vote = 9};
    fixture_open(&f, *state);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.hard = &hard}), STATUS_OK);
    assert_int_equal(install(&f, 12, 5, &installed), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.hard.term, 8);
    assert_int_equal(f.summary.hard.vote, 9);
    fixture_close(&f);
}

static void snapshot_at_or_below_the_cut_point_is_stale(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    raft_index first;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 20, 2);
    assert_int_equal(kv_log_cut(f.log, 10, &first), STATUS_OK);
    assert_int_equal(install(&f, 9, 2, &installed), STATUS_STALE);
    assert_int_equal(install(&f, 10, 2, &installed), STATUS_STALE);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.state_generation, 0);
    assert_int_equal(f.summary.first_index, 11);
    fixture_close(&f);
}

static void rebuilt_state_may_stand_at_the_cut_point(void **state) {
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    struct seen seen;
    raft_index first;
    struct raft_configuration configuration = fixture_voters(3, 7);
    struct kv_log_install rebuild = {.index = 10,
                                     .term = 2,
                                     .configuration = &configuration,
                                     .state_generation = 1,
                                     .is_rebuild = true};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 20, 2);
    assert_int_equal(kv_log_cut(f.log, 10, &first), STATUS_OK);
    assert_int_equal(kv_log_install(f.log, &rebuild, &installed), STATUS_OK);
    assert_true(installed.is_kept);
    assert_int_equal(installed.last_index, 20);
    rebuild.term = 1;
    assert_int_equal(kv_log_install(f.log, &rebuild, &installed), STATUS_CORRUPT);
    rebuild.index = 9;
    assert_int_equal(kv_log_install(f.log, &rebuild, &installed), STATUS_STALE);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.state_generation, 1);
    assert_int_equal(fixture_read(&f, 11, 20, &seen), STATUS_OK);
    fixture_close(&f);
}

/* More entries than one cut may delete. */
static void long_log_gives_way_at_once(void **state) {
    enum { COUNT = 5000 };
    struct log_fixture f = {0};
    struct kv_log_installed installed;
    static struct raft_entry entries[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        entries[i] = fixture_entry(i + 1, 1, "x");
    struct raft_hard_state hard = {.term = 1};
    struct kv_log_batch batch = {.hard = &hard, .entries = entries, .entry_count = COUNT};
    fixture_open(&f, *state);
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
    assert_int_equal(install(&f, COUNT - 10, 1, &installed), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, COUNT - 9);
    assert_int_equal(f.summary.last_index, COUNT);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(log_that_holds_the_snapshot_keeps_what_follows),
        TEST(log_that_reaches_just_to_the_snapshot_is_kept_too),
        TEST(configuration_behind_the_snapshot_stays_the_newest),
        TEST(log_of_another_history_begins_anew),
        TEST(log_that_ends_before_the_snapshot_begins_anew),
        TEST(older_term_is_raised_and_votes_for_nobody),
        TEST(newer_term_keeps_its_vote),
        TEST(snapshot_at_or_below_the_cut_point_is_stale),
        TEST(rebuilt_state_may_stand_at_the_cut_point),
        TEST(long_log_gives_way_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
