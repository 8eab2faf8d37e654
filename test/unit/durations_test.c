/* Durations in fixed buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "durations.h"

static void puts_each_duration_below_its_bound(void **state) {
    (void)state;
    for (uint64_t us = 0; us < 100000; us++) {
        struct durations one = {0};
        struct durations_copy copy;
        durations_add(&one, us);
        durations_read(&one, &copy);
        unsigned bucket = 0;
        while (copy.counts[bucket] == 0)
            bucket++;
        assert_true(us <= durations_bound_us(bucket));
        assert_true(bucket == 0 || us > durations_bound_us(bucket - 1));
    }
}

static void has_bounds_that_grow(void **state) {
    (void)state;
    for (unsigned i = 1; i < DURATIONS_BUCKETS; i++)
        assert_true(durations_bound_us(i) > durations_bound_us(i - 1));
    assert_int_equal(durations_bound_us(DURATIONS_BUCKETS - 2), (uint64_t)1 << DURATIONS_POWERS);
    assert_true(durations_bound_us(DURATIONS_BUCKETS - 1) == UINT64_MAX);
}

static void takes_the_longest_of_all(void **state) {
    (void)state;
    struct durations some = {0};
    struct durations_copy copy;
    durations_add(&some, UINT64_MAX / 2);
    durations_add(&some, ((uint64_t)1 << DURATIONS_POWERS) + 1);
    durations_read(&some, &copy);
    assert_int_equal(copy.counts[DURATIONS_BUCKETS - 1], 2);
    assert_int_equal(durations_quantile_us(&copy, 99), (uint64_t)1 << DURATIONS_POWERS);
}

static void finds_quantiles_within_a_bucket(void **state) {
    (void)state;
    struct durations some = {0};
    struct durations_copy copy;
    for (uint64_t us = 1; us <= 10000; us++)
        durations_add(&some, us);
    durations_read(&some, &copy);
    assert_int_equal(durations_count(&copy), 10000);
    assert_int_equal(copy.sum_us, 10000 * 10001 / 2);
    assert_in_range(durations_quantile_us(&copy, 50), 4900, 5100);
    assert_in_range(durations_quantile_us(&copy, 99), 9900, 12288);
    assert_in_range(durations_quantile_us(&copy, 0), 0, 1);
}

static void knows_no_quantile_of_nothing(void **state) {
    (void)state;
    struct durations_copy copy = {0};
    assert_true(durations_quantile_us(&copy, 50) == UINT64_MAX);
}

static void tells_what_came_in_between(void **state) {
    (void)state;
    struct durations some = {0};
    struct durations_copy before, now, difference;
    durations_add_many(&some, 100, 7);
    durations_read(&some, &before);
    durations_add_many(&some, 8000, 3);
    durations_read(&some, &now);
    durations_since(&now, &before, &difference);
    assert_int_equal(durations_count(&difference), 3);
    assert_int_equal(difference.sum_us, 24000);
    assert_in_range(durations_quantile_us(&difference, 50), 6144, 8192);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_each_duration_below_its_bound),
        cmocka_unit_test(has_bounds_that_grow),
        cmocka_unit_test(takes_the_longest_of_all),
        cmocka_unit_test(finds_quantiles_within_a_bucket),
        cmocka_unit_test(knows_no_quantile_of_nothing),
        cmocka_unit_test(tells_what_came_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
