/* The table in memory, against one that is too simple to be wrong. */
#include "kv/overlay.h"
#include "kv/overlay_index.h"
#include "support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) {
    struct kv_overlay *overlay;
    assert_int_equal(kv__overlay_new(&overlay), STATUS_OK);
    *state = overlay;
    return 0;
}

static int teardown(void **state) {
    kv__overlay_free(*state);
    return 0;
}

static uint8_t *put(struct kv_overlay *overlay, const char *key, const char *record) {
    uint8_t *memory;
    size_t len = strlen(record);
    assert_int_equal(kv__overlay_put(overlay, bytes_of_text(key), len, &memory), STATUS_OK);
    memcpy(memory, record, len);
    return memory;
}

static void hide(struct kv_overlay *overlay, const char *key) {
    assert_int_equal(kv__overlay_delete(overlay, bytes_of_text(key)), STATUS_OK);
}

/* What the table says of a key: its record, "gone" for a tombstone, "" for nothing. */
static const char *look(const struct kv_overlay *overlay, const char *key) {
    static char text[64];
    const struct kv_overlay_node *node = kv__overlay_find(overlay, bytes_of_text(key));
    if (!node)
        return "";
    if (node->is_deleted)
        return "gone";
    struct bytes record = kv__overlay_record(node);
    snprintf(text, sizeof text, "%.*s", (int)record.len, (const char *)record.data);
    return text;
}

static const char *key_text(const struct kv_overlay_node *node) {
    static char text[64];
    if (!node)
        return "";
    snprintf(text, sizeof text, "%.*s", (int)node->key_len, (const char *)node->key);
    return text;
}

/* ---- What it is ---------------------------------------------------------------------------- */

static void says_nothing_of_keys_it_never_saw(void **state) {
    assert_string_equal(look(*state, "a"), "");
    assert_null(kv__overlay_seek(*state, bytes_of_text("a")));
    assert_int_equal(kv__overlay_count(*state), 0);
    assert_int_equal(kv__overlay_bytes(*state), 0);
}

static void keeps_the_newest_record_of_a_key(void **state) {
    put(*state, "a", "one");
    put(*state, "a", "two");
    put(*state, "a", "a longer three");
    put(*state, "a", "four");
    assert_string_equal(look(*state, "a"), "four");
    assert_int_equal(kv__overlay_count(*state), 1);
}

static void a_record_that_fits_takes_the_old_ones_place(void **state) {
    uint8_t *first = put(*state, "a", "twelve bytes");
    size_t bytes = kv__overlay_bytes(*state);
    assert_ptr_equal(put(*state, "a", "and 12 more."), first);
    assert_ptr_equal(put(*state, "a", "fewer"), first);
    assert_ptr_equal(put(*state, "a", "12 once more"), first);
    assert_int_equal(kv__overlay_bytes(*state), bytes);
}

static void a_record_that_grows_takes_memory_of_its_own(void **state) {
    uint8_t *first = put(*state, "a", "short");
    size_t bytes = kv__overlay_bytes(*state);
    uint8_t *second = put(*state, "a", "what does not fit into five");
    assert_ptr_not_equal(second, first);
    assert_true(kv__overlay_bytes(*state) >= bytes + 27);
    assert_string_equal(look(*state, "a"), "what does not fit into five");
}

static void a_tombstone_hides_and_is_found(void **state) {
    put(*state, "a", "record");
    hide(*state, "a");
    hide(*state, "never there");
    assert_string_equal(look(*state, "a"), "gone");
    assert_string_equal(look(*state, "never there"), "gone");
    assert_null(kv__overlay_record(kv__overlay_find(*state, bytes_of_text("a"))).data);
    assert_int_equal(kv__overlay_count(*state), 2);
}

static void a_tombstone_takes_no_record_memory_and_gives_way_to_one(void **state) {
    uint8_t *first = put(*state, "a", "record");
    size_t bytes = kv__overlay_bytes(*state);
    hide(*state, "a");
    assert_int_equal(kv__overlay_bytes(*state), bytes);
    assert_ptr_equal(put(*state, "a", "RECORD"), first);
    hide(*state, "b");
    put(*state, "b", "risen");
    assert_string_equal(look(*state, "b"), "risen");
}

