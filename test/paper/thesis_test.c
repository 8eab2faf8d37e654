/* One test per rule of the thesis, with its section. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct net *given_a_leader(size_t count) {
    struct net *net = net_new(count, 1);
    net_elect(net, 1);
    assert_int_equal(net_leader(net), 1);
    return net;
}

static void propose(struct net *net, raft_id id, const char *text) {
    assert_int_equal(net_propose(net, id, text), STATUS_OK);
}

/* ---- 3.3 Terms ------------------------------------------------------------------------------- */

/* "If one server's current term is smaller than the other's, then it updates its current term to
 * the larger value." */
static void section_3_3_a_smaller_term_is_updated(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    assert_int_equal(net_status(net, 2)->term, 1);
    assert_int_equal(net_status(net, 3)->term, 1);
    net_free(net);
}

/* "If a candidate or leader discovers that its term is out of date, it immediately reverts to
 * follower state." */
static void section_3_3_a_leader_of_an_old_term_steps_down(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_isolate(net, 1);
    net_elect(net, 2);
    assert_int_equal(net_status(net, 1)->role, RAFT_LEADER);
    net_heal(net);
    net_elapse(net, 200);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(net_status(net, 1)->leader, 2);
    net_free(net);
}

/* "If a server receives a request with a stale term number, it rejects the request." */
static void section_3_3_a_stale_term_is_rejected(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_hold(net, 1, 3);
    propose(net, 1, "old");
    net_cut(net, 1, 2);
    net_elect(net, 2);
    net_settle(net);
    net_release(net, 1, 3);
    net_settle(net);
    assert_string_equal(net_log_text(net, 3), "1. 2.");
    net_free(net);
}

/* ---- 3.4 Leader election --------------------------------------------------------------------- */

static void section_3_4_a_silent_leader_is_replaced(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_crash(net, 1);
    net_elapse(net, 5000);
    assert_true(net_leader(net) >= 2);
    net_free(net);
}

/* "Raft uses randomized election timeouts to ensure that split votes are rare and that they are
 * resolved quickly." */
static void section_3_4_split_votes_are_resolved(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct net *net = net_new(5, seed);
        net_elapse(net, 10000);
        assert_int_not_equal(net_leader(net), 0);
        assert_true(net_status(net, net_leader(net))->term <= 4);
        net_free(net);
    }
}

/* "Votes are requested and given at most once a term", also over a crash: the vote was durable. */
static void section_3_4_a_vote_is_kept_over_a_crash(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_isolate(net, 3);
    net_elect(net, 1); /* 2 voted for 1 in term 1 */
    net_crash(net, 1);
    net_crash(net, 2);
    net_restart(net, 2);
    assert_int_equal(net_node(net, 2)->disk_hard.vote, 1);
    net_heal(net);
    net_elapse(net, 10000);
    assert_true(net_status(net, net_leader(net))->term >= 2);
    assert_int_equal(net->leader_of[1], 1);
    net_free(net);
}

/* A candidate that yields to the term's leader has voted all the same. */
static void section_3_4_a_vote_is_kept_over_a_step_down_in_the_same_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_TIMEOUT_MS + 1); /* nobody answers */
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    assert_int_equal(raft_status(s.raft)->term, 1);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, from_vote(2, 1, 99, 1)), STATUS_OK);
    solo_sync_all(&s);
    assert_false(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    solo_stop(&s);
}

/* ---- 3.5 Log replication --------------------------------------------------------------------- */

static void section_3_5_a_leader_brings_an_entry_to_all(void **state) {
    (void)state;
    struct net *net = given_a_leader(5);
    propose(net, 1, "a");
    net_elapse(net, 200);
    for (raft_id id = 1; id <= 5; id++) {
        assert_string_equal(net_log_text(net, id), "1. 1a");
        assert_int_equal(net_node(net, id)->applied_index, 2);
    }
    net_free(net);
}

/* "If followers crash or run slowly, the leader retries indefinitely." */
static void section_3_5_a_leader_retries_until_all_hold_all(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_crash(net, 3);
    propose(net, 1, "a");
    net_elapse(net, 60000);
    net_restart(net, 3);
    net_elapse(net, 500);
    assert_string_equal(net_log_text(net, 3), "1. 1a");
    net_free(net);
}

static const char leaders_log[] = "1a 1b 1c 4d 4e 5f 5g 6h 6i 6j 8.";

/* Figure 7 of the paper. "When the leader at the top comes to power, it is possible that any of
 * scenarios (a-f) could occur in follower logs." */
