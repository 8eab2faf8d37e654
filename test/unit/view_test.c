/* Three layers seen as one map: the upper one wins, and a tombstone hides what lies below. */
#include "kv/record.h"
#include "kv/view.h"
#include "support/chance.h"
#include "support/memory_base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- The fixture: a base, two tables, and a view of them ------------------------------------- */

struct story {
    struct memory_base *base;
    struct kv_view view;
};

enum layer { BASE, FROZEN, ACTIVE, LAYERS };

static int setup(void **state) {
    struct story *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->base = memory_base_new();
    s->view.base = memory_base_view(s->base);
    assert_int_equal(kv__overlay_new(&s->view.active), STATUS_OK);
    assert_int_equal(kv__overlay_new(&s->view.frozen), STATUS_OK);
    *state = s;
    return 0;
}

static int teardown(void **state) {
    struct story *s = *state;
    kv__overlay_free(s->view.active);
    kv__overlay_free(s->view.frozen);
    memory_base_free(s->base);
    free(s);
    return 0;
}

static struct kv_overlay *table_of(struct story *s, enum layer layer) {
    return layer == ACTIVE ? s->view.active : s->view.frozen;
}

/* A sealed record with this text as its body. */
static void put(struct story *s, enum layer layer, struct bytes key, const char *text) {
    uint8_t memory[64];
    uint8_t *record = memory;
    size_t len = KV_SEAL_BYTES + strlen(text);
    assert_true(len <= sizeof memory);
    if (layer != BASE)
        assert_int_equal(kv__overlay_put(table_of(s, layer), key, len, &record), STATUS_OK);
    memcpy(record + KV_SEAL_BYTES, text, strlen(text));
    kv__record_seal(key, record, len);
    if (layer == BASE) {
        memory_base_write(s->base, key, bytes_of(record, len));
        (void)memory_base_reopen(s->base);
    }
}

static void hide(struct story *s, enum layer layer, struct bytes key) {
    assert_int_equal(kv__overlay_delete(table_of(s, layer), key), STATUS_OK);
}

/* The text that a record carries, or the name of why there is none. */
static const char *text_of(enum status status, struct bytes record) {
    static char text[64];
    if (status != STATUS_OK)
        return status_name(status);
    snprintf(text, sizeof text, "%.*s", (int)(record.len - KV_SEAL_BYTES),
             (const char *)record.data + KV_SEAL_BYTES);
    return text;
}

static const char *get(struct story *s, const char *key) {
    struct bytes record = {0};
    enum status status = kv__view_get(&s->view, bytes_of_text(key), &record);
    if (status != STATUS_OK)
        assert_null(record.data);
    return text_of(status, record);
}

/* A walk from `start` to the end as text, one `key=record` each; a damaged record reads "!". */
static const char *walk(struct story *s, const char *start) {
    static char text[512];
    struct kv_cursor cursor;
    size_t used = 0;
    text[0] = '\0';
    enum status status = kv__cursor_seek(&cursor, &s->view, bytes_of_text(start));
    while (status == STATUS_OK || status == STATUS_CORRUPT) {
        if (status == STATUS_CORRUPT)
            assert_null(cursor.record.data);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s=%s ", (int)cursor.key.len,
                                 (const char *)cursor.key.data,
                                 status == STATUS_OK ? text_of(status, cursor.record) : "!");
        status = kv__cursor_next(&cursor);
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
    return text;
}

/* ---- Every combination ---------------------------------------------------------------------- */

enum content { NOTHING, RECORD, OTHER, CONTENTS }; /* OTHER: a tombstone; in the base, damage */

static void arrange(struct story *s, enum layer layer, enum content content) {
    static const char *const names[LAYERS] = {"base", "frozen", "active"};
    struct bytes key = bytes_of_text("k");
    if (content == RECORD || (content == OTHER && layer == BASE))
        put(s, layer, key, names[layer]);
    if (content == OTHER && layer == BASE)
        memory_base_damage(s->base, key);
    else if (content == OTHER)
        hide(s, layer, key);
}

static const char *expected(enum content active, enum content frozen, enum content base) {
    if (active != NOTHING)
        return active == RECORD ? "active" : "not_found";
    if (frozen != NOTHING)
        return frozen == RECORD ? "frozen" : "not_found";
    return base == NOTHING ? "not_found" : base == RECORD ? "base" : "corrupt";
}

static void assert_combination(enum content active, enum content frozen, enum content base) {
    void *state;
    setup(&state);
    struct story *s = state;
    arrange(s, BASE, base);
    arrange(s, FROZEN, frozen);
    arrange(s, ACTIVE, active);
    const char *answer = expected(active, frozen, base);
    bool is_damaged = strcmp(answer, "corrupt") == 0;
    assert_string_equal(get(s, "k"), answer);
    assert_int_equal(s->view.damaged, is_damaged);

    char walked[64] = "";
    if (is_damaged)
        snprintf(walked, sizeof walked, "k=! ");
    else if (strcmp(answer, "not_found") != 0)
        snprintf(walked, sizeof walked, "k=%s ", answer);
    assert_string_equal(walk(s, ""), walked);
    assert_int_equal(s->view.damaged, is_damaged ? 2 : 0);
    teardown(&state);
}

