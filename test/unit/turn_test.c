/* The turn: what is promised when, in which order, and what a full or late disk does to it. */
#include "support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world *given_a_leader(void) {
    struct world *w = world_new();
    world_boot(w);
    world_settle(w);
    assert_true(w->status.is_ready);
    return w;
}

static void assert_ok(const struct world_client *client) {
    assert_true(client->is_answered);
    assert_int_equal(client->response.status, STATUS_OK);
}

static void assert_refused(const struct world_client *client, enum status status) {
    assert_true(client->is_answered);
    assert_int_equal(client->response.status, status);
    assert_true(client->response.is_not_applied);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static void answers_a_put_only_after_its_batch_is_synced(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct world_client *put = world_put(w, "hello", "world");
    world_turn(w);
    assert_false(put->is_answered);
    world_log_syncs(w);
    assert_false(put->is_answered);
    world_turn(w);
    assert_ok(put);
    assert_int_equal(put->response.revision, 1);
    world_free(w);
}

static void reads_what_was_answered_and_nothing_that_was_not(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "k", "old");
    world_settle(w);
    world_put(w, "k", "new");
    world_turn(w);
    struct world_client *before = world_get(w, "k");
    world_turn(w);
    assert_string_equal(before->value, "old");
    world_log_syncs(w);
    world_turn(w);
    struct world_client *after = world_get(w, "k");
    world_turn(w);
    assert_string_equal(after->value, "new");
    world_free(w);
}

static void answers_in_one_turn_what_one_batch_made_durable(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct world_client *first = world_put(w, "a", "1");
    struct world_client *last = NULL;
    for (int i = 0; i < 1000; i++)
        last = world_put(w, "b", "2");
    world_turn(w);
    world_log_syncs(w);
    turn_run(w->turn, w->now_ms, &w->inbox);
    assert_ok(first);
    assert_ok(last);
    assert_int_equal(last->response.revision, 1001);
    world_free(w);
}

static void holds_requests_until_it_leads(void **state) {
    (void)state;
    struct world *w = world_new();
    world_boot(w);
    struct world_client *put = world_put(w, "k", "v");
    struct world_client *get = world_get(w, "k");
    world_turn(w);
    assert_false(put->is_answered);
    assert_false(get->is_answered);
    world_settle(w);
    assert_ok(put);
    assert_ok(get);
    world_free(w);
}

static void answers_a_stale_read_without_a_leader(void **state) {
    (void)state;
    struct world *w = world_new();
    world_boot(w);
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text("k"), .is_stale = true};
    struct world_client *get = world_ask(w, &request, 5000);
    world_turn(w);
    assert_ok(get);
    assert_false(get->response.is_found);
    world_free(w);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

static void refuses_with_the_mark_when_nobody_leads_in_time(void **state) {
    (void)state;
    struct world *w = world_new();
    w->hard = (struct raft_hard_state){.term = 3, .vote = 5}; /* it followed another: it waits */
    w->config.keep_entries = 10;
    world_boot(w);
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of_text("v")};
    struct world_client *put = world_ask(w, &request, 300);
    world_turn(w);
    world_elapse(w, 299);
    assert_false(put->is_answered);
    world_elapse(w, 2);
    assert_refused(put, STATUS_UNAVAILABLE);
    world_free(w);
}

static void leaves_the_fate_open_when_the_disk_is_too_slow(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of_text("v")};
    struct world_client *put = world_ask(w, &request, 300);
    world_turn(w);
    world_elapse(w, 301);
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_TIMEOUT);
    assert_false(put->response.is_not_applied);
    world_settle(w);
    struct world_client *get = world_get(w, "k");
    world_settle(w);
    assert_true(get->response.is_found); /* it did happen */
    world_free(w);
}

static void refuses_what_is_too_much_to_be_uncommitted(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    uint8_t *large = calloc(1, VALUE_BYTES_MAX);
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of(large, VALUE_BYTES_MAX)};
    struct world_client *put = NULL;
    for (size_t i = 0; i < UNAPPLIED_BYTES_MAX / VALUE_BYTES_MAX; i++)
        put = world_ask(w, &request, 5000);
    world_turn(w);
    assert_refused(put, STATUS_OVERLOAD);
    assert_false(w->clients[0].is_answered);
    world_settle(w);
    assert_ok(&w->clients[0]);
    free(large);
    world_free(w);
}

