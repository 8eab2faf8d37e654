/* The loop's inbox: one turn at a time, by the loop or by who borrows it, and nothing is left
 * lying. */
#include "server/inbox.h"

#include "server/loop_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Only a broken inbox reaches this. */
#define PATIENCE_MS 60000

static struct inbox inbox;

/* ---- The loop, on a thread of its own -------------------------------------------------------- */

static struct {
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_uint turns;
    atomic_size_t taken;
    atomic_bool is_in_turn; /* anybody's */
    atomic_bool has_met;    /* two were in one */
    uint64_t deadline_ms;   /* how long it sleeps; 0: for ever */
} loop;

static size_t take_all(struct turn_events *events) {
    size_t count = 0;
    while (!STAILQ_EMPTY(events)) {
        STAILQ_REMOVE_HEAD(events, link);
        count++;
    }
    return count;
}

static void turn(struct turn_events *events, uint64_t stays_ms) {
    if (atomic_exchange(&loop.is_in_turn, true))
        atomic_store(&loop.has_met, true);
    atomic_fetch_add(&loop.taken, take_all(events));
    if (stays_ms > 0)
        usleep((useconds_t)stays_ms * 1000);
    atomic_store(&loop.is_in_turn, false);
}

static void *run_loop(void *unused) {
    while (!atomic_load(&loop.is_stopping)) {
        struct turn_events events;
        uint64_t deadline_ms = loop.deadline_ms == 0 ? UINT64_MAX : clock_ms() + loop.deadline_ms;
        inbox_take(&inbox, deadline_ms, &events);
        atomic_fetch_add(&loop.turns, 1);
        turn(&events, 0);
    }
    return unused;
}

static void wait_until_asleep(void) {
    for (bool is_asleep = false; !is_asleep; usleep(100)) {
        assert_int_equal(pthread_mutex_lock(&inbox.mutex), 0);
        is_asleep = inbox.loop == INBOX_ASLEEP;
        assert_int_equal(pthread_mutex_unlock(&inbox.mutex), 0);
    }
}

static void wait_until_taken(size_t count) {
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (atomic_load(&loop.taken) < count && clock_ms() < end_ms)
        usleep(100);
    assert_int_equal(atomic_load(&loop.taken), count);
}

/* ---- The borrower ---------------------------------------------------------------------------- */

static struct {
    atomic_uint turns;
    uint64_t deadline_ms;         /* what the loop is told */
    struct turn_event *left_over; /* comes in during the turn */
    uint64_t stays_ms;
} borrower;

static uint64_t run_borrowed(void *context, struct turn_events *events) {
    assert_ptr_equal(context, &borrower);
    atomic_fetch_add(&borrower.turns, 1);
    turn(events, borrower.stays_ms);
    if (borrower.left_over)
        inbox_post(&inbox, borrower.left_over);
    borrower.left_over = NULL;
    return borrower.deadline_ms;
}

static int set_up(void **state) {
    (void)state;
    memset(&borrower, 0, sizeof borrower);
    memset(&loop, 0, sizeof loop);
    borrower.deadline_ms = UINT64_MAX;
    inbox_init(&inbox);
    inbox_lend(&inbox, run_borrowed, &borrower);
    return 0;
}

static void start(void) {
    assert_int_equal(pthread_create(&loop.thread, NULL, run_loop, NULL), 0);
    if (loop.deadline_ms == 0)
        wait_until_asleep();
}

static void stop(void) {
    struct turn_event last = {.kind = TURN_STOP};
    atomic_store(&loop.is_stopping, true);
    inbox_post(&inbox, &last);
    assert_int_equal(pthread_join(loop.thread, NULL), 0);
    assert_false(atomic_load(&loop.has_met));
}

