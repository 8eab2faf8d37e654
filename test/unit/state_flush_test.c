/* Flushes that take several transactions, and what a crash between them leaves. */
#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define KEYS 3000

static void open_sliced(struct state_fixture *f, const struct temporary *t) {
    f->options.slice_bytes = 16 * 4 * KIB;
    f->options.journal_bytes = MIB;
    state_open(f, t);
}

static struct kv_flush next_flush(struct state_fixture *f) {
    f->meta.applied_index++;
    f->meta.applied_term = 3;
    return (struct kv_flush){.generation = 1,
                             .number = ++f->flushes,
                             .meta = f->meta,
                             .overlay = f->overlay};
}

/* So many parts of a flush; true when it came to its end. */
static bool write_parts(struct state_fixture *f, const struct kv_flush *flush, int parts) {
    bool is_done = false;
    for (int i = 0; i < parts && !is_done; i++)
        assert_int_equal(kv_state_flush(f->state, flush, &is_done), STATUS_OK);
    return is_done;
}

/* Every third key gets a new body, every third is deleted, and as many are new. */
static void change_all(struct state_fixture *f) {
    for (size_t i = 1; i <= KEYS; i++) {
        char key[32], body[64];
        (void)snprintf(key, sizeof key, "key-%06zu", i % 3 == 0 ? i + KEYS : i);
        (void)snprintf(body, sizeof body, "second body of number %06zu.", i);
        if (i % 3 == 1)
            state_delete(f, key);
        else
            state_put_text(f, key, body);
    }
}

static void assert_body(struct state_fixture *f, const char *key, const char *text) {
    struct bytes body;
    assert_int_equal(state_get(f, key, &body), STATUS_OK);
    assert_true(bytes_equal(body, bytes_of_text(text)));
}

/* A walk over all records agrees with the meta. */
static void assert_sound(struct state_fixture *f) {
    struct kv_scrub scrub = {0};
    while (scrub.walks == 0)
        assert_int_equal(kv_state_scrub(f->state, &scrub, 1000), STATUS_OK);
    assert_int_equal(scrub.mismatches, 0);
    assert_int_equal(scrub.damaged, 0);
    assert_int_equal(scrub.checked, f->meta.record_count);
}

static void assert_changed(struct state_fixture *f) {
    struct bytes body;
    assert_int_equal(state_get(f, "key-000001", &body), STATUS_NOT_FOUND);
    assert_body(f, "key-000002", "second body of number 000002.");
    assert_body(f, "key-000003", "body of number 000003.");
    assert_body(f, "key-006000", "second body of number 003000.");
    assert_sound(f);
}

/* The state before, and a flush of it into which `parts` transactions have gone. */
static struct kv_flush begin_change(struct state_fixture *f, const struct temporary *t, int parts) {
    open_sliced(f, t);
    state_put_many(f, 1, KEYS);
    state_flush(f);
    change_all(f);
    struct kv_flush flush = next_flush(f);
    assert_false(write_parts(f, &flush, parts));
    return flush;
}

/* As after a crash: what was not flushed is gone, but for what the fixture knows of it. */
static enum status try_crash(struct state_fixture *f, const struct temporary *t) {
    struct kv_meta meta = f->meta;
    struct kv_state_options options = f->options;
    state_close(f);
    *f = (struct state_fixture){.options = options};
    enum status status = state_try_open(f, t);
    if (status == STATUS_OK) {
        assert_memory_equal(&f->meta, &meta, sizeof meta);
        f->meta = meta;
    }
    return status;
}

static void large_flush_takes_several_transactions(void **state) {
    struct state_fixture f = {0};
    struct kv_flush flush = begin_change(&f, *state, 3);
    assert_true(write_parts(&f, &flush, 1000));
    struct kv_base base = kv_state_base(f.state);
    assert_int_equal(base.ops->renew(base.context), STATUS_OK);
    assert_changed(&f);
    state_close(&f);
}

static void small_flush_takes_one(void **state) {
    struct state_fixture f = {0};
    open_sliced(&f, *state);
    state_put_many(&f, 1, 10);
    struct kv_flush flush = next_flush(&f);
    assert_true(write_parts(&f, &flush, 1));
    state_close(&f);
}

static void each_transaction_stays_small(void **state) {
    struct state_fixture f = {0};
    bool is_done = false;
    open_sliced(&f, *state);
    state_put_many(&f, 1, KEYS);
    state_flush(&f);
    change_all(&f);
    struct kv_flush flush = next_flush(&f);
    int parts = 0;
    for (; !is_done; parts++)
        assert_int_equal(kv_state_flush(f.state, &flush, &is_done), STATUS_OK);
    /* Two thirds of some 60 leaves at least, 16 at a time. */
    assert_in_range(parts, 3, 30);
    state_close(&f);
}

