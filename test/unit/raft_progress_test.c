/* What a leader knows of one peer. */
#include "raft/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct raft_progress given_replicating(raft_index match) {
    struct raft_progress p;
    raft__progress_init(&p, 2, match + 1);
    raft__progress_matched(&p, match);
    assert_int_equal(p.state, RAFT_REPLICATE);
    return p;
}

static void probes_with_one_message_at_a_time(void **state) {
    (void)state;
    struct raft_progress p;
    raft__progress_init(&p, 2, 8);
    assert_true(raft__progress_may_send(&p));
    raft__progress_sent(&p, 9, 10);
    assert_false(raft__progress_may_send(&p));
    assert_int_equal(p.next_index, 8);
    raft__progress_check(&p);
}

static void replicates_from_what_matched(void **state) {
    (void)state;
    struct raft_progress p;
    raft__progress_init(&p, 2, 8);
    raft__progress_sent(&p, 9, 10);
    raft__progress_matched(&p, 9);
    assert_int_equal(p.state, RAFT_REPLICATE);
    assert_int_equal(p.next_index, 10);
    assert_true(raft__progress_may_send(&p));
    raft__progress_check(&p);
}

/* The answer names what is durable there; the probe's own entries are on their way to its disk. */
static void a_probe_that_fits_is_not_sent_again(void **state) {
    (void)state;
    struct raft_progress p;
    raft__progress_init(&p, 2, 8);
    raft__progress_sent(&p, 12, 10);
    raft__progress_matched(&p, 7);
    assert_int_equal(p.state, RAFT_REPLICATE);
    assert_int_equal(p.match_index, 7);
    assert_int_equal(p.next_index, 13);
    assert_int_equal(p.window_count, 1);
    raft__progress_check(&p);
}

static void an_older_answer_does_not_vouch_for_a_probe(void **state) {
    (void)state;
    struct raft_progress p;
    raft__progress_init(&p, 2, 8);
    raft__progress_sent(&p, 12, 10);
    raft__progress_matched(&p, 5);
    assert_int_equal(p.next_index, 6);
    assert_int_equal(p.window_count, 0);
    raft__progress_check(&p);
}

static void next_runs_ahead_of_match(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(9);
    raft__progress_sent(&p, 12, 10);
    raft__progress_sent(&p, 15, 10);
    assert_int_equal(p.next_index, 16);
    assert_int_equal(p.match_index, 9);
    raft__progress_matched(&p, 12);
    assert_int_equal(p.window_count, 1);
    assert_int_equal(p.window_bytes, 10);
    assert_int_equal(p.next_index, 16);
}

static void a_late_answer_takes_nothing_back(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(9);
    raft__progress_matched(&p, 5);
    assert_int_equal(p.match_index, 9);
    assert_int_equal(p.next_index, 10);
}

static void the_window_is_bounded_in_messages(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(0);
    for (raft_index i = 1; i <= WINDOW_MESSAGES_MAX; i++) {
        assert_true(raft__progress_may_send(&p));
        raft__progress_sent(&p, i, 1);
    }
    assert_false(raft__progress_may_send(&p));
    raft__progress_matched(&p, 1);
    assert_true(raft__progress_may_send(&p));
    raft__progress_sent(&p, WINDOW_MESSAGES_MAX + 1, 1);
    raft__progress_matched(&p, WINDOW_MESSAGES_MAX + 1);
    assert_int_equal(p.window_count, 0);
    assert_int_equal(p.window_bytes, 0);
}

static void the_window_is_bounded_in_bytes(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(0);
    raft__progress_sent(&p, 1, WINDOW_BYTES_MAX);
    assert_false(raft__progress_may_send(&p));
    raft__progress_matched(&p, 1);
    assert_true(raft__progress_may_send(&p));
}

static void a_step_back_to_probe_never_goes_below_what_matched(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(9);
    raft__progress_sent(&p, 12, 10);
    raft__progress_to_probe(&p, 3);
    assert_int_equal(p.next_index, 10);
    assert_int_equal(p.window_count, 0);
    raft__progress_check(&p);
}

static void sends_nothing_while_a_snapshot_travels(void **state) {
    (void)state;
    struct raft_progress p = given_replicating(9);
    raft__progress_to_snapshot(&p);
    assert_false(raft__progress_may_send(&p));
    raft__progress_check(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_with_one_message_at_a_time),
        cmocka_unit_test(replicates_from_what_matched),
        cmocka_unit_test(a_probe_that_fits_is_not_sent_again),
        cmocka_unit_test(an_older_answer_does_not_vouch_for_a_probe),
        cmocka_unit_test(next_runs_ahead_of_match),
        cmocka_unit_test(a_late_answer_takes_nothing_back),
        cmocka_unit_test(the_window_is_bounded_in_messages),
        cmocka_unit_test(the_window_is_bounded_in_bytes),
        cmocka_unit_test(a_step_back_to_probe_never_goes_below_what_matched),
        cmocka_unit_test(sends_nothing_while_a_snapshot_travels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
