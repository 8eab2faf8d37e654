/* Snapshots on their way to peers: when one begins, what of the log is kept for it, and what its
 * end tells the engine. */
#include "support/world_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void puts_agreed(struct world *w, size_t count, raft_id silent) {
    for (size_t i = 0; i < count; i++)
        world_put(w, "k", "v");
    world_agree(w, silent);
}

/* The state is on disk, and the log cut as far as it may be. */
static void flushed(struct world *w, raft_id silent) {
    world_elapse_with(w, 5100, silent);
    world_settle(w);
}

/* A leader of three, where 9 was silent while 100 entries came and went. */
static struct world *given_a_leader_whose_peer_fell_behind(void) {
    struct world *w = world_with_peers(3);
    w->config.hold_bytes = 4000;
    world_lead(w);
    world_agree(w, 0);
    puts_agreed(w, 100, 9);
    flushed(w, 9);
    assert_true(w->first_index > 50);
    return w;
}

/* 9 is back with one entry, and says so to whatever it is sent. */
static void nine_refuses(struct world *w) {
    const struct raft_message *append = world_sent(w, RAFT_APPEND, 9);
    struct raft_message refusal = {.kind = RAFT_APPEND_ANSWER,
                                   .from = 9,
                                   .term = world_raft(w)->term,
                                   .append_answer = {.hint_index = 1, .hint_term = 1}};
    refusal.append_answer.index = append->append.prev_index;
    world_answer_heartbeat(w, 9);
    world_receive(w, refusal);
    world_settle(w);
}

static void nine_is_back(struct world *w) {
    for (int i = 0; i < 3; i++) {
        world_elapse_with(w, 300, 9);
        nine_refuses(w);
    }
}

static struct world *given_a_transfer(void) {
    struct world *w = given_a_leader_whose_peer_fell_behind();
    nine_is_back(w);
    assert_int_equal(w->transfer_count, 1);
    return w;
}

static void ends(struct world *w, bool is_installed, raft_index index) {
    struct turn_transfer *transfer = w->transfers[--w->transfer_count];
    transfer->is_installed = is_installed;
    transfer->index = index;
    STAILQ_INSERT_TAIL(&w->inbox, &transfer->event, link);
    world_settle(w);
}

/* ---- Begun ----------------------------------------------------------------------------------- */

static void begins_when_a_peer_needs_what_was_cut(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    assert_int_equal(w->transfers[0]->peer, 9);
    assert_int_equal(w->transfers[0]->index, w->meta.applied_index);
    world_elapse(w, 30);
    assert_int_equal(w->status.snapshots_sent_total, 1);
    world_free(w);
}

static void begins_no_second_one_for_a_peer_while_one_runs(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    world_depose(w);
    world_lead_again(w); /* the engine has forgotten it */
    world_agree(w, 9);
    nine_is_back(w);
    assert_int_equal(w->transfer_count, 1);
    raft_index index = w->transfers[0]->index;
    ends(w, true, index);
    assert_int_equal(world_sent(w, RAFT_APPEND, 9)->append.prev_index, index);
    assert_int_equal(w->transfer_count, 0);
    world_free(w);
}

/* ---- Meanwhile ------------------------------------------------------------------------------- */

static void keeps_the_log_from_where_the_snapshot_ends(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    raft_index index = w->transfers[0]->index;
    puts_agreed(w, 40, 9);
    flushed(w, 9);
    assert_true(w->meta.applied_index >= index + 40);
    assert_int_equal(w->first_index, index + 1);
    ends(w, true, index);
    flushed(w, 9);
    assert_true(w->first_index > index + 1); /* nobody needs it any more */
    world_free(w);
}

static void keeps_no_more_of_it_than_is_allowed(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    raft_index index = w->transfers[0]->index;
    puts_agreed(w, 200, 9);
    flushed(w, 9);
    assert_true(w->first_index > index + 1);
    world_free(w);
}

/* ---- Ended ----------------------------------------------------------------------------------- */

static void goes_on_with_entries_after_what_was_installed(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    raft_index index = w->transfers[0]->index;
    puts_agreed(w, 5, 9);
    ends(w, true, index);
    const struct raft_message *append = world_sent(w, RAFT_APPEND, 9);
    assert_int_equal(append->append.prev_index, index);
    assert_int_equal(append->append.last_index, index + 5);
    world_free(w);
}

static void begins_again_once_the_peer_is_heard_after_one_that_failed(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    ends(w, false, w->transfers[0]->index);
    assert_int_equal(w->transfer_count, 0);
    world_elapse_with(w, 600, 9);
    assert_int_equal(w->transfer_count, 0);
    nine_is_back(w);
    assert_int_equal(w->transfer_count, 1);
    world_free(w);
}

static void puts_an_end_away_that_comes_when_it_leads_no_more(void **state) {
    (void)state;
    struct world *w = given_a_transfer();
    world_depose(w);
    ends(w, true, w->transfers[0]->index);
    assert_int_equal(world_raft(w)->leader, 8);
    world_lead_again(w);
    world_agree(w, 9);
    nine_is_back(w);
    assert_int_equal(w->transfer_count, 1); /* nothing was learnt from it */
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_when_a_peer_needs_what_was_cut),
        cmocka_unit_test(begins_no_second_one_for_a_peer_while_one_runs),
        cmocka_unit_test(keeps_the_log_from_where_the_snapshot_ends),
        cmocka_unit_test(keeps_no_more_of_it_than_is_allowed),
        cmocka_unit_test(goes_on_with_entries_after_what_was_installed),
        cmocka_unit_test(begins_again_once_the_peer_is_heard_after_one_that_failed),
        cmocka_unit_test(puts_an_end_away_that_comes_when_it_leads_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
