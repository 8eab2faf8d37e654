/* Given any bytes, what is printed is valid JSON, and text that can be read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/kv.h"
#include "phalanx/encoding.h"
#include "phalanx/output.h"

/* What a test prints, as a text. */
struct page {
    FILE *out;
    char *text;
    size_t len;
};

static void page_start(struct page *page) {
    *page = (struct page){0};
    page->out = open_memstream(&page->text, &page->len);
    assert_non_null(page->out);
}

static void page_expect(struct page *page, const char *expected) {
    fclose(page->out);
    assert_string_equal(page->text, expected);
    free(page->text);
}

#define BYTES(literal) bytes_of(literal, sizeof(literal) - 1)

static void expect_json_bytes(struct bytes bytes, enum cli_encoding encoding,
                              const char *expected) {
    struct page page;
    page_start(&page);
    struct cli_json json = {.out = page.out};
    cli_json_open(&json, NULL, '{');
    cli_json_bytes(&json, "value", bytes, encoding);
    cli_json_close(&json, '}');
    page_expect(&page, expected);
}

static void quotes_backslashes_and_controls_are_escaped(void **state) {
    (void)state;
    expect_json_bytes(BYTES("a\"b\\c/\n\r\t\x01\x1f\x7f"), CLI_RAW,
                      "{\"value\":\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u001f\\u007f\"}");
    expect_json_bytes(BYTES("\0"), CLI_RAW, "{\"value\":\"\\u0000\"}");
    expect_json_bytes(bytes_of(NULL, 0), CLI_RAW, "{\"value\":\"\"}");
}

static void utf8_goes_out_as_it_is(void **state) {
    (void)state;
    expect_json_bytes(BYTES("Zürich ✓ 😀"), CLI_RAW, "{\"value\":\"Zürich ✓ 😀\"}");
}

static void what_is_not_utf8_becomes_base64_under_another_name(void **state) {
    (void)state;
    expect_json_bytes(BYTES("\xff\x00\x01"), CLI_RAW, "{\"value_base64\":\"/wAB\"}");
    expect_json_bytes(BYTES("caf\xc3"), CLI_RAW, "{\"value_base64\":\"Y2Fmww==\"}");
}

static void an_encoding_that_is_asked_for_is_always_used(void **state) {
    (void)state;
    expect_json_bytes(BYTES("hi"), CLI_HEX, "{\"value_hex\":\"6869\"}");
    expect_json_bytes(BYTES("hi"), CLI_BASE64, "{\"value_base64\":\"aGk=\"}");
}

static void commas_stand_between_members_and_elements_only(void **state) {
    (void)state;
    struct page page;
    page_start(&page);
    struct cli_json json = {.out = page.out};
    cli_json_open(&json, NULL, '{');
    cli_json_open(&json, "items", '[');
    for (int i = 0; i < 2; i++) {
        cli_json_open(&json, NULL, '{');
        cli_json_number(&json, "n", INT64_MIN);
        cli_json_bool(&json, "b", i == 0);
        cli_json_close(&json, '}');
    }
    cli_json_close(&json, ']');
    cli_json_open(&json, "none", '[');
    cli_json_close(&json, ']');
    cli_json_count(&json, "c", UINT64_MAX);
    cli_json_id(&json, "id", 255);
    cli_json_text(&json, "t", "x");
    cli_json_close(&json, '}');
    page_expect(&page, "{\"items\":[{\"n\":-9223372036854775808,\"b\":true},"
                       "{\"n\":-9223372036854775808,\"b\":false}],\"none\":[],"
                       "\"c\":18446744073709551615,\"id\":\"00000000000000ff\",\"t\":\"x\"}");
}

static void escaped_text_stays_on_one_line_and_is_unambiguous(void **state) {
    (void)state;
    struct page page;
    page_start(&page);
    cli_print_escaped(page.out, BYTES("a\tb\nc\\n\x1b[0m\x00\xffü\xc2\x9bz"));
    page_expect(&page, "a\\tb\\nc\\\\n\\x1b[0m\\x00\\xffü\\xc2\\x9bz");
}

static void long_values_are_encoded_in_pieces_without_a_seam(void **state) {
    (void)state;
    static uint8_t data[10000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    char *expected = calloc(1, cli_encoded_size(CLI_BASE64, sizeof data) + 1);
    cli_encode(CLI_BASE64, bytes_of(data, sizeof data), expected);
    struct page page;
    page_start(&page);
    cli_print_bytes(page.out, bytes_of(data, sizeof data), CLI_BASE64);
    page_expect(&page, expected);
    free(expected);
}

/* ---- Encodings ----------------------------------------------------------------------------- */

static void base64_is_that_of_rfc_4648(void **state) {
    (void)state;
    static const struct {
        const char *plain, *encoded;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[16] = {0};
        cli_encode(CLI_BASE64, bytes_of_text(vectors[i].plain), text);
        assert_string_equal(text, vectors[i].encoded);
        assert_int_equal(cli_encoded_size(CLI_BASE64, strlen(vectors[i].plain)), strlen(text));
        uint8_t data[16];
        size_t len = 99;
        assert_true(cli_decode(CLI_BASE64, text, data, &len));
        assert_int_equal(len, strlen(vectors[i].plain));
        assert_memory_equal(data, vectors[i].plain, len);
    }
}

static void every_byte_comes_back_from_each_encoding(void **state) {
    (void)state;
    uint8_t data[256];
    for (size_t len = 0; len <= sizeof data; len++) {
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)(i + len);
        for (int encoding = CLI_HEX; encoding <= CLI_BASE64; encoding++) {
            char text[513] = {0};
            uint8_t back[512];
            size_t back_len = 0;
            cli_encode((enum cli_encoding)encoding, bytes_of(data, len), text);
            assert_true(cli_decode((enum cli_encoding)encoding, text, back, &back_len));
            assert_int_equal(back_len, len);
            assert_memory_equal(back, data, len);
        }
    }
}

