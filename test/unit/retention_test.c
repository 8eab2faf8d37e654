/* How much of the log stays behind the flush. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bounds.h"
#include "server/retention.h"

static struct retention retention;

static void keeps_the_tail_by_count(void **state) {
    (void)state;
    retention_init(&retention, 10, MIB);
    assert_int_equal(retention_through(&retention, 100, 10), 0);
    assert_int_equal(retention_through(&retention, 100, 100), 90);
    assert_int_equal(retention_through(&retention, 50, 100), 50);
}

static void keeps_nothing_behind_the_flush_when_told_so(void **state) {
    (void)state;
    retention_init(&retention, 0, MIB);
    assert_int_equal(retention_through(&retention, 100, 100), 100);
    assert_int_equal(retention_through(&retention, 7, 100), 7);
}

/* Else every entry that is written would have one cut, each in a transaction of its own. */
static void moves_in_steps(void **state) {
    (void)state;
    retention_init(&retention, 10000, UINT64_MAX);
    raft_index through = 0;
    unsigned moves = 0;
    for (raft_index last = 1; last <= 110000; last++) {
        raft_index next = retention_through(&retention, last, last);
        assert_true(next >= through);
        assert_true(last - next <= 10000);
        assert_true(last < 10000 || last - next > 8750 - 1);
        moves += next != through;
        through = next;
    }
    assert_int_equal(moves, 80);
}

static void keeps_no_more_bytes_than_allowed(void **state) {
    (void)state;
    retention_init(&retention, 10000, MIB);
    for (raft_index index = 1; index <= 1000; index++)
        retention_append(&retention, index, 64 * KIB);
    raft_index through = retention_through(&retention, 1000, 1000);
    assert_true(1000 - through <= MIB / (64 * KIB) + RETENTION_STRIDE);
    assert_true(through > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_tail_by_count),
        cmocka_unit_test(keeps_nothing_behind_the_flush_when_told_so),
        cmocka_unit_test(moves_in_steps),
        cmocka_unit_test(keeps_no_more_bytes_than_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
