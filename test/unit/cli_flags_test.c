/* Given the words of a command line, what the user meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/commands.h"
#include "phalanx/flags.h"

#define WORDS_MAX 16

struct parsed {
    struct cli_flags flags;
    const char *arguments[WORDS_MAX];
    size_t argument_count;
    char error[256];
};

/* Up to WORDS_MAX words, ending with NULL. */
static bool parse(struct parsed *p, const char *const *words) {
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    *p = (struct parsed){0};
    return cli_flags_parse(count, words, &p->flags, p->arguments, &p->argument_count, p->error,
                           sizeof p->error);
}

#define PARSE(p, ...) parse((p), (const char *const[]){__VA_ARGS__, NULL})

static void flags_may_stand_before_and_after_arguments(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-o", "json", "put", "-timeout", "2s", "key", "value", "--addr", "a:1"));
    assert_int_equal(p.argument_count, 3);
    assert_string_equal(p.arguments[0], "put");
    assert_string_equal(p.arguments[2], "value");
    assert_true(p.flags.is_json);
    assert_int_equal(p.flags.timeout_ms, 2000);
    assert_string_equal(p.flags.addresses, "a:1");
}

static void one_dash_two_dashes_and_equals_are_the_same(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-limit=7", "--prefix=", "--keys-only", "-hex=false"));
    assert_int_equal(p.flags.limit, 7);
    assert_string_equal(p.flags.prefix, "");
    assert_true(p.flags.keys_only);
    assert_int_equal(p.flags.encoding, CLI_RAW);
    assert_int_equal(p.argument_count, 0);
}

static void after_two_dashes_everything_is_an_argument(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "get", "--", "-o", "--"));
    assert_int_equal(p.argument_count, 3);
    assert_string_equal(p.arguments[1], "-o");
    assert_string_equal(p.arguments[2], "--");
}

static void a_single_dash_and_an_empty_word_are_arguments(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "put", "", "-"));
    assert_int_equal(p.argument_count, 3);
    assert_string_equal(p.arguments[2], "-");
}

static void a_flag_takes_the_next_word_even_with_a_dash(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-prefix", "-x"));
    assert_string_equal(p.flags.prefix, "-x");
    assert_int_equal(p.argument_count, 0);
}

static void an_unknown_flag_is_named(void **state) {
    (void)state;
    struct parsed p;
    assert_false(PARSE(&p, "get", "-frob=1", "k"));
    assert_non_null(strstr(p.error, "-frob=1: unknown flag"));
    assert_false(PARSE(&p, "---o", "json"));
    assert_false(PARSE(&p, "-keys", "k")); /* no abbreviations: they would change with us */
}

static void a_flag_without_its_value_says_what_is_missing(void **state) {
    (void)state;
    struct parsed p;
    assert_false(PARSE(&p, "scan", "-limit"));
    assert_non_null(strstr(p.error, "needs a value"));
}

