#include "server/log_order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct raft_entry entries[8];

/* Entries first..last, of which the log is to be truncated from `from` on first; 0: not at all. */
static struct turn_batch batch_of(raft_index from, raft_index first, raft_index last) {
    struct turn_batch batch = {.raft = {.first = first, .last = last},
                               .log = {.truncate_from = from, .entries = entries}};
    for (raft_index index = first; index <= last; index++)
        entries[batch.log.entry_count++].index = index;
    return batch;
}

static bool allows(const struct log_order *order, raft_index from, raft_index first,
                   raft_index last) {
    struct turn_batch batch = batch_of(from, first, last);
    return log_order_allows(order, &batch);
}

static void goes_on_where_the_log_ends(void **state) {
    (void)state;
    struct log_order order = {.next = 5};
    assert_true(allows(&order, 0, 5, 6));
    struct turn_batch batch = batch_of(0, 5, 6);
    log_order_written(&order, &batch);
    assert_int_equal(order.next, 7);
    assert_true(allows(&order, 0, 7, 7));
}

static void leaves_no_gap_behind_what_found_no_room(void **state) {
    (void)state;
    struct log_order order = {.next = 5};
    struct turn_batch batch = batch_of(0, 5, 6);
    log_order_refused(&order, &batch);
    assert_false(allows(&order, 0, 7, 7));
    assert_false(allows(&order, 7, 7, 7));
    assert_true(allows(&order, 0, 5, 6));
}

static void lets_a_vote_overtake(void **state) {
    (void)state;
    struct log_order order = {.next = 5};
    assert_true(allows(&order, 0, 9, 8));
}

static void lets_a_truncation_overtake_that_covers_what_is_missing(void **state) {
    (void)state;
    struct log_order order = {.next = 5};
    assert_true(allows(&order, 5, 5, 5));
    assert_true(allows(&order, 3, 3, 4));
    struct turn_batch batch = batch_of(3, 3, 4);
    log_order_written(&order, &batch);
    assert_int_equal(order.next, 5);
}

/* The disk holds 1..8; the engine has replaced what follows 3, but that found no room. */
static void writes_nothing_behind_what_should_have_been_truncated(void **state) {
    (void)state;
    struct log_order order = {.next = 9};
    struct turn_batch batch = batch_of(4, 4, 8);
    assert_true(log_order_allows(&order, &batch));
    log_order_refused(&order, &batch);
    assert_false(allows(&order, 0, 9, 9));
    assert_false(allows(&order, 6, 6, 7));
    assert_true(allows(&order, 4, 4, 8));
    assert_true(allows(&order, 2, 2, 2));
}

/* Or a start in between would find entries of a term that the node never entered. */
static void writes_no_entries_of_a_term_that_found_no_room(void **state) {
    (void)state;
    struct log_order order = {.next = 5};
    struct raft_hard_state hard = {.term = 6, .vote = 1}, newer = {.term = 7};
    struct turn_batch vote = batch_of(0, 5, 4), later = batch_of(0, 5, 4);
    vote.log.hard = &hard;
    later.log.hard = &newer;
    log_order_refused(&order, &vote);
    assert_false(allows(&order, 0, 5, 6));
    assert_true(log_order_allows(&order, &vote));
    struct turn_batch both = batch_of(0, 5, 6);
    both.log.hard = &newer;
    assert_true(log_order_allows(&order, &both));
    log_order_written(&order, &later);
    assert_true(allows(&order, 0, 5, 6));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_where_the_log_ends),
        cmocka_unit_test(leaves_no_gap_behind_what_found_no_room),
        cmocka_unit_test(lets_a_vote_overtake),
        cmocka_unit_test(lets_a_truncation_overtake_that_covers_what_is_missing),
        cmocka_unit_test(writes_no_entries_of_a_term_that_found_no_room),
        cmocka_unit_test(writes_nothing_behind_what_should_have_been_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