static void figure_3_6_all_logs_become_the_leaders(void **state) {
    (void)state;
    static const char *const logs[] = {"1a 1b 1c 4d 4e 5f 5g 6h 6i 6j",
                                       "1a 1b 1c 4d 4e 5f 5g 6h 6i",
                                       "1a 1b 1c 4d",
                                       "1a 1b 1c 4d 4e 5f 5g 6h 6i 6j 6k",
                                       "1a 1b 1c 4d 4e 5f 5g 6h 6i 6j 7k 7l",
                                       "1a 1b 1c 4d 4e 4m 4n",
                                       "1a 1b 1c 2d 2e 2f 3g 3h 3i 3j 3k"};
    struct net *net = net_unstarted(7, 7, 1);
    for (raft_id id = 1; id <= 7; id++)
        net_prepare(net, id, logs[id - 1], 7, 5);
    net_start_all(net);
    net_elect(net, 1);
    assert_int_equal(net_leader(net), 1);
    net_elapse(net, 1000);
    for (raft_id id = 1; id <= 7; id++) {
        assert_string_equal(net_log_text(net, id), leaders_log);
        assert_int_equal(net_commit_index(net, id), 11);
    }
    net_free(net);
}

/* "With this optimization, one AppendEntries RPC will be required for each term with conflicting
 * entries, rather than one per entry." */
static void section_3_5_conflicts_are_skipped_a_term_at_a_time(void **state) {
    (void)state;
    struct net *net = net_unstarted(3, 3, 1);
    net_prepare(net, 1, "1a 4. 4b 4c 4d 4e 4f 4g 4h", 5, 0);
    net_prepare(net, 2, "1a", 5, 0);
    net_prepare(net, 3, "1a 2. 2b 2c 2d 2e 2f 3. 3g 3h 3i 3j 3k", 5, 0);
    net_start_all(net);
    net_elect(net, 1);
    uint64_t before = net->message_count;
    net_isolate(net, 2);
    net_elapse(net, 50);
    assert_string_equal(net_log_text(net, 3), "1a 4. 4b 4c 4d 4e 4f 4g 4h 6.");
    assert_true(net->message_count - before < 20);
    net_free(net);
}

/* ---- 3.6 Safety ------------------------------------------------------------------------------ */

/* "The voter denies its vote if its own log is more up-to-date than that of the candidate." */
static void section_3_6_1_a_log_that_lacks_something_wins_nothing(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_isolate(net, 3);
    propose(net, 1, "a");
    net_settle(net);
    net_heal(net);
    net_crash(net, 1);
    net_elect(net, 3);
    assert_int_equal(net_leader(net), 0);
    net_elect(net, 2);
    assert_int_equal(net_leader(net), 2);
    net_free(net);
}

static struct net *given_figure_3_7(const char *log_of_s3) {
    struct net *net = net_unstarted(5, 5, 1);
    net_prepare(net, 1, "1a 2b", 3, 0);
    net_prepare(net, 2, "1a 2b", 3, 0);
    net_prepare(net, 3, log_of_s3, 3, 5);
    net_prepare(net, 4, "1a", 3, 5);
    net_prepare(net, 5, "1a 3c", 3, 5);
    net_start_all(net);
    return net;
}

/* Figure 8 of the paper, (d): the entry of term 2 is on a majority, not committed, and may still be
 * overwritten. */
static void figure_3_7_d_an_old_entry_on_a_majority_may_be_overwritten(void **state) {
    (void)state;
    struct net *net = given_figure_3_7("1a 2b");
    net_crash(net, 1);
    net_elect(net, 5);
    assert_int_equal(net_leader(net), 5);
    net_restart(net, 1);
    net_elapse(net, 2000);
    for (raft_id id = 1; id <= 5; id++)
        assert_string_equal(net_log_text(net, id), "1a 3c 4.");
    net_free(net);
}

/* Figure 8, (e): once an entry of its own term is on a majority, all before it is committed for
 * good. */
static void figure_3_7_e_an_entry_of_the_leaders_term_commits_those_before(void **state) {
    (void)state;
    struct net *net = given_figure_3_7("1a");
    net_cut(net, 1, 4);
    net_cut(net, 1, 5);
    net_elect(net, 1);
    assert_int_equal(net_leader(net), 1);
    net_settle(net);
    assert_int_equal(net_commit_index(net, 1), 3);
    net_crash(net, 1);
    net_heal(net);
    net_elect(net, 5);
    net_elect(net, 5);
    assert_int_equal(net_leader(net), 0);
    net_elapse(net, 10000);
    assert_true(net_leader(net) == 2 || net_leader(net) == 3);
    assert_memory_equal(net_log_text(net, 5), "1a 2b 4.", 8);
    net_free(net);
}