/* ---- Restart --------------------------------------------------------------------------------- */

static void keeps_every_answered_put_over_a_kill(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    world_put(w, "b", "2"); /* synced, not answered */
    world_turn(w);
    world_log_syncs(w);
    world_power_off(w);
    world_boot(w);
    world_settle(w);
    struct world_client *a = world_get(w, "a");
    struct world_client *b = world_get(w, "b");
    world_settle(w);
    assert_string_equal(a->value, "1");
    assert_string_equal(b->value, "2");
    world_free(w);
}

static void replays_only_what_the_flush_does_not_hold(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    world_elapse(w, 5001);
    world_settle(w);
    assert_int_equal(w->meta.applied_index, 2);
    world_put(w, "a", "2");
    world_settle(w);
    world_power_off(w);
    world_boot(w);
    world_settle(w);
    struct world_client *get = world_get(w, "a");
    world_settle(w);
    assert_string_equal(get->value, "2");
    assert_int_equal(get->response.item.version, 2);
    world_free(w);
}

static void replays_a_long_log_in_several_turns(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    for (size_t i = 0; i < 2 * APPLY_ENTRIES_PER_TURN; i++)
        world_put(w, "k", i + 1 == 2 * APPLY_ENTRIES_PER_TURN ? "last" : "x");
    world_settle(w);
    world_power_off(w);
    world_boot(w);
    assert_int_equal(w->meta.applied_index, 0); /* nothing was flushed */
    world_settle(w);
    struct world_client *get = world_get(w, "k");
    world_settle(w);
    assert_string_equal(get->value, "last");
    world_free(w);
}

/* ---- Flush and cut --------------------------------------------------------------------------- */

static void flushes_after_the_set_time(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    world_elapse(w, 4999);
    assert_null(w->flush);
    world_elapse(w, 2);
    assert_non_null(w->flush);
    world_free(w);
}

static void flushes_when_the_table_is_full(void **state) {
    (void)state;
    struct world *w = world_new();
    w->config.machine.overlay_bytes = 64 * KIB;
    world_boot(w);
    world_settle(w);
    char key[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        world_put(w, strdup(key), "value");
    }
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    assert_non_null(w->flush);
    world_settle(w);
    assert_ok(&w->clients[1999]);
    for (size_t i = 0; i < w->client_count; i++)
        free((void *)(uintptr_t)w->clients[i].request.key.data);
    world_free(w);
}

static void cuts_only_below_what_is_flushed_and_keeps_a_tail(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    for (int i = 0; i < 100; i++)
        world_put(w, "k", "v");
    world_settle(w);
    assert_int_equal(w->first_index, 1);
    world_elapse(w, 5001);
    world_settle(w);
    assert_int_equal(w->last_index, 101);
    assert_int_equal(w->first_index, 92); /* ten are kept */
    assert_int_equal(w->meta.applied_index, 101);
    world_free(w);
}

static void serves_a_snapshot_once_the_state_on_disk_has_come_so_far(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    struct turn_snapshot asked = {.event.kind = TURN_SNAPSHOT};
    STAILQ_INSERT_TAIL(&w->inbox, &asked.event, link);
    world_turn(w);
    assert_int_equal(w->snapshots, 0);
    assert_non_null(w->flush);
    world_settle(w);
    assert_int_equal(w->snapshots, 1);
    world_free(w);
}

/* ---- A full disk ----------------------------------------------------------------------------- */

static void refuses_writes_and_serves_reads_while_the_disk_is_full(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    w->is_full = true;
    struct world_client *stuck = world_put(w, "a", "2");
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    struct world_client *refused = world_put(w, "a", "3");
    struct world_client *get = world_get(w, "a");
    world_turn(w);
    assert_false(stuck->is_answered);
    assert_refused(refused, STATUS_DISK_FULL);
    assert_string_equal(get->value, "1");
    world_free(w);
}