static void the_uppermost_layer_that_knows_a_key_decides(void **state) {
    (void)state;
    for (enum content active = NOTHING; active < CONTENTS; active++)
        for (enum content frozen = NOTHING; frozen < CONTENTS; frozen++)
            for (enum content base = NOTHING; base < CONTENTS; base++)
                assert_combination(active, frozen, base);
}

static void does_without_a_frozen_table(void **state) {
    struct story *s = *state;
    kv__overlay_free(s->view.frozen);
    s->view.frozen = NULL;
    put(s, BASE, bytes_of_text("a"), "1");
    put(s, ACTIVE, bytes_of_text("b"), "2");
    assert_string_equal(get(s, "a"), "1");
    assert_string_equal(walk(s, ""), "a=1 b=2 ");
}

/* ---- Walks ---------------------------------------------------------------------------------- */

static void merges_the_layers_in_order(void **state) {
    struct story *s = *state;
    put(s, BASE, bytes_of_text("a"), "base");
    put(s, BASE, bytes_of_text("d"), "base");
    put(s, FROZEN, bytes_of_text("b"), "frozen");
    put(s, FROZEN, bytes_of_text("d"), "frozen");
    put(s, ACTIVE, bytes_of_text("c"), "active");
    hide(s, ACTIVE, bytes_of_text("a"));
    assert_string_equal(walk(s, ""), "b=frozen c=active d=frozen ");
    assert_string_equal(walk(s, "c"), "c=active d=frozen ");
    assert_string_equal(walk(s, "bb"), "c=active d=frozen ");
    assert_string_equal(walk(s, "e"), "");
}

static void a_walk_goes_on_after_a_damaged_record(void **state) {
    struct story *s = *state;
    put(s, BASE, bytes_of_text("a"), "1");
    put(s, BASE, bytes_of_text("b"), "2");
    put(s, BASE, bytes_of_text("c"), "3");
    memory_base_damage(s->base, bytes_of_text("b"));
    assert_string_equal(walk(s, ""), "a=1 b=! c=3 ");
    assert_int_equal(s->view.damaged, 1);
}

static void a_damaged_record_that_is_hidden_harms_nobody(void **state) {
    struct story *s = *state;
    put(s, BASE, bytes_of_text("a"), "old");
    put(s, BASE, bytes_of_text("b"), "old");
    memory_base_damage(s->base, bytes_of_text("a"));
    memory_base_damage(s->base, bytes_of_text("b"));
    put(s, ACTIVE, bytes_of_text("a"), "new");
    hide(s, FROZEN, bytes_of_text("b"));
    assert_string_equal(walk(s, ""), "a=new ");
    assert_string_equal(get(s, "b"), "not_found");
    assert_int_equal(s->view.damaged, 0);
}

static void a_record_under_another_key_is_damage(void **state) {
    struct story *s = *state;
    struct bytes record;
    put(s, BASE, bytes_of_text("a"), "1");
    assert_int_equal(kv__view_get(&s->view, bytes_of_text("a"), &record), STATUS_OK);
    memory_base_write(s->base, bytes_of_text("b"), record);
    memory_base_write(s->base, bytes_of_text("c"), bytes_of("abc", 3)); /* shorter than a seal */
    (void)memory_base_reopen(s->base);
    assert_string_equal(get(s, "b"), "corrupt");
    assert_string_equal(get(s, "c"), "corrupt");
    assert_int_equal(s->view.damaged, 2);
}

static void a_base_key_longer_than_any_of_ours_is_damage_and_ends_the_walk(void **state) {
    struct story *s = *state;
    static const uint8_t key[511] = {'b'};
    struct kv_cursor cursor;
    put(s, BASE, bytes_of_text("a"), "1");
    put(s, BASE, bytes_of(key, sizeof key), "2");
    assert_int_equal(kv__cursor_seek(&cursor, &s->view, bytes_of_text("a")), STATUS_OK);
    assert_int_equal(kv__cursor_next(&cursor), STATUS_CORRUPT);
    assert_int_equal(kv__cursor_next(&cursor), STATUS_NOT_FOUND);
    assert_int_equal(s->view.damaged, 1);
}

static void a_base_that_cannot_be_read_is_said_so(void **state) {
    struct story *s = *state;
    struct kv_cursor cursor;
    put(s, BASE, bytes_of_text("a"), "1");
    put(s, ACTIVE, bytes_of_text("b"), "2");
    memory_base_fail(s->base, STATUS_IO);
    assert_string_equal(get(s, "a"), "io");
    assert_string_equal(get(s, "b"), "2");
    assert_int_equal(kv__cursor_seek(&cursor, &s->view, bytes_of_text("a")), STATUS_IO);
    assert_int_equal(s->view.damaged, 0);
}

