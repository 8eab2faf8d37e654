/* Batches: what they hold, and what counts when they come back. */
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct raft_entry entries[32];

/* Node 2 leads in `term` and appends prev+1..last. */
static void append(struct solo *s, raft_term term, raft_index prev, raft_term prev_term,
                   raft_index last) {
    for (raft_index i = prev + 1; i <= last; i++)
        entries[i - prev - 1] = an_entry(i, term);
    assert_int_equal(solo_receive(s,
                                  from_append(2, term, prev, prev_term, entries, last - prev, 0)),
                     STATUS_OK);
}

static raft_index acked(const struct solo *s) {
    const struct raft_message *m = solo_sent(s, RAFT_APPEND_ANSWER, 0);
    return m && m->append_answer.is_match ? m->append_answer.index : 0;
}

static enum status durable(struct solo *s, uint64_t batch, raft_term term) {
    return solo_step(s, (struct raft_event){.kind = RAFT_EVENT_DURABLE, .durable = {batch, term}});
}

/* ---- ABA ------------------------------------------------------------------------------------- */

/* Entry 16 rewritten is not entry 16. */
static void a_batch_that_comes_after_a_truncation_counts_only_for_what_is_left(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    append(&s, 3, 10, 3, 20); /* batch 1: 11..20 */
    append(&s, 4, 14, 3, 16); /* batch 2: from 15 on anew */
    assert_int_equal(s.batch_count, 2);
    assert_int_equal(s.batches[1].truncate_from, 15);
    solo_forget(&s);
    solo_sync(&s); /* "durable up to 20" */
    assert_int_equal(raft_status(s.raft)->durable_index, 14);
    assert_int_equal(acked(&s), 0); /* the term is not durable yet */
    solo_sync(&s);
    assert_int_equal(raft_status(s.raft)->durable_index, 16);
    assert_int_equal(acked(&s), 16);
    solo_stop(&s);
}

static void a_truncation_takes_back_what_was_durable(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    append(&s, 4, 6, 3, 8);
    assert_int_equal(raft_status(s.raft)->durable_index, 6);
    assert_int_equal(s.batches[0].truncate_from, 7);
    assert_int_equal(s.batches[0].first, 7);
    assert_int_equal(s.batches[0].last, 8);
    solo_sync(&s);
    assert_int_equal(acked(&s), 8);
    solo_stop(&s);
}

static void two_truncations_in_one_turn_are_one(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    struct raft_entry a = an_entry(9, 4), b = an_entry(6, 5);
    struct raft_message first = from_append(2, 4, 8, 3, &a, 1, 0);
    struct raft_message second = from_append(3, 5, 5, 3, &b, 1, 0);
    first.to = second.to = 1;
    struct raft_event event = {.kind = RAFT_EVENT_RECEIVE, .message = &first};
    assert_int_equal(solo_step_only(&s, event), STATUS_OK);
    event.message = &second;
    assert_int_equal(solo_step_only(&s, event), STATUS_OK);
    solo_take(&s);
    assert_int_equal(s.batches[0].truncate_from, 6);
    assert_int_equal(s.batches[0].first, 6);
    assert_int_equal(s.batches[0].last, 6);
    assert_int_equal(s.batches[0].hard.term, 5);
    solo_stop(&s);
}

/* What no batch has seen needs no truncation on the disk. */
static void what_was_never_handed_out_is_just_forgotten(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    for (raft_index i = 11; i <= 10 + BATCHES_IN_FLIGHT_MAX + 1; i++)
        append(&s, 3, i - 1, 3, i);
    assert_int_equal(s.batch_count, BATCHES_IN_FLIGHT_MAX);
    append(&s, 4, 14, 3, 15); /* 15 was waiting */
    solo_sync(&s);
    assert_int_equal(s.batches[BATCHES_IN_FLIGHT_MAX - 1].truncate_from, 0);
    assert_int_equal(s.batches[BATCHES_IN_FLIGHT_MAX - 1].first, 15);
    solo_stop(&s);
}

static void a_commit_may_pass_a_truncation_that_waits_for_its_batch(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    for (raft_index i = 11; i <= 10 + BATCHES_IN_FLIGHT_MAX; i++)
        append(&s, 3, i - 1, 3, i);
    append(&s, 4, 12, 3, 14);
    assert_int_equal(solo_receive(&s, from_append(2, 4, 14, 4, NULL, 0, 14)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 14);
    assert_int_equal(s.apply_to, 10);
    solo_sync_all(&s);
    assert_int_equal(s.apply_to, 14);
    solo_stop(&s);
}

/* ---- Completions ----------------------------------------------------------------------------- */

static void a_completion_of_another_batch_or_term_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    append(&s, 3, 10, 3, 12);
    assert_int_equal(durable(&s, 2, 3), STATUS_STALE);
    assert_int_equal(durable(&s, 1, 4), STATUS_STALE);
    assert_int_equal(raft_status(s.raft)->durable_index, 10);
    assert_int_equal(durable(&s, 1, 3), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->durable_index, 12);
    assert_int_equal(durable(&s, 1, 3), STATUS_STALE);
    solo_stop(&s);
}

