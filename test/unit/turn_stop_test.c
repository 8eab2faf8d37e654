/* The end of a node among others: leadership goes to somebody else first, and what goes on around
 * it does not hold it up. */
#include "support/world_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct turn_event stop;

static void ask_to_stop(struct world *w) {
    stop.kind = TURN_STOP;
    STAILQ_INSERT_TAIL(&w->inbox, &stop, link);
}

static struct world *given_a_leader_of(size_t voters) {
    struct world *w = world_with_peers(voters);
    world_lead(w);
    world_put(w, "k", "v");
    world_agree(w, 0);
    return w;
}

/* ---- Leaders --------------------------------------------------------------------------------- */

static void a_leader_hands_over_before_it_flushes(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    ask_to_stop(w);
    world_turn(w);
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 0));
    assert_null(w->flush);
    assert_false(turn_is_stopped(w->turn));
    world_depose(w);
    world_settle(w);
    assert_true(turn_is_stopped(w->turn));
    assert_int_equal(w->meta.applied_index, 2);
    world_free(w);
}

static void hands_over_to_the_one_that_is_furthest(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(4);
    world_put(w, "k", "w");
    world_settle(w);
    world_answer(w, 9);
    world_answer(w, 10);
    world_put(w, "k", "x");
    world_settle(w);
    world_answer(w, 10);
    world_answer_heartbeat(w, 8);
    world_answer_heartbeat(w, 9);
    world_agree(w, 8);
    ask_to_stop(w);
    world_turn(w);
    assert_null(world_sent(w, RAFT_TIMEOUT_NOW, 8));
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 0));
    world_free(w);
}

static void hands_over_to_nobody_who_was_not_heard(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    world_elapse_with(w, 1500, 8);
    ask_to_stop(w);
    world_turn(w);
    assert_null(world_sent(w, RAFT_TIMEOUT_NOW, 8));
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 9));
    world_free(w);
}

static void answers_what_it_accepted_before_it_hands_over(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct world_client *put = world_put(w, "k", "w");
    ask_to_stop(w);
    world_settle(w);
    assert_null(world_sent(w, RAFT_TIMEOUT_NOW, 0));
    assert_false(put->is_answered);
    world_agree(w, 0);
    assert_int_equal(put->response.status, STATUS_OK);
    assert_true(put->is_answered);
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 0));
    world_free(w);
}

static void gives_the_handover_up_in_time(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    ask_to_stop(w);
    world_turn(w);
    for (int i = 0; i < 19; i++) { /* 8 and 9 are well, and campaign all the same not */
        world_elapse(w, 100);
        world_answer_heartbeat(w, 8);
        world_answer_heartbeat(w, 9);
        world_turn(w);
    }
    assert_null(w->flush);
    world_elapse(w, 200);
    world_settle(w);
    assert_true(turn_is_stopped(w->turn));
    assert_int_equal(w->meta.applied_index, 2);
    world_free(w);
}

static void a_leader_that_nobody_hears_flushes_at_once(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    w->now_ms += 1001; /* nobody was heard for longer than a timeout */
    ask_to_stop(w);
    world_turn(w);
    assert_non_null(w->flush);
    world_state_syncs(w);
    world_turn(w);
    assert_true(turn_is_stopped(w->turn));
    world_free(w);
}

/* ---- Followers ------------------------------------------------------------------------------- */

static struct world *given_a_follower(void) {
    struct world *w = world_with_peers(3);
    world_follow(w);
    world_receive_entries(w, 0, 5, 5);
    world_settle(w);
    return w;
}

static void a_follower_flushes_at_once(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    ask_to_stop(w);
    world_turn(w);
    assert_non_null(w->flush);
    world_state_syncs(w);
    world_turn(w);
    assert_true(turn_is_stopped(w->turn));
    assert_int_equal(w->meta.applied_index, 5);
    world_free(w);
}

/* One that is written to without end would flush without end. */
static void a_follower_stops_though_entries_keep_coming(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    ask_to_stop(w);
    world_turn(w);
    world_receive_entries(w, 5, 5, 10);
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    world_state_syncs(w);
    world_turn(w);
    assert_true(turn_is_stopped(w->turn));
    assert_true(turn_deadline_ms(w->turn) > w->now_ms);
    world_free(w);
}

static void passes_nothing_on_any_more(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    ask_to_stop(w);
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    assert_false(put->is_forwarded);
    assert_int_equal(put->response.status, STATUS_UNAVAILABLE);
    assert_true(put->response.is_not_applied);
    world_free(w);
}

static void refuses_what_comes_back_from_the_leader(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    ask_to_stop(w);
    world_comes_back(w, put, w->now_ms + 25);
    world_turn(w);
    assert_int_equal(put->response.status, STATUS_UNAVAILABLE);
    assert_true(put->response.is_not_applied);
    world_free(w);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void gives_streams_back_though_the_flush_never_ends(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct turn_snapshot early = {.event.kind = TURN_SNAPSHOT};
    struct turn_snapshot late = {.event.kind = TURN_SNAPSHOT};
    STAILQ_INSERT_TAIL(&w->inbox, &early.event, link);
    world_turn(w);
    assert_int_equal(w->snapshots, 0);
    ask_to_stop(w);
    world_turn(w);
    assert_int_equal(w->snapshots, 1);
    STAILQ_INSERT_TAIL(&w->inbox, &late.event, link);
    world_turn(w);
    assert_int_equal(w->snapshots, 2);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_hands_over_before_it_flushes),
        cmocka_unit_test(hands_over_to_the_one_that_is_furthest),
        cmocka_unit_test(hands_over_to_nobody_who_was_not_heard),
        cmocka_unit_test(answers_what_it_accepted_before_it_hands_over),
        cmocka_unit_test(gives_the_handover_up_in_time),
        cmocka_unit_test(a_leader_that_nobody_hears_flushes_at_once),
        cmocka_unit_test(a_follower_flushes_at_once),
        cmocka_unit_test(a_follower_stops_though_entries_keep_coming),
        cmocka_unit_test(passes_nothing_on_any_more),
        cmocka_unit_test(refuses_what_comes_back_from_the_leader),
        cmocka_unit_test(gives_streams_back_though_the_flush_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
