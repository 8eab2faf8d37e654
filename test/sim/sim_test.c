/* Some hundred simulated clusters, of every size. `make sim` runs ten thousand. */
#include "sim/sim.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_sound(uint64_t seed, size_t node_count, bool is_blind) {
    struct sim_options options = {.seed = seed, .node_count = node_count, .is_blind = is_blind};
    struct sim_result result;
    sim_run(&options, &result);
    if (result.has_failed)
        fail_msg("%s; again: phalanx-sim --seed %" PRIu64 " --nodes %zu", result.failure, seed,
                 node_count);
}

static void clusters_of_any_size_hold_their_promises(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        assert_sound(seed, 0, false);
}

static void clusters_of_each_size_hold_their_promises(void **state) {
    (void)state;
    for (size_t nodes = 1; nodes <= SIM_NODES_MAX; nodes++)
        for (uint64_t seed = 20001; seed <= 20010; seed++)
            assert_sound(seed, nodes, false);
}

static uint64_t digest_of(uint64_t seed, bool is_blind) {
    struct sim_options options = {.seed = seed, .is_blind = is_blind};
    struct sim_result result;
    sim_run(&options, &result);
    return result.digest;
}

static void a_replay_is_the_same_to_the_last_bit(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        assert_true(digest_of(seed, false) == digest_of(seed, false));
    assert_true(digest_of(1, false) != digest_of(2, false));
}

static void looking_on_changes_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        assert_true(digest_of(seed, false) == digest_of(seed, true));
}

static void faults_can_be_left_out(void **state) {
    (void)state;
    bool is_spared[4096];
    for (size_t i = 0; i < sizeof is_spared; i++)
        is_spared[i] = i % 2 == 0;
    struct sim_options options = {.seed = 1, .is_spared = is_spared};
    struct sim_result result;
    sim_run(&options, &result);
    assert_false(result.has_failed);
    assert_true(result.fault_count <= sizeof is_spared);
    assert_true(result.digest != digest_of(1, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_of_any_size_hold_their_promises),
        cmocka_unit_test(clusters_of_each_size_hold_their_promises),
        cmocka_unit_test(a_replay_is_the_same_to_the_last_bit),
        cmocka_unit_test(looking_on_changes_nothing),
        cmocka_unit_test(faults_can_be_left_out),
    };
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024); /* see main.c */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