static void crash_after(const struct temporary *t, int parts) {
    struct state_fixture f = {0};
    (void)begin_change(&f, t, parts);
    assert_int_equal(try_crash(&f, t), STATUS_OK);
    assert_changed(&f);
    state_close(&f);
}

static void crash_after_the_first_part_is_made_up_for(void **state) {
    crash_after(*state, 1);
}

static void crash_after_further_parts_is_made_up_for(void **state) {
    crash_after(*state, 3);
}

static void crash_before_the_first_part_leaves_the_past(void **state) {
    struct state_fixture f = {0};
    open_sliced(&f, *state);
    state_put_many(&f, 1, KEYS);
    state_flush(&f);
    struct kv_meta before = f.meta;
    change_all(&f);
    struct kv_flush flush = next_flush(&f);
    assert_int_equal(kv__journal_write(&f.state->journal, &flush), STATUS_OK);
    f.meta = before;
    assert_int_equal(try_crash(&f, *state), STATUS_OK);
    assert_body(&f, "key-000001", "body of number 000001.");
    assert_sound(&f);
    state_close(&f);
}

static void damaged_journal_of_a_half_flush_is_refused(void **state) {
    struct state_fixture f = {0};
    (void)begin_change(&f, *state, 1);
    state_close(&f);
    temporary_flip(temporary_path(*state, "data/state/flush.journal"),
                   "second body of number 002000.", 29, 3);
    f = (struct state_fixture){.options = f.options};
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    state_close(&f);
}

static void lost_journal_of_a_half_flush_is_refused(void **state) {
    struct state_fixture f = {0};
    (void)begin_change(&f, *state, 1);
    state_close(&f);
    assert_int_equal(unlink(temporary_path(*state, "data/state/flush.journal")), 0);
    f = (struct state_fixture){.options = f.options};
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    state_close(&f);
}

static void scrub_waits_for_the_end_of_a_flush(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    struct kv_flush flush = begin_change(&f, *state, 1);
    assert_int_equal(kv_state_scrub(f.state, &scrub, 10 * KEYS), STATUS_OK);
    assert_int_equal(scrub.checked, 0);
    assert_true(write_parts(&f, &flush, 1000));
    assert_int_equal(kv_state_scrub(f.state, &scrub, 10 * KEYS), STATUS_OK);
    assert_int_equal(scrub.checked, f.meta.record_count);
    assert_int_equal(scrub.walks, 1);
    state_close(&f);
}

static void walk_that_a_flush_came_into_proves_nothing(void **state) {
    struct state_fixture f = {0};
    struct kv_scrub scrub = {0};
    open_sliced(&f, *state);
    state_put_many(&f, 1, KEYS);
    state_flush(&f);
    assert_int_equal(kv_state_scrub(f.state, &scrub, KEYS / 2), STATUS_OK);
    change_all(&f);
    struct kv_flush flush = next_flush(&f);
    assert_false(write_parts(&f, &flush, 2));
    while (scrub.walks == 0)
        assert_int_equal(kv_state_scrub(f.state, &scrub, 1000), STATUS_OK);
    assert_int_equal(scrub.mismatches, 0);
    state_close(&f);
}

static enum status count_bytes(void *context, struct bytes chunk) {
    *(size_t *)context += chunk.len;
    return STATUS_OK;
}

static void *save(void *context) {
    struct kv_state *state = context;
    size_t bytes = 0;
    return kv_snapshot_save(state, 1, 0, count_bytes, &bytes) == STATUS_OK ? state : NULL;
}

/* Else its count and hash would not be those of its records. */
static void snapshot_waits_for_the_end_of_a_flush(void **state) {
    struct state_fixture f = {0};
    pthread_t thread;
    void *saved = NULL;
    struct kv_flush flush = begin_change(&f, *state, 1);
    assert_int_equal(pthread_create(&thread, NULL, save, f.state), 0);
    assert_true(write_parts(&f, &flush, 1000));
    assert_int_equal(pthread_join(thread, &saved), 0);
    assert_ptr_equal(saved, f.state);
    state_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(large_flush_takes_several_transactions),
        TEST(small_flush_takes_one),
        TEST(each_transaction_stays_small),
        TEST(crash_after_the_first_part_is_made_up_for),
        TEST(crash_after_further_parts_is_made_up_for),
        TEST(crash_before_the_first_part_leaves_the_past),
        TEST(damaged_journal_of_a_half_flush_is_refused),
        TEST(lost_journal_of_a_half_flush_is_refused),
        TEST(scrub_waits_for_the_end_of_a_flush),
        TEST(walk_that_a_flush_came_into_proves_nothing),
        TEST(snapshot_waits_for_the_end_of_a_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
