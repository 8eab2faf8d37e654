/* What is believed of what is said, and for how long a suspicion waits. */
#include "gossip/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct gossip *g;
static const struct gossip_address source = {.ip = {1}, .port = 7946};

static int begin(void **state) {
    (void)state;
    struct gossip_config config = {
        .self = 1, .label = "x", .meta = {.name = "self"}, .tick_ms = 100, .now_ms = 1000};
    return gossip_new(&config, &g) == STATUS_OK ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    gossip_free(g);
    return 0;
}

static void hear(enum gossip_rumour_kind kind, uint64_t id, uint64_t incarnation) {
    struct gossip_rumour rumour = {.kind = kind,
                                   .id = id,
                                   .incarnation = incarnation,
                                   .address = source,
                                   .meta = {.name = "other"},
                                   .accuser_count = 1,
                                   .accusers = {3}};
    gossip__hear(g, &rumour, &source);
    g->change_count = 0;
}

static enum gossip_state state_of(uint64_t id) {
    return gossip_find(g, id)->state;
}

static void wait_ms(uint64_t span_ms) {
    g->now_ms += span_ms;
    gossip__age(g);
    g->change_count = 0;
}

static void meet_three(void) {
    for (uint64_t id = 2; id <= 4; id++)
        hear(RUMOUR_ALIVE, id, 10);
}

static void an_accusation_counts_against_the_known_incarnation_alone(void **state) {
    (void)state;
    meet_three();
    hear(RUMOUR_SUSPECT, 2, 9);
    hear(RUMOUR_SUSPECT, 2, 11);
    hear(RUMOUR_DEAD, 2, 9);
    hear(RUMOUR_DEAD, 2, 11);
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
    hear(RUMOUR_SUSPECT, 2, 10);
    assert_int_equal(state_of(2), GOSSIP_SUSPECT);
    hear(RUMOUR_ALIVE, 2, 10);
    assert_int_equal(state_of(2), GOSSIP_SUSPECT);
    hear(RUMOUR_ALIVE, 2, 11);
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
}

static void nobody_is_dead_for_being_called_so(void **state) {
    (void)state;
    meet_three();
    uint64_t min_ms = gossip__suspect_ms(&g->timing, 4);
    hear(RUMOUR_DEAD, 2, 10);
    assert_int_equal(state_of(2), GOSSIP_SUSPECT);
    wait_ms(min_ms - 1);
    assert_int_equal(state_of(2), GOSSIP_SUSPECT);
    wait_ms(1);
    assert_int_equal(state_of(2), GOSSIP_DEAD);
    hear(RUMOUR_ALIVE, 2, 11);
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
}

static void a_suspicion_that_others_share_waits_less(void **state) {
    (void)state;
    meet_three();
    uint64_t min_ms = gossip__suspect_ms(&g->timing, 4);
    gossip__accuse(g, gossip__find(g, 2), 1);
    assert_int_equal(gossip__age_deadline_ms(g), g->now_ms + 6 * min_ms);
    gossip__accuse(g, gossip__find(g, 2), 1);
    assert_int_equal(gossip__age_deadline_ms(g), g->now_ms + 6 * min_ms);
    gossip__accuse(g, gossip__find(g, 2), 3);
    uint64_t two_ms = gossip__age_deadline_ms(g);
    assert_true(two_ms < g->now_ms + 3 * min_ms + 1 && two_ms > g->now_ms + 2 * min_ms);
    gossip__accuse(g, gossip__find(g, 2), 4);
    assert_int_equal(gossip__age_deadline_ms(g), g->now_ms + min_ms);
}

static void a_rumour_of_unknown_accusers_is_none(void **state) {
    (void)state;
    hear(RUMOUR_ALIVE, 2, 10);
    hear(RUMOUR_SUSPECT, 2, 10); /* by 3, who is not known */
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
}

static void who_says_that_it_leaves_may_think_better_of_it(void **state) {
    (void)state;
    meet_three();
    hear(RUMOUR_LEFT, 2, 11);
    assert_int_equal(state_of(2), GOSSIP_SUSPECT);
    hear(RUMOUR_ALIVE, 2, 12);
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
    hear(RUMOUR_LEFT, 2, 13);
    wait_ms(2 * g->timing.probe_ms);
    assert_int_equal(state_of(2), GOSSIP_LEFT);
}

static void exceeds_what_is_said_of_itself(void **state) {
    (void)state;
    uint64_t own = gossip_self(g)->incarnation;
    hear(RUMOUR_SUSPECT, 1, own - 1);
    assert_int_equal(gossip_self(g)->incarnation, own);
    hear(RUMOUR_SUSPECT, 1, own);
    assert_int_equal(gossip_self(g)->incarnation, own + 1);
    assert_int_equal(g->counts.refutations, 1);
    hear(RUMOUR_KNOWN, 1, own + 10);
    assert_int_equal(gossip_self(g)->incarnation, own + 11);
    assert_int_equal(g->counts.refutations, 1);
    hear(RUMOUR_ALIVE, 1, own + 11); /* other words than its own */
    assert_int_equal(gossip_self(g)->incarnation, own + 12);
}

static void incarnations_do_not_jump(void **state) {
    (void)state;
    uint64_t own = gossip_self(g)->incarnation;
    meet_three();
    hear(RUMOUR_SUSPECT, 1, own + INCARNATION_STEP_MAX + 1);
    hear(RUMOUR_SUSPECT, 1, INCARNATION_MAX);
    assert_int_equal(gossip_self(g)->incarnation, own);
    hear(RUMOUR_ALIVE, 2, 10 + INCARNATION_STEP_MAX + 1);
    hear(RUMOUR_LEFT, 2, INCARNATION_MAX);
    assert_int_equal(gossip_find(g, 2)->incarnation, 10);
    assert_int_equal(state_of(2), GOSSIP_ALIVE);
}

static void the_dead_make_room_and_the_living_do_not(void **state) {
    (void)state;
    for (uint64_t id = 2; id < 2 + GOSSIP_MEMBERS_MAX; id++)
        hear(RUMOUR_ALIVE, id, 10);
    assert_int_equal(gossip_count(g), GOSSIP_MEMBERS_MAX);
    hear(RUMOUR_ALIVE, 1000, 10);
    assert_null(gossip_find(g, 1000));
    assert_int_equal(g->counts.refused, 1);
    hear(RUMOUR_DEAD, 7, 10);
    wait_ms(gossip__suspect_ms(&g->timing, GOSSIP_MEMBERS_MAX + 1));
    hear(RUMOUR_ALIVE, 1000, 10);
    assert_non_null(gossip_find(g, 1000));
    assert_null(gossip_find(g, 7));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_accusation_counts_against_the_known_incarnation_alone,
                                        begin, end),
        cmocka_unit_test_setup_teardown(nobody_is_dead_for_being_called_so, begin, end),
        cmocka_unit_test_setup_teardown(a_suspicion_that_others_share_waits_less, begin, end),
        cmocka_unit_test_setup_teardown(a_rumour_of_unknown_accusers_is_none, begin, end),
        cmocka_unit_test_setup_teardown(who_says_that_it_leaves_may_think_better_of_it, begin, end),
        cmocka_unit_test_setup_teardown(exceeds_what_is_said_of_itself, begin, end),
        cmocka_unit_test_setup_teardown(incarnations_do_not_jump, begin, end),
        cmocka_unit_test_setup_teardown(the_dead_make_room_and_the_living_do_not, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