static int tear_down(void **state) {
    (void)state;
    inbox_close(&inbox);
    return 0;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void what_was_put_is_run_at_once_while_the_loop_sleeps(void **state) {
    (void)state;
    struct turn_event events[] = {{.kind = TURN_REQUEST}, {.kind = TURN_MESSAGE}};
    start();
    inbox_put(&inbox, &events[0]);
    assert_int_equal(inbox_put_request(&inbox, &events[1]), STATUS_OK);
    inbox_run_or_wake(&inbox);
    assert_int_equal(atomic_load(&borrower.turns), 1);
    assert_int_equal(atomic_load(&loop.taken), 2);
    assert_int_equal(atomic_load(&loop.turns), 0);
    stop();
}

static void nothing_put_is_nothing_to_run(void **state) {
    (void)state;
    start();
    inbox_run_or_wake(&inbox);
    assert_int_equal(atomic_load(&borrower.turns), 0);
    assert_int_equal(atomic_load(&loop.turns), 0);
    stop();
}

static void what_is_the_loops_is_left_to_it_with_all_that_came_along(void **state) {
    (void)state;
    struct turn_event mine = {.kind = TURN_REQUEST};
    struct loop_event its = {0};
    start();
    inbox_put(&inbox, &mine);
    inbox_put(&inbox, loop_event_of(&its, NULL));
    inbox_run_or_wake(&inbox);
    wait_until_taken(2);
    assert_int_equal(atomic_load(&borrower.turns), 0);
    stop();
}

static void a_post_wakes_the_loop(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    start();
    inbox_post(&inbox, &event);
    wait_until_taken(1);
    assert_int_equal(atomic_load(&borrower.turns), 0);
    stop();
}

static void the_loop_is_woken_for_a_deadline_that_the_turn_brought_nearer(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    start();
    borrower.deadline_ms = clock_ms() + 5;
    inbox_put(&inbox, &event);
    inbox_run_or_wake(&inbox);
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (atomic_load(&loop.turns) == 0 && clock_ms() < end_ms)
        usleep(100);
    assert_int_not_equal(atomic_load(&loop.turns), 0);
    stop();
}

static void the_loop_takes_what_came_while_its_turn_was_lent(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    struct turn_event later = {.kind = TURN_REQUEST};
    start();
    borrower.left_over = &later;
    inbox_put(&inbox, &event);
    inbox_run_or_wake(&inbox);
    assert_int_equal(atomic_load(&borrower.turns), 1);
    wait_until_taken(2);
    stop();
}

/* Its sleep is over while somebody else is in a turn: it waits for him. */
static void the_loop_waits_for_a_turn_that_is_lent(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    loop.deadline_ms = 20;
    borrower.stays_ms = 60;
    start();
    wait_until_asleep();
    for (size_t i = 0; i < 5; i++) {
        inbox_put(&inbox, &event);
        inbox_run_or_wake(&inbox);
        wait_until_taken(i + 1);
    }
    stop(); /* nobody met anybody */
}

static void a_turn_that_is_not_lent_is_the_loops(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    inbox_lend(&inbox, NULL, NULL);
    start();
    inbox_put(&inbox, &event);
    inbox_run_or_wake(&inbox);
    wait_until_taken(1);
    assert_int_equal(atomic_load(&borrower.turns), 0);
    stop();
}

static void a_request_after_the_refusal_is_not_taken(void **state) {
    (void)state;
    struct turn_event event = {.kind = TURN_REQUEST};
    inbox_refuse(&inbox);
    assert_int_equal(inbox_put_request(&inbox, &event), STATUS_UNAVAILABLE);
    assert_int_equal(inbox_post_request(&inbox, &event), STATUS_UNAVAILABLE);
    inbox_run_or_wake(&inbox);
    assert_int_equal(atomic_load(&borrower.turns), 0);
}

/* ---- All at once ----------------------------------------------------------------------------- */

#define POSTERS 3
#define POSTS 20000

static void *post_many(void *argument) {
    struct turn_event *events = argument;
    for (size_t i = 0; i < POSTS; i++) {
        events[i].kind = i % 64 == 0 ? TURN_ROOM : TURN_REQUEST;
        if (i % 7 == 0) {
            inbox_post(&inbox, &events[i]);
        } else {
            inbox_put(&inbox, &events[i]);
            if (i % 3 != 0)
                inbox_run_or_wake(&inbox);
        }
    }
    inbox_run_or_wake(&inbox);
    return NULL;
}

static void all_of_it_is_taken_once_and_in_one_turn_at_a_time(void **state) {
    (void)state;
    pthread_t threads[POSTERS];
    struct turn_event *events = calloc((size_t)POSTERS * POSTS, sizeof *events);
    assert_non_null(events);
    loop.deadline_ms = 1;
    start();
    for (size_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, events + i * POSTS), 0);
    for (size_t i = 0; i < POSTERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    wait_until_taken((size_t)POSTERS * POSTS);
    stop();
    free(events);
}

#define INBOX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        INBOX_TEST(what_was_put_is_run_at_once_while_the_loop_sleeps),
        INBOX_TEST(nothing_put_is_nothing_to_run),
        INBOX_TEST(what_is_the_loops_is_left_to_it_with_all_that_came_along),
        INBOX_TEST(a_post_wakes_the_loop),
        INBOX_TEST(the_loop_is_woken_for_a_deadline_that_the_turn_brought_nearer),
        INBOX_TEST(the_loop_takes_what_came_while_its_turn_was_lent),
        INBOX_TEST(the_loop_waits_for_a_turn_that_is_lent),
        INBOX_TEST(a_turn_that_is_not_lent_is_the_loops),
        INBOX_TEST(a_request_after_the_refusal_is_not_taken),
        INBOX_TEST(all_of_it_is_taken_once_and_in_one_turn_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
