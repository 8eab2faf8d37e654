/* What replaces the log. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct raft_event installed(const struct raft_configuration *c, raft_index index,
                                   raft_term term) {
    return (struct raft_event){.kind = RAFT_EVENT_INSTALLED, .installed = {index, term, c}};
}

static const struct raft_configuration two = {
    .index = 3, .count = 2, .members = {{.id = 1, .rights = 1}, {.id = 2, .rights = 1}}};

static void a_snapshot_of_what_is_committed_already_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 6)), STATUS_OK);
    assert_int_equal(solo_step(&s, installed(&two, 6, 3)), STATUS_STALE);
    assert_int_equal(raft_status(s.raft)->last_index, 10);
    solo_stop(&s);
}

static void a_leader_installs_nothing(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_step(&s, installed(&two, 9, 1)), STATUS_INVALID);
    solo_stop(&s);
}

/* ---- Of a newer term ------------------------------------------------------------------------- */

static void assert_follows_in_term(struct solo *s, raft_term term) {
    const struct raft_status *status = raft_status(s->raft);
    assert_int_equal(status->role, RAFT_FOLLOWER);
    assert_int_equal(status->term, term);
    assert_int_equal(status->leader, 0);
    assert_int_equal(status->commit_index, 20);
    const struct raft_batch *batch = &s->batches[s->batch_count - 1];
    assert_true(s->batch_count > 0 && batch->has_hard_state);
    assert_int_equal(batch->hard.term, term);
    assert_int_equal(batch->hard.vote, 0);
}

static void a_leader_of_an_older_term_than_the_snapshot_s_follows(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_step(&s, installed(&two, 20, 4)), STATUS_OK);
    assert_follows_in_term(&s, 4);
    assert_false(raft_status(s.raft)->is_in_office);
    assert_int_equal(solo_propose(&s), STATUS_NOT_LEADER);
    solo_stop(&s);
}

static void a_candidate_of_an_older_term_than_the_snapshot_s_follows(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(3);
    struct raft_message answer = {.kind = RAFT_PRE_VOTE_ANSWER,
                                  .from = 2,
                                  .term = 1,
                                  .vote_answer = {true}};
    solo_start(&s, &config);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(&s, answer), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->role, RAFT_CANDIDATE);
    solo_sync_all(&s);
    assert_int_equal(solo_step(&s, installed(&two, 20, 4)), STATUS_OK);
    assert_follows_in_term(&s, 4);
    answer = (struct raft_message){.kind = RAFT_VOTE_ANSWER,
                                   .from = 2,
                                   .term = 1,
                                   .vote_answer = {true}};
    (void)solo_receive(&s, answer); /* a vote of the old term, stale by now */
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    solo_stop(&s);
}

static void a_snapshot_of_an_older_term_moves_no_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 7, 1, 6)), STATUS_OK);
    solo_sync_all(&s);
    assert_int_equal(solo_step(&s, installed(&two, 20, 5)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->term, 7);
    assert_int_equal(raft_status(s.raft)->leader, 2);
    assert_int_equal(s.batch_count, 0);
    solo_stop(&s);
}

/* ---- The log --------------------------------------------------------------------------------- */

static void a_snapshot_beyond_the_log_replaces_it(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_step(&s, installed(&two, 20, 3)), STATUS_OK);
    const struct raft_status *status = raft_status(s.raft);
    assert_int_equal(status->last_index, 20);
    assert_int_equal(status->commit_index, 20);
    assert_int_equal(status->durable_index, 20);
    assert_int_equal(s.apply_to, 20);
    assert_int_equal(raft_configuration(s.raft)->count, 2);
    struct raft_entry next = an_entry(21, 3);
    assert_int_equal(solo_receive(&s, from_append(2, 3, 20, 3, &next, 1, 21)), STATUS_OK);
    assert_int_equal(s.batches[0].first, 21);
    solo_sync(&s);
    assert_int_equal(s.apply_to, 21);
    solo_stop(&s);
}

