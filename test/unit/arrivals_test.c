/* Datagrams on their way to the loop: what finds a place, and who does. */
#include "server/arrivals.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arrivals arrivals;

static int set_up(void **state) {
    (void)state;
    return arrivals_init(&arrivals) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arrivals_close(&arrivals);
    return 0;
}

static struct arrival arrival_of(uint16_t port, size_t len) {
    return (struct arrival){.from = {.ip = {0xfd, 0xaa}, .port = port}, .len = len};
}

static bool put(uint16_t port, size_t len) {
    struct arrival arrival = arrival_of(port, len);
    return arrivals_put(&arrivals, &arrival);
}

static void come_out_in_the_order_they_came_in(void **state) {
    struct arrival taken;
    (void)state;
    for (size_t round = 0; round < 3; round++) { /* around the ring's end */
        for (size_t i = 0; i < ARRIVALS_STRANGERS_MAX; i++)
            (void)put(1, i);
        for (size_t i = 0; i < ARRIVALS_STRANGERS_MAX; i++) {
            assert_true(arrivals_take(&arrivals, &taken));
            assert_int_equal(taken.len, i);
        }
        assert_false(arrivals_take(&arrivals, &taken));
    }
    assert_int_equal(arrivals_dropped_total(&arrivals), 0);
}

static void the_taker_is_called_once(void **state) {
    struct arrival taken;
    (void)state;
    assert_true(put(1, 1));
    assert_false(put(1, 2)); /* it is on the way */
    assert_true(arrivals_take(&arrivals, &taken));
    assert_true(arrivals_leave(&arrivals)); /* one is left */
    assert_false(put(1, 3));
    while (arrivals_take(&arrivals, &taken))
        continue;
    assert_false(arrivals_leave(&arrivals));
    assert_true(put(1, 4));
}

static void strangers_leave_room_for_the_known(void **state) {
    struct gossip_address known = arrival_of(7, 0).from;
    (void)state;
    arrivals_set_known(&arrivals, &known, 1);
    for (size_t i = 0; i < 2 * ARRIVALS_MAX; i++)
        (void)put(1, 1);
    assert_int_equal(arrivals.count, ARRIVALS_STRANGERS_MAX);
    for (size_t i = 0; i < 2 * ARRIVALS_MAX; i++)
        (void)put(7, 1);
    assert_int_equal(arrivals.count, ARRIVALS_MAX);
    assert_int_equal(arrivals_dropped_total(&arrivals), 3 * ARRIVALS_MAX);
    arrivals_drop(&arrivals);
    assert_int_equal(arrivals_dropped_total(&arrivals), 3 * ARRIVALS_MAX + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(come_out_in_the_order_they_came_in),
        TEST(the_taker_is_called_once),
        TEST(strangers_leave_room_for_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
