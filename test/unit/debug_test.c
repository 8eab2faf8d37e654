/* The pages of the debug room as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "debug/json.h"
#include "debug/pages.h"

#include <stdio.h>

static struct debug_view view;
static char page[DEBUG_PAGE_BYTES_MAX + 1];

/* What test/debug/status_example.json shows. */
static const struct node_status leading = {
    .name = "node-0",
    .identity = 0xa0,
    .cluster_id = 0xc1,
    .role = NODE_LEADER,
    .term = 7,
    .leader = 0xa0,
    .leader_name = "node-0",
    .leader_address = "10.0.0.1:9000",
    .voter_count = 3,
    .first_index = 1101,
    .last_index = 1291,
    .commit_index = 1290,
    .applied_index = 1288,
    .flushed_index = 1200,
    .revision = 1250,
    .key_count = 412,
    .key_value_bytes = 105472,
    .state_hash = 0x123456789abcdef,
    .session_count = 2,
    .log_file_bytes = 1048576,
    .state_file_bytes = 2097152,
    .is_ready = true,
    .uptime_ms = 64988,
    .proposals_total = 1279,
    .messages_sent_total = 5120,
    .reads_total = 421,
    .elections_total = 2,
    .snapshots_sent_total = 1,
};

static const struct node_digest own = {
    .version = "1.2.3",
    .region = "jnb",
    .http_address = "10.0.0.1:8080",
    .role = NODE_LEADER,
    .is_ready = true,
    .term = 7,
    .leader = 0xa0,
    .log = {.first = 1101, .snapshot = 1200, .applied = 1288, .commit = 1290, .last = 1291},
    .key_count = 412,
    .log_file_bytes = 1048576,
    .state_file_bytes = 2097152,
    .memory_bytes = 44040192,
    .uptime_ms = 65000,
    .writes_per_1000s = 120500,
    .reads_per_1000s = 40000,
    .commit_p99_us = 210000,
    .sync_p99_us = 3500,
    .trip_count = 1,
    .trips = {{.identity = 0xa1, .us = 160250}},
};

static const struct node_digest told = {
    .version = "1.2.3",
    .region = "lhr",
    .http_address = "10.0.0.2:8080",
    .role = NODE_FOLLOWER,
    .is_ready = true,
    .term = 7,
    .leader = 0xa0,
    .log = {.first = 1101, .snapshot = 1190, .applied = 1287, .commit = 1288, .last = 1290},
    .key_count = 411,
    .log_file_bytes = 1048576,
    .state_file_bytes = 2097152,
    .memory_bytes = 41943040,
    .uptime_ms = 64000,
    .reads_per_1000s = 12000,
    .commit_p99_us = NODE_UNKNOWN,
    .sync_p99_us = 4000,
    .trip_count = 1,
    .trips = {{.identity = 0xa0, .us = 160500}},
};

static void fill_report(struct node_report *report) {
    *report = (struct node_report){
        .unix_ms = 1763850000123,
        .label = "prod",
        .address = "10.0.0.1:9000",
        .election_timeout_ms = 4000,
        .heartbeat_ms = 1000,
        .quorum = 2,
        .voters_in_reach = 2,
        .leader_changes_total = 3,
        .step_downs_total = 1,
        .rate_window_ms = 1000,
        .latency_window_ms = 10000,
        .commit_p50_us = 162000,
        .apply_p99_us = 80,
        .member_count = 3,
        .gossip_count = 1,
    };
    report->members[0] = (struct node_member){.identity = 0xa0,
                                              .name = "node-0",
                                              .address = "10.0.0.1:9000",
                                              .is_self = true,
                                              .is_voter = true,
                                              .is_connected = true,
                                              .digest = own};
    report->members[1] = (struct node_member){.identity = 0xa1,
                                              .name = "node-1",
                                              .address = "10.0.0.2:9000",
                                              .is_voter = true,
                                              .is_connected = true,
                                              .silent_ms = 48,
                                              .trip_us = 160250,
                                              .feeding = NODE_REPLICATE,
                                              .match_index = 1290,
                                              .next_index = 1292,
                                              .in_flight = 1,
                                              .in_flight_bytes = 300,
                                              .digest_age_ms = 480,
                                              .digest = told};
    report->members[2] = (struct node_member){.identity = 0xa2,
                                              .name = "node-2",
                                              .address = "10.0.0.3:9000",
                                              .is_voter = true,
                                              .silent_ms = NODE_UNKNOWN,
                                              .trip_us = NODE_UNKNOWN,
                                              .feeding = NODE_SNAPSHOT,
                                              .next_index = 1,
                                              .snapshot_index = 1280,
                                              .snapshot_sent_bytes = 65536,
                                              .digest_age_ms = NODE_UNKNOWN};
    report->gossip[0] = (struct node_gossip){.name = "node-1",
                                             .address = "10.0.0.2:7946",
                                             .state = NODE_ALIVE,
                                             .incarnation = 4,
                                             .in_state_ms = 31000};
}