/* "Only log entries from the leader's current term are committed by counting replicas." */
static void section_3_6_2_old_entries_are_committed_along_with_a_new_one(void **state) {
    (void)state;
    struct net *net = net_unstarted(3, 3, 1);
    for (raft_id id = 1; id <= 3; id++)
        net_prepare(net, id, "1a 1b", 1, 0);
    net_start_all(net);
    net_disk_hold(net, 2);
    net_disk_hold(net, 3);
    net_elect(net, 1);
    (void)net_sync(net, 2); /* its vote */
    net_settle(net);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_commit_index(net, 1), 0);
    net_disk_heal(net, 2);
    net_settle(net);
    assert_int_equal(net_commit_index(net, 1), 3);
    net_free(net);
}

/* ---- 3.8 Persisted state --------------------------------------------------------------------- */

/* Each promise is checked by the net as it leaves; here the disks are slow. */
static void section_3_8_nothing_is_promised_before_it_is_durable(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    for (raft_id id = 1; id <= 3; id++)
        net_node(net, id)->disk_ms = 70 * id;
    net_elapse(net, 5000);
    raft_id leader = net_leader(net);
    assert_int_not_equal(leader, 0);
    propose(net, leader, "a");
    net_elapse(net, 69);
    assert_int_equal(net_commit_index(net, leader), 1);
    net_elapse(net, 500);
    assert_int_equal(net_commit_index(net, leader), 2);
    net_free(net);
}

static void section_3_8_what_was_acknowledged_survives_a_power_cut_of_all(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    propose(net, 1, "a");
    net_settle(net);
    for (raft_id id = 1; id <= 3; id++)
        net_crash(net, id);
    for (raft_id id = 1; id <= 3; id++)
        net_restart(net, id);
    net_elapse(net, 10000);
    assert_string_equal(net_log_text(net, net_leader(net)), "1. 1a 2.");
    net_free(net);
}

/* ---- 3.10 Leadership transfer ---------------------------------------------------------------- */

static void section_3_10_the_target_is_brought_up_to_date_first(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_isolate(net, 2);
    propose(net, 1, "a");
    net_elapse(net, 500);
    net_heal(net);
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    net_elapse(net, 500);
    assert_int_equal(net_leader(net), 2);
    assert_string_equal(net_log_text(net, 2), "1. 1a 2.");
    net_free(net);
}

/* "If leadership transfer does not complete after about an election timeout, the prior leader
 * aborts the transfer and resumes accepting client requests." */
static void section_3_10_a_transfer_is_aborted_after_a_timeout(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_isolate(net, 2);
    propose(net, 1, "a");
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    assert_int_equal(net_propose(net, 1, "b"), STATUS_BUSY);
    net_elapse(net, 1100);
    assert_int_equal(net_propose(net, 1, "b"), STATUS_OK);
    net_free(net);
}

/* ---- 4 Membership ---------------------------------------------------------------------------- */

/* The bug of single-server changes (announced 2015): two leaders, each with a change begun from the
 * same configuration, and two majorities that do not meet. Ours are joint, and wait for the no-op.
 */
