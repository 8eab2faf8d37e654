/* Given a word, which node a user means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/member.h"

static void a_word_is_a_name(void **state) {
    (void)state;
    struct rpc_member_name name;
    assert_true(cli_member_read("node-1", &name));
    assert_string_equal(name.name, "node-1");
    assert_true(name.id == 0);
}

static void hexadecimal_digits_alone_are_a_name_too(void **state) {
    (void)state;
    struct rpc_member_name name;
    assert_true(cli_member_read("0123456789abcdef", &name));
    assert_string_equal(name.name, "0123456789abcdef");
    assert_true(name.id == 0);
}

static void after_id_and_a_colon_comes_an_identity(void **state) {
    (void)state;
    struct rpc_member_name name;
    assert_true(cli_member_read("id:0123456789abcdEF", &name));
    assert_true(name.id == 0x0123456789abcdef);
    assert_string_equal(name.name, "");
    assert_true(cli_member_read("id:f", &name));
    assert_true(name.id == 15);
}

static void what_is_neither_is_refused(void **state) {
    (void)state;
    char long_name[NAME_BYTES_MAX + 1];
    memset(long_name, 'n', NAME_BYTES_MAX);
    long_name[NAME_BYTES_MAX] = '\0';
    const char *const wrong[] = {"",       "id:",    "id:0",           "id:0123456789abcdef0",
                                 "id:xyz", "id:+1",  "id: 1",          "id:0x1",
                                 "ID:12",  "node:1", "127.0.0.1:9000", long_name};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rpc_member_name name = {.id = 7};
        assert_false(cli_member_read(wrong[i], &name));
        assert_true(name.id == 7);
    }
    struct rpc_member_name name;
    assert_true(cli_member_read(long_name + 1, &name));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_a_name),
        cmocka_unit_test(hexadecimal_digits_alone_are_a_name_too),
        cmocka_unit_test(after_id_and_a_colon_comes_an_identity),
        cmocka_unit_test(what_is_neither_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
