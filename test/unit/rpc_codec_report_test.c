/* GetReport's message: what comes out is what went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/codec_cluster.h"

static struct node_report sample(void) {
    struct node_report report = {.label = "prod",
                                 .quorum = 2,
                                 .voters_in_reach = 2,
                                 .member_count = 2};
    report.members[0] = (struct node_member){
        .identity = 0xa0,
        .name = "node-0",
        .is_self = true,
        .is_voter = true,
        .is_connected = true,
        .trip_us = NODE_UNKNOWN,
        .digest = {.region = "jnb",
                   .version = "1.2.3",
                   .role = NODE_LEADER,
                   .is_ready = true,
                   .disk_is_full = true,
                   .term = 7,
                   .log = {.applied = 8, .commit = 9, .last = 10},
                   .key_count = 11,
                   .memory_bytes = 12,
                   .uptime_ms = 13,
                   .writes_per_1000s = 14,
                   .reads_per_1000s = 15,
                   .commit_p99_us = 16,
                   .sync_p99_us = NODE_UNKNOWN},
    };
    report.members[1] = (struct node_member){.identity = 0xa1,
                                             .name = "node-1",
                                             .trip_us = 160250,
                                             .digest_age_ms = NODE_UNKNOWN};
    return report;
}

static enum status pass(const struct node_report *report, struct node_report *ret_report) {
    grpc_slice slice = rpc__report_encode(report);
    enum status status =
        rpc__report_decode(bytes_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)),
                           ret_report);
    grpc_slice_unref(slice);
    return status;
}

static void comes_back_as_it_was(void **state) {
    (void)state;
    static struct node_report report, back;
    report = sample();
    assert_int_equal(pass(&report, &back), STATUS_OK);
    assert_string_equal(back.label, "prod");
    assert_int_equal(back.quorum, 2);
    assert_int_equal(back.voters_in_reach, 2);
    assert_int_equal(back.failures_left, 0);
    assert_int_equal(back.member_count, 2);
    assert_memory_equal(&back.members[0], &report.members[0], sizeof back.members[0]);
    assert_string_equal(back.members[1].name, "node-1");
    assert_int_equal(back.members[1].trip_us, 160250);
    assert_true(back.members[1].digest_age_ms == NODE_UNKNOWN);
}

static void refuses_what_is_no_report(void **state) {
    (void)state;
    static struct node_report back;
    assert_int_equal(rpc__report_decode(bytes_of_text("\x0a\xff"), &back), STATUS_CORRUPT);
    assert_int_equal(rpc__report_decode(bytes_of_text("\x0a\x03"
                                                      "a\xff"
                                                      "b"),
                                        &back),
                     STATUS_CORRUPT); /* the label is no UTF-8 */
    assert_int_equal(rpc__report_decode((struct bytes){0}, &back), STATUS_OK); /* all defaults */
    assert_int_equal(back.member_count, 0);
}

static void refuses_more_members_than_there_can_be(void **state) {
    (void)state;
    static struct node_report back;
    char body[2 * (MEMBERS_MAX + 2) + 1];
    for (size_t i = 0; i < MEMBERS_MAX + 2; i++)
        memcpy(body + 2 * i, "\x2a", 2); /* an empty one */
    assert_int_equal(rpc__report_decode(bytes_of(body, 2 * (MEMBERS_MAX + 1)), &back), STATUS_OK);
    assert_int_equal(back.member_count, MEMBERS_MAX + 1);
    assert_int_equal(rpc__report_decode(bytes_of(body, 2 * (MEMBERS_MAX + 2)), &back),
                     STATUS_CORRUPT);
}

static int set_up(void **state) {
    (void)state;
    rpc_init();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rpc_shutdown();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(refuses_what_is_no_report),
        cmocka_unit_test(refuses_more_members_than_there_can_be),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
