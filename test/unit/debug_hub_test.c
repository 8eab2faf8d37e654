/* The timeline, and what streams are given to send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "debug/hub.h"

#include <stdio.h>

#define RUN 1763850000123

static struct hub hub;
static unsigned printed;

static void print_count(void *context, struct text_writer *w) {
    (void)context;
    text_put(w, "page ");
    text_put_u64(w, ++printed);
}

static void start(uint64_t interval_ms, uint64_t hurry_ms) {
    struct hub_config config = {.print = print_count,
                                .print_bytes_max = 64,
                                .interval_ms = interval_ms,
                                .hurry_ms = hurry_ms};
    printed = 0;
    memset(&hub, 0, sizeof hub);
    hub_init(&hub, &config, RUN);
}

static void tell(const char *text) {
    struct timeline_event event = {.unix_ms = 5, .kind = "leader"};
    snprintf(event.text, sizeof event.text, "%s", text);
    hub_tell(&hub, &event);
}

static void gives_event(struct hub_cursor *cursor, const char *text) {
    struct hub_piece piece;
    assert_true(hub_next(&hub, cursor, &piece));
    assert_true(piece.has_event);
    assert_string_equal(piece.event.text, text);
}

static void gives_page(struct hub_cursor *cursor, const char *text) {
    struct hub_piece piece;
    assert_true(hub_next(&hub, cursor, &piece));
    assert_false(piece.has_event);
    assert_int_equal(piece.page->len, strlen(text));
    assert_memory_equal(piece.page->text, text, strlen(text));
    hub_release(&hub, piece.page);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void gives_all_events_and_then_the_status(void **state) {
    (void)state;
    struct hub_cursor cursor;
    start(60000, 60000);
    tell("one");
    tell("two");
    assert_true(hub_enter(&hub, NULL, &cursor));
    gives_event(&cursor, "one");
    gives_event(&cursor, "two");
    gives_page(&cursor, "page 1");
    hub.config.interval_ms = 1; /* no other thread is there */
    gives_page(&cursor, "page 2");
    hub_leave(&hub);
    hub_close(&hub);
}

static void goes_on_after_the_last_event_that_was_received(void **state) {
    (void)state;
    struct hub_cursor cursor;
    start(60000, 60000);
    tell("one");
    tell("two");
    assert_true(hub_enter(&hub, "1763850000123-1", &cursor));
    gives_event(&cursor, "two");
    hub_leave(&hub);
    assert_true(hub_enter(&hub, "1663850000123-2", &cursor)); /* of an earlier run */
    gives_event(&cursor, "one");
    hub_leave(&hub);
    assert_true(hub_enter(&hub, "1763850000123-3", &cursor)); /* was never given */
    gives_event(&cursor, "one");
    hub_leave(&hub);
    assert_true(hub_enter(&hub, "nonsense", &cursor));
    gives_event(&cursor, "one");
    hub_leave(&hub);
    hub_close(&hub);
}

static void prints_once_for_all_streams(void **state) {
    (void)state;
    struct hub_cursor cursors[3];
    start(60000, 60000);
    for (size_t i = 0; i < 3; i++) {
        assert_true(hub_enter(&hub, NULL, &cursors[i]));
        gives_page(&cursors[i], "page 1");
    }
    assert_int_equal(printed, 1);
    for (size_t i = 0; i < 3; i++)
        hub_leave(&hub);
    hub_close(&hub);
}

static void hurries_when_something_has_happened(void **state) {
    (void)state;
    struct hub_cursor cursor;
    start(600000, 1);
    assert_true(hub_enter(&hub, NULL, &cursor));
    gives_page(&cursor, "page 1");
    tell("one");
    gives_event(&cursor, "one");
    gives_page(&cursor, "page 2");
    hub_leave(&hub);
    hub_close(&hub);
}

