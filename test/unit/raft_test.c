/* The engine's door: what it starts from, and that it is a pure machine. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static enum status try(struct raft_config config) {
    struct raft *r = NULL;
    enum status status = raft_new(&config, &r);
    raft_free(r);
    return status;
}

static void refuses_a_config_that_contradicts_itself(void **state) {
    (void)state;
    struct raft_term_run run = {.first = 1, .term = 3};
    struct raft_config good = solo_config(3), bad;
    good.hard.term = 3;
    good.runs = &run;
    good.run_count = 1;
    good.last_index = 5;
    assert_int_equal(try(good), STATUS_OK);
    bad = good, bad.self = 0;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.applied_index = 6;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.cut_index = 2;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.last_index = 0;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.hard.term = 2; /* a log from the future */
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.heartbeat_ms = 0;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.heartbeat_ms = bad.election_timeout_ms + 1;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.configuration.index = 6;
    assert_int_equal(try(bad), STATUS_INVALID);
    bad = good, bad.run_count = RAFT_RUNS_MAX + 1;
    assert_int_equal(try(bad), STATUS_INVALID);
    run.first = 2;
    assert_int_equal(try(good), STATUS_INVALID);
}

static void refuses_runs_out_of_order(void **state) {
    (void)state;
    struct raft_term_run runs[] = {{1, 3}, {4, 2}};
    struct raft_config config = solo_config(3);
    config.hard.term = 3;
    config.runs = runs;
    config.run_count = 2;
    config.last_index = 5;
    assert_int_equal(try(config), STATUS_INVALID);
    runs[1].term = 3;
    assert_int_equal(try(config), STATUS_OK);
    runs[1].first = 6;
    assert_int_equal(try(config), STATUS_INVALID);
}

static void starts_where_the_state_is(void **state) {
    (void)state;
    struct raft_term_run run = {.first = 6, .term = 3};
    struct raft_config config = solo_config(3);
    struct solo s;
    config.hard.term = 4;
    config.cut_index = 5;
    config.cut_term = 2;
    config.runs = &run;
    config.run_count = 1;
    config.last_index = 9;
    config.applied_index = 7;
    solo_start(&s, &config);
    const struct raft_status *status = raft_status(s.raft);
    assert_int_equal(status->term, 4);
    assert_int_equal(status->last_index, 9);
    assert_int_equal(status->durable_index, 9);
    assert_int_equal(status->commit_index, 7);
    assert_int_equal(status->leader, 0);
    assert_true(status->is_member);
    assert_false(raft_has_work(s.raft));
    solo_stop(&s);
}

static void a_node_outside_the_configuration_waits(void **state) {
    (void)state;
    struct raft_config config = solo_config(0);
    struct solo s;
    solo_start(&s, &config);
    assert_false(raft_status(s.raft)->is_member);
    for (int i = 0; i < 10; i++)
        solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    assert_int_equal(s.out_count, 0);
    solo_stop(&s);
}

/* The same inputs and seed give the same run. */
static void the_same_inputs_give_the_same_outputs(void **state) {
    (void)state;
    char *texts[2];
    for (int i = 0; i < 2; i++) {
        size_t len;
        struct net *net = net_unstarted(3, 3, 99);
        net->trace = open_memstream(&texts[i], &len);
        net->loss_permille = 100;
        net->jitter_ms = 30;
        net_start_all(net);
        net_elapse(net, 20000);
        FILE *trace = net->trace;
        net_free(net);
        (void)fclose(trace); /* memory */
    }
    assert_string_equal(texts[0], texts[1]);
    assert_true(strlen(texts[0]) > 1000);
    free(texts[0]);
    free(texts[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_config_that_contradicts_itself),
        cmocka_unit_test(refuses_runs_out_of_order),
        cmocka_unit_test(starts_where_the_state_is),
        cmocka_unit_test(a_node_outside_the_configuration_waits),
        cmocka_unit_test(the_same_inputs_give_the_same_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