static int lead_node(void **state) {
    (void)state;
    memset(&view, 0, sizeof view);
    view.status = leading;
    fill_report(&view.report);
    view.process = (struct process_use){.memory_bytes = 44040192, .cpu_ms = 5230, .open_files = 41};
    view.age_ms = 12;
    view.region = "jnb";
    view.version = "1.2.3";
    view.commit = "abcdef0";
    return 0;
}

static const char *print(void (*printer)(const struct debug_view *, struct text_writer *)) {
    struct text_writer w = text_writer_of(page, DEBUG_PAGE_BYTES_MAX);
    printer(&view, &w);
    assert_false(w.is_cut);
    page[w.len] = '\0';
    return page;
}

static void contains(const char *piece) {
    if (!strstr(page, piece))
        fail_msg("no %s in %s", piece, page);
}

/* ---- Status -------------------------------------------------------------------------------- */

/* Without what is between the values. */
static void squeeze(char *json) {
    bool is_inside = false;
    char *to = json;
    for (const char *from = json; *from != '\0'; from++) {
        is_inside ^= *from == '"' && from[-1] != '\\';
        if (is_inside || !strchr(" \n", *from))
            *to++ = *from;
    }
    *to = '\0';
}

static void says_what_the_example_shows(void **state) {
    (void)state;
    static char example[16 * KIB];
    FILE *file = fopen("debug/status_example.json", "r");
    assert_non_null(file);
    size_t len = fread(example, 1, sizeof example - 1, file);
    assert_true(len > 0 && len < sizeof example - 1);
    fclose(file);
    squeeze(example);
    print(debug__print_status);
    squeeze(page);
    size_t same = 0;
    while (page[same] != '\0' && page[same] == example[same])
        same++;
    if (page[same] != example[same])
        fail_msg("...%.80s where the example has ...%.80s", page + same, example + same);
}

/* In this order, on top. */
static void shows_the_familiar_fields_at_the_top(void **state) {
    (void)state;
    static const char wanted[] =
        "{\"node_id\":\"node-0\",\"state\":\"LEADER\",\"term\":7,\"leader_id\":\"node-0\","
        "\"commit_index\":1290,\"applied_index\":1288,\"log_length\":191,"
        "\"peers\":[\"node-1\",\"node-2\"],\"kv_size\":412,\"metrics\":{";
    print(debug__print_status);
    assert_memory_equal(page, wanted, strlen(wanted));
}

/* Only a leader knows how far its peers are. */
static void shows_null_for_what_a_follower_does_not_know(void **state) {
    (void)state;
    view.report.members[1].feeding = NODE_FEEDING_UNKNOWN;
    print(debug__print_status);
    contains("\"last_contact_ms\":48,\"state\":null,\"match_index\":null,\"next_index\":null,"
             "\"lag\":null,\"in_flight\":null,\"in_flight_bytes\":null,\"snapshot\":null}");
}

static void is_well_formed_before_the_first_report(void **state) {
    (void)state;
    memset(&view.report, 0, sizeof view.report);
    print(debug__print_status);
    contains("\"peers\":[],\"kv_size\":412,");
    contains("\"mesh\":[]");
}

static void counts_an_empty_log_as_zero(void **state) {
    (void)state;
    view.status.first_index = 1;
    view.status.last_index = 0;
    print(debug__print_status);
    contains("\"log_length\":0,");
    view.status.first_index = 1292; /* all of it was cut */
    view.status.last_index = 1291;
    print(debug__print_status);
    contains("\"log_length\":0,");
}

