/* What is committed. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- By counting ----------------------------------------------------------------------------- */

static void commits_with_the_second_of_three_once_durable_here(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 2)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 1); /* it counts itself when durable */
    solo_sync(&s);
    assert_int_equal(raft_status(s.raft)->commit_index, 2);
    solo_stop(&s);
}

static void commits_without_itself_but_applies_only_what_it_has_written(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 2)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(3, 1, 2)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 2);
    assert_int_equal(s.apply_to, 1);
    solo_sync(&s);
    assert_int_equal(s.apply_to, 2);
    solo_stop(&s);
}

static void three_of_five_commit(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 5);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_sync(&s);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 2)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 1);
    assert_int_equal(solo_receive(&s, from_ack(5, 1, 2)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 2);
    solo_stop(&s);
}

static void a_sole_voter_commits_by_its_disk_alone(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(1);
    solo_start(&s, &config);
    assert_int_equal(raft_deadline_ms(s.raft), 10000); /* nobody to wait for */
    solo_elapse(&s, 0);
    assert_int_equal(raft_status(s.raft)->role, RAFT_CANDIDATE);
    assert_int_equal(solo_propose(&s), STATUS_NOT_LEADER);
    solo_sync(&s); /* its vote */
    assert_int_equal(raft_status(s.raft)->role, RAFT_LEADER);
    assert_false(raft_status(s.raft)->is_in_office);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_sync(&s); /* its no-op */
    assert_true(raft_status(s.raft)->is_in_office);
    assert_int_equal(s.apply_to, 1);
    solo_sync(&s);
    assert_int_equal(s.apply_to, 2);
    solo_stop(&s);
}

static void learners_do_not_count(void **state) {
    (void)state;
    struct net *net = net_unstarted(4, 2, 1);
    net_start_all(net);
    net_elect(net, 1);
    assert_int_equal(net_configure(net, 1, "1 2 3l 4l"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_commit_index(net, 1), 2);
    net_cut(net, 1, 2);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    net_settle(net);
    assert_string_equal(net_log_text(net, 4), "1. 1C 1a");
    assert_int_equal(net_commit_index(net, 1), 2);
    net_free(net);
}

/* ---- The rule of the current term ------------------------------------------------------------ */

static void an_entry_of_an_older_term_is_not_committed_by_counting(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    struct raft_message yes = {.kind = RAFT_PRE_VOTE_ANSWER,
                               .from = 2,
                               .term = 4,
                               .vote_answer = {true}};
    assert_int_equal(solo_receive(&s, yes), STATUS_OK);
    solo_sync(&s);
    yes.kind = RAFT_VOTE_ANSWER;
    assert_int_equal(solo_receive(&s, yes), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(2, 4, 5)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(3, 4, 5)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 0); /* on all three, and yet */
    assert_int_equal(solo_receive(&s, from_ack(2, 4, 6)), STATUS_OK);
    solo_sync(&s);
    assert_int_equal(raft_status(s.raft)->commit_index, 6);
    assert_true(raft_status(s.raft)->is_in_office);
    solo_stop(&s);
}

/* ---- Proposals ------------------------------------------------------------------------------- */

static void a_follower_takes_no_proposal(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_propose(&s), STATUS_NOT_LEADER);
    assert_int_equal(raft_status(s.raft)->last_index, 5);
    solo_stop(&s);
}

static void its_index_is_the_last_of_the_log(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->last_index, 2);
    assert_int_equal(raft_accepted(s.raft)->own_count, 0);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_with_the_second_of_three_once_durable_here),
        cmocka_unit_test(commits_without_itself_but_applies_only_what_it_has_written),
        cmocka_unit_test(three_of_five_commit),
        cmocka_unit_test(a_sole_voter_commits_by_its_disk_alone),
        cmocka_unit_test(learners_do_not_count),
        cmocka_unit_test(an_entry_of_an_older_term_is_not_committed_by_counting),
        cmocka_unit_test(a_follower_takes_no_proposal),
        cmocka_unit_test(its_index_is_the_last_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
