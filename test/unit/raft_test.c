/* The engine with one voter: propose -> durable -> commit -> apply. */
#include "raft/raft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SELF 7

/* ---- A story's words ------------------------------------------------------------------------- */

static struct raft *given(struct raft_config config) {
    struct raft *r = NULL;
    config.self = SELF;
    if (config.election_timeout_ms == 0)
        config.election_timeout_ms = 1000;
    assert_int_equal(raft_new(&config, &r), STATUS_OK);
    return r;
}

static void clock_reaches(struct raft *r, uint64_t now_ms) {
    struct raft_event event = {.kind = RAFT_EVENT_TIMEOUT, .now_ms = now_ms};
    assert_int_equal(raft_step(r, &event), STATUS_OK);
}

static enum status propose(struct raft *r) {
    struct raft_event event = {.kind = RAFT_EVENT_PROPOSE};
    event.propose.type = RAFT_ENTRY_COMMAND;
    event.propose.payload_bytes = 10;
    return raft_step(r, &event);
}

static enum status read_index(struct raft *r) {
    struct raft_event event = {.kind = RAFT_EVENT_READ};
    return raft_step(r, &event);
}

static enum status durable(struct raft *r, uint64_t batch, raft_term term) {
    struct raft_event event = {.kind = RAFT_EVENT_DURABLE};
    event.durable.batch = batch;
    event.durable.term = term;
    return raft_step(r, &event);
}

static struct raft_ready take(struct raft *r) {
    struct raft_ready ready;
    raft_ready(r, &ready);
    raft_advance(r);
    return ready;
}

static void write_everything(struct raft *r) {
    for (struct raft_ready ready = take(r); ready.has_batch; ready = take(r))
        assert_int_equal(durable(r, ready.batch.number, ready.batch.term), STATUS_OK);
}

static struct raft *given_a_leader(void) {
    struct raft *r = given((struct raft_config){0});
    clock_reaches(r, 0);
    write_everything(r);
    assert_int_equal(raft_status(r)->role, RAFT_LEADER);
    return r;
}

/* ---- Election -------------------------------------------------------------------------------- */

static void campaigns_at_once_on_an_empty_directory(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){.now_ms = 50});
    assert_int_equal(raft_deadline_ms(r), 50);
    clock_reaches(r, 50);
    assert_int_equal(raft_status(r)->role, RAFT_CANDIDATE);
    assert_int_equal(raft_status(r)->term, 1);
    raft_free(r);
}

static void campaigns_at_once_after_it_was_itself_the_last_leader(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){
        .hard = {.term = 4, .vote = SELF}, .last_index = 9, .last_term = 4, .now_ms = 50});
    assert_int_equal(raft_deadline_ms(r), 50);
    raft_free(r);
}

/* Else another leader's lease may still count on its silence. */
static void keeps_silent_for_one_timeout_after_it_followed_another(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){
        .hard = {.term = 4, .vote = 3}, .last_index = 9, .last_term = 4, .now_ms = 50});
    clock_reaches(r, 1049);
    assert_int_equal(raft_status(r)->role, RAFT_FOLLOWER);
    assert_int_equal(raft_deadline_ms(r), 1050);
    clock_reaches(r, 1050);
    assert_int_equal(raft_status(r)->role, RAFT_CANDIDATE);
    raft_free(r);
}

static void does_not_lead_before_its_own_vote_is_durable(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){0});
    clock_reaches(r, 0);
    struct raft_ready ready = take(r);
    assert_true(ready.has_batch);
    assert_true(ready.batch.has_hard_state);
    assert_int_equal(ready.batch.hard.term, 1);
    assert_int_equal(ready.batch.hard.vote, SELF);
    assert_true(ready.batch.first > ready.batch.last);
    assert_int_equal(raft_status(r)->role, RAFT_CANDIDATE);
    assert_int_equal(propose(r), STATUS_NOT_LEADER);
    assert_int_equal(durable(r, ready.batch.number, ready.batch.term), STATUS_OK);
    assert_int_equal(raft_status(r)->role, RAFT_LEADER);
    assert_int_equal(raft_status(r)->leader, SELF);
    raft_free(r);
}

