/* Setting aside what a data directory holds, and what a crash in the middle of it leaves. */
#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char aside[KV_ASIDE_NAME_BYTES];

static bool has(const struct temporary *t, const char *name) {
    return kv__path_exists(temporary_path(t, name));
}

static void make_folder(const struct temporary *t, const char *name) {
    assert_int_equal(mkdir(temporary_path(t, name), 0750), 0);
}

static void move(const struct temporary *t, const char *from, const char *to) {
    assert_int_equal(rename(temporary_path(t, from), temporary_path(t, to)), 0);
}

/* The directory of a node with entries and two states, closed; returns the node's identity. */
static raft_id given_a_node(const struct temporary *t) {
    struct log_fixture f = {.options = {.name = "n1", .is_sole_voter = true}};
    fixture_open(&f, t);
    fixture_append(&f, 2, 9, 1);
    fixture_close(&f);
    make_folder(t, "data/state");
    make_folder(t, "data/state.7");
    return f.summary.identity.id;
}

static enum status set_aside(const struct temporary *t) {
    struct kv_directory *directory;
    assert_int_equal(kv_directory_open(temporary_path(t, "data"), &directory), STATUS_OK);
    enum status status = kv_directory_set_aside(directory, aside);
    kv_directory_close(directory);
    return status;
}

static enum status try_start(const struct temporary *t) {
    struct log_fixture f = {.options = {.name = "n1"}};
    enum status status = fixture_try_open(&f, t);
    fixture_close(&f);
    return status;
}

static void expect_blank(const struct temporary *t, raft_id former) {
    struct log_fixture f = {.options = {.name = "another"}};
    fixture_open(&f, t);
    assert_true(f.summary.is_new);
    assert_true(f.summary.identity.id != former);
    assert_int_equal(f.summary.identity.cluster_id, 0);
    assert_int_equal(f.summary.last_index, 0);
    fixture_close(&f);
}

static void expect_all_in(const struct temporary *t, const char *folder) {
    static const char *const names[] = {"log", "state", "state.7"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "data/%s/%s", folder, names[i]);
        assert_true(has(t, path));
        (void)snprintf(path, sizeof path, "data/%s", names[i]);
        assert_false(has(t, path));
    }
}

static void leaves_a_blank_directory_and_keeps_what_it_held(void **state) {
    raft_id former = given_a_node(*state);
    assert_int_equal(set_aside(*state), STATUS_OK);
    assert_string_equal(aside, "aside-1");
    expect_all_in(*state, "aside-1");
    expect_blank(*state, former);

    move(*state, "data", "other");
    make_folder(*state, "data");
    move(*state, "other/aside-1/log", "data/log");
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_true(f.summary.identity.id == former);
    assert_int_equal(f.summary.last_index, 9);
    fixture_close(&f);
}

static void a_blank_directory_stays_as_it_is(void **state) {
    assert_int_equal(set_aside(*state), STATUS_OK);
    assert_string_equal(aside, "");
    assert_false(has(*state, "data/aside-1"));
}

static void each_time_takes_the_next_number(void **state) {
    (void)given_a_node(*state);
    assert_int_equal(set_aside(*state), STATUS_OK);
    make_folder(*state, "data/aside-9");
    make_folder(*state, "data/aside-007"); /* not one of ours, like the next */
    make_folder(*state, "data/aside-70.parts");
    assert_int_equal(try_start(*state), STATUS_OK);
    assert_int_equal(set_aside(*state), STATUS_OK);
    assert_string_equal(aside, "aside-10");
    assert_true(has(*state, "data/aside-10/log"));
}

static void takes_what_is_damaged_too(void **state) {
    (void)given_a_node(*state);
    temporary_truncate(temporary_path(*state, "data/log/data.mdb"), 100);
    assert_int_not_equal(try_start(*state), STATUS_OK);
    assert_int_equal(set_aside(*state), STATUS_OK);
    expect_blank(*state, 0);
}

/* ---- Crashes ------------------------------------------------------------------------------- */

/* How far a crash let it come. */
enum step { MADE_FOLDER, MOVED_LOG, MOVED_A_STATE, MOVED_ALL, STEP_COUNT };

static void given_a_crash_after(const struct temporary *t, enum step step) {
    make_folder(t, "data/aside-1.part");
    if (step >= MOVED_LOG)
        move(t, "data/log", "data/aside-1.part/log");
    if (step >= MOVED_A_STATE)
        move(t, "data/state.7", "data/aside-1.part/state.7");
    if (step >= MOVED_ALL)
        move(t, "data/state", "data/aside-1.part/state");
}

static void expect_refused(const struct temporary *t) {
    struct log_fixture f = {.options = {.name = "n1", .is_sole_voter = true}};
    assert_int_equal(fixture_try_open(&f, t), STATUS_BUSY);
    assert_non_null(strstr(kv_directory_problem(f.directory), "aside-1.part"));
    struct kv_restore *restore;
    assert_int_equal(kv_restore_new(f.directory, "n1", &restore), STATUS_BUSY);
    fixture_close(&f);
}

static void check_crash_after(void **state, enum step step) {
    raft_id former = given_a_node(*state);
    given_a_crash_after(*state, step);
    bool has_log = has(*state, "data/log");
    expect_refused(*state);
    assert_int_equal(has(*state, "data/log"), has_log); /* nothing was made */
    assert_int_equal(set_aside(*state), STATUS_OK);
    assert_string_equal(aside, "aside-1");
    assert_false(has(*state, "data/aside-1.part"));
    expect_all_in(*state, "aside-1");
    expect_blank(*state, former);
}

static void a_crash_after_any_step_is_refused_and_completed(void **state) {
    for (enum step step = 0; step < STEP_COUNT; step++) {
        assert_int_equal(temporary_setup(state), 0);
        check_crash_after(state, step);
        assert_int_equal(temporary_teardown(state), 0);
    }
}

static void what_is_in_the_way_is_not_overwritten(void **state) {
    (void)given_a_node(*state);
    make_folder(*state, "data/aside-1.part");
    make_folder(*state, "data/aside-1.part/log");
    make_folder(*state, "data/aside-1.part/log/precious");
    assert_int_equal(set_aside(*state), STATUS_IO);
    assert_true(has(*state, "data/log/data.mdb"));
    assert_true(has(*state, "data/aside-1.part/log/precious"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(leaves_a_blank_directory_and_keeps_what_it_held),
        TEST(a_blank_directory_stays_as_it_is),
        TEST(each_time_takes_the_next_number),
        TEST(takes_what_is_damaged_too),
        cmocka_unit_test(a_crash_after_any_step_is_refused_and_completed),
        TEST(what_is_in_the_way_is_not_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