static void keys_are_ordered_as_unsigned_bytes_and_shorter_first(void **state) {
    const char *const in_order[] = {"\x01", "A",    "AA",   "AB",      "B",
                                    "\x7f", "\x80", "\xff", "\xff\xff"};
    const size_t at[] = {4, 8, 0, 6, 2, 7, 1, 5, 3};
    for (size_t i = 0; i < 9; i++)
        put(*state, in_order[at[i]], "r");
    const struct kv_overlay_node *node = kv__overlay_seek(*state, bytes_of(NULL, 0));
    for (size_t i = 0; i < 9; i++, node = kv__overlay_next(node))
        assert_string_equal(key_text(node), in_order[i]);
    assert_null(node);
}

static void seeks_the_first_key_at_or_after(void **state) {
    put(*state, "b", "r");
    put(*state, "d", "r");
    assert_string_equal(key_text(kv__overlay_seek(*state, bytes_of_text("a"))), "b");
    assert_string_equal(key_text(kv__overlay_seek(*state, bytes_of_text("b"))), "b");
    assert_string_equal(key_text(kv__overlay_seek(*state, bytes_of_text("ba"))), "d");
    assert_null(kv__overlay_seek(*state, bytes_of_text("da")));
}

static void keys_may_hold_any_bytes(void **state) {
    const uint8_t key[] = {0, 0xff, 0};
    uint8_t *record;
    assert_int_equal(kv__overlay_put(*state, bytes_of(key, 3), 1, &record), STATUS_OK);
    *record = 'r';
    assert_non_null(kv__overlay_find(*state, bytes_of(key, 3)));
    assert_null(kv__overlay_find(*state, bytes_of(key, 2)));
}

static void takes_records_larger_than_a_chunk_of_memory(void **state) {
    for (size_t i = 0; i < 8; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        uint8_t *record;
        size_t len = i % 2 ? 10 : VALUE_BYTES_MAX + i;
        assert_int_equal(kv__overlay_put(*state, bytes_of_text(key), len, &record), STATUS_OK);
        memset(record, 'a' + (int)i, len);
    }
    for (size_t i = 0; i < 8; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        struct bytes record = kv__overlay_record(kv__overlay_find(*state, bytes_of_text(key)));
        assert_int_equal(record.data[0], 'a' + i);
        assert_int_equal(record.data[record.len - 1], 'a' + i);
    }
    assert_true(kv__overlay_bytes(*state) > 4 * VALUE_BYTES_MAX);
}

/* ---- Visits -------------------------------------------------------------------------------- */

struct visit {
    char text[64];
    size_t left; /* visits until it has enough */
};

static enum status note(void *context, struct bytes key, struct bytes record) {
    struct visit *visit = context;
    size_t used = strlen(visit->text);
    snprintf(visit->text + used, sizeof visit->text - used, "%.*s=%.*s ", (int)key.len,
             (const char *)key.data, record.data ? (int)record.len : 1,
             record.data ? (const char *)record.data : "-");
    return --visit->left == 0 ? STATUS_DISK_FULL : STATUS_OK;
}

static void visits_records_and_tombstones_in_order(void **state) {
    struct visit visit = {.left = 100};
    put(*state, "b", "two");
    hide(*state, "c");
    put(*state, "a", "one");
    assert_int_equal(kv_overlay_each(*state, note, &visit), STATUS_OK);
    assert_string_equal(visit.text, "a=one b=two c=- ");
}

static void a_visit_ends_with_the_first_status_that_is_not_ok(void **state) {
    struct visit visit = {.left = 2};
    put(*state, "a", "1");
    put(*state, "b", "2");
    put(*state, "c", "3");
    assert_int_equal(kv_overlay_each(*state, note, &visit), STATUS_DISK_FULL);
    assert_string_equal(visit.text, "a=1 b=2 ");
}

/* ---- Against a dumb model ------------------------------------------------------------------ */

#define MODEL_KEYS 2000
#define MODEL_STEPS 100000

/* One row per key, in the keys' order. */
struct row {
    uint8_t key[12];
    size_t key_len;
    bool is_there;
    bool is_deleted;
    uint8_t fill; /* what all bytes of its record are */
    size_t len;
    size_t longest; /* so far */
};

static struct row rows[MODEL_KEYS];

static struct bytes row_key(const struct row *row) {
    return bytes_of(row->key, row->key_len);
}

static int row_compare(const void *a, const void *b) {
    return bytes_compare(row_key(a), row_key(b));
}

/* Random keys of few different bytes, so that many begin alike; a number makes each unique. */
static void make_rows(struct chance *chance) {
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        struct row *row = &rows[i];
        *row = (struct row){0};
        size_t prefix = chance_below(chance, 8);
        for (size_t j = 0; j < prefix; j++)
            row->key[row->key_len++] = chance_one_in(chance, 2) ? 0 : 0xff;
        memcpy(row->key + row->key_len, (uint16_t[]){(uint16_t)i}, 2);
        row->key[row->key_len + 2] = 'k';
        row->key_len += 3;
    }
    qsort(rows, MODEL_KEYS, sizeof *rows, row_compare);
}