static void takes_no_more_streams_than_there_are_threads_for(void **state) {
    (void)state;
    struct hub_cursor cursor;
    start(60000, 60000);
    for (unsigned i = 0; i < HUB_STREAMS_MAX; i++)
        assert_true(hub_enter(&hub, NULL, &cursor));
    assert_false(hub_enter(&hub, NULL, &cursor));
    hub_leave(&hub);
    assert_true(hub_enter(&hub, NULL, &cursor));
    for (unsigned i = 0; i < HUB_STREAMS_MAX; i++)
        hub_leave(&hub);
    hub_close(&hub);
}

struct waiting {
    struct hub_cursor cursor;
    bool has_piece;
};

static void *wait_for_the_next(void *context) {
    struct waiting *waiting = context;
    struct hub_piece piece;
    waiting->has_piece = hub_next(&hub, &waiting->cursor, &piece);
    return NULL;
}

static void ends_every_wait_when_it_stops(void **state) {
    (void)state;
    struct waiting waiting = {.has_piece = true};
    struct hub_cursor late;
    pthread_t thread;
    start(600000, 600000);
    assert_true(hub_enter(&hub, NULL, &waiting.cursor));
    gives_page(&waiting.cursor, "page 1");
    assert_int_equal(pthread_create(&thread, NULL, wait_for_the_next, &waiting), 0);
    hub_stop(&hub);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(waiting.has_piece);
    assert_false(hub_enter(&hub, NULL, &late));
    hub_leave(&hub);
    hub_close(&hub);
}

/* ---- The timeline ---------------------------------------------------------------------------- */

static void keeps_the_newest_events(void **state) {
    (void)state;
    static struct timeline timeline = {.run = RUN};
    struct timeline_event event = {.kind = "leader"};
    assert_null(timeline_after(&timeline, 0));
    for (uint64_t i = 0; i < TIMELINE_EVENTS + 5; i++)
        timeline_add(&timeline, &event);
    assert_int_equal(timeline_after(&timeline, 0)->number, 6);
    assert_int_equal(timeline_after(&timeline, 5)->number, 6);
    assert_int_equal(timeline_after(&timeline, 6)->number, 7);
    assert_int_equal(timeline_after(&timeline, TIMELINE_EVENTS + 4)->number, TIMELINE_EVENTS + 5);
    assert_null(timeline_after(&timeline, TIMELINE_EVENTS + 5));
}

static void prints_an_event_as_one_line_of_json(void **state) {
    (void)state;
    char text[TIMELINE_PRINTED_BYTES_MAX + 1];
    struct timeline_event event = {.number = 17,
                                   .unix_ms = 1763850012000,
                                   .level = DEBUG_WARN,
                                   .kind = "leader"};
    strcpy(event.text, "a \"name\"\nwith a line");
    struct text_writer w = text_writer_of(text, sizeof text - 1);
    timeline_print(RUN, &event, &w);
    text[w.len] = '\0';
    assert_string_equal(text, "event: timeline\nid: 1763850000123-17\n"
                              "data: {\"id\":\"1763850000123-17\",\"at_ms\":1763850012000,"
                              "\"level\":\"warn\",\"kind\":\"leader\","
                              "\"text\":\"a \\\"name\\\"\\nwith a line\"}\n\n");
    memset(event.text, 1, sizeof event.text - 1);
    w = text_writer_of(text, sizeof text);
    timeline_print(UINT64_MAX, &event, &w);
    assert_false(w.is_cut);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_all_events_and_then_the_status),
        cmocka_unit_test(goes_on_after_the_last_event_that_was_received),
        cmocka_unit_test(prints_once_for_all_streams),
        cmocka_unit_test(hurries_when_something_has_happened),
        cmocka_unit_test(takes_no_more_streams_than_there_are_threads_for),
        cmocka_unit_test(ends_every_wait_when_it_stops),
        cmocka_unit_test(keeps_the_newest_events),
        cmocka_unit_test(prints_an_event_as_one_line_of_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
