/* What a client makes of the end of a call. */
#include "rpc/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct rpc_outcome outcome_of(grpc_status_code code, const char *detail) {
    struct rpc_outcome outcome;
    grpc_metadata_array trailing = {0};
    rpc__outcome_fill(code, grpc_slice_from_static_string(detail), &trailing, &outcome);
    return outcome;
}

static void a_call_that_no_connection_took_was_not_applied(void **state) {
    (void)state;
    struct rpc_outcome outcome =
        outcome_of(GRPC_STATUS_UNAVAILABLE,
                   "failed to connect to all addresses; last error: reset by peer");
    assert_true(outcome.is_not_applied);
}

static void a_broken_connection_leaves_it_open(void **state) {
    (void)state;
    assert_false(outcome_of(GRPC_STATUS_UNAVAILABLE, "recvmsg: reset by peer").is_not_applied);
    assert_false(outcome_of(GRPC_STATUS_UNAVAILABLE, "").is_not_applied);
    assert_false(
        outcome_of(GRPC_STATUS_INTERNAL, "failed to connect to all addresses").is_not_applied);
}

static void details_fit_one_line(void **state) {
    (void)state;
    assert_string_equal(outcome_of(GRPC_STATUS_INTERNAL, "a\nb\x1b").detail, "a b ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_no_connection_took_was_not_applied),
        cmocka_unit_test(a_broken_connection_leaves_it_open),
        cmocka_unit_test(details_fit_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
