/* Sequences that broke earlier drafts, at the engine. */
#include "support/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void step_by_step(struct net *net, uint64_t ms) {
    for (uint64_t i = 0; i < ms; i += 5)
        net_elapse(net, 5); /* leases are checked after each */
}

/* 1. Three nodes: A acknowledges leader L, restarts at once and votes for C, which is cut off from
 * L. C commits; L answers from its lease. */
static void sequence_1_a_restart_does_not_break_a_lease(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct net *net = net_new(3, seed);
        net_elect(net, 1);
        net_elapse(net, 400);
        net_cut(net, 1, 3);
        net_elapse(net, 60 * seed); /* C asks and asks */
        net_crash(net, 2);
        net_cut(net, 1, 2);
        net_restart(net, 2);
        step_by_step(net, 1000);
        assert_int_not_equal(net_status(net, 3)->role, RAFT_LEADER);
        step_by_step(net, 6000);
        assert_true(net_leader(net) >= 2);
        net_free(net);
    }
}

/* 2a. A follower with a shorter ELECTION than the leader believes. */
static void sequence_2_a_shorter_timeout_elsewhere_shortens_the_lease(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct net *net = net_unstarted(3, 3, seed);
        net_node(net, 2)->election_timeout_ms = 300;
        net_node(net, 3)->election_timeout_ms = 200;
        net_node(net, 1)->election_timeout_ms = 2000;
        net_start_all(net);
        net_elapse(net, 4000);
        for (int i = 0; i < 20 && net_leader(net) != 1; i++) {
            if (net_leader(net) != 0)
                (void)net_transfer(net, net_leader(net), 1);
            net_elapse(net, 300);
        }
        assert_int_equal(net_leader(net), 1);
        net_isolate(net, 1);
        step_by_step(net, 3000);
        assert_true(net_leader(net) >= 2);
        net_free(net);
    }
}

/* 2a'. And one that comes back from a restart with a shorter one than it had declared. */
static void sequence_2_a_shorter_timeout_after_a_restart_keeps_the_longer_silence(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_elapse(net, 400);
    for (raft_id id = 2; id <= 3; id++) {
        net_crash(net, id);
        net_node(net, id)->election_timeout_ms = 100;
        net_node(net, id)->heartbeat_ms = 20;
        net_cut(net, 1, id);
        net_restart(net, id);
    }
    step_by_step(net, 990);
    assert_int_equal(net_leader(net), 1);
    step_by_step(net, 3000);
    assert_true(net_leader(net) >= 2);
    net_free(net);
}

/* 2b. An old majority's lease that outlives a new majority. */
static void sequence_2_a_change_of_members_ends_the_old_majoritys_lease(void **state) {
    (void)state;
    struct net *net = net_unstarted(5, 3, 1);
    net_start_all(net);
    net_elect(net, 1);
    net_elapse(net, 400);
    assert_true(net_has_lease(net, 1));
    assert_int_equal(net_configure(net, 1, "1 4 5"), STATUS_OK);
    assert_false(net_has_lease(net, 1));
    net_elapse(net, 500);
    net_isolate(net, 1);
    net_cut(net, 2, 4);
    step_by_step(net, 5000);
    assert_true(net_leader(net) >= 4);
    net_free(net);
}

/* 2c. A TimeoutNow that arrives after the lease was renewed. */
static void sequence_2_no_lease_once_timeout_now_is_on_its_way(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_elapse(net, 300);
    assert_true(net_has_lease(net, 1));
    net_hold(net, 1, 2);
    assert_int_equal(net_transfer(net, 1, 2), STATUS_OK);
    net_elapse(net, 1500); /* given up, and 3 answers every round */
    assert_int_equal(net_leader(net), 1);
    assert_false(net_has_lease(net, 1));
    net_isolate(net, 1);
    net->is_cut[1][2] = false;
    net_release(net, 1, 2);
    step_by_step(net, 500);
    assert_int_equal(net_leader(net), 2);
    net_free(net);
}

/* 2d. A sole voter after a shrink, restarting while the former leader's lease still counts its
 * acknowledgement; and its vote of that term was for itself. */
static void sequence_2_a_sole_voter_after_a_shrink_keeps_silent(void **state) {
    (void)state;
    struct net *net = net_unstarted(3, 3, 1);
    net_prepare(net, 2, "", 1, 2);
    net_start_all(net);
    net_cut(net, 1, 2);
    net_elect(net, 1);
    net_heal(net);
    net_elapse(net, 400);
    assert_int_equal(net_status(net, 1)->term, 1);
    net_disk_hold(net, 2);
    assert_int_equal(net_configure(net, 1, "2"), STATUS_OK);
    net_elapse(net, 1); /* joint: by 1 and 3, and 2 must have it too */
    assert_true(net_sync(net, 2));
    net_elapse(net, 250); /* the final one is on its way to 2's disk, 2 answers heartbeats */
    assert_int_equal(net_leader(net), 1);
    assert_true(net_has_lease(net, 1));
    while (net_disk_write(net, 2)) {
    }
    net_crash(net, 2);
    net_isolate(net, 2);
    net_disk_heal(net, 2);
    net_restart(net, 2);
    assert_int_equal(raft_configuration(net_node(net, 2)->raft)->count, 1);
    step_by_step(net, 900);
    assert_int_not_equal(net_status(net, 2)->role, RAFT_LEADER);
    step_by_step(net, 3000);
    assert_int_equal(net_status(net, 2)->role, RAFT_LEADER);
    net_free(net);
}

