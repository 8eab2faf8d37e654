#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum status note(struct log_fixture *f, const char *key, const char *value) {
    return kv_log_note_write(f->log, bytes_of_text(key), bytes_of_text(value));
}

static void assert_note(struct log_fixture *f, const char *key, const char *value) {
    uint8_t memory[100];
    size_t len;
    assert_int_equal(kv_log_note_read(f->log, bytes_of_text(key), memory, sizeof memory, &len),
                     STATUS_OK);
    assert_true(bytes_equal(bytes_of(memory, len), bytes_of_text(value)));
}

static enum status read_none(struct log_fixture *f, const char *key) {
    uint8_t memory[100];
    size_t len;
    return kv_log_note_read(f->log, bytes_of_text(key), memory, sizeof memory, &len);
}

static void note_survives_a_restart(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(note(&f, "peer/7", "first"), STATUS_OK);
    assert_int_equal(note(&f, "peer/7", "second"), STATUS_OK);
    fixture_append(&f, 1, 3, 1);
    fixture_reopen(&f, *state);
    assert_note(&f, "peer/7", "second");
    assert_int_equal(f.summary.last_index, 3);
    fixture_close(&f);
}

static void empty_value_deletes(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(note(&f, "a", "1"), STATUS_OK);
    assert_int_equal(note(&f, "a", ""), STATUS_OK);
    assert_int_equal(note(&f, "never", ""), STATUS_OK);
    assert_int_equal(read_none(&f, "a"), STATUS_NOT_FOUND);
    fixture_close(&f);
}

static void several_notes_are_one_write(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(note(&f, "a", "old"), STATUS_OK);
    struct kv_note notes[] = {
        {.key = bytes_of_text("b"), .value = bytes_of_text("2")},
        {.key = bytes_of_text("a")},
        {.key = bytes_of_text("")}, /* beyond the bounds */
    };
    assert_int_equal(kv_log_notes_write(f.log, notes, 3), STATUS_INVALID);
    assert_note(&f, "a", "old");
    assert_int_equal(kv_log_notes_write(f.log, notes, 2), STATUS_OK);
    assert_int_equal(read_none(&f, "a"), STATUS_NOT_FOUND);
    assert_note(&f, "b", "2");
    fixture_close(&f);
}

static void largest_note_fits_and_a_larger_one_is_refused(void **state) {
    struct log_fixture f = {0};
    uint8_t key[KV_NOTE_KEY_BYTES_MAX + 1];
    uint8_t *value = calloc(2, KV_NOTE_VALUE_BYTES_MAX + 1);
    uint8_t *read = value + KV_NOTE_VALUE_BYTES_MAX + 1;
    size_t len;
    fixture_open(&f, *state);
    memset(key, 'k', sizeof key);
    memset(value, 0x33, KV_NOTE_VALUE_BYTES_MAX + 1);
    struct bytes largest_key = bytes_of(key, KV_NOTE_KEY_BYTES_MAX);
    struct bytes largest = bytes_of(value, KV_NOTE_VALUE_BYTES_MAX);
    assert_int_equal(kv_log_note_write(f.log, largest_key, largest), STATUS_OK);
    assert_int_equal(kv_log_note_write(f.log, bytes_of(key, sizeof key), largest), STATUS_INVALID);
    assert_int_equal(kv_log_note_write(f.log, bytes_of_text("k"),
                                       bytes_of(value, KV_NOTE_VALUE_BYTES_MAX + 1)),
                     STATUS_INVALID);
    fixture_reopen(&f, *state);
    assert_int_equal(kv_log_note_read(f.log, largest_key, read, 100, &len), STATUS_OVERLOAD);
    assert_int_equal(kv_log_note_read(f.log, largest_key, read, largest.len, &len), STATUS_OK);
    assert_true(bytes_equal(bytes_of(read, len), largest));
    free(value);
    fixture_close(&f);
}

struct listing {
    char text[100];
    size_t stop_after;
};

static enum status list(void *context, struct bytes key, struct bytes value) {
    struct listing *listing = context;
    size_t len = strlen(listing->text);
    (void)snprintf(listing->text + len, sizeof listing->text - len, "%.*s=%.*s ", (int)key.len,
                   (const char *)key.data, (int)value.len, (const char *)value.data);
    return --listing->stop_after == 0 ? STATUS_ABORTED : STATUS_OK;
}

static void notes_are_listed_by_prefix_in_order(void **state) {
    struct log_fixture f = {0};
    struct listing all = {.stop_after = 9}, peers = {.stop_after = 9}, none = {.stop_after = 9},
                   some = {.stop_after = 2};
    fixture_open(&f, *state);
    assert_int_equal(note(&f, "peer/2", "b"), STATUS_OK);
    assert_int_equal(note(&f, "zone", "c"), STATUS_OK);
    assert_int_equal(note(&f, "peer/1", "a"), STATUS_OK);
    fixture_append(&f, 1, 2, 1);
    assert_int_equal(kv_log_notes_each(f.log, bytes_of_text(""), list, &all), STATUS_OK);
    assert_string_equal(all.text, "peer/1=a peer/2=b zone=c ");
    assert_int_equal(kv_log_notes_each(f.log, bytes_of_text("peer/"), list, &peers), STATUS_OK);
    assert_string_equal(peers.text, "peer/1=a peer/2=b ");
    assert_int_equal(kv_log_notes_each(f.log, bytes_of_text("peer/3"), list, &none), STATUS_OK);
    assert_string_equal(none.text, "");
    assert_int_equal(kv_log_notes_each(f.log, bytes_of_text(""), list, &some), STATUS_ABORTED);
    assert_string_equal(some.text, "peer/1=a peer/2=b ");
    fixture_close(&f);
}

static void damaged_note_is_noticed(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(note(&f, "a", "what is written here"), STATUS_OK);
    fixture_close(&f);
    temporary_flip(temporary_path(*state, "data/log/data.mdb"), "what is written", 15, 3);
    fixture_open(&f, *state);
    assert_int_equal(read_none(&f, "a"), STATUS_CORRUPT);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(note_survives_a_restart),
        TEST(empty_value_deletes),
        TEST(several_notes_are_one_write),
        TEST(largest_note_fits_and_a_larger_one_is_refused),
        TEST(notes_are_listed_by_prefix_in_order),
        TEST(damaged_note_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
