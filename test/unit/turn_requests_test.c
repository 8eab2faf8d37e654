/* Requests in a cluster of three: passed on, waiting, answered, refused. */
#include "server/parts.h"
#include "support/world_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world *given_a_follower(void) {
    struct world *w = world_with_peers(3);
    world_follow(w);
    return w;
}

static struct world *given_a_leader(void) {
    struct world *w = world_with_peers(3);
    world_lead(w);
    return w;
}

static void assert_refused(const struct world_client *client, enum status status) {
    assert_true(client->is_answered);
    assert_int_equal(client->response.status, status);
    assert_true(client->response.is_not_applied);
}

/* ---- Passed on ------------------------------------------------------------------------------- */

static void a_follower_passes_a_write_on_to_the_leader(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    assert_true(put->is_forwarded);
    assert_int_equal(put->forwarded_to, 8);
    assert_false(put->is_answered);
    world_free(w);
}

static void what_another_node_passed_on_goes_no_further(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    put->turn.is_forwarded = true;
    world_turn(w);
    assert_false(put->is_forwarded);
    assert_refused(put, STATUS_NOT_LEADER);
    world_free(w);
}

static void what_another_node_passed_on_waits_for_a_leader_too(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    world_boot(w);
    struct world_client *put = world_put(w, "k", "v");
    put->turn.is_forwarded = true;
    world_turn(w);
    assert_false(put->is_answered);
    world_receive(w, from_heartbeat(8, 3, 1, 0));
    world_turn(w);
    assert_refused(put, STATUS_NOT_LEADER);
    world_free(w);
}

static void what_came_back_goes_out_again_after_a_while(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    world_comes_back(w, put, w->now_ms + 25);
    world_elapse(w, 24);
    assert_false(put->is_forwarded);
    world_elapse(w, 1);
    assert_true(put->is_forwarded);
    world_free(w);
}

static void what_came_back_keeps_its_deadline(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct kv_request request = {.operation = KV_DELETE, .key = bytes_of_text("k")};
    struct world_client *erase = world_ask(w, &request, 100);
    world_turn(w);
    w->now_ms += 90;
    world_comes_back(w, erase, w->now_ms + 25);
    world_turn(w);
    world_elapse(w, 9);
    assert_false(erase->is_answered);
    world_elapse(w, 1);
    assert_refused(erase, STATUS_UNAVAILABLE);
    world_free(w);
}

static void goes_to_whoever_leads_by_then(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    assert_int_equal(put->forwarded_to, 8);
    world_comes_back(w, put, w->now_ms + 25);
    world_turn(w);
    world_receive(w, from_heartbeat(9, 4, 1, 0));
    world_elapse(w, 25);
    assert_true(put->is_forwarded);
    assert_int_equal(put->forwarded_to, 9);
    world_free(w);
}

/* The loop sleeps until its turn is due: one that is due in the past would never let it. */
static void what_came_back_costs_nothing_while_nobody_leads(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    while (world_raft(w)->leader != 0)
        world_elapse(w, 100);
    world_comes_back(w, put, w->now_ms + 25);
    world_turn(w);
    w->now_ms += 25;
    turn_run(w->turn, w->now_ms, &w->inbox);
    assert_true(turn_deadline_ms(w->turn) > w->now_ms);
    world_receive(w, from_heartbeat(9, 4, 1, 0));
    world_turn(w);
    assert_true(put->is_forwarded);
    world_free(w);
}

static void what_came_back_is_proposed_when_this_node_leads(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    world_lead_again(w);
    world_comes_back(w, put, w->now_ms + 25);
    world_agree(w, 0);
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_OK);
    world_free(w);
}

/* ---- A full disk ----------------------------------------------------------------------------- */

static struct world *given_a_follower_whose_disk_is_full(void) {
    struct world *w = given_a_follower();
    w->is_full = true;
    world_receive_entries(w, 0, 1, 0);
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    return w;
}

static void passes_reads_on_that_it_could_not_answer(void **state) {
    (void)state;
    struct world *w = given_a_follower_whose_disk_is_full();
    struct world_client *get = world_get(w, "k");
    world_turn(w);
    assert_true(get->is_forwarded);
    assert_int_equal(get->forwarded_to, 8);
    world_free(w);
}

static void answers_stale_reads_itself_all_the_same(void **state) {
    (void)state;
    struct world *w = given_a_follower_whose_disk_is_full();
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text("k"), .is_stale = true};
    struct world_client *get = world_ask(w, &request, 5000);
    world_turn(w);
    assert_true(get->is_answered);
    world_free(w);
}

static void passes_writes_on_as_the_leader_knows_better(void **state) {
    (void)state;
    struct world *w = given_a_follower_whose_disk_is_full();
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    assert_true(put->is_forwarded);
    world_free(w);
}

/* What did not fit is tried again once there is room, after something newer was written. */

static void a_vote_that_is_tried_again_does_not_undo_a_newer_one(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    w->is_full = true;
    world_receive(w, from_heartbeat(9, 4, 1, 0));
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    w->is_full = false;
    world_receive(w, from_heartbeat(8, 5, 1, 0));
    world_turn(w);
    world_log_syncs(w);
    assert_int_equal(w->hard.term, 5);
    world_elapse(w, 500);
    world_settle(w);
    assert_false(turn__disk_is_full(w->turn));
    assert_int_equal(w->hard.term, 5);
    world_free(w);
}