static void begins_its_term_with_a_noop(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){
        .hard = {.term = 4, .vote = SELF}, .last_index = 9, .last_term = 4});
    clock_reaches(r, 0);
    struct raft_ready vote = take(r);
    assert_int_equal(durable(r, vote.batch.number, vote.batch.term), STATUS_OK);
    struct raft_ready ready = take(r);
    assert_int_equal(ready.batch.term, 5);
    assert_int_equal(ready.batch.first, 10);
    assert_int_equal(ready.batch.last, 10);
    assert_int_equal(ready.batch.noop_index, 10);
    assert_false(ready.batch.has_hard_state);
    raft_free(r);
}

static void runs_no_timer_in_office(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    assert_int_equal(raft_deadline_ms(r), UINT64_MAX);
    clock_reaches(r, 1000000);
    assert_int_equal(raft_status(r)->role, RAFT_LEADER);
    assert_int_equal(raft_status(r)->elections_total, 1);
    raft_free(r);
}

/* ---- Commitment ------------------------------------------------------------------------------ */

static void commits_an_entry_once_it_is_durable(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    assert_int_equal(propose(r), STATUS_OK);
    assert_int_equal(raft_status(r)->last_index, 2);
    struct raft_ready ready = take(r);
    assert_int_equal(ready.batch.first, 2);
    assert_int_equal(ready.batch.last, 2);
    assert_int_equal(raft_status(r)->commit_index, 1);
    assert_int_equal(durable(r, ready.batch.number, ready.batch.term), STATUS_OK);
    assert_int_equal(raft_status(r)->commit_index, 2);
    assert_int_equal(take(r).apply_to, 2);
    raft_free(r);
}

/* Thesis 3.6.2: what an earlier term left is committed by the no-op that follows it. */
static void commits_entries_of_earlier_terms_only_through_its_noop(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){.hard = {.term = 4, .vote = SELF},
                                                .last_index = 9,
                                                .last_term = 4,
                                                .applied_index = 5});
    clock_reaches(r, 0);
    struct raft_ready vote = take(r);
    assert_int_equal(durable(r, vote.batch.number, vote.batch.term), STATUS_OK);
    assert_int_equal(raft_status(r)->commit_index, 5);
    struct raft_ready noop = take(r);
    assert_int_equal(noop.apply_to, 5);
    assert_int_equal(durable(r, noop.batch.number, noop.batch.term), STATUS_OK);
    assert_int_equal(raft_status(r)->commit_index, 10);
    raft_free(r);
}

static void ignores_a_completion_of_another_term_or_batch(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    assert_int_equal(propose(r), STATUS_OK);
    struct raft_ready ready = take(r);
    assert_int_equal(durable(r, ready.batch.number, ready.batch.term + 1), STATUS_STALE);
    assert_int_equal(durable(r, ready.batch.number + 1, ready.batch.term), STATUS_STALE);
    assert_int_equal(durable(r, ready.batch.number - 1, ready.batch.term), STATUS_STALE);
    assert_int_equal(raft_status(r)->commit_index, 1);
    assert_int_equal(durable(r, ready.batch.number, ready.batch.term), STATUS_OK);
    assert_int_equal(durable(r, ready.batch.number, ready.batch.term), STATUS_STALE);
    raft_free(r);
}

static void groups_what_is_proposed_while_all_batches_are_in_flight(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    uint64_t first_number = 0;
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) {
        assert_int_equal(propose(r), STATUS_OK);
        struct raft_ready ready = take(r);
        assert_true(ready.has_batch);
        first_number = i == 0 ? ready.batch.number : first_number;
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(propose(r), STATUS_OK);
    assert_false(take(r).has_batch);
    assert_int_equal(durable(r, first_number, 1), STATUS_OK);
    struct raft_ready ready = take(r);
    assert_true(ready.has_batch);
    assert_int_equal(ready.batch.last - ready.batch.first + 1, 5);
    raft_free(r);
}