/* They may have been acknowledged. */
static void what_follows_a_snapshot_that_fits_is_kept(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_step(&s, installed(&two, 6, 3)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->last_index, 10);
    assert_int_equal(raft_status(s.raft)->commit_index, 6);
    assert_int_equal(raft_status(s.raft)->durable_index, 10);
    solo_stop(&s);
}

static void what_follows_one_that_does_not_fit_goes(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_step(&s, installed(&two, 6, 2)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->last_index, 6);
    solo_stop(&s);
}

static void a_batch_of_the_old_log_counts_for_nothing_after(void **state) {
    (void)state;
    struct solo s;
    struct raft_entry entries[] = {an_entry(11, 3), an_entry(12, 3)};
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_receive(&s, from_append(2, 3, 10, 3, entries, 2, 0)), STATUS_OK);
    assert_int_equal(solo_step(&s, installed(&two, 11, 2)), STATUS_OK);
    solo_sync(&s);
    assert_int_equal(raft_status(s.raft)->durable_index, 11);
    assert_int_equal(raft_status(s.raft)->last_index, 11);
    solo_stop(&s);
}

static void entries_in_no_batch_yet_are_in_none_to_come(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    for (raft_index i = 11; i <= 18; i++) {
        struct raft_entry entry = an_entry(i, 3);
        assert_int_equal(solo_receive(&s, from_append(2, 3, i - 1, 3, &entry, 1, 0)), STATUS_OK);
    }
    assert_int_equal(s.batch_count, BATCHES_IN_FLIGHT_MAX);
    assert_int_equal(solo_step(&s, installed(&two, 17, 3)), STATUS_OK);
    while (s.batches[0].first < 17)
        solo_sync(&s);
    assert_int_equal(s.batches[0].first, 18);
    assert_int_equal(raft_status(s.raft)->last_index, 18);
    solo_stop(&s);
}

static void the_log_can_be_cut_to_its_very_end(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 10)), STATUS_OK);
    struct raft_event cut = {.kind = RAFT_EVENT_CUT, .cut_index = 10};
    assert_int_equal(solo_step(&s, cut), STATUS_OK);
    struct raft_entry next = an_entry(11, 3);
    assert_int_equal(solo_receive(&s, from_append(2, 3, 10, 3, &next, 1, 0)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->last_index, 11);
    solo_stop(&s);
}

static void a_node_far_behind_catches_up_by_a_snapshot(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_crash(net, 3);
    for (int i = 0; i < 20; i++)
        assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
    net_settle(net);
    net_cut_log(net, 1, 15);
    net_cut_log(net, 2, 15);
    net_restart(net, 3);
    assert_int_equal(net_propose(net, 1, "b"), STATUS_OK);
    net_elapse(net, 3000);
    assert_int_equal(net_commit_index(net, 3), 22);
    assert_true(net_node(net, 3)->log.cut_index >= 15);
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_of_what_is_committed_already_is_ignored),
        cmocka_unit_test(a_leader_installs_nothing),
        cmocka_unit_test(a_leader_of_an_older_term_than_the_snapshot_s_follows),
        cmocka_unit_test(a_candidate_of_an_older_term_than_the_snapshot_s_follows),
        cmocka_unit_test(a_snapshot_of_an_older_term_moves_no_term),
        cmocka_unit_test(a_snapshot_beyond_the_log_replaces_it),
        cmocka_unit_test(what_follows_a_snapshot_that_fits_is_kept),
        cmocka_unit_test(what_follows_one_that_does_not_fit_goes),
        cmocka_unit_test(a_batch_of_the_old_log_counts_for_nothing_after),
        cmocka_unit_test(entries_in_no_batch_yet_are_in_none_to_come),
        cmocka_unit_test(the_log_can_be_cut_to_its_very_end),
        cmocka_unit_test(a_node_far_behind_catches_up_by_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
