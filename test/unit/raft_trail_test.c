/* The log's terms and sizes, against an array. */
#include "raft/trail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct raft_trail given(const struct raft_term_run *runs, size_t count, raft_index cut,
                               raft_term cut_term, raft_index last) {
    struct raft_trail trail;
    struct raft_config config = {.runs = runs,
                                 .run_count = count,
                                 .cut_index = cut,
                                 .cut_term = cut_term,
                                 .last_index = last};
    assert_int_equal(raft__trail_init(&trail, &config), STATUS_OK);
    return trail;
}

static const struct raft_term_run three_runs[] = {{11, 2}, {13, 4}, {20, 7}};

static void knows_the_term_of_every_entry_kept(void **state) {
    (void)state;
    struct raft_trail trail = given(three_runs, 3, 10, 1, 25);
    assert_int_equal(raft__trail_term(&trail, 9), 0);
    assert_int_equal(raft__trail_term(&trail, 10), 1);
    assert_int_equal(raft__trail_term(&trail, 11), 2);
    assert_int_equal(raft__trail_term(&trail, 12), 2);
    assert_int_equal(raft__trail_term(&trail, 19), 4);
    assert_int_equal(raft__trail_term(&trail, 25), 7);
    assert_int_equal(raft__trail_term(&trail, 26), 0);
    assert_int_equal(raft__trail_last_term(&trail), 7);
    raft__trail_close(&trail);
}

static void finds_the_last_entry_of_a_term_at_most(void **state) {
    (void)state;
    struct raft_trail trail = given(three_runs, 3, 10, 1, 25);
    assert_int_equal(raft__trail_find_term(&trail, 100, 9), 25);
    assert_int_equal(raft__trail_find_term(&trail, 22, 7), 22);
    assert_int_equal(raft__trail_find_term(&trail, 22, 6), 19);
    assert_int_equal(raft__trail_find_term(&trail, 22, 3), 12);
    assert_int_equal(raft__trail_find_term(&trail, 22, 1), 10);
    assert_int_equal(raft__trail_find_term(&trail, 22, 0), 10);
    assert_int_equal(raft__trail_find_term(&trail, 5, 9), 10);
    raft__trail_close(&trail);
}

static void a_cut_through_the_middle_of_a_run_keeps_the_rest(void **state) {
    (void)state;
    struct raft_trail trail = given(three_runs, 3, 10, 1, 25);
    raft__trail_cut(&trail, 15);
    assert_int_equal(raft__trail_term(&trail, 14), 0);
    assert_int_equal(raft__trail_term(&trail, 15), 4);
    assert_int_equal(raft__trail_term(&trail, 16), 4);
    assert_int_equal(trail.run_count, 2);
    raft__trail_cut(&trail, 12); /* cut already */
    assert_int_equal(trail.cut_index, 15);
    raft__trail_cut(&trail, 25);
    assert_int_equal(trail.run_count, 0);
    assert_int_equal(raft__trail_last_term(&trail), 7);
    raft__trail_close(&trail);
}

static void sizes_are_guessed_of_what_was_there_before(void **state) {
    (void)state;
    struct raft_trail trail = given(three_runs, 3, 10, 1, 25);
    assert_true(raft__trail_append(&trail, 7, 77));
    assert_int_equal(raft__trail_size(&trail, 25), TRAIL_SIZE_GUESS);
    assert_int_equal(raft__trail_size(&trail, 26), 77);
    raft__trail_truncate(&trail, 20);
    assert_true(raft__trail_append(&trail, 8, 5));
    assert_int_equal(raft__trail_size(&trail, 20), 5);
    assert_int_equal(raft__trail_term(&trail, 20), 8);
    raft__trail_close(&trail);
}

static void refuses_a_run_too_many_and_nothing_changes(void **state) {
    (void)state;
    struct raft_trail trail = given(NULL, 0, 0, 0, 0);
    for (raft_term term = 1; term <= RAFT_RUNS_MAX; term++)
        assert_true(raft__trail_append(&trail, term, 0));
    assert_false(raft__trail_append(&trail, RAFT_RUNS_MAX + 1, 0));
    assert_int_equal(trail.last_index, RAFT_RUNS_MAX);
    assert_true(raft__trail_append(&trail, RAFT_RUNS_MAX, 0));
    raft__trail_cut(&trail, 1);
    assert_true(raft__trail_append(&trail, RAFT_RUNS_MAX + 1, 0));
    raft__trail_close(&trail);
}

/* ---- Against an array ------------------------------------------------------------------------ */

#define ENTRIES_MAX 512

struct dumb {
    raft_term terms[ENTRIES_MAX]; /* by index */
    raft_index cut;
    raft_index last;
};

static raft_index dumb_find(const struct dumb *d, raft_index index, raft_term term) {
    raft_index at = index < d->last ? index : d->last;
    while (at > d->cut && d->terms[at] > term)
        at--;
    return at < d->cut ? d->cut : at;
}

static void compare(const struct raft_trail *trail, const struct dumb *d) {
    assert_int_equal(trail->cut_index, d->cut);
    assert_int_equal(trail->last_index, d->last);
    for (raft_index i = d->cut; i <= d->last; i++)
        assert_int_equal(raft__trail_term(trail, i), d->terms[i]);
    raft_index index = (raft_index)rand() % ENTRIES_MAX;
    raft_term term = (raft_term)rand() % 40;
    assert_int_equal(raft__trail_find_term(trail, index, term), dumb_find(d, index, term));
}

static void random_change(struct raft_trail *trail, struct dumb *d) {
    raft_term last_term = d->terms[d->last];
    raft_index kept = d->last - d->cut;
    if (rand() % 8 == 0 && kept > 0) {
        raft_index from = d->cut + 1 + (raft_index)rand() % kept;
        raft__trail_truncate(trail, from);
        d->last = from - 1;
    } else if (rand() % 12 == 0 && kept > 0) {
        d->cut += 1 + (raft_index)rand() % kept;
        raft__trail_cut(trail, d->cut);
    } else if (d->last + 1 < ENTRIES_MAX) {
        raft_term term = last_term + (rand() % 4 == 0);
        assert_true(raft__trail_append(trail, term, 0));
        d->terms[++d->last] = term;
    }
}

static void behaves_like_an_array_of_terms(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 50; seed++) {
        srand(seed);
        struct dumb d = {.terms = {0}};
        struct raft_trail trail = given(NULL, 0, 0, 0, 0);
        for (int i = 0; i < 500; i++) {
            random_change(&trail, &d);
            compare(&trail, &d);
        }
        raft__trail_close(&trail);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_term_of_every_entry_kept),
        cmocka_unit_test(finds_the_last_entry_of_a_term_at_most),
        cmocka_unit_test(a_cut_through_the_middle_of_a_run_keeps_the_rest),
        cmocka_unit_test(sizes_are_guessed_of_what_was_there_before),
        cmocka_unit_test(refuses_a_run_too_many_and_nothing_changes),
        cmocka_unit_test(behaves_like_an_array_of_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
