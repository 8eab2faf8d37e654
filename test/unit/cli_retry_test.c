/* Given what became of an attempt, whether there is another one, and how the program ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/retry.h"

#define HERE "here:9000"

static struct rpc_outcome outcome_of(enum rpc_code code, bool is_not_applied) {
    return (struct rpc_outcome){.code = code, .is_not_applied = is_not_applied};
}

static enum cli_next next(struct cli_retry *retry, enum rpc_code code, bool is_not_applied) {
    struct rpc_outcome outcome = outcome_of(code, is_not_applied);
    return cli_retry_next(retry, &outcome, HERE);
}

static const enum rpc_code transient[] = {RPC_UNAVAILABLE, RPC_ABORTED, RPC_DEADLINE_EXCEEDED,
                                          RPC_RESOURCE_EXHAUSTED, RPC_CANCELLED};
static const enum rpc_code final[] = {RPC_INVALID_ARGUMENT, RPC_UNIMPLEMENTED, RPC_OUT_OF_RANGE,
                                      RPC_PERMISSION_DENIED, RPC_UNAUTHENTICATED};
static const enum rpc_code broken[] = {RPC_INTERNAL, RPC_UNKNOWN, RPC_DATA_LOSS, (enum rpc_code)99};

#define EACH(code, codes) \
    for (size_t i_ = 0, code = 0; \
         i_ < sizeof(codes) / sizeof(codes)[0] && (code = (codes)[i_], 1); i_++)

static void reads_are_repeated_whenever_it_may_help(void **state) {
    (void)state;
    EACH(code, transient) {
        struct cli_retry retry = {0};
        assert_int_equal(next(&retry, (enum rpc_code)code, false), CLI_NEXT_SERVER);
        assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNAVAILABLE);
    }
}

static void what_is_answered_is_not_repeated(void **state) {
    (void)state;
    struct cli_retry retry = {.is_write = true, .has_request_id = true};
    assert_int_equal(next(&retry, RPC_OK, false), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_OK);
    assert_int_equal(next(&retry, RPC_FAILED_PRECONDITION, true), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_PRECONDITION);
}

static void what_is_refused_for_good_is_not_repeated(void **state) {
    (void)state;
    EACH(code, final) {
        struct cli_retry retry = {.is_write = true, .has_request_id = true};
        assert_int_equal(next(&retry, (enum rpc_code)code, false), CLI_NEXT_STOP);
        assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_ERROR);
    }
}

static void a_write_without_an_id_is_repeated_only_when_certainly_not_applied(void **state) {
    (void)state;
    EACH(code, transient) {
        struct cli_retry retry = {.is_write = true};
        assert_int_equal(next(&retry, (enum rpc_code)code, true), CLI_NEXT_SERVER);
        assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNAVAILABLE);
        assert_int_equal(next(&retry, (enum rpc_code)code, false), CLI_NEXT_STOP);
        assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNKNOWN);
    }
}

static void a_write_with_an_id_is_repeated_even_when_its_fate_is_open(void **state) {
    (void)state;
    EACH(code, transient) {
        struct cli_retry retry = {.is_write = true, .has_request_id = true};
        assert_int_equal(next(&retry, (enum rpc_code)code, false), CLI_NEXT_SERVER);
        assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNKNOWN);
    }
}

static void a_later_refusal_does_not_settle_an_earlier_attempt(void **state) {
    (void)state;
    struct cli_retry retry = {.is_write = true, .has_request_id = true};
    (void)next(&retry, RPC_DEADLINE_EXCEEDED, false);
    assert_int_equal(next(&retry, RPC_UNAVAILABLE, true), CLI_NEXT_SERVER);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNKNOWN);
    assert_int_equal(next(&retry, RPC_UNIMPLEMENTED, false), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNKNOWN);
}

static void a_later_answer_settles_an_earlier_attempt(void **state) {
    (void)state;
    struct cli_retry retry = {.is_write = true, .has_request_id = true};
    (void)next(&retry, RPC_UNAVAILABLE, false);
    assert_int_equal(next(&retry, RPC_FAILED_PRECONDITION, true), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_PRECONDITION);
    (void)next(&retry, RPC_UNAVAILABLE, false);
    (void)next(&retry, RPC_OK, false);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_OK);
}

static void what_broke_in_the_middle_is_not_repeated_and_may_have_been_applied(void **state) {
    (void)state;
    EACH(code, broken) {
        struct cli_retry write = {.is_write = true, .has_request_id = true};
        assert_int_equal(next(&write, (enum rpc_code)code, false), CLI_NEXT_STOP);
        assert_int_equal(cli_retry_exit(&write), CLI_EXIT_UNKNOWN);
        struct cli_retry read = {0};
        assert_int_equal(next(&read, (enum rpc_code)code, false), CLI_NEXT_STOP);
        assert_int_equal(cli_retry_exit(&read), CLI_EXIT_ERROR);
    }
    struct cli_retry marked = {.is_write = true};
    assert_int_equal(next(&marked, RPC_INTERNAL, true), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&marked), CLI_EXIT_ERROR);
}

static void the_next_attempt_goes_to_the_leader_that_was_named(void **state) {
    (void)state;
    struct cli_retry retry = {.is_write = true, .has_request_id = true};
    struct rpc_outcome outcome = outcome_of(RPC_UNAVAILABLE, true);
    snprintf(outcome.leader, sizeof outcome.leader, "there:9000");
    assert_int_equal(cli_retry_next(&retry, &outcome, HERE), CLI_NEXT_LEADER);
    assert_int_equal(cli_retry_next(&retry, &outcome, "there:9000"), CLI_NEXT_SERVER);
}

static struct rpc_outcome table_is_full(void) {
    struct rpc_outcome outcome = outcome_of(RPC_RESOURCE_EXHAUSTED, false);
    snprintf(outcome.detail, sizeof outcome.detail, "request_id: the session table is full");
    return outcome;
}

static void a_write_goes_without_our_id_when_there_is_no_room_for_it(void **state) {
    (void)state;
    struct rpc_outcome full = table_is_full();
    struct cli_retry retry = {.is_write = true, .has_request_id = true, .id_is_ours = true};
    assert_int_equal(cli_retry_next(&retry, &full, HERE), CLI_NEXT_SERVER);
    assert_false(retry.has_request_id);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNAVAILABLE);
    assert_int_equal(next(&retry, RPC_ABORTED, false), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_UNKNOWN);
}

static void our_id_is_dropped_after_attempts_that_certainly_did_nothing(void **state) {
    (void)state;
    struct rpc_outcome full = table_is_full();
    struct cli_retry retry = {.is_write = true, .has_request_id = true, .id_is_ours = true};
    (void)next(&retry, RPC_UNAVAILABLE, true);
    (void)cli_retry_next(&retry, &full, HERE);
    assert_false(retry.has_request_id);
}

/* Changes of the cluster are writes without an id that can be refused for want of a node. */
static void what_names_nobody_is_told_apart(void **state) {
    (void)state;
    struct cli_retry retry = {.is_write = true};
    assert_int_equal(next(&retry, RPC_UNAVAILABLE, true), CLI_NEXT_SERVER);
    assert_int_equal(next(&retry, RPC_NOT_FOUND, true), CLI_NEXT_STOP);
    assert_int_equal(cli_retry_exit(&retry), CLI_EXIT_NOT_FOUND);
}

