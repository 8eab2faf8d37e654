/* Log lines as bytes, and what reaches standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define NOON_MS UINT64_C(1714564800250)

static char line[LOG_LINE_BYTES_MAX + 1];

static const char *line_of(enum log_format format, const char *name,
                           const struct log_field *fields) {
    const struct log_event event = {
        .level = LOG_LEVEL_INFO,
        .unix_ms = NOON_MS,
        .name = name,
        .fields = fields,
    };
    size_t len = log_line(line, format, &event);
    assert_true(len <= LOG_LINE_BYTES_MAX);
    line[len] = '\0';
    return line;
}

#define LOGFMT(name, ...) \
    line_of(LOG_FORMAT_LOGFMT, name, (const struct log_field[]){__VA_ARGS__, LOG_END})
#define JSON(name, ...) \
    line_of(LOG_FORMAT_JSON, name, (const struct log_field[]){__VA_ARGS__, LOG_END})

#define LOGFMT_HEAD "time=2024-05-01T12:00:00.250Z level=info msg="
#define JSON_HEAD "{\"time\":\"2024-05-01T12:00:00.250Z\",\"level\":\"info\",\"msg\":"

static void writes_each_type_of_field(void **state) {
    (void)state;
    const struct log_field fields[] = {
        log_u64("term", UINT64_MAX),
        log_i64("delta", -3),
        log_bool("ready", true),
        log_hex("identity", 0xabcd),
        log_text("node", "node-1"),
        log_status("why", STATUS_OVERLOAD),
        LOG_END,
    };
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, "leader elected", fields),
                        LOGFMT_HEAD "\"leader elected\" term=18446744073709551615 delta=-3 "
                                    "ready=true identity=000000000000abcd node=node-1 "
                                    "why=overload\n");
    assert_string_equal(line_of(LOG_FORMAT_JSON, "leader elected", fields),
                        JSON_HEAD "\"leader elected\",\"term\":18446744073709551615,\"delta\":-3,"
                                  "\"ready\":true,\"identity\":\"000000000000abcd\","
                                  "\"node\":\"node-1\",\"why\":\"overload\"}\n");
}

static void writes_a_line_without_fields(void **state) {
    (void)state;
    const struct log_field none[] = {LOG_END};
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, "stopped", none), LOGFMT_HEAD "stopped\n");
    assert_string_equal(line_of(LOG_FORMAT_JSON, "stopped", none), JSON_HEAD "\"stopped\"}\n");
}

static void quotes_what_a_reader_would_split(void **state) {
    (void)state;
    assert_string_equal(LOGFMT("x", log_text("a", "two words"), log_text("b", "k=v"),
                               log_text("c", "say \"hi\""), log_text("d", "back\\slash"),
                               log_text("e", ""), log_text("f", NULL)),
                        LOGFMT_HEAD "x a=\"two words\" b=\"k=v\" c=\"say \\\"hi\\\"\" "
                                    "d=\"back\\\\slash\" e=\"\" f=\"\"\n");
}

static void keeps_one_line_whatever_the_value_holds(void **state) {
    (void)state;
    static const uint8_t nasty[] = "a\nb\rc\td\0e\x1b[31m\x7f\xc2\x9b";
    JSON("x", log_bytes("value", bytes_of(nasty, sizeof nasty - 1)));
    assert_string_equal(line, JSON_HEAD "\"x\",\"value\":\"a\\nb\\rc\\td\\u0000e\\u001b[31m\\u007f"
                                        "\\u009b\"}\n");
}

static void keeps_utf8_and_shows_other_bytes_in_hex(void **state) {
    (void)state;
    JSON("x", log_text("good", "zoë 🙂"), log_text("stray", "\xff"),
         log_text("short", "\xe2\x82"), log_text("overlong", "\xc0\xaf"),
         log_text("surrogate", "\xed\xa0\x80"));
    assert_string_equal(line, JSON_HEAD "\"x\",\"good\":\"zoë 🙂\",\"stray\":\"\\\\xff\","
                                        "\"short\":\"\\\\xe2\\\\x82\","
                                        "\"overlong\":\"\\\\xc0\\\\xaf\","
                                        "\"surrogate\":\"\\\\xed\\\\xa0\\\\x80\"}\n");
}

static void cuts_a_long_value_and_marks_it(void **state) {
    (void)state;
    char value[3 * LOG_VALUE_BYTES_MAX];
    memset(value, 'v', sizeof value);
    LOGFMT("x", log_bytes("value", bytes_of(value, sizeof value)), log_u64("after", 1));
    assert_non_null(strstr(line, "vvv…\" after=1\n"));
    assert_true(strlen(line) < LOG_VALUE_BYTES_MAX + 200);
}

static void cuts_between_characters(void **state) {
    (void)state;
    char value[2 * LOG_VALUE_BYTES_MAX];
    for (size_t i = 0; i + 3 <= sizeof value; i += 3)
        memcpy(value + i, "€", 3);
    JSON("x", log_bytes("value", bytes_of(value, sizeof value / 3 * 3)));
    assert_non_null(strstr(line, "€…\"}\n"));
}

static void marks_a_line_that_lost_fields(void **state) {
    (void)state;
    char value[LOG_VALUE_BYTES_MAX];
    memset(value, '\n', sizeof value);
    struct bytes large = bytes_of(value, sizeof value);
    const struct log_field fields[] = {
        log_bytes("a", large),
        log_bytes("b", large),
        log_bytes("c", large),
        log_bytes("d", large),
        log_bytes("e", large),
        log_u64("f", 6),
        LOG_END,
    };
    line_of(LOG_FORMAT_LOGFMT, "x", fields);
    assert_non_null(strstr(line, "…\" truncated=true\n"));
    assert_null(strstr(line, "f=6"));
    line_of(LOG_FORMAT_JSON, "x", fields);
    assert_non_null(strstr(line, "…\",\"truncated\":true}\n"));
}

/* Each length puts the edge of the line at another place. */
static void fits_a_line_at_every_length(void **state) {
    (void)state;
    char value[LOG_VALUE_BYTES_MAX];
    memset(value, 'v', sizeof value);
    struct bytes full = bytes_of(value, sizeof value);
    for (size_t len = 0; len < sizeof value; len++) {
        struct bytes part = bytes_of(value, len);
        JSON("x", log_bytes("a", full), log_bytes("b", full), log_bytes("c", full),
             log_bytes("d", part), log_bytes("e", part), log_u64("f", UINT64_MAX));
        assert_string_equal(line + strlen(line) - 2, "}\n");
        LOGFMT("x", log_bytes("a", full), log_bytes("b", full), log_bytes("c", full),
               log_bytes("d", part), log_bytes("e", part), log_u64("f", UINT64_MAX));
        assert_int_equal(line[strlen(line) - 1], '\n');
    }
}

