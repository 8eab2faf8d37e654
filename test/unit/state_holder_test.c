/* Who still reads the old state while a new one is current. */
#include "server/state_holder.h"
#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct kv_directory *other_directory;

/* The fixture's store, with a key, is the holder's from then on. */
static struct state_holder *given_a_holder(struct state_fixture *f, const struct temporary *t) {
    *f = (struct state_fixture){0};
    state_open(f, t);
    state_put_text(f, "k", "old");
    state_flush(f);
    struct state_holder *holder = state_holder_new(f->state, 0);
    assert_non_null(holder);
    f->state = NULL;
    assert_int_equal(kv_directory_open(temporary_path(t, "other"), &other_directory), STATUS_OK);
    return holder;
}

/* One without keys takes its place. */
static void replace(struct state_holder *holder) {
    struct kv_state_options options = {0};
    struct kv_state *store;
    struct kv_meta meta;
    assert_int_equal(kv_state_open(other_directory, 0, &options, &store, &meta), STATUS_OK);
    state_replace(holder, store, 1);
}

static void let_go(struct state_holder *holder, struct state_fixture *f) {
    state_holder_free(holder);
    kv_directory_close(other_directory);
    state_close(f);
}

static bool has_key(const struct held_state *held) {
    const uint8_t key[] = {KV_TABLE_KEY, 'k'};
    struct kv_base base = kv_state_base(held->store);
    struct bytes record;
    return base.ops->get(base.context, bytes_of(key, sizeof key), &record) == STATUS_OK;
}

static void the_last_reader_of_the_old_state_closes_it(void **state) {
    struct state_fixture f;
    struct state_holder *holder = given_a_holder(&f, *state);
    struct held_state *first = state_hold(holder), *second = state_hold(holder);
    assert_ptr_equal(first, second);
    replace(holder);
    assert_int_equal(first->generation, 0);
    state_release(holder, first);
    assert_true(has_key(second)); /* still open, and as it was */
    state_release(holder, second);
    let_go(holder, &f);
}

static void who_comes_after_it_reads_the_new_one(void **state) {
    struct state_fixture f;
    struct state_holder *holder = given_a_holder(&f, *state);
    struct held_state *old = state_hold(holder);
    replace(holder);
    struct held_state *held = state_hold(holder);
    assert_int_equal(held->generation, 1);
    assert_false(has_key(held));
    assert_true(has_key(old));
    state_release(holder, held);
    state_release(holder, old);
    let_go(holder, &f);
}

static void a_state_that_nobody_reads_is_closed_when_it_is_replaced(void **state) {
    struct state_fixture f;
    struct state_holder *holder = given_a_holder(&f, *state);
    replace(holder);
    struct held_state *held = state_hold(holder);
    assert_int_equal(held->holds, 2); /* the holder's own, and this one */
    state_release(holder, held);
    let_go(holder, &f);
}

#define HOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        HOLDER_TEST(the_last_reader_of_the_old_state_closes_it),
        HOLDER_TEST(who_comes_after_it_reads_the_new_one),
        HOLDER_TEST(a_state_that_nobody_reads_is_closed_when_it_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
