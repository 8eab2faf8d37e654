/* Changes of members, and transfers of leadership. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct net *given_a_leader(size_t nodes, size_t founders) {
    struct net *net = net_unstarted(nodes, founders, 1);
    net_start_all(net);
    net_elect(net, 1);
    assert_int_equal(net_leader(net), 1);
    return net;
}

static const struct raft_configuration *configuration(struct net *net, raft_id id) {
    return raft_configuration(net_node(net, id)->raft);
}

static unsigned rights(struct net *net, raft_id id, raft_id member) {
    const struct raft_member *m = raft_configuration_find(configuration(net, id), member);
    return m ? m->rights : 99;
}

/* ---- Learners -------------------------------------------------------------------------------- */

static void a_learner_comes_by_one_entry_and_catches_up(void **state) {
    (void)state;
    struct net *net = given_a_leader(4, 3);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    assert_int_equal(net_configure(net, 1, "1 2 3 4l"), STATUS_OK);
    assert_false(configuration(net, 1)->is_joint);
    net_elapse(net, 500);
    assert_string_equal(net_log_text(net, 4), "1. 1a 1C");
    assert_int_equal(net_commit_index(net, 4), 3);
    assert_int_equal(rights(net, 4, 4), RAFT_LEARNER);
    net_free(net);
}

static void a_promotion_goes_through_a_joint_configuration(void **state) {
    (void)state;
    struct net *net = given_a_leader(4, 3);
    assert_int_equal(net_configure(net, 1, "1 2 3 4l"), STATUS_OK);
    net_elapse(net, 500);
    assert_int_equal(net_configure(net, 1, "1 2 3 4"), STATUS_OK);
    assert_true(configuration(net, 1)->is_joint);
    assert_int_equal(rights(net, 1, 4), RAFT_VOTER_NEW);
    assert_int_equal(rights(net, 1, 2), RAFT_VOTER_BOTH);
    net_elapse(net, 500);
    assert_false(configuration(net, 4)->is_joint);
    assert_int_equal(rights(net, 4, 4), RAFT_VOTER_NEW);
    assert_string_equal(net_log_text(net, 4), "1. 1C 1C 1C");
    net_free(net);
}

/* ---- Joint ----------------------------------------------------------------------------------- */

static void both_halves_must_agree_while_joint(void **state) {
    (void)state;
    struct net *net = given_a_leader(5, 3);
    net_cut(net, 1, 4);
    net_cut(net, 1, 5);
    assert_int_equal(net_configure(net, 1, "1 4 5"), STATUS_OK);
    net_elapse(net, 500);
    assert_int_equal(net_commit_index(net, 1), 1); /* 2 and 3 hold it, and that is not enough */
    net_heal(net);
    net_elapse(net, 1500);
    assert_false(configuration(net, 1)->is_joint);
    assert_int_equal(net_commit_index(net, 4), 3);
    assert_int_equal(rights(net, 5, 2), 99);
    net_free(net);
}

static void all_members_can_be_replaced_at_once(void **state) {
    (void)state;
    struct net *net = given_a_leader(6, 3);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    assert_int_equal(net_configure(net, 1, "4 5 6"), STATUS_OK);
    net_elapse(net, 10000);
    raft_id leader = net_leader(net);
    assert_true(leader >= 4);
    assert_int_equal(net_propose(net, leader, "b"), STATUS_OK);
    net_elapse(net, 500);
    assert_int_equal(net_commit_index(net, 4), net_commit_index(net, 6));
    assert_false(net_status(net, 1)->is_member);
    net_free(net);
}

static void a_new_leader_ends_a_joint_configuration_it_finds(void **state) {
    (void)state;
    struct net *net = given_a_leader(4, 3);
    net_hold(net, 2, 1);
    net_hold(net, 3, 1);
    net_hold(net, 4, 1);
    assert_int_equal(net_configure(net, 1, "1 2 3 4"), STATUS_OK);
    net_settle(net);
    net_crash(net, 1);
    assert_true(configuration(net, 2)->is_joint);
    net_elapse(net, 10000);
    raft_id leader = net_leader(net);
    assert_int_not_equal(leader, 0);
    assert_false(configuration(net, leader)->is_joint);
    assert_int_equal(rights(net, leader, 4), RAFT_VOTER_NEW);
    net_free(net);
}