static void allows_one_line_in_an_interval(void **state) {
    (void)state;
    struct log_pace pace = {0};
    uint64_t suppressed = 99;
    assert_true(log_pace_take_at(&pace, 1000, 500, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_false(log_pace_take_at(&pace, 1001, 500, &suppressed));
    assert_false(log_pace_take_at(&pace, 1499, 500, &suppressed));
    assert_true(log_pace_take_at(&pace, 1500, 500, &suppressed));
    assert_int_equal(suppressed, 2);
}

/* ---- Standard error ------------------------------------------------------------------------ */

struct capture {
    int saved;
    int reader;
};

static struct capture capture_begin(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct capture c = {.saved = dup(STDERR_FILENO), .reader = ends[0]};
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    return c;
}

/* Reads what is there, without waiting. */
static size_t capture_read(struct capture *c, char *text, size_t capacity) {
    assert_int_equal(fcntl(c->reader, F_SETFL, O_NONBLOCK), 0);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < capacity && (got = read(c->reader, text + len, capacity - len - 1)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return len;
}

static void capture_end(struct capture *c) {
    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    close(c->reader);
}

static unsigned evaluations;

static uint64_t evaluated(void) {
    return ++evaluations;
}

static void leaves_out_levels_that_are_off(void **state) {
    (void)state;
    char text[4096];
    struct capture c = capture_begin();
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    errno = ENOSPC;
    log_info("quiet", log_u64("n", evaluated()));
    log_warn("loud", log_u64("n", evaluated()), log_errno("error", ENOENT));
    int errno_after = errno;
    capture_read(&c, text, sizeof text);
    capture_end(&c);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);

    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, " level=warn msg=loud n=1 error=\"No such file or directory\"\n"));
    assert_int_equal(evaluations, 1);
    assert_int_equal(errno_after, ENOSPC);
}