static void text_in_the_wrong_encoding_is_refused(void **state) {
    (void)state;
    uint8_t data[32];
    size_t len = 0;
    const char *const wrong_hex[] = {"a", "0g", "0x10", "1 2 "};
    for (size_t i = 0; i < sizeof wrong_hex / sizeof wrong_hex[0]; i++)
        assert_false(cli_decode(CLI_HEX, wrong_hex[i], data, &len));
    /* A single digit, too much padding, padding inside, another alphabet, bits left over. */
    const char *const wrong_base64[] = {"Z",    "Zg=",      "Zg===", "====",
                                        "Z===", "Zg==Zg==", "Zm9_",  "Zh=="};
    for (size_t i = 0; i < sizeof wrong_base64 / sizeof wrong_base64[0]; i++)
        assert_false(cli_decode(CLI_BASE64, wrong_base64[i], data, &len));
    assert_true(cli_decode(CLI_BASE64, "Zg", data, &len)); /* padding may be left out */
    assert_true(cli_decode(CLI_HEX, "fF", data, &len));
    assert_int_equal(data[0], 255);
}

static void utf8_refuses_overlong_forms_surrogates_and_beyond(void **state) {
    (void)state;
    assert_true(cli_utf8_is_valid(BYTES("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
                                        "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    const char *const wrong[] = {"\x80",
                                 "\xbf",
                                 "\xc0\x80",
                                 "\xc1\xbf",
                                 "\xc2",
                                 "\xc2\x7f",
                                 "\xe0\x9f\xbf",
                                 "\xe0\xa0",
                                 "\xed\xa0\x80",
                                 "\xed\xbf\xbf",
                                 "\xf0\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80",
                                 "\xf5\x80\x80\x80",
                                 "\xff",
                                 "\xe1\x80\xc0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(cli_utf8_is_valid(bytes_of_text(wrong[i])));
}

/* ---- Ranges -------------------------------------------------------------------------------- */

static void a_prefix_ends_before_the_next_one(void **state) {
    (void)state;
    uint8_t end[KEY_BYTES_MAX];
    assert_int_equal(kv_prefix_end(BYTES("ab"), end), 2);
    assert_memory_equal(end, "ac", 2);
    assert_int_equal(kv_prefix_end(BYTES("a\xff\xff"), end), 1);
    assert_memory_equal(end, "b", 1);
    assert_int_equal(kv_prefix_end(BYTES("\xff\xff"), end), 0);
    assert_int_equal(kv_prefix_end(BYTES(""), end), 0);
}

static void the_next_key_is_the_smallest_that_is_larger(void **state) {
    (void)state;
    uint8_t next[KEY_BYTES_MAX];
    size_t len = 0;
    assert_true(kv_key_successor(BYTES("a"), next, &len));
    assert_int_equal(len, 2);
    assert_memory_equal(next, "a\0", 2);
}

static void the_next_key_of_a_longest_one_is_no_longer_than_that(void **state) {
    (void)state;
    uint8_t key[KEY_BYTES_MAX];
    uint8_t next[KEY_BYTES_MAX];
    size_t len = 0;
    memset(key, 'k', sizeof key);
    assert_true(kv_key_successor(bytes_of(key, sizeof key), next, &len));
    assert_int_equal(len, KEY_BYTES_MAX);
    assert_int_equal(next[len - 1], 'l');
    memset(key, 0xff, sizeof key);
    assert_false(kv_key_successor(bytes_of(key, sizeof key), next, &len));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_backslashes_and_controls_are_escaped),
        cmocka_unit_test(utf8_goes_out_as_it_is),
        cmocka_unit_test(what_is_not_utf8_becomes_base64_under_another_name),
        cmocka_unit_test(an_encoding_that_is_asked_for_is_always_used),
        cmocka_unit_test(commas_stand_between_members_and_elements_only),
        cmocka_unit_test(escaped_text_stays_on_one_line_and_is_unambiguous),
        cmocka_unit_test(long_values_are_encoded_in_pieces_without_a_seam),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(every_byte_comes_back_from_each_encoding),
        cmocka_unit_test(text_in_the_wrong_encoding_is_refused),
        cmocka_unit_test(utf8_refuses_overlong_forms_surrogates_and_beyond),
        cmocka_unit_test(a_prefix_ends_before_the_next_one),
        cmocka_unit_test(the_next_key_is_the_smallest_that_is_larger),
        cmocka_unit_test(the_next_key_of_a_longest_one_is_no_longer_than_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