/* "A server always uses the latest configuration in its log", and the one before when it goes. */
static void a_configuration_that_is_overwritten_is_undone(void **state) {
    (void)state;
    struct net *net = given_a_leader(4, 3);
    net_isolate(net, 1);
    assert_int_equal(net_configure(net, 1, "1 2 3 4"), STATUS_OK);
    net_settle(net);
    assert_true(configuration(net, 1)->is_joint);
    net_elect(net, 2);
    net_heal(net);
    net_elapse(net, 3000);
    assert_int_equal(net_leader(net), 2);
    assert_int_equal(configuration(net, 1)->count, 3);
    assert_false(configuration(net, 1)->is_joint);
    net_free(net);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void one_change_at_a_time(void **state) {
    (void)state;
    struct net *net = given_a_leader(5, 3);
    net_cut(net, 1, 2);
    net_cut(net, 1, 3);
    assert_int_equal(net_configure(net, 1, "1 2 3 4l"), STATUS_OK);
    assert_int_equal(net_configure(net, 1, "1 2 3 5l"), STATUS_BUSY);
    net_heal(net);
    net_elapse(net, 1000);
    assert_int_equal(net_configure(net, 1, "1 2 3 5l"), STATUS_OK);
    net_free(net);
}

static void no_change_before_an_entry_of_the_term_is_committed(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_disk_hold(net, 2);
    net_disk_hold(net, 3);
    net_elect(net, 1);
    (void)net_sync(net, 2); /* its vote */
    net_settle(net);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_configure(net, 1, "1 2 3"), STATUS_BUSY);
    net_disk_heal(net, 2);
    net_settle(net);
    assert_int_equal(net_configure(net, 1, "1 2 3"), STATUS_OK);
    net_free(net);
}

static void a_target_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    assert_int_equal(net_configure(net, 1, ""), STATUS_INVALID);
    assert_int_equal(net_configure(net, 1, "1l 2l"), STATUS_INVALID);
    assert_int_equal(net_configure(net, 1, "1 2 2"), STATUS_INVALID);
    assert_int_equal(net_configure(net, 1, "1 0"), STATUS_INVALID);
    assert_int_equal(net_configure(net, 2, "1 2"), STATUS_NOT_LEADER);
    struct raft_configuration target = *configuration(net, 1);
    struct raft_event event = {.kind = RAFT_EVENT_CONFIGURE, .target = &target};
    target.is_joint = true;
    assert_int_equal(net_step(net, 1, &event), STATUS_INVALID);
    target = *configuration(net, 1);
    target.members[0].rights = RAFT_VOTER_BOTH;
    assert_int_equal(net_step(net, 1, &event), STATUS_INVALID);
    assert_string_equal(net_log_text(net, 1), "1.");
    net_free(net);
}

static void a_joint_configuration_too_large_is_refused(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    struct raft_configuration target = {.count = MEMBERS_MAX};
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        target.members[i] = (struct raft_member){.id = 100 + i, .rights = RAFT_VOTER_NEW};
    struct raft_event event = {.kind = RAFT_EVENT_CONFIGURE, .target = &target};
    assert_int_equal(solo_step(&s, event), STATUS_INVALID);
    assert_int_equal(raft_status(s.raft)->last_index, 1);
    solo_stop(&s);
}

/* ---- Removals -------------------------------------------------------------------------------- */

static void a_removed_leader_leads_until_the_new_configuration_is_committed(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_hold(net, 2, 1);
    net_hold(net, 3, 1);
    assert_int_equal(net_configure(net, 1, "2 3"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_leader(net), 1);
    net_release(net, 2, 1);
    net_release(net, 3, 1);
    net_settle(net);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    assert_false(net_status(net, 1)->is_member);
    assert_int_equal(net_commit_index(net, 1), 3);
    net_elapse(net, 5000);
    assert_true(net_leader(net) >= 2);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    net_free(net);
}

static void a_leader_made_a_learner_steps_down_too(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    assert_int_equal(net_configure(net, 1, "1l 2 3"), STATUS_OK);
    net_elapse(net, 5000);
    assert_true(net_leader(net) >= 2);
    assert_true(net_status(net, 1)->is_member);
    assert_int_equal(net_commit_index(net, 1), net_commit_index(net, 2));
    net_free(net);
}

static void a_removed_node_does_not_disturb_the_others(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_cut(net, 1, 3);
    net_cut(net, 2, 3);
    assert_int_equal(net_configure(net, 1, "1 2"), STATUS_OK);
    net_elapse(net, 1000);
    net_heal(net);
    net_elapse(net, 20000);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_status(net, 1)->term, 1);
    net_free(net);
}

