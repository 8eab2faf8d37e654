/* The checkers of histories, on histories made by hand. */
#include "sim/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct sim_history history;
static char text[512];

static int begin(void **state) {
    (void)state;
    history = (struct sim_history){0};
    return 0;
}

static int end(void **state) {
    (void)state;
    sim_history_close(&history);
    return 0;
}

static void add(struct sim_op op) {
    (void)sim_history_add(&history, &op);
}

static void put(uint64_t start, uint64_t ends, uint64_t value, int64_t revision) {
    add((struct sim_op){.kind = SIM_PUT,
                        .start = start,
                        .end = ends,
                        .value = value,
                        .outcome = SIM_OK,
                        .revision = revision});
}

static void lost(enum sim_op_kind kind, uint64_t start, uint64_t value) {
    add((struct sim_op){
        .kind = kind, .start = start, .end = SIM_NEVER, .value = value, .outcome = SIM_UNKNOWN});
}

static void get(uint64_t start, uint64_t ends, uint64_t value, int64_t revision, int64_t version) {
    add((struct sim_op){.kind = SIM_GET,
                        .start = start,
                        .end = ends,
                        .is_found = true,
                        .read_value = value,
                        .revision = revision,
                        .create_revision = revision - version + 1,
                        .version = version,
                        .outcome = SIM_OK});
}

static void get_nothing(uint64_t start, uint64_t ends) {
    add((struct sim_op){.kind = SIM_GET, .start = start, .end = ends, .outcome = SIM_OK});
}

static void mismatch(uint64_t start, uint64_t ends, int64_t prev_revision) {
    add((struct sim_op){.kind = SIM_PUT,
                        .start = start,
                        .end = ends,
                        .value = start,
                        .has_prev = true,
                        .prev_revision = prev_revision,
                        .outcome = SIM_PRECONDITION});
}

static void assert_linear(void) {
    if (!sim_check_linear(&history, 1, text, sizeof text))
        fail_msg("%s", text);
}

static void assert_not_linear(void) {
    assert_false(sim_check_linear(&history, 1, text, sizeof text));
}

/* ---- Good ones ------------------------------------------------------------------------------- */

static void accepts_one_after_the_other(void **state) {
    (void)state;
    get_nothing(1, 2);
    put(3, 4, 100, 1);
    get(5, 6, 100, 1, 1);
    put(7, 8, 101, 2);
    get(9, 10, 101, 2, 2);
    assert_linear();
}

static void accepts_either_value_while_a_write_is_under_way(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    put(3, 10, 101, 2);
    get(4, 5, 100, 1, 1);
    get(6, 7, 101, 2, 2);
    assert_linear();
}

static void accepts_a_lost_write_that_happened(void **state) {
    (void)state;
    lost(SIM_PUT, 1, 100);
    get_nothing(2, 3);
    get(4, 5, 100, 1, 1);
    assert_linear();
}

static void accepts_a_lost_write_that_did_not_happen(void **state) {
    (void)state;
    lost(SIM_PUT, 1, 100);
    put(2, 3, 101, 1);
    get(4, 5, 101, 1, 1);
    get(6, 7, 101, 1, 1);
    assert_linear();
}

static void accepts_a_lost_delete_seen_by_a_read(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    lost(SIM_DELETE, 3, 0);
    get(4, 5, 100, 1, 1);
    get_nothing(6, 7);
    put(8, 9, 101, 3);
    get(10, 11, 101, 3, 1);
    assert_linear();
}

static void accepts_a_mismatch_that_only_a_lost_write_explains(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    lost(SIM_PUT, 3, 101);
    mismatch(4, 5, 1);
    put(6, 7, 102, 3);
    get(8, 9, 102, 3, 3);
    assert_linear();
}

/* ---- Bad ones -------------------------------------------------------------------------------- */

static void refuses_a_stale_read(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    put(3, 4, 101, 2);
    get(5, 6, 100, 1, 1);
    assert_not_linear();
}

static void refuses_a_read_that_goes_back(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    put(3, 10, 101, 2);
    get(4, 5, 101, 2, 2);
    get(6, 7, 100, 1, 1);
    assert_not_linear();
}

static void refuses_a_read_of_nothing_after_a_write(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    get_nothing(3, 4);
    assert_not_linear();
}

static void refuses_a_read_of_the_future(void **state) {
    (void)state;
    get(1, 2, 100, 1, 1);
    put(3, 4, 100, 1);
    assert_not_linear();
}

static void refuses_what_nobody_wrote(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    get(3, 4, 77, 1, 1);
    assert_not_linear();
}

static void refuses_a_version_that_no_write_explains(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    put(3, 4, 101, 3);
    get(5, 6, 101, 3, 3);
    assert_not_linear();
}

static void refuses_a_mismatch_without_a_cause(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    mismatch(3, 4, 1);
    assert_not_linear();
}

static void refuses_two_writes_at_one_revision(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    put(3, 4, 101, 1);
    assert_not_linear();
}

static void refuses_a_lost_delete_that_comes_and_goes(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    lost(SIM_DELETE, 3, 0);
    get_nothing(4, 5);
    get(6, 7, 100, 1, 1);
    assert_not_linear();
}

/* ---- The other two --------------------------------------------------------------------------- */

static void once_refuses_a_value_at_two_revisions(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    get(3, 4, 100, 2, 2);
    assert_false(sim_check_once(&history, 1, text, sizeof text));
}

static void once_counts_the_effects_on_a_key_of_its_own(void **state) {
    (void)state;
    put(1, 2, 100, 1);
    lost(SIM_PUT, 3, 101);
    put(4, 5, 102, 3);
    get(6, 7, 102, 3, 3);
    assert_true(sim_check_once(&history, 1, text, sizeof text));
    get(8, 9, 102, 3, 4);
    assert_false(sim_check_once(&history, 1, text, sizeof text));
}

static void marks_refuse_a_value_that_was_not_applied(void **state) {
    (void)state;
    add((struct sim_op){
        .kind = SIM_PUT, .start = 1, .end = 2, .value = 100, .outcome = SIM_NOT_APPLIED});
    assert_true(sim_check_marks(&history, text, sizeof text));
    get(3, 4, 100, 1, 1);
    assert_false(sim_check_marks(&history, text, sizeof text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(accepts_one_after_the_other),
        TEST(accepts_either_value_while_a_write_is_under_way),
        TEST(accepts_a_lost_write_that_happened),
        TEST(accepts_a_lost_write_that_did_not_happen),
        TEST(accepts_a_lost_delete_seen_by_a_read),
        TEST(accepts_a_mismatch_that_only_a_lost_write_explains),
        TEST(refuses_a_stale_read),
        TEST(refuses_a_read_that_goes_back),
        TEST(refuses_a_read_of_nothing_after_a_write),
        TEST(refuses_a_read_of_the_future),
        TEST(refuses_what_nobody_wrote),
        TEST(refuses_a_version_that_no_write_explains),
        TEST(refuses_a_mismatch_without_a_cause),
        TEST(refuses_two_writes_at_one_revision),
        TEST(refuses_a_lost_delete_that_comes_and_goes),
        TEST(once_refuses_a_value_at_two_revisions),
        TEST(once_counts_the_effects_on_a_key_of_its_own),
        TEST(marks_refuse_a_value_that_was_not_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