static void names_every_role(void **state) {
    (void)state;
    static const char *const wanted[] = {
        [NODE_FOLLOWER] = "\"state\":\"FOLLOWER\"",
        [NODE_CANDIDATE] = "\"state\":\"CANDIDATE\"",
        [NODE_LEADER] = "\"state\":\"LEADER\"",
        [NODE_LEARNER] = "\"state\":\"LEARNER\"",
    };
    for (enum node_role role = NODE_FOLLOWER; role <= NODE_LEARNER; role++) {
        view.status.role = role;
        print(debug__print_status);
        contains(wanted[role]);
    }
}

/* Names are checked where they come in; a page stays well-formed even so. */
static void escapes_what_would_break_the_json(void **state) {
    (void)state;
    strcpy(view.status.name, "a\"b\\c\n\xff");
    print(debug__print_status);
    contains("{\"node_id\":\"a\\\"b\\\\c\\n\\\\xff\",");
}

static void fill_largest(struct node_report *report) {
    static const struct node_digest digest = {.role = NODE_LEADER, .trip_count = MEMBERS_MAX};
    report->member_count = MEMBERS_MAX + 1;
    report->gossip_count = NODE_GOSSIP_MAX;
    report->method_count = NODE_METHODS_MAX;
    for (size_t i = 0; i < NODE_METHODS_MAX; i++) {
        memset(&report->methods[i], 1, sizeof report->methods[i]);
        report->methods[i].name = "phalanx.v1.AServiceWithALongName/AMethodWithALongName";
    }
    for (size_t i = 0; i < report->member_count; i++) {
        struct node_member *member = &report->members[i];
        *member = (struct node_member){.identity = i, .feeding = NODE_SNAPSHOT, .digest = digest};
        member->trip_us = member->match_index = UINT64_MAX - 1;
        memset(member->name, 1, sizeof member->name - 1);
        memset(member->address, 1, sizeof member->address - 1);
        memset(member->digest.region, 1, sizeof member->digest.region - 1);
        memset(member->digest.version, 1, sizeof member->digest.version - 1);
        memset(member->digest.http_address, 1, sizeof member->digest.http_address - 1);
        for (size_t trip = 0; trip < MEMBERS_MAX; trip++)
            member->digest.trips[trip] = (struct node_trip){trip, UINT64_MAX - 1};
    }
    for (size_t i = 0; i < NODE_GOSSIP_MAX; i++) {
        memset(report->gossip[i].name, 1, sizeof report->gossip[i].name - 1);
        memset(report->gossip[i].address, 1, sizeof report->gossip[i].address - 1);
    }
}

static void fits_its_page_with_the_largest_values(void **state) {
    (void)state;
    memset(&view.status, 0xff, sizeof view.status);
    memset(view.status.name, 1, NAME_BYTES_MAX - 1);
    view.status.name[NAME_BYTES_MAX - 1] = '\0';
    memcpy(view.status.leader_name, view.status.name, NAME_BYTES_MAX);
    memset(view.status.leader_address, 1, ADDRESS_BYTES_MAX - 1);
    view.status.leader_address[ADDRESS_BYTES_MAX - 1] = '\0';
    view.status.role = NODE_LEADER;
    fill_largest(&view.report);
    memset(&view.status.is_ready, 1, sizeof view.status.is_ready);
    memset(&view.status.disk_is_full, 1, sizeof view.status.disk_is_full);
    print(debug__print_status);
    print(debug__print_metrics);
    print(debug__print_index);
}

/* ---- Health -------------------------------------------------------------------------------- */

static void is_healthy_and_ready_as_a_leader(void **state) {
    (void)state;
    assert_true(debug__is_sound(&view));
    assert_true(debug__is_ready(&view));
    assert_string_equal(print(debug__print_health), "{\"status\":\"ok\",\"waiting_for\":[]}\n");
    assert_string_equal(print(debug__print_ready), "{\"ready\":true,\"waiting_for\":[]}\n");
}

static void is_healthy_but_not_ready_without_a_leader(void **state) {
    (void)state;
    view.status.leader_name[0] = '\0';
    view.status.is_ready = false;
    assert_true(debug__is_sound(&view));
    assert_false(debug__is_ready(&view));
    assert_string_equal(print(debug__print_health),
                        "{\"status\":\"ok\",\"waiting_for\":[\"a leader\"]}\n");
    assert_string_equal(print(debug__print_ready),
                        "{\"ready\":false,\"waiting_for\":[\"a leader\"]}\n");
}

