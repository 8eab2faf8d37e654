/* The lease: when a leader may read without asking. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LEASE_MS (SOLO_TIMEOUT_MS * 2 / 5)

static void answer(struct solo *s, raft_id id, uint64_t timeout_ms) {
    uint64_t round = solo_sent(s, RAFT_HEARTBEAT, id)->heartbeat.round;
    assert_int_equal(solo_receive(s, from_heartbeat_answer(id, 1, round, timeout_ms)), STATUS_OK);
}

static bool has_lease(const struct solo *s) {
    return raft_has_lease(s->raft, s->now_ms);
}

static struct raft_event configure(const struct raft_configuration *target) {
    return (struct raft_event){.kind = RAFT_EVENT_CONFIGURE, .target = target};
}

static void lasts_two_fifths_of_a_timeout_from_when_its_round_was_sent(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    uint64_t sent_ms = s.now_ms;
    assert_false(has_lease(&s));
    s.now_ms += 300; /* the answer takes its time */
    answer(&s, 2, SOLO_TIMEOUT_MS);
    assert_true(raft_has_lease(s.raft, sent_ms + LEASE_MS - 1));
    assert_false(raft_has_lease(s.raft, sent_ms + LEASE_MS));
    solo_stop(&s);
}

static void counts_from_the_smallest_timeout_that_was_declared(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, 300);
    assert_true(raft_has_lease(s.raft, s.now_ms + 119));
    assert_false(raft_has_lease(s.raft, s.now_ms + 120));
    solo_stop(&s);
}

static void a_longer_timeout_elsewhere_does_not_lengthen_it(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, 30000);
    assert_false(raft_has_lease(s.raft, s.now_ms + LEASE_MS));
    solo_stop(&s);
}

static void needs_a_quorum_of_five(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 5);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    assert_false(has_lease(&s));
    answer(&s, 4, SOLO_TIMEOUT_MS);
    assert_true(has_lease(&s));
    solo_stop(&s);
}

static void an_append_answer_makes_none(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 1)), STATUS_OK);
    assert_false(has_lease(&s));
    solo_stop(&s);
}

static void a_late_answer_to_an_older_round_does_not_renew_it(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    uint64_t older = solo_sent(&s, RAFT_HEARTBEAT, 2)->heartbeat.round;
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    uint64_t end_ms = s.now_ms + LEASE_MS;
    s.now_ms += 400;
    assert_int_equal(solo_receive(&s, from_heartbeat_answer(2, 1, older, SOLO_TIMEOUT_MS)),
                     STATUS_STALE);
    assert_true(raft_has_lease(s.raft, end_ms - 1));
    assert_false(raft_has_lease(s.raft, end_ms));
    solo_stop(&s);
}

static void a_learners_answer_makes_none(void **state) {
    (void)state;
    struct solo s;
    struct raft_configuration target = {.count = 4};
    solo_start_as_leader(&s, 3);
    for (size_t i = 0; i < 4; i++)
        target.members[i] = (struct raft_member){.id = i + 1, .rights = i < 3};
    assert_int_equal(solo_step(&s, configure(&target)), STATUS_OK);
    solo_sync_all(&s);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 2)), STATUS_OK);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 4, SOLO_TIMEOUT_MS);
    assert_false(has_lease(&s));
    answer(&s, 3, SOLO_TIMEOUT_MS);
    assert_true(has_lease(&s));
    solo_stop(&s);
}

static void none_after_timeout_now_for_the_rest_of_the_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    assert_true(has_lease(&s));
    struct raft_event transfer = {.kind = RAFT_EVENT_TRANSFER, .transferee = 2};
    assert_int_equal(solo_step(&s, transfer), STATUS_OK);
    assert_non_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 2));
    assert_false(has_lease(&s));
    for (int i = 0; i < 20; i++) { /* the transfer is given up, the message may still arrive */
        solo_elapse(&s, SOLO_HEARTBEAT_MS);
        answer(&s, 2, SOLO_TIMEOUT_MS);
        assert_false(has_lease(&s));
        solo_forget(&s);
    }
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_stop(&s);
}