static void batches_count_in_order_even_if_they_come_back_out_of_it(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    append(&s, 3, 10, 3, 12);
    append(&s, 3, 12, 3, 14);
    assert_int_equal(durable(&s, 2, 3), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->durable_index, 10);
    assert_int_equal(durable(&s, 2, 3), STATUS_STALE);
    assert_int_equal(durable(&s, 1, 3), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->durable_index, 14);
    solo_stop(&s);
}

/* A vote must get out though entries wait for room on the disk. */
static void a_vote_overtakes_a_batch_that_waits(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    append(&s, 3, 10, 3, 12);
    s.now_ms += SOLO_TIMEOUT_MS;
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 99, 3)), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(durable(&s, 2, 4), STATUS_OK);
    assert_true(solo_sent(&s, RAFT_VOTE_ANSWER, 3)->vote_answer.is_granted);
    assert_int_equal(raft_status(s.raft)->durable_index, 10);
    solo_stop(&s);
}

/* Asked again, the answer waits behind the newest batch, which does not hold the vote. */
static void another_batch_that_overtakes_does_not_carry_a_vote_along(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 10, 3);
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 99, 3)), STATUS_OK); /* batch 1 */
    struct raft_entry entry = an_entry(11, 4);
    assert_int_equal(solo_receive(&s, from_append(3, 4, 10, 3, &entry, 1, 0)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_append(3, 4, 10, 3, &entry, 1, 0)), STATUS_OK);
    s.now_ms += SOLO_TIMEOUT_MS;
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 99, 3)), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(durable(&s, 2, 4), STATUS_OK);
    assert_null(solo_sent(&s, RAFT_VOTE_ANSWER, 3));
    assert_int_equal(durable(&s, 1, 4), STATUS_OK);
    assert_non_null(solo_sent(&s, RAFT_VOTE_ANSWER, 3));
    solo_stop(&s);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static void a_batch_is_bounded_and_the_rest_goes_with_the_next(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (size_t i = 0; i < BATCH_ENTRIES_MAX + 5; i++)
        assert_int_equal(solo_step_only(&s, (struct raft_event){.kind = RAFT_EVENT_PROPOSE}),
                         STATUS_OK);
    solo_take(&s);
    assert_int_equal(s.batches[0].last + 1 - s.batches[0].first, BATCH_ENTRIES_MAX);
    solo_take(&s);
    assert_int_equal(s.batches[1].last + 1 - s.batches[1].first, 5);
    solo_stop(&s);
}

static void only_so_many_batches_are_in_flight(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX + 3; i++)
        assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(s.batch_count, BATCHES_IN_FLIGHT_MAX);
    solo_sync(&s);
    assert_int_equal(s.batch_count, BATCHES_IN_FLIGHT_MAX);
    assert_int_equal(s.batches[BATCHES_IN_FLIGHT_MAX - 1].last, 1 + BATCHES_IN_FLIGHT_MAX + 3);
    solo_stop(&s);
}

static void the_same_ready_comes_until_it_is_taken(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    struct raft_ready a, b;
    assert_false(raft_has_work(s.raft));
    assert_int_equal(solo_step_only(&s, (struct raft_event){.kind = RAFT_EVENT_PROPOSE}),
                     STATUS_OK);
    assert_true(raft_has_work(s.raft));
    raft_ready(s.raft, &a);
    raft_ready(s.raft, &b);
    assert_memory_equal(&a, &b, sizeof a);
    raft_advance(s.raft);
    assert_false(raft_has_work(s.raft));
    raft_ready(s.raft, &b);
    assert_false(b.has_batch);
    assert_int_equal(b.message_count, 0);
    raft_advance(s.raft);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_that_comes_after_a_truncation_counts_only_for_what_is_left),
        cmocka_unit_test(a_truncation_takes_back_what_was_durable),
        cmocka_unit_test(two_truncations_in_one_turn_are_one),
        cmocka_unit_test(what_was_never_handed_out_is_just_forgotten),
        cmocka_unit_test(a_commit_may_pass_a_truncation_that_waits_for_its_batch),
        cmocka_unit_test(a_completion_of_another_batch_or_term_is_ignored),
        cmocka_unit_test(batches_count_in_order_even_if_they_come_back_out_of_it),
        cmocka_unit_test(a_vote_overtakes_a_batch_that_waits),
        cmocka_unit_test(another_batch_that_overtakes_does_not_carry_a_vote_along),
        cmocka_unit_test(a_batch_is_bounded_and_the_rest_goes_with_the_next),
        cmocka_unit_test(only_so_many_batches_are_in_flight),
        cmocka_unit_test(the_same_ready_comes_until_it_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