static void says_what_else_it_waits_for(void **state) {
    (void)state;
    view.status.is_ready = false;
    view.status.disk_is_full = true;
    assert_string_equal(print(debug__print_health),
                        "{\"status\":\"ok\",\"waiting_for\":[\"the state to catch up\","
                        "\"room on the disk\"]}\n");
}

static void is_unsound_once_the_loop_stands_still(void **state) {
    (void)state;
    view.stall_ms = 1000;
    view.age_ms = 1000;
    assert_true(debug__is_sound(&view));
    view.age_ms = 1001;
    assert_false(debug__is_sound(&view));
    assert_false(debug__is_ready(&view));
    assert_string_equal(print(debug__print_health),
                        "{\"status\":\"stalled\",\"waiting_for\":[\"the loop\"]}\n");
    view.stall_ms = 0; /* not watched */
    assert_true(debug__is_sound(&view));
}

/* ---- Metrics ------------------------------------------------------------------------------- */

static void gives_each_metric_help_and_type(void **state) {
    (void)state;
    print(debug__print_metrics);
    contains("# HELP phalanx_raft_term The current term.\n"
             "# TYPE phalanx_raft_term gauge\n"
             "phalanx_raft_term 7\n");
    contains("# TYPE phalanx_raft_elections_total counter\nphalanx_raft_elections_total 2\n");
    contains("\nphalanx_build_info{version=\"1.2.3\",commit=\"abcdef0\"} 1\n");
    contains("\nphalanx_uptime_seconds 65.000\n");
    contains("\nphalanx_status_age_seconds 0.012\n");
    contains("\nphalanx_raft_is_leader 1\n");
    contains("\nphalanx_store_size_bytes 2097152\n");
}

static bool ends_with(const char *text, const char *ending) {
    size_t len = strlen(text);
    size_t ending_len = strlen(ending);
    return len > ending_len && strcmp(text + len - ending_len, ending) == 0;
}

/* promtool's rules, as far as they concern us. */
static void check_type(const char *name, const char *type) {
    assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
                strcmp(type, "histogram") == 0);
    assert_int_equal(ends_with(name, "_total"), strcmp(type, "counter") == 0);
    if (strcmp(type, "histogram") == 0)
        assert_true(ends_with(name, "_seconds"));
}

static void follows_the_text_format(void **state) {
    (void)state;
    char name[96] = "";
    print(debug__print_metrics);
    for (char *at = strtok(page, "\n"); at; at = strtok(NULL, "\n")) {
        char typed[96] = "";
        char type[16] = "";
        if (sscanf(at, "# HELP %95s", name) == 1) {
            assert_int_equal(at[strlen(at) - 1], '.');
            at = strtok(NULL, "\n");
            assert_int_equal(sscanf(at, "# TYPE %95s %15s", typed, type), 2);
            assert_string_equal(typed, name);
            check_type(name, type);
            continue;
        }
        assert_memory_equal(at, name, strlen(name)); /* no sample without its head */
        assert_non_null(strchr(" {_", at[strlen(name)]));
        assert_true(strrchr(at, ' ')[1] >= '0' && strrchr(at, ' ')[1] <= '9');
    }
}

static void counts_each_bucket_with_those_below(void **state) {
    (void)state;
    view.report.commits.counts[0] = 2; /* up to 1 us */
    view.report.commits.counts[2] = 3; /* up to 3 us */
    view.report.commits.counts[DURATIONS_BUCKETS - 1] = 1;
    view.report.commits.sum_us = 17000005;
    print(debug__print_metrics);
    contains("phalanx_commit_duration_seconds_bucket{le=\"0.000001\"} 2\n"
             "phalanx_commit_duration_seconds_bucket{le=\"0.000002\"} 2\n"
             "phalanx_commit_duration_seconds_bucket{le=\"0.000004\"} 5\n");
    contains("phalanx_commit_duration_seconds_bucket{le=\"16.777216\"} 5\n"
             "phalanx_commit_duration_seconds_bucket{le=\"+Inf\"} 6\n"
             "phalanx_commit_duration_seconds_sum 17.000005\n"
             "phalanx_commit_duration_seconds_count 6\n");
    contains("\nphalanx_raft_proposals_committed_total 6\n");
}

