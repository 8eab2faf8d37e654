/* Given latencies, the quantiles that the load generator prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/histogram.h"

static void every_value_falls_into_a_slot_that_ends_at_or_just_after_it(void **state) {
    (void)state;
    for (uint64_t value = 1; value != 0; value <<= 1) {
        const uint64_t around[] = {value - 1, value, value + 1, value + value / 3};
        for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
            unsigned slot = histogram_slot(around[i]);
            assert_true(slot < HISTOGRAM_SLOTS);
            assert_true(histogram_value(slot) >= around[i]);
            assert_true(histogram_value(slot) - around[i] <= around[i] / HISTOGRAM_STEPS);
        }
    }
    assert_int_equal(histogram_slot(UINT64_MAX), HISTOGRAM_SLOTS - 1);
}

static void slots_follow_each_other_without_a_gap(void **state) {
    (void)state;
    for (unsigned slot = 0; slot + 1 < HISTOGRAM_SLOTS; slot++)
        assert_int_equal(histogram_slot(histogram_value(slot) + 1), slot + 1);
}

static void quantiles_are_those_of_the_values(void **state) {
    (void)state;
    static struct histogram h;
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_add(&h, value * 1000);
    assert_in_range(histogram_quantile(&h, 0.5), 500000, 508000);
    assert_in_range(histogram_quantile(&h, 0.99), 990000, 1000000);
    assert_int_equal(histogram_quantile(&h, 1), 1000000);
    assert_int_equal(h.max, 1000000);
}

static void nothing_added_gives_zero(void **state) {
    (void)state;
    static struct histogram h;
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_falls_into_a_slot_that_ends_at_or_just_after_it),
        cmocka_unit_test(slots_follow_each_other_without_a_gap),
        cmocka_unit_test(quantiles_are_those_of_the_values),
        cmocka_unit_test(nothing_added_gives_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