/* 3. A pause between two turns: what the lease is worth is asked of the clock after it. */
static void sequence_3_a_paused_leader_believes_no_old_clock(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_elapse(net, 400);
    assert_true(net_has_lease(net, 1));
    net->now_ms += 10000; /* nobody runs */
    assert_false(net_has_lease(net, 1));
    size_t before = net_node(net, 1)->confirmed_count;
    assert_int_equal(net_read(net, 1), STATUS_OK);
    assert_int_equal(net_node(net, 1)->confirmed_count, before);
    net_settle(net); /* by a round */
    assert_int_equal(net_node(net, 1)->confirmed_count, before + 1);
    net_free(net);
}

/* 3'. Answers that lay in the inbox during the pause renew nothing: a lease counts from when its
 * round was sent. */
static void sequence_3_answers_from_before_a_pause_make_no_lease(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_elapse(net, 400);
    net_hold(net, 2, 1);
    net_hold(net, 3, 1);
    net_elapse(net, 150);
    net->now_ms += 10000;
    net_release(net, 2, 1);
    net_release(net, 3, 1);
    while (net_deliver_one(net) && !net_has_lease(net, 1)) {
        if (net->messages && net->messages->message.kind == RAFT_HEARTBEAT)
            break; /* a new round */
    }
    assert_false(net_has_lease(net, 1));
    net_free(net);
}

/* 4. A batch "durable up to 20" completes after truncation at 15, and another 16 not yet synced. */
static void sequence_4_a_batch_from_before_a_truncation_acknowledges_nothing(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_disk_hold(net, 3);
    net_cut(net, 1, 2); /* 1's next entries reach 3 alone */
    for (int i = 2; i <= 20; i++)
        assert_int_equal(net_propose(net, 1, "x"), STATUS_OK);
    net_settle(net);
    assert_int_equal(net_status(net, 3)->last_index, 20);
    net_isolate(net, 1);
    net_elapse(net, 1500); /* 3's log hangs */
    net_disk_heal(net, 3);
    net_disk_hold(net, 3);
    net_elect(net, 2);
    net_elect(net, 2);
    for (int i = 0; i < 40; i++) { /* whatever 3 says, the net compares it with 3's disk */
        (void)net_sync(net, 3);
        net_settle(net);
        if (net_leader(net) == 2)
            (void)net_propose(net, 2, "y");
    }
    net_heal(net);
    net_disk_heal(net, 3);
    net_elapse(net, 10000);
    assert_string_equal(net_log_text(net, 1), net_log_text(net, net_leader(net)));
    net_free(net);
}

/* 12. A read that joins a read-index round already sent, after a write was acknowledged in between.
 * The net refuses an index below what was committed when the read came. */
static void sequence_12_a_read_after_a_write_sees_it(void **state) {
    (void)state;
    struct net *net = net_unstarted(3, 3, 1);
    for (raft_id id = 1; id <= 3; id++)
        net_node(net, id)->has_lease_reads = false;
    net_start_all(net);
    net_elect(net, 1);
    for (raft_id id = 1; id <= 2; id++) {
        net_hold(net, 3, 1);
        net_hold(net, 1, 3);
        net->delay_ms[2][1] = 20;
        assert_int_equal(net_read(net, id), STATUS_OK); /* its round is on its way */
        net_elapse(net, 5);
        assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
        net->delay_ms[2][1] = 1;
        net_elapse(net, 5); /* committed by 2's quick answer */
        raft_index committed = net_commit_index(net, 1);
        assert_int_equal(net_read(net, id), STATUS_OK);
        net_release(net, 3, 1);
        net_release(net, 1, 3);
        net_elapse(net, 500);
        assert_int_equal(net_node(net, id)->confirmed_token, net_node(net, id)->token);
        assert_true(net_node(net, id)->confirmed_index >= committed);
    }
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_1_a_restart_does_not_break_a_lease),
        cmocka_unit_test(sequence_2_a_shorter_timeout_elsewhere_shortens_the_lease),
        cmocka_unit_test(sequence_2_a_shorter_timeout_after_a_restart_keeps_the_longer_silence),
        cmocka_unit_test(sequence_2_a_change_of_members_ends_the_old_majoritys_lease),
        cmocka_unit_test(sequence_2_no_lease_once_timeout_now_is_on_its_way),
        cmocka_unit_test(sequence_2_a_sole_voter_after_a_shrink_keeps_silent),
        cmocka_unit_test(sequence_3_a_paused_leader_believes_no_old_clock),
        cmocka_unit_test(sequence_3_answers_from_before_a_pause_make_no_lease),
        cmocka_unit_test(sequence_4_a_batch_from_before_a_truncation_acknowledges_nothing),
        cmocka_unit_test(sequence_12_a_read_after_a_write_sees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