static void tells_peers_methods_and_states_apart(void **state) {
    (void)state;
    struct node_method *method = &view.report.methods[0];
    view.report.method_count = 1;
    method->name = "phalanx.v1.KVService/Put";
    method->codes[0] = 7;
    method->codes[14] = 2;
    method->durations.counts[3] = 9;
    print(debug__print_metrics);
    contains("\nphalanx_raft_peer_match_index{peer=\"node-1\"} 1290\n"
             "phalanx_raft_peer_match_index{peer=\"node-2\"} 0\n");
    contains("\nphalanx_raft_peer_rtt_seconds{peer=\"node-1\"} 0.160250\n#");
    contains("\nphalanx_grpc_server_handled_total"
             "{method=\"phalanx.v1.KVService/Put\",code=\"OK\"} 7\n"
             "phalanx_grpc_server_handled_total"
             "{method=\"phalanx.v1.KVService/Put\",code=\"UNAVAILABLE\"} 2\n#");
    contains("\nphalanx_grpc_server_handling_seconds_bucket"
             "{le=\"0.000004\",method=\"phalanx.v1.KVService/Put\"} 9\n");
    contains("\nphalanx_gossip_members{state=\"alive\"} 1\n"
             "phalanx_gossip_members{state=\"suspect\"} 0\n");
}

/* ---- The rest ------------------------------------------------------------------------------ */

static void lists_the_other_paths(void **state) {
    (void)state;
    assert_string_equal(print(debug__print_index),
                        "phalanx 1.2.3, node node-0\n\n"
                        "/health\n/ready\n/debug/status\n/metrics\n/debug/events\n");
}

static void listens_on_both_families_for_the_ipv6_wildcard(void **state) {
    (void)state;
    char listen[32];
    assert_true(debug__print_listen("[::]:8080", listen, sizeof listen));
    assert_string_equal(listen, "+8080");
    assert_true(debug__print_listen("[::]:0", listen, sizeof listen));
    assert_string_equal(listen, "+0");
    assert_true(debug__print_listen("[::1]:8080", listen, sizeof listen));
    assert_string_equal(listen, "[::1]:8080");
    assert_true(debug__print_listen("127.0.0.1:8080", listen, sizeof listen));
    assert_string_equal(listen, "127.0.0.1:8080");
    assert_false(debug__print_listen("a-host-with-a-long-name.example:8080", listen, 16));
}

static void puts_commas_between_values_only(void **state) {
    (void)state;
    struct text_writer w = text_writer_of(page, DEBUG_PAGE_BYTES_MAX);
    struct debug_json j = {.w = &w};
    debug__json_open(&j, NULL, '{');
    debug__json_open(&j, "empty", '[');
    debug__json_close(&j, ']');
    debug__json_open(&j, "list", '[');
    debug__json_u64(&j, NULL, 1);
    debug__json_i64(&j, NULL, -2);
    debug__json_open(&j, NULL, '{');
    debug__json_bool(&j, "yes", true);
    debug__json_close(&j, '}');
    debug__json_close(&j, ']');
    debug__json_hex(&j, "hex", 255);
    debug__json_close(&j, '}');
    page[w.len] = '\0';
    assert_string_equal(page, "{\"empty\":[],\"list\":[1,-2,{\"yes\":true}],"
                              "\"hex\":\"00000000000000ff\"}");
}

#define TEST(name) cmocka_unit_test_setup(name, lead_node)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(says_what_the_example_shows),
        TEST(shows_the_familiar_fields_at_the_top),
        TEST(shows_null_for_what_a_follower_does_not_know),
        TEST(is_well_formed_before_the_first_report),
        TEST(counts_an_empty_log_as_zero),
        TEST(names_every_role),
        TEST(escapes_what_would_break_the_json),
        TEST(fits_its_page_with_the_largest_values),
        TEST(is_healthy_and_ready_as_a_leader),
        TEST(is_healthy_but_not_ready_without_a_leader),
        TEST(says_what_else_it_waits_for),
        TEST(is_unsound_once_the_loop_stands_still),
        TEST(gives_each_metric_help_and_type),
        TEST(follows_the_text_format),
        TEST(counts_each_bucket_with_those_below),
        TEST(tells_peers_methods_and_states_apart),
        TEST(lists_the_other_paths),
        TEST(listens_on_both_families_for_the_ipv6_wildcard),
        TEST(puts_commas_between_values_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