static void splits_a_batch_at_its_limit(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    for (size_t i = 0; i < BATCH_ENTRIES_MAX + 1; i++)
        assert_int_equal(propose(r), STATUS_OK);
    struct raft_ready first = take(r);
    struct raft_ready second = take(r);
    assert_int_equal(first.batch.last - first.batch.first + 1, BATCH_ENTRIES_MAX);
    assert_int_equal(second.batch.first, first.batch.last + 1);
    assert_int_equal(second.batch.last, second.batch.first);
    raft_free(r);
}

static void says_the_same_again_until_it_is_taken(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    struct raft_ready first, second;
    assert_int_equal(propose(r), STATUS_OK);
    raft_ready(r, &first);
    raft_ready(r, &second);
    assert_int_equal(first.batch.number, second.batch.number);
    assert_int_equal(first.batch.last, second.batch.last);
    raft_free(r);
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void reads_only_after_its_noop_is_committed(void **state) {
    (void)state;
    struct raft *r = given((struct raft_config){0});
    clock_reaches(r, 0);
    assert_int_equal(read_index(r), STATUS_NOT_LEADER);
    struct raft_ready vote = take(r);
    assert_int_equal(durable(r, vote.batch.number, vote.batch.term), STATUS_OK);
    assert_int_equal(read_index(r), STATUS_NOT_LEADER);
    write_everything(r);
    assert_int_equal(read_index(r), STATUS_OK);
    raft_free(r);
}

static void reads_at_the_commit_index(void **state) {
    (void)state;
    struct raft *r = given_a_leader();
    assert_int_equal(propose(r), STATUS_OK);
    write_everything(r);
    assert_int_equal(propose(r), STATUS_OK); /* not durable: not to be seen yet */
    assert_int_equal(read_index(r), STATUS_OK);
    struct raft_ready ready = take(r);
    assert_true(ready.has_read);
    assert_int_equal(ready.read_index, 2);
    assert_false(take(r).has_read);
    raft_free(r);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static void refuses_a_state_beyond_the_log(void **state) {
    (void)state;
    struct raft *r = NULL;
    struct raft_config config = {.self = SELF,
                                 .hard = {.term = 1, .vote = SELF},
                                 .last_index = 4,
                                 .last_term = 1,
                                 .applied_index = 5};
    assert_int_equal(raft_new(&config, &r), STATUS_INVALID);
    config.applied_index = 4;
    config.last_term = 2;
    assert_int_equal(raft_new(&config, &r), STATUS_INVALID);
    config.last_term = 1;
    config.self = 0;
    assert_int_equal(raft_new(&config, &r), STATUS_INVALID);
    assert_null(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaigns_at_once_on_an_empty_directory),
        cmocka_unit_test(campaigns_at_once_after_it_was_itself_the_last_leader),
        cmocka_unit_test(keeps_silent_for_one_timeout_after_it_followed_another),
        cmocka_unit_test(does_not_lead_before_its_own_vote_is_durable),
        cmocka_unit_test(begins_its_term_with_a_noop),
        cmocka_unit_test(runs_no_timer_in_office),
        cmocka_unit_test(commits_an_entry_once_it_is_durable),
        cmocka_unit_test(commits_entries_of_earlier_terms_only_through_its_noop),
        cmocka_unit_test(ignores_a_completion_of_another_term_or_batch),
        cmocka_unit_test(groups_what_is_proposed_while_all_batches_are_in_flight),
        cmocka_unit_test(splits_a_batch_at_its_limit),
        cmocka_unit_test(says_the_same_again_until_it_is_taken),
        cmocka_unit_test(reads_only_after_its_noop_is_committed),
        cmocka_unit_test(reads_at_the_commit_index),
        cmocka_unit_test(refuses_a_state_beyond_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