static void says_how_many_lines_it_suppressed(void **state) {
    (void)state;
    char text[4096];
    struct capture c = capture_begin();
    for (int i = 0; i < 5; i++)
        log_every(3600 * 1000, LOG_LEVEL_WARN, "refused", log_u64("n", i));
    capture_read(&c, text, sizeof text);
    capture_end(&c);
    assert_non_null(strstr(text, "msg=refused n=0 suppressed=0\n"));
    assert_null(strstr(text, "n=1"));
}

static void drops_and_counts_lines_that_nobody_reads(void **state) {
    (void)state;
    static char text[1 << 17];
    char value[LOG_VALUE_BYTES_MAX];
    memset(value, 'v', sizeof value);
    struct capture c = capture_begin();
    for (int i = 0; i < 100; i++) /* a pipe holds 64 KiB */
        log_info("flood", log_bytes("value", bytes_of(value, sizeof value)));
    capture_read(&c, text, sizeof text);
    log_info("again");
    capture_read(&c, text, sizeof text);
    capture_end(&c);

    unsigned lost = 0;
    const char *mark = strstr(text, "msg=again lost_lines=");
    assert_non_null(mark);
    assert_int_equal(sscanf(mark, "msg=again lost_lines=%u", &lost), 1);
    assert_in_range(lost, 20, 60);
}

#define WRITERS 4
#define LINES_A_WRITER 50

static void *write_lines(void *argument) {
    char letter = *(const char *)argument;
    char value[200];
    memset(value, letter, sizeof value);
    for (int i = 0; i < LINES_A_WRITER; i++)
        log_info("crowd", log_bytes("value", bytes_of(value, sizeof value)));
    return NULL;
}

static void keeps_the_lines_of_threads_apart(void **state) {
    (void)state;
    static char text[1 << 17];
    static const char letters[WRITERS] = {'a', 'b', 'c', 'd'};
    pthread_t threads[WRITERS];
    struct capture c = capture_begin();
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)&letters[i]), 0);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    capture_read(&c, text, sizeof text);
    capture_end(&c);

    size_t count = 0;
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"), count++) {
        const char *value = strstr(at, "msg=crowd value=");
        assert_non_null(value);
        value += strlen("msg=crowd value=");
        assert_int_equal(strlen(value), 200);
        assert_int_equal(strspn(value, (const char[]){value[0], '\0'}), 200);
    }
    assert_int_equal(count, WRITERS * LINES_A_WRITER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_each_type_of_field),
        cmocka_unit_test(writes_a_line_without_fields),
        cmocka_unit_test(quotes_what_a_reader_would_split),
        cmocka_unit_test(keeps_one_line_whatever_the_value_holds),
        cmocka_unit_test(keeps_utf8_and_shows_other_bytes_in_hex),
        cmocka_unit_test(cuts_a_long_value_and_marks_it),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(marks_a_line_that_lost_fields),
        cmocka_unit_test(fits_a_line_at_every_length),
        cmocka_unit_test(allows_one_line_in_an_interval),
        cmocka_unit_test(leaves_out_levels_that_are_off),
        cmocka_unit_test(says_how_many_lines_it_suppressed),
        cmocka_unit_test(drops_and_counts_lines_that_nobody_reads),
        cmocka_unit_test(keeps_the_lines_of_threads_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
