/* Given a rate and a seed, the moments at which the load generator begins its calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/schedule.h"

#define MOMENTS 100000
#define RATE 4000.0
#define GAP_NS (1e9 / RATE)

static void moments_never_go_back(void **state) {
    (void)state;
    struct schedule s;
    schedule_init(&s, RATE, 1);
    for (uint64_t before = 0, i = 0; i < MOMENTS; i++) {
        uint64_t at = schedule_next(&s);
        assert_true(at >= before);
        before = at;
    }
}

/* The mean of so many exponential gaps lies within four of its deviations, 1.3 %. */
static void there_are_as_many_as_the_rate_says(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct schedule s;
        schedule_init(&s, RATE, seed);
        uint64_t at = 0;
        for (int i = 0; i < MOMENTS; i++)
            at = schedule_next(&s);
        assert_in_range(at, (uint64_t)(MOMENTS * GAP_NS * 0.987),
                        (uint64_t)(MOMENTS * GAP_NS * 1.013));
    }
}

/* The share of gaps longer than k mean ones is e^-k. */
static void gaps_are_as_long_as_chance_makes_them(void **state) {
    (void)state;
    struct schedule s;
    schedule_init(&s, RATE, 7);
    uint64_t longer[4] = {0};
    for (uint64_t before = 0, i = 0; i < MOMENTS; i++) {
        uint64_t at = schedule_next(&s);
        for (uint64_t k = 0; k < 4; k++)
            longer[k] += (double)(at - before) > (double)k * GAP_NS;
        before = at;
    }
    assert_in_range(longer[1], 36000, 37600); /* of 36,788 */
    assert_in_range(longer[2], 13000, 14100); /* of 13,534 */
    assert_in_range(longer[3], 4700, 5260);   /* of 4,979 */
}

static void the_same_seed_gives_the_same_moments(void **state) {
    (void)state;
    struct schedule one, same, other;
    schedule_init(&one, RATE, 3);
    schedule_init(&same, RATE, 3);
    schedule_init(&other, RATE, 4);
    uint64_t equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t at = schedule_next(&one);
        assert_int_equal(at, schedule_next(&same));
        equal += at == schedule_next(&other);
    }
    assert_in_range(equal, 0, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_never_go_back),
        cmocka_unit_test(there_are_as_many_as_the_rate_says),
        cmocka_unit_test(gaps_are_as_long_as_chance_makes_them),
        cmocka_unit_test(the_same_seed_gives_the_same_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