static void a_users_id_and_one_that_was_sent_before_stay_on(void **state) {
    (void)state;
    struct rpc_outcome full = table_is_full();
    struct cli_retry users = {.is_write = true, .has_request_id = true};
    (void)cli_retry_next(&users, &full, HERE);
    assert_true(users.has_request_id);
    struct cli_retry sent = {.is_write = true, .has_request_id = true, .id_is_ours = true};
    (void)next(&sent, RPC_UNAVAILABLE, false);
    (void)cli_retry_next(&sent, &full, HERE);
    assert_true(sent.has_request_id);
    assert_int_equal(cli_retry_exit(&sent), CLI_EXIT_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_are_repeated_whenever_it_may_help),
        cmocka_unit_test(what_is_answered_is_not_repeated),
        cmocka_unit_test(what_is_refused_for_good_is_not_repeated),
        cmocka_unit_test(a_write_without_an_id_is_repeated_only_when_certainly_not_applied),
        cmocka_unit_test(a_write_with_an_id_is_repeated_even_when_its_fate_is_open),
        cmocka_unit_test(a_later_refusal_does_not_settle_an_earlier_attempt),
        cmocka_unit_test(a_later_answer_settles_an_earlier_attempt),
        cmocka_unit_test(what_broke_in_the_middle_is_not_repeated_and_may_have_been_applied),
        cmocka_unit_test(the_next_attempt_goes_to_the_leader_that_was_named),
        cmocka_unit_test(a_write_goes_without_our_id_when_there_is_no_room_for_it),
        cmocka_unit_test(our_id_is_dropped_after_attempts_that_certainly_did_nothing),
        cmocka_unit_test(what_names_nobody_is_told_apart),
        cmocka_unit_test(a_users_id_and_one_that_was_sent_before_stay_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