static void resumes_by_itself_when_there_is_room(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    w->is_full = true;
    struct world_client *stuck = world_put(w, "a", "2");
    world_turn(w);
    struct world_client *behind = world_put(w, "a", "3"); /* a batch of its own, in flight too */
    world_turn(w);
    world_log_syncs(w);
    world_turn(w);
    w->is_full = false;
    world_elapse(w, 201);
    world_settle(w);
    world_elapse(w, 201);
    world_settle(w);
    assert_ok(stuck);
    assert_ok(behind);
    struct world_client *put = world_put(w, "a", "4");
    world_settle(w);
    assert_ok(put);
    assert_int_equal(put->response.revision, 3);
    world_free(w);
}

static void retries_a_flush_that_found_no_room(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    world_put(w, "a", "1");
    world_settle(w);
    w->is_full = true;
    world_elapse(w, 5001);
    world_state_syncs(w);
    world_turn(w);
    assert_int_equal(w->meta.applied_index, 0);
    w->is_full = false;
    world_elapse(w, 201);
    world_settle(w);
    assert_int_equal(w->meta.applied_index, 2);
    world_free(w);
}

/* ---- Stop ------------------------------------------------------------------------------------ */

static void ask_to_stop(struct world *w, struct turn_event *event) {
    event->kind = TURN_STOP;
    STAILQ_INSERT_TAIL(&w->inbox, event, link);
}

static void finishes_what_was_accepted_and_flushes_before_it_stops(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct turn_event stop;
    struct world_client *put = world_put(w, "a", "1");
    ask_to_stop(w, &stop);
    struct world_client *late = world_put(w, "b", "2");
    world_turn(w);
    assert_refused(late, STATUS_UNAVAILABLE);
    assert_false(turn_is_stopped(w->turn));
    world_log_syncs(w);
    world_turn(w);
    assert_ok(put);
    assert_false(turn_is_stopped(w->turn));
    world_state_syncs(w);
    world_turn(w);
    assert_true(turn_is_stopped(w->turn));
    assert_int_equal(w->meta.applied_index, 2);
    world_free(w);
}

static void stops_in_the_end_even_if_the_disk_never_answers(void **state) {
    (void)state;
    struct world *w = given_a_leader();
    struct turn_event stop;
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of_text("v")};
    struct world_client *put = world_ask(w, &request, 60000);
    ask_to_stop(w, &stop);
    world_turn(w);
    world_elapse(w, 9999);
    assert_false(turn_is_stopped(w->turn));
    w->now_ms += 2;
    turn_run(w->turn, w->now_ms, &w->inbox);
    assert_true(turn_is_stopped(w->turn));
    assert_true(put->is_answered);
    assert_int_equal(put->response.status, STATUS_ABORTED);
    assert_false(put->response.is_not_applied);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_put_only_after_its_batch_is_synced),
        cmocka_unit_test(reads_what_was_answered_and_nothing_that_was_not),
        cmocka_unit_test(answers_in_one_turn_what_one_batch_made_durable),
        cmocka_unit_test(holds_requests_until_it_leads),
        cmocka_unit_test(answers_a_stale_read_without_a_leader),
        cmocka_unit_test(refuses_with_the_mark_when_nobody_leads_in_time),
        cmocka_unit_test(leaves_the_fate_open_when_the_disk_is_too_slow),
        cmocka_unit_test(refuses_what_is_too_much_to_be_uncommitted),
        cmocka_unit_test(keeps_every_answered_put_over_a_kill),
        cmocka_unit_test(replays_only_what_the_flush_does_not_hold),
        cmocka_unit_test(replays_a_long_log_in_several_turns),
        cmocka_unit_test(flushes_after_the_set_time),
        cmocka_unit_test(flushes_when_the_table_is_full),
        cmocka_unit_test(cuts_only_below_what_is_flushed_and_keeps_a_tail),
        cmocka_unit_test(serves_a_snapshot_once_the_state_on_disk_has_come_so_far),
        cmocka_unit_test(refuses_writes_and_serves_reads_while_the_disk_is_full),
        cmocka_unit_test(resumes_by_itself_when_there_is_room),
        cmocka_unit_test(retries_a_flush_that_found_no_room),
        cmocka_unit_test(finishes_what_was_accepted_and_flushes_before_it_stops),
        cmocka_unit_test(stops_in_the_end_even_if_the_disk_never_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