static void section_4_1_two_leaders_changes_never_both_commit(void **state) {
    (void)state;
    struct net *net = net_unstarted(5, 4, 1);
    net_start_all(net);
    net_elect(net, 1);
    for (raft_id id = 2; id <= 4; id++)
        net_cut(net, 1, id), net_cut(net, 5, id);
    assert_int_equal(net_configure(net, 1, "1 2 3 4 5"), STATUS_OK); /* reaches 1 and 5 */
    net_settle(net);
    net_elect(net, 2);
    assert_int_equal(net_configure(net, 2, "2 3 4"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_commit_index(net, 2), 4); /* by 2, 3, 4 */
    net_heal(net);
    net_isolate(net, 2);
    net_isolate(net, 3);
    net_elect(net, 1); /* with 4 and 5 it would have had a majority of five */
    net_elect(net, 1);
    assert_int_not_equal(net_status(net, 1)->role, RAFT_LEADER);
    net_heal(net);
    net_elapse(net, 10000);
    assert_int_equal(net_commit_index(net, 4), net_status(net, net_leader(net))->last_index);
    net_free(net);
}

/* "A leader that is removed from the configuration steps down once the Cnew entry is committed." */
static void section_4_2_2_a_removed_leader_steps_down_after_the_commit(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    assert_int_equal(net_configure(net, 1, "2 3"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    assert_int_equal(net_commit_index(net, 1), 3);
    net_elapse(net, 5000);
    assert_true(net_leader(net) >= 2);
    net_free(net);
}

/* "A server that is not part of its own latest configuration should still start new elections, as
 * it might still be needed until the Cnew entry is committed." */
static void section_4_2_2_who_is_being_removed_may_still_be_needed(void **state) {
    (void)state;
    struct net *net = net_unstarted(3, 2, 1);
    net_start_all(net);
    net_elect(net, 1);
    assert_int_equal(net_configure(net, 1, "1 2 3l"), STATUS_OK);
    net_elapse(net, 500);
    net_hold(net, 1, 3);
    assert_int_equal(net_configure(net, 1, "3"), STATUS_OK); /* joint: needs 3 */
    net_settle(net);
    net_cut(net, 1, 2);
    net_release(net, 1, 3);
    net_disk_hold(net, 3);
    net_settle(net);
    assert_true(net_sync(net, 3)); /* the joint one only */
    net_settle(net);
    net_disk_hold(net, 1);
    net_crash(net, 3); /* before the final one was durable there */
    net_crash(net, 1);
    net_disk_heal(net, 1);
    net_disk_heal(net, 3);
    net_heal(net);
    net_restart(net, 1);
    net_restart(net, 3);
    net_elapse(net, 20000);
    assert_int_equal(net_leader(net), 3);
    net_free(net);
}

/* "If a server receives a RequestVote request within the minimum election timeout of hearing from a
 * current leader, it does not update its term or grant its vote." */
static void section_4_2_3_a_disruptive_server_is_ignored(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_elapse(net, 500);
    struct raft_message vote = from_vote(3, 50, 99, 40);
    vote.to = 2;
    struct raft_event event = {.kind = RAFT_EVENT_RECEIVE, .message = &vote};
    assert_int_equal(net_step(net, 2, &event), STATUS_OK);
    assert_int_equal(net_status(net, 2)->term, 1);
    net_free(net);
}

/* ---- 6 Clients ------------------------------------------------------------------------------- */

/* "A leader in Raft steps down if an election timeout elapses without a successful round of
 * heartbeats to a majority of its cluster." */
static void section_6_2_a_cut_off_leader_steps_down(void **state) {
    (void)state;
    struct net *net = given_a_leader(5);
    net_elapse(net, 500);
    net_isolate(net, 1);
    net_cut_way(net, 2, 1); /* as before */
    net_elapse(net, 1300);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    net_free(net);
}

static void section_6_4_reads_wait_for_the_terms_noop(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_disk_hold(net, 2);
    net_disk_hold(net, 3);
    net_elect(net, 1);
    (void)net_sync(net, 2); /* its vote */
    net_settle(net);
    assert_int_equal(net_read(net, 1), STATUS_NOT_LEADER);
    net_disk_heal(net, 2);
    net_settle(net);
    assert_int_equal(net_read(net, 1), STATUS_OK);
    net_free(net);
}

/* "The leader could also help by answering followers' read index queries." */
static void section_6_4_a_follower_reads_by_the_leaders_commit_index(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    propose(net, 1, "a");
    net_settle(net);
    assert_int_equal(net_read(net, 3), STATUS_OK);
    net_elapse(net, 100);
    assert_int_equal(net_node(net, 3)->confirmed_index, 2);
    net_free(net);
}

/* The answer to an older round must not confirm a newer read (a bug of etcd's, 2025). */
static void section_6_4_a_late_answer_to_an_older_round_confirms_nothing(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_elapse(net, 700);
    net_isolate(net, 3);
    net_hold(net, 2, 1);
    net_elapse(net, 600); /* the answers to these rounds are on their way, the lease is over */
    size_t confirmed = net_node(net, 1)->confirmed_count;
    assert_int_equal(net_read(net, 1), STATUS_OK);
    net_drop(net, 1, 2); /* and its own round is lost */
    net_release(net, 2, 1);
    net_settle(net);
    assert_true(net_node(net, 1)->confirmed_count <= confirmed + 1);
    net_elapse(net, 300);
    assert_int_equal(net_node(net, 1)->confirmed_count, confirmed + 1);
    net_free(net);
}

/* ---- 9.6 Pre-vote ---------------------------------------------------------------------------- */

static void section_9_6_a_server_back_from_isolation_disturbs_nobody(void **state) {
    (void)state;
    struct net *net = given_a_leader(5);
    net_isolate(net, 5);
    net_elapse(net, 60000);
    assert_int_equal(net_status(net, 5)->term, 1);
    net_heal(net);
    net_elapse(net, 3000);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_status(net, 1)->term, 1);
    net_free(net);
}

/* ---- 10.2.1 Writing in parallel -------------------------------------------------------------- */

/* "The leader may even commit an entry before it has been written to its own disk, if a majority of
 * followers have written it." */
static void section_10_2_1_a_majority_of_followers_commits(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_disk_hold(net, 1);
    propose(net, 1, "a");
    net_settle(net);
    assert_int_equal(net_commit_index(net, 1), 2);
    assert_int_equal(net_node(net, 1)->applied_index, 1);
    net_disk_heal(net, 1);
    net_settle(net);
    assert_int_equal(net_node(net, 1)->applied_index, 2);
    net_free(net);
}

/* An answer to an append of an earlier term says nothing about the log of this one. */
static void section_10_2_1_a_stale_append_answer_counts_for_nothing(void **state) {
    (void)state;
    struct net *net = given_a_leader(3);
    net_isolate(net, 2);
    net_hold(net, 3, 1);
    propose(net, 1, "a");
    propose(net, 1, "b");
    net_settle(net); /* 3 has acknowledged up to 3, in term 1 */
    net_crash(net, 1);
    net_restart(net, 1);
    net_elect(net, 1);
    net_release(net, 3, 1);
    net_elapse(net, 50);
    assert_true(net_status(net, 1)->role != RAFT_LEADER || net_status(net, 1)->term > 1);
    net_heal(net);
    net_elapse(net, 10000);
    assert_int_equal(net_commit_index(net, 2), net_status(net, net_leader(net))->last_index);
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section_3_3_a_smaller_term_is_updated),
        cmocka_unit_test(section_3_3_a_leader_of_an_old_term_steps_down),
        cmocka_unit_test(section_3_3_a_stale_term_is_rejected),
        cmocka_unit_test(section_3_4_a_silent_leader_is_replaced),
        cmocka_unit_test(section_3_4_split_votes_are_resolved),
        cmocka_unit_test(section_3_4_a_vote_is_kept_over_a_crash),
        cmocka_unit_test(section_3_4_a_vote_is_kept_over_a_step_down_in_the_same_term),
        cmocka_unit_test(section_3_5_a_leader_brings_an_entry_to_all),
        cmocka_unit_test(section_3_5_a_leader_retries_until_all_hold_all),
        cmocka_unit_test(figure_3_6_all_logs_become_the_leaders),
        cmocka_unit_test(section_3_5_conflicts_are_skipped_a_term_at_a_time),
        cmocka_unit_test(section_3_6_1_a_log_that_lacks_something_wins_nothing),
        cmocka_unit_test(figure_3_7_d_an_old_entry_on_a_majority_may_be_overwritten),
        cmocka_unit_test(figure_3_7_e_an_entry_of_the_leaders_term_commits_those_before),
        cmocka_unit_test(section_3_6_2_old_entries_are_committed_along_with_a_new_one),
        cmocka_unit_test(section_3_8_nothing_is_promised_before_it_is_durable),
        cmocka_unit_test(section_3_8_what_was_acknowledged_survives_a_power_cut_of_all),
        cmocka_unit_test(section_3_10_the_target_is_brought_up_to_date_first),
        cmocka_unit_test(section_3_10_a_transfer_is_aborted_after_a_timeout),
        cmocka_unit_test(section_4_1_two_leaders_changes_never_both_commit),
        cmocka_unit_test(section_4_2_2_a_removed_leader_steps_down_after_the_commit),
        cmocka_unit_test(section_4_2_2_who_is_being_removed_may_still_be_needed),
        cmocka_unit_test(section_4_2_3_a_disruptive_server_is_ignored),
        cmocka_unit_test(section_6_2_a_cut_off_leader_steps_down),
        cmocka_unit_test(section_6_4_reads_wait_for_the_terms_noop),
        cmocka_unit_test(section_6_4_a_follower_reads_by_the_leaders_commit_index),
        cmocka_unit_test(section_6_4_a_late_answer_to_an_older_round_confirms_nothing),
        cmocka_unit_test(section_9_6_a_server_back_from_isolation_disturbs_nobody),
        cmocka_unit_test(section_10_2_1_a_majority_of_followers_commits),
        cmocka_unit_test(section_10_2_1_a_stale_append_answer_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
