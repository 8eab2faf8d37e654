/* Requests that wait for this node to belong to a cluster. */
#include "server/lobby.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct turn_request requests[4];

static struct lobby given_three_who_wait(void) {
    struct lobby lobby;
    const uint64_t deadlines_ms[] = {300, 100, 200};
    lobby_init(&lobby);
    for (size_t i = 0; i < 3; i++) {
        requests[i] = (struct turn_request){.deadline_ms = deadlines_ms[i]};
        lobby_enter(&lobby, &requests[i]);
    }
    return lobby;
}

static const struct turn_request *taken(struct turn_events *events) {
    struct turn_event *event = STAILQ_FIRST(events);
    if (event)
        STAILQ_REMOVE_HEAD(events, link);
    return (const struct turn_request *)event;
}

static void nobody_is_due_where_nobody_is(void **state) {
    struct lobby lobby;
    struct turn_events events;
    (void)state;
    lobby_init(&lobby);
    assert_int_equal(lobby_deadline_ms(&lobby), UINT64_MAX);
    lobby_take_expired(&lobby, UINT64_MAX, &events);
    assert_null(taken(&events));
}

static void the_earliest_deadline_counts(void **state) {
    (void)state;
    struct lobby lobby = given_three_who_wait();
    assert_int_equal(lobby_deadline_ms(&lobby), 100);
}

static void each_waits_for_as_long_as_its_caller(void **state) {
    (void)state;
    struct lobby lobby = given_three_who_wait();
    struct turn_events events;
    lobby_take_expired(&lobby, 99, &events);
    assert_null(taken(&events));
    lobby_take_expired(&lobby, 200, &events);
    assert_ptr_equal(taken(&events), &requests[1]);
    assert_ptr_equal(taken(&events), &requests[2]);
    assert_null(taken(&events));
    assert_int_equal(lobby_deadline_ms(&lobby), 300);
}

static void all_go_when_the_server_stops(void **state) {
    (void)state;
    struct lobby lobby = given_three_who_wait();
    struct turn_events events;
    lobby_take_expired(&lobby, UINT64_MAX, &events);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(taken(&events), &requests[i]);
    assert_null(taken(&events));
    assert_int_equal(lobby_deadline_ms(&lobby), UINT64_MAX);
}

static void all_go_in_before_what_came_after_them(void **state) {
    (void)state;
    struct lobby lobby = given_three_who_wait();
    struct turn_events events = STAILQ_HEAD_INITIALIZER(events);
    STAILQ_INSERT_TAIL(&events, &requests[3].event, link);
    lobby_leave(&lobby, &events);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(taken(&events), &requests[i]);
    assert_null(taken(&events));
    struct turn_events more = STAILQ_HEAD_INITIALIZER(more);
    lobby_leave(&lobby, &more);
    assert_null(taken(&more));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_due_where_nobody_is),
        cmocka_unit_test(the_earliest_deadline_counts),
        cmocka_unit_test(each_waits_for_as_long_as_its_caller),
        cmocka_unit_test(all_go_when_the_server_stops),
        cmocka_unit_test(all_go_in_before_what_came_after_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