static void times_need_a_unit_and_stay_in_range(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-timeout", "1.5s"));
    assert_int_equal(p.flags.timeout_ms, 1500);
    assert_true(PARSE(&p, "-timeout", "10m"));
    assert_int_equal(p.flags.timeout_ms, 600000);
    assert_true(PARSE(&p, "-timeout", "1ms"));
    const char *const wrong[] = {"5", "0s", "0.5ms", "11m",  "-1s", "1.2.3s",
                                 "s", "",   "1 s",   "5sec", ".s"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(PARSE(&p, "-timeout", wrong[i]));
}

static void numbers_are_whole_and_not_negative(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-prev-revision", "0"));
    assert_true((p.flags.given & CLI_FLAG_BIT(CLI_FLAG_PREV_REVISION)) != 0);
    assert_true(PARSE(&p, "-prev-revision", "9223372036854775807"));
    assert_true(p.flags.prev_revision == INT64_MAX);
    const char *const wrong[] = {"9223372036854775808", "-1", "+1", "", " 1", "1 ", "0x10", "1e3"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(PARSE(&p, "-prev-revision", wrong[i]));
}

static void a_request_id_is_two_numbers_from_one(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-request-id", "18446744073709551615:256"));
    assert_true(p.flags.client_id == UINT64_MAX);
    assert_int_equal(p.flags.sequence, 256);
    assert_true(PARSE(&p, "-request-id", "0xff:1"));
    assert_int_equal(p.flags.client_id, 255);
    assert_true(PARSE(&p, "-request-id", "none"));
    assert_true(p.flags.client_id == 0);
    const char *const wrong[] = {"1", "1:", ":1", "0:1", "1:0", "1:2:3", "a:b", "-1:1", "non"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(PARSE(&p, "-request-id", wrong[i]));
}

static void choices_are_exactly_those(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "-consistency", "stale"));
    assert_true(p.flags.is_stale);
    assert_false(PARSE(&p, "-consistency", "fast"));
    assert_false(PARSE(&p, "-o", "yaml"));
    assert_false(PARSE(&p, "-keys-only=maybe"));
}

static void the_address_comes_from_the_flag_then_the_environment_then_the_default(void **state) {
    (void)state;
    struct parsed p;
    unsetenv("PHALANX_ADDR");
    assert_true(PARSE(&p, "get"));
    assert_string_equal(p.flags.addresses, "127.0.0.1:9000");
    setenv("PHALANX_ADDR", "b:2", 1);
    assert_true(PARSE(&p, "get"));
    assert_string_equal(p.flags.addresses, "b:2");
    assert_true(PARSE(&p, "get", "-addr", "c:3"));
    assert_string_equal(p.flags.addresses, "c:3");
    unsetenv("PHALANX_ADDR");
}

static void certificates_come_from_flags_then_the_environment(void **state) {
    (void)state;
    struct parsed p;
    assert_true(PARSE(&p, "get"));
    assert_string_equal(p.flags.tls_cert, "");
    setenv("PHALANX_TLS_CA", "ca.pem", 1);
    setenv("PHALANX_TLS_NAME", "n", 1);
    assert_true(PARSE(&p, "get", "-tls-cert", "c.pem", "--tls-key=k.pem", "-tls-name", "m"));
    assert_string_equal(p.flags.tls_cert, "c.pem");
    assert_string_equal(p.flags.tls_key, "k.pem");
    assert_string_equal(p.flags.tls_ca, "ca.pem");
    assert_string_equal(p.flags.tls_name, "m");
    unsetenv("PHALANX_TLS_CA");
    unsetenv("PHALANX_TLS_NAME");
}

static void commands_are_found_by_one_word_or_two(void **state) {
    (void)state;
    size_t named = 0;
    const char *const save[] = {"snapshot", "save", "file"};
    const struct cli_command *command = cli_command_find(save, 3, &named);
    assert_non_null(command);
    assert_string_equal(command->name, "snapshot save");
    assert_int_equal(named, 2);
    assert_null(cli_command_find(save, 1, &named));
    assert_true(cli_command_is_group("snapshot"));
    assert_false(cli_command_is_group("snap"));
    assert_false(cli_command_is_group("put"));
    const char *const get[] = {"get", "save"};
    assert_string_equal(cli_command_find(get, 2, &named)->name, "get");
    assert_int_equal(named, 1);
}

static void usage_errors_exit_with_two_and_help_with_zero(void **state) {
    (void)state;
    assert_int_equal(cli_run(2, (const char *const[]){"get", "-frob"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(1, (const char *const[]){"get"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(3, (const char *const[]){"get", "a", "b"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(3, (const char *const[]){"get", "a", "-limit=1"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(4, (const char *const[]){"get", "a", "-hex", "-base64"}),
                     CLI_EXIT_USAGE);
    assert_int_equal(cli_run(3, (const char *const[]){"get", "abc", "-hex"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(3, (const char *const[]){"get", "a", "-addr=nowhere"}),
                     CLI_EXIT_USAGE);
    assert_int_equal(cli_run(3, (const char *const[]){"put", "", "v"}), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(0, NULL), CLI_EXIT_USAGE);
    assert_int_equal(cli_run(1, (const char *const[]){"-help"}), CLI_EXIT_OK);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        const char *const words[] = {"help", c->name};
        if (strchr(c->name, ' ') == NULL)
            assert_int_equal(cli_run(2, words), CLI_EXIT_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_may_stand_before_and_after_arguments),
        cmocka_unit_test(one_dash_two_dashes_and_equals_are_the_same),
        cmocka_unit_test(after_two_dashes_everything_is_an_argument),
        cmocka_unit_test(a_single_dash_and_an_empty_word_are_arguments),
        cmocka_unit_test(a_flag_takes_the_next_word_even_with_a_dash),
        cmocka_unit_test(an_unknown_flag_is_named),
        cmocka_unit_test(a_flag_without_its_value_says_what_is_missing),
        cmocka_unit_test(times_need_a_unit_and_stay_in_range),
        cmocka_unit_test(numbers_are_whole_and_not_negative),
        cmocka_unit_test(a_request_id_is_two_numbers_from_one),
        cmocka_unit_test(choices_are_exactly_those),
        cmocka_unit_test(the_address_comes_from_the_flag_then_the_environment_then_the_default),
        cmocka_unit_test(certificates_come_from_flags_then_the_environment),
        cmocka_unit_test(commands_are_found_by_one_word_or_two),
        cmocka_unit_test(usage_errors_exit_with_two_and_help_with_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
