/* Which datagrams came before, and which life of a member is the newest. */
#include "gossip/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum gossip_freshness take(struct gossip_window *window, uint32_t life, uint64_t incarnation,
                                  uint32_t number) {
    struct gossip_head head = {.life = life, .incarnation = incarnation, .number = number};
    return gossip__window_take(window, &head, false);
}

static enum gossip_freshness take_awaited(struct gossip_window *window, uint32_t life,
                                          uint64_t incarnation, uint32_t number) {
    struct gossip_head head = {.life = life, .incarnation = incarnation, .number = number};
    return gossip__window_take(window, &head, true);
}

static void each_number_counts_once_in_any_order(void **state) {
    (void)state;
    struct gossip_window window = {0};
    static const uint32_t numbers[] = {5, 6, 9, 7, 8, 72, 100, 99};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(take(&window, 1, 1, numbers[i]), FRESH);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(take(&window, 1, 1, numbers[i]), REPLAYED);
}

static void what_is_too_old_to_tell_counts_as_replayed(void **state) {
    (void)state;
    struct gossip_window window = {0};
    assert_int_equal(take(&window, 1, 1, 100), FRESH);
    assert_int_equal(take(&window, 1, 1, 37), FRESH);
    assert_int_equal(take(&window, 1, 1, 36), REPLAYED);
}

static void a_later_life_follows_if_it_got_further(void **state) {
    (void)state;
    struct gossip_window window = {0};
    assert_int_equal(take(&window, 1, 10, 1), FRESH);
    assert_int_equal(take(&window, 1, 12, 2), FRESH);
    assert_int_equal(take(&window, 2, 12, 1), FORMER_LIFE);
    assert_int_equal(take(&window, 2, 13, 2), FRESH);
    assert_int_equal(take(&window, 1, 12, 3), FORMER_LIFE);
}

/* Somebody without a key may pretend to be a later life; an answer to our own question is no
 * pretence. */
static void an_awaited_answer_puts_things_right(void **state) {
    (void)state;
    struct gossip_window window = {0};
    assert_int_equal(take(&window, 1, 10, 1), FRESH);
    assert_int_equal(take(&window, 9, 1000, 7), FRESH);
    assert_int_equal(take(&window, 1, 10, 2), FORMER_LIFE);
    assert_int_equal(take_awaited(&window, 1, 10, 3), OTHER_LIFE);
    assert_int_equal(take(&window, 1, 10, 4), FRESH);
}

static void a_forged_number_does_not_shut_out_answers(void **state) {
    (void)state;
    struct gossip_window window = {0};
    assert_int_equal(take(&window, 1, 10, 1), FRESH);
    assert_int_equal(take(&window, 1, 10, UINT32_MAX), FRESH);
    assert_int_equal(take(&window, 1, 10, 2), REPLAYED);
    assert_int_equal(take_awaited(&window, 1, 10, 3), FRESH);
    assert_int_equal(take(&window, 1, 10, 4), FRESH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_counts_once_in_any_order),
        cmocka_unit_test(what_is_too_old_to_tell_counts_as_replayed),
        cmocka_unit_test(a_later_life_follows_if_it_got_further),
        cmocka_unit_test(an_awaited_answer_puts_things_right),
        cmocka_unit_test(a_forged_number_does_not_shut_out_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