static void none_after_a_configuration_entry_until_a_round_of_it(void **state) {
    (void)state;
    struct solo s;
    struct raft_configuration target = {.count = 3};
    solo_start_as_leader(&s, 3);
    for (size_t i = 0; i < 3; i++)
        target.members[i] = (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    assert_true(has_lease(&s));
    assert_int_equal(solo_step(&s, configure(&target)), STATUS_OK);
    assert_false(has_lease(&s));
    answer(&s, 2, SOLO_TIMEOUT_MS); /* to the round before the change */
    assert_false(has_lease(&s));
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    assert_true(has_lease(&s));
    solo_stop(&s);
}

static void both_halves_of_a_joint_configuration_must_have_answered(void **state) {
    (void)state;
    struct solo s;
    struct raft_configuration target = {.count = 3};
    solo_start_as_leader(&s, 3);
    for (size_t i = 0; i < 3; i++) /* 1, 4, 5 instead of 1, 2, 3 */
        target.members[i] =
            (struct raft_member){.id = i == 0 ? 1 : i + 3, .rights = RAFT_VOTER_NEW};
    assert_int_equal(solo_step(&s, configure(&target)), STATUS_OK);
    assert_true(raft_configuration(s.raft)->is_joint);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer(&s, 2, SOLO_TIMEOUT_MS);
    answer(&s, 3, SOLO_TIMEOUT_MS);
    assert_false(has_lease(&s));
    answer(&s, 5, 200);
    assert_true(raft_has_lease(s.raft, s.now_ms + 79));
    assert_false(raft_has_lease(s.raft, s.now_ms + 80)); /* the new half's timeout counts too */
    solo_stop(&s);
}

static void none_when_leases_are_switched_off(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(1);
    config.has_lease_reads = false;
    solo_start(&s, &config);
    solo_elapse(&s, 0);
    while (s.batch_count > 0)
        solo_sync(&s);
    assert_true(raft_status(s.raft)->is_in_office);
    assert_false(has_lease(&s));
    solo_stop(&s);
}

static void a_sole_voter_has_one_as_long_as_it_leads(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(1);
    solo_start(&s, &config);
    solo_elapse(&s, 0);
    assert_false(has_lease(&s));
    solo_sync(&s);
    assert_false(has_lease(&s)); /* not in office */
    solo_sync(&s);
    assert_true(has_lease(&s));
    solo_stop(&s);
}

static void none_before_the_noop_is_committed(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_disk_hold(net, 2);
    net_disk_hold(net, 3);
    net_elect(net, 1);
    (void)net_sync(net, 2); /* its vote */
    net_settle(net);
    net_elapse(net, 300);
    assert_int_equal(net_leader(net), 1);
    assert_false(net_has_lease(net, 1));
    net_disk_heal(net, 3);
    net_elapse(net, 300);
    assert_true(net_has_lease(net, 1));
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lasts_two_fifths_of_a_timeout_from_when_its_round_was_sent),
        cmocka_unit_test(counts_from_the_smallest_timeout_that_was_declared),
        cmocka_unit_test(a_longer_timeout_elsewhere_does_not_lengthen_it),
        cmocka_unit_test(needs_a_quorum_of_five),
        cmocka_unit_test(an_append_answer_makes_none),
        cmocka_unit_test(a_late_answer_to_an_older_round_does_not_renew_it),
        cmocka_unit_test(a_learners_answer_makes_none),
        cmocka_unit_test(none_after_timeout_now_for_the_rest_of_the_term),
        cmocka_unit_test(none_after_a_configuration_entry_until_a_round_of_it),
        cmocka_unit_test(both_halves_of_a_joint_configuration_must_have_answered),
        cmocka_unit_test(none_when_leases_are_switched_off),
        cmocka_unit_test(a_sole_voter_has_one_as_long_as_it_leads),
        cmocka_unit_test(none_before_the_noop_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