/* Memory for the row's new record: at least that much, at most with the node and its padding. A
 * record that is no longer than the longest before it takes none. */
static void assert_grown(const struct row *row, bool was_there, size_t bytes) {
    size_t record = row->is_deleted || row->len <= row->longest ? 0 : row->len;
    size_t node = sizeof(struct kv_overlay_node) + KV_OVERLAY_INDEX_BYTES + row->key_len;
    if (was_there)
        node = 0;
    assert_true(bytes >= record + node);
    assert_true(bytes < record + node + 16);
}

static void change_one(struct kv_overlay *overlay, struct chance *chance) {
    struct row *row = &rows[chance_below(chance, MODEL_KEYS)];
    size_t before = kv__overlay_bytes(overlay);
    bool was_there = row->is_there;
    row->is_there = true;
    row->is_deleted = chance_one_in(chance, 4);
    if (row->is_deleted) {
        assert_int_equal(kv__overlay_delete(overlay, row_key(row)), STATUS_OK);
    } else {
        uint8_t *record;
        row->len = 1 + chance_below(chance, chance_one_in(chance, 8) ? 2000 : 40);
        row->fill = (uint8_t)chance_next(chance);
        assert_int_equal(kv__overlay_put(overlay, row_key(row), row->len, &record), STATUS_OK);
        memset(record, row->fill, row->len);
    }
    assert_grown(row, was_there, kv__overlay_bytes(overlay) - before);
    if (!row->is_deleted && row->len > row->longest)
        row->longest = row->len;
}

static void assert_node_is(const struct kv_overlay_node *node, const struct row *row) {
    assert_non_null(node);
    assert_true(bytes_equal(kv__overlay_key(node), row_key(row)));
    assert_int_equal(node->is_deleted, row->is_deleted);
    struct bytes record = kv__overlay_record(node);
    assert_int_equal(record.len, row->is_deleted ? 0 : row->len);
    for (size_t i = 0; i < record.len; i++)
        assert_true(record.data[i] == row->fill);
}

static const struct row *first_row(size_t from) {
    while (from < MODEL_KEYS && !rows[from].is_there)
        from++;
    return from < MODEL_KEYS ? &rows[from] : NULL;
}

static void compare_at(const struct kv_overlay *overlay, size_t i) {
    const struct kv_overlay_node *found = kv__overlay_find(overlay, row_key(&rows[i]));
    const struct kv_overlay_node *sought = kv__overlay_seek(overlay, row_key(&rows[i]));
    if (rows[i].is_there)
        assert_node_is(found, &rows[i]);
    else
        assert_null(found);
    const struct row *first = first_row(i);
    if (first)
        assert_node_is(sought, first);
    else
        assert_null(sought);
}

static void compare_all(const struct kv_overlay *overlay) {
    const struct kv_overlay_node *node = kv__overlay_seek(overlay, bytes_of(NULL, 0));
    size_t count = 0;
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        if (!rows[i].is_there)
            continue;
        assert_node_is(node, &rows[i]);
        node = kv__overlay_next(node);
        count++;
    }
    assert_null(node);
    assert_int_equal(kv__overlay_count(overlay), count);
}

static void does_what_a_dumb_table_does(void **state) {
    struct chance chance = chance_new();
    make_rows(&chance);
    for (size_t step = 0; step < MODEL_STEPS; step++) {
        change_one(*state, &chance);
        compare_at(*state, chance_below(&chance, MODEL_KEYS));
        if (step % (MODEL_STEPS / 50) == 0)
            compare_all(*state);
    }
    compare_all(*state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(says_nothing_of_keys_it_never_saw),
        TEST(keeps_the_newest_record_of_a_key),
        TEST(a_record_that_fits_takes_the_old_ones_place),
        TEST(a_record_that_grows_takes_memory_of_its_own),
        TEST(a_tombstone_hides_and_is_found),
        TEST(a_tombstone_takes_no_record_memory_and_gives_way_to_one),
        TEST(keys_are_ordered_as_unsigned_bytes_and_shorter_first),
        TEST(seeks_the_first_key_at_or_after),
        TEST(keys_may_hold_any_bytes),
        TEST(takes_records_larger_than_a_chunk_of_memory),
        TEST(visits_records_and_tombstones_in_order),
        TEST(a_visit_ends_with_the_first_status_that_is_not_ok),
        TEST(does_what_a_dumb_table_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