static void entries_that_are_tried_again_do_not_undo_their_truncation(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct raft_entry entry = an_entry(1, 4);
    entry.type = RAFT_ENTRY_NOOP;
    w->is_full = true;
    world_receive_entries(w, 0, 2, 0);
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    w->is_full = false;
    world_receive(w, from_append(9, 4, 0, 0, &entry, 1, 0));
    world_turn(w);
    world_log_syncs(w);
    assert_int_equal(w->entries[1].entry.term, 4);
    world_elapse(w, 500);
    world_settle(w);
    assert_false(turn__disk_is_full(w->turn));
    assert_int_equal(w->last_index, 1);
    assert_int_equal(w->entries[1].entry.term, 4);
    world_free(w);
}

/* ---- Between leaders ------------------------------------------------------------------------- */

static void a_write_whose_place_another_leader_took_may_have_happened(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct world_client *put = world_put(w, "k", "v");
    world_settle(w);
    assert_int_equal(put->turn.index, 2);
    raft_term term = world_raft(w)->term;
    struct raft_entry noop = an_entry(2, term + 1);
    noop.type = RAFT_ENTRY_NOOP;
    world_receive(w, from_append(8, term + 1, 1, term, &noop, 1, 1));
    world_turn(w);
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_ABORTED);
    assert_false(put->response.is_not_applied);
    world_free(w);
}

static void a_write_that_the_next_leader_kept_is_answered(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct world_client *put = world_put(w, "k", "v");
    world_settle(w);
    raft_term term = world_raft(w)->term;
    world_receive(w, from_append(8, term + 1, 2, term, NULL, 0, 2));
    world_settle(w);
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_OK);
    world_free(w);
}

static void a_write_during_a_handover_waits_for_the_next_leader(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct turn_order order = world_order_of(TURN_ORDER_TRANSFER, 8);
    world_order(w, &order);
    world_settle(w);
    struct world_client *put = world_put(w, "k", "v");
    world_turn(w);
    assert_false(put->is_answered);
    assert_true(turn_deadline_ms(w->turn) > w->now_ms);
    world_depose(w);
    assert_true(put->is_forwarded);
    assert_int_equal(put->forwarded_to, 8);
    world_free(w);
}

static void a_write_during_a_handover_that_fails_is_proposed(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct turn_order order = world_order_of(TURN_ORDER_TRANSFER, 8);
    world_order(w, &order);
    world_settle(w);
    struct world_client *put = world_put(w, "k", "v");
    world_elapse_with(w, 1200, 0); /* 8 does not campaign */
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_OK);
    world_free(w);
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void a_read_after_a_pause_is_confirmed_anew(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    w->now_ms += 5000; /* nobody told the process */
    struct world_client *get = world_get(w, "k");
    world_turn(w);
    assert_false(get->is_answered);
    world_free(w);
}

static void reads_of_one_turn_share_a_question(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *a = world_get(w, "a");
    struct world_client *b = world_get(w, "b");
    world_turn(w);
    assert_int_equal(world_sent_count(w, RAFT_READ, 8), 1);
    struct raft_message answer = {.kind = RAFT_READ_ANSWER, .from = 8, .term = 3};
    answer.read.token = world_sent(w, RAFT_READ, 8)->read.token;
    world_receive(w, answer);
    world_turn(w);
    assert_true(a->is_answered && b->is_answered);
    world_free(w);
}

static void a_read_waits_until_the_leader_s_index_is_applied(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct world_client *get = world_get(w, "a");
    world_turn(w);
    struct raft_message answer = {.kind = RAFT_READ_ANSWER, .from = 8, .term = 3};
    answer.read.token = world_sent(w, RAFT_READ, 8)->read.token;
    answer.read.index = 2;
    world_receive(w, answer);
    world_receive_entries(w, 0, 2, 1);
    world_settle(w);
    assert_false(get->is_answered);
    world_receive(w, from_heartbeat(8, 3, 2, 2));
    world_settle(w);
    assert_true(get->is_answered);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_passes_a_write_on_to_the_leader),
        cmocka_unit_test(what_another_node_passed_on_goes_no_further),
        cmocka_unit_test(what_another_node_passed_on_waits_for_a_leader_too),
        cmocka_unit_test(what_came_back_goes_out_again_after_a_while),
        cmocka_unit_test(what_came_back_keeps_its_deadline),
        cmocka_unit_test(goes_to_whoever_leads_by_then),
        cmocka_unit_test(what_came_back_costs_nothing_while_nobody_leads),
        cmocka_unit_test(what_came_back_is_proposed_when_this_node_leads),
        cmocka_unit_test(passes_reads_on_that_it_could_not_answer),
        cmocka_unit_test(answers_stale_reads_itself_all_the_same),
        cmocka_unit_test(passes_writes_on_as_the_leader_knows_better),
        cmocka_unit_test(a_vote_that_is_tried_again_does_not_undo_a_newer_one),
        cmocka_unit_test(entries_that_are_tried_again_do_not_undo_their_truncation),
        cmocka_unit_test(a_write_whose_place_another_leader_took_may_have_happened),
        cmocka_unit_test(a_write_that_the_next_leader_kept_is_answered),
        cmocka_unit_test(a_write_during_a_handover_waits_for_the_next_leader),
        cmocka_unit_test(a_write_during_a_handover_that_fails_is_proposed),
        cmocka_unit_test(a_read_after_a_pause_is_confirmed_anew),
        cmocka_unit_test(reads_of_one_turn_share_a_question),
        cmocka_unit_test(a_read_waits_until_the_leader_s_index_is_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
