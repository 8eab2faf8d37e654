/* Bounded, escaped text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static char text[64];

static const char *ended(struct text_writer *w) {
    w->data[w->len] = '\0';
    return w->data;
}

static void writes_each_type(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(text, sizeof text - 1);
    text_put_u64(&w, UINT64_MAX);
    text_put(&w, " ");
    text_put_i64(&w, INT64_MIN);
    text_put(&w, " ");
    text_put_bool(&w, false);
    assert_string_equal(ended(&w), "18446744073709551615 -9223372036854775808 false");
    w = text_writer_of(text, sizeof text - 1);
    text_put_hex(&w, 0xbeef);
    assert_string_equal(ended(&w), "000000000000beef");
}

static void ends_at_the_first_piece_that_does_not_fit(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(text, 6);
    text_put(&w, "four");
    text_put(&w, "five!");
    assert_true(w.is_cut);
    text_put(&w, "1"); /* would fit, but the text has ended */
    assert_string_equal(ended(&w), "four");
}

static void fills_its_memory_to_the_last_byte(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(text, 4);
    text_put(&w, "four");
    text_put(&w, "");
    assert_false(w.is_cut);
    assert_int_equal(w.len, 4);
}

static void quotes_all_or_nothing(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(text, 7);
    text_put_quoted(&w, bytes_of_text("a\"b"));
    assert_false(w.is_cut);
    assert_string_equal(ended(&w), "\"a\\\"b\"");
    w = text_writer_of(text, 5);
    text_put_quoted(&w, bytes_of_text("a\"b"));
    assert_true(w.is_cut);
    assert_int_equal(w.len, 0);
}

static void says_how_much_of_the_source_it_escaped(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(text, sizeof text - 1);
    assert_int_equal(text_put_escaped(&w,
                                      bytes_of_text("ab\x01"
                                                    "cd"),
                                      8),
                     3);
    assert_string_equal(ended(&w), "ab\\u0001");
    w = text_writer_of(text, sizeof text - 1);
    assert_int_equal(text_put_escaped(&w,
                                      bytes_of_text("ab\x01"
                                                    "cd"),
                                      7),
                     2);
    assert_false(w.is_cut);
}

static void knows_valid_utf8(void **state) {
    (void)state;
    static const struct {
        const char *source;
        size_t length;
    } rows[] = {
        {"a", 1},
        {"\x7f", 1},
        {"é", 2},
        {"€", 3},
        {"🙂", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xc1\xbf", 0},
        {"\xc3", 0},
        {"\xc3(", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xe2\x82(", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(text_utf8_length(bytes_of_text(rows[i].source)), rows[i].length);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_type),
        cmocka_unit_test(ends_at_the_first_piece_that_does_not_fit),
        cmocka_unit_test(fills_its_memory_to_the_last_byte),
        cmocka_unit_test(quotes_all_or_nothing),
        cmocka_unit_test(says_how_much_of_the_source_it_escaped),
        cmocka_unit_test(knows_valid_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