/* ---- Transfer -------------------------------------------------------------------------------- */

static void a_transfer_waits_until_the_other_holds_the_whole_log(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_cut(net, 1, 2);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    assert_int_equal(net_propose(net, 1, "b"), STATUS_BUSY);
    assert_int_equal(net_configure(net, 1, "1 2"), STATUS_BUSY);
    assert_int_equal(net_transfer(net, 1, 3), STATUS_BUSY);
    net_settle(net);
    assert_int_equal(net_leader(net), 1);
    net_heal(net);
    net_elapse(net, 400);
    assert_int_equal(net_leader(net), 2);
    assert_int_equal(net_status(net, 2)->term, 2);
    assert_string_equal(net_log_text(net, 2), "1. 1a 2.");
    net_free(net);
}

static void a_transfer_takes_no_timeout(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_elapse(net, 300);
    assert_int_equal(net_transfer(net, 1, 3), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_leader(net), 3);
    assert_int_equal(net_status(net, 1)->role, RAFT_FOLLOWER);
    net_free(net);
}

static void a_transfer_that_leads_nowhere_is_given_up(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_crash(net, 2);
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    net_elapse(net, 900);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_BUSY);
    net_elapse(net, 200);
    assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    assert_int_equal(net_leader(net), 1);
    net_free(net);
}

static void a_lost_timeout_now_is_sent_again(void **state) {
    (void)state;
    struct net *net = given_a_leader(3, 3);
    net_elapse(net, 300);
    net_hold(net, 1, 2);
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    net_drop(net, 1, 2);
    net_release(net, 1, 2);
    net_elapse(net, 200);
    assert_int_equal(net_leader(net), 2);
    net_free(net);
}

static void only_to_another_voter(void **state) {
    (void)state;
    struct net *net = given_a_leader(4, 3);
    assert_int_equal(net_configure(net, 1, "1 2 3 4l"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_transfer(net, 1, 1), STATUS_INVALID);
    assert_int_equal(net_transfer(net, 1, 4), STATUS_INVALID);
    assert_int_equal(net_transfer(net, 1, 9), STATUS_INVALID);
    assert_int_equal(net_transfer(net, 2, 3), STATUS_NOT_LEADER);
    net_free(net);
}

static void timeout_now_of_anyone_but_the_leader_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    struct raft_message m = {.kind = RAFT_TIMEOUT_NOW, .from = 2, .term = 3};
    assert_int_equal(solo_receive(&s, m), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    m.from = 3;
    assert_int_equal(solo_receive(&s, m), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    m.from = 2;
    assert_int_equal(solo_receive(&s, m), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->role, RAFT_CANDIDATE);
    solo_sync(&s);
    assert_true(solo_sent(&s, RAFT_VOTE, 3)->vote.is_transfer);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_learner_comes_by_one_entry_and_catches_up),
        cmocka_unit_test(a_promotion_goes_through_a_joint_configuration),
        cmocka_unit_test(both_halves_must_agree_while_joint),
        cmocka_unit_test(all_members_can_be_replaced_at_once),
        cmocka_unit_test(a_new_leader_ends_a_joint_configuration_it_finds),
        cmocka_unit_test(a_configuration_that_is_overwritten_is_undone),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(no_change_before_an_entry_of_the_term_is_committed),
        cmocka_unit_test(a_target_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_joint_configuration_too_large_is_refused),
        cmocka_unit_test(a_removed_leader_leads_until_the_new_configuration_is_committed),
        cmocka_unit_test(a_leader_made_a_learner_steps_down_too),
        cmocka_unit_test(a_removed_node_does_not_disturb_the_others),
        cmocka_unit_test(a_transfer_waits_until_the_other_holds_the_whole_log),
        cmocka_unit_test(a_transfer_takes_no_timeout),
        cmocka_unit_test(a_transfer_that_leads_nowhere_is_given_up),
        cmocka_unit_test(a_lost_timeout_now_is_sent_again),
        cmocka_unit_test(only_to_another_voter),
        cmocka_unit_test(timeout_now_of_anyone_but_the_leader_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