static void the_record_under_a_walk_may_be_hidden(void **state) {
    struct story *s = *state;
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
    struct kv_cursor cursor;
    for (int i = 0; i < 6; i++)
        put(s, (enum layer)(i % LAYERS), bytes_of_text(keys[i]), "r");
    enum status status = kv__cursor_seek(&cursor, &s->view, bytes_of_text("a"));
    for (int i = 0; i < 6; i++) {
        assert_int_equal(status, STATUS_OK);
        assert_true(bytes_equal(cursor.key, bytes_of_text(keys[i])));
        hide(s, ACTIVE, cursor.key);
        status = kv__cursor_next(&cursor);
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_string_equal(walk(s, ""), "");
}

/* ---- Against a dumb merge -------------------------------------------------------------------- */

#define MODEL_KEYS 120
#define MODEL_ROUNDS 300

struct row {
    uint8_t key[2];
    size_t key_len;
    enum content content[LAYERS]; /* OTHER only above the base */
};

/* In order: each byte alone, then with another one after it. */
static void make_rows(struct row rows[MODEL_KEYS]) {
    for (size_t i = 0; i < MODEL_KEYS; i++)
        rows[i] = (struct row){.key = {(uint8_t)(i / 3 * 6), (uint8_t)(i % 3 * 127)},
                               .key_len = i % 3 == 0 ? 1 : 2};
}

static void fill_layers(struct story *s, struct chance *chance, struct row rows[MODEL_KEYS]) {
    uint64_t rarity = 1 + chance_below(chance, 6);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        for (enum layer layer = BASE; layer < LAYERS; layer++) {
            struct bytes key = bytes_of(rows[i].key, rows[i].key_len);
            char text[8] = {(char)('0' + layer)};
            if (!chance_one_in(chance, rarity))
                continue;
            bool is_hidden = layer != BASE && chance_one_in(chance, 2);
            rows[i].content[layer] = is_hidden ? OTHER : RECORD;
            if (is_hidden)
                hide(s, layer, key);
            else
                put(s, layer, key, text);
        }
}

/* The layer whose record is seen under a row's key, or -1. */
static int seen_layer(const struct row *row) {
    for (int layer = ACTIVE; layer >= BASE; layer--)
        if (row->content[layer] != NOTHING)
            return row->content[layer] == RECORD ? layer : -1;
    return -1;
}

static void compare_walk(struct story *s, const struct row rows[MODEL_KEYS], size_t from) {
    struct kv_cursor cursor;
    enum status status =
        kv__cursor_seek(&cursor, &s->view, bytes_of(rows[from].key, rows[from].key_len));
    for (size_t i = from; i < MODEL_KEYS; i++) {
        int layer = seen_layer(&rows[i]);
        if (layer < 0)
            continue;
        assert_int_equal(status, STATUS_OK);
        assert_true(bytes_equal(cursor.key, bytes_of(rows[i].key, rows[i].key_len)));
        assert_int_equal(cursor.record.data[KV_SEAL_BYTES], '0' + layer);
        status = kv__cursor_next(&cursor);
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
}

static void compare_gets(struct story *s, const struct row rows[MODEL_KEYS]) {
    for (size_t i = 0; i < MODEL_KEYS; i++) {
        struct bytes record;
        struct bytes key = bytes_of(rows[i].key, rows[i].key_len);
        int layer = seen_layer(&rows[i]);
        enum status status = kv__view_get(&s->view, key, &record);
        assert_int_equal(status, layer < 0 ? STATUS_NOT_FOUND : STATUS_OK);
        if (layer >= 0)
            assert_int_equal(record.data[KV_SEAL_BYTES], '0' + layer);
    }
}

static void sees_what_a_dumb_merge_sees(void **state) {
    (void)state;
    struct chance chance = chance_new();
    for (int round = 0; round < MODEL_ROUNDS; round++) {
        struct row rows[MODEL_KEYS];
        void *story;
        setup(&story);
        make_rows(rows);
        fill_layers(story, &chance, rows);
        compare_gets(story, rows);
        for (int i = 0; i < 10; i++)
            compare_walk(story, rows, chance_below(&chance, MODEL_KEYS));
        teardown(&story);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_uppermost_layer_that_knows_a_key_decides),
        TEST(does_without_a_frozen_table),
        TEST(merges_the_layers_in_order),
        TEST(a_walk_goes_on_after_a_damaged_record),
        TEST(a_damaged_record_that_is_hidden_harms_nobody),
        TEST(a_record_under_another_key_is_damage),
        TEST(a_base_key_longer_than_any_of_ours_is_damage_and_ends_the_walk),
        TEST(a_base_that_cannot_be_read_is_said_so),
        TEST(the_record_under_a_walk_may_be_hidden),
        cmocka_unit_test(sees_what_a_dumb_merge_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
