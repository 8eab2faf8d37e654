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

static int lead_node(void **state) {
    (void)state;
    view = (struct debug_view){
        .status =
            {
                .name = "node-1",
                .identity = 0xabc,
                .cluster_id = 0xdef,
                .role = NODE_LEADER,
                .term = 7,
                .leader_name = "node-1",
                .leader_address = "127.0.0.1:9000",
                .first_index = 11,
                .last_index = 30,
                .commit_index = 29,
                .applied_index = 28,
                .flushed_index = 20,
                .revision = 17,
                .key_count = 5,
                .key_value_bytes = 640,
                .state_hash = 0x1234,
                .session_count = 2,
                .log_file_bytes = 4096,
                .state_file_bytes = 8192,
                .is_ready = true,
                .uptime_ms = 61500,
                .proposals_total = 21,
                .messages_sent_total = 34,
                .reads_total = 42,
                .elections_total = 1,
            },
        .age_ms = 250,
        .region = "jnb",
        .version = "1.0.0",
        .commit = "abc123",
    };
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

static void shows_the_familiar_fields_at_the_top(void **state) {
    (void)state;
    static const char wanted[] =
        "{\"node_id\":\"node-1\",\"state\":\"LEADER\",\"term\":7,\"leader_id\":\"node-1\","
        "\"commit_index\":29,\"applied_index\":28,\"log_length\":20,\"peers\":[],\"kv_size\":5,"
        "\"metrics\":{\"messages_sent_total\":34,\"election_count\":1,\"proposals_total\":21,"
        "\"reads_total\":42},\"node\":{";
    print(debug__print_status);
    assert_memory_equal(page, wanted, strlen(wanted));
}

static void shows_node_log_and_store(void **state) {
    (void)state;
    print(debug__print_status);
    contains("\"node\":{\"id\":\"node-1\",\"identity\":\"0000000000000abc\","
             "\"cluster_id\":\"0000000000000def\",\"region\":\"jnb\",\"version\":\"1.0.0\","
             "\"commit\":\"abc123\",\"uptime_ms\":61750,\"status_age_ms\":250,\"sound\":true,"
             "\"ready\":true,\"waiting_for\":[]}");
    contains("\"raft\":{\"leader_address\":\"127.0.0.1:9000\",\"first_index\":11,"
             "\"last_index\":30,\"log_file_bytes\":4096,\"peers\":[]}");
    contains("\"store\":{\"revision\":17,\"keys\":5,\"key_value_bytes\":640,\"sessions\":2,"
             "\"state_hash\":\"0000000000001234\",\"flushed_index\":20,"
             "\"state_file_bytes\":8192,\"disk_full\":false,\"damaged_records\":0}}\n");
}

static void counts_an_empty_log_as_zero(void **state) {
    (void)state;
    view.status.first_index = 1;
    view.status.last_index = 0;
    print(debug__print_status);
    contains("\"log_length\":0,");
    view.status.first_index = 31; /* all of it was cut */
    view.status.last_index = 30;
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

static void fits_its_page_with_the_largest_values(void **state) {
    (void)state;
    memset(&view.status, 0xff, sizeof view.status);
    memset(view.status.name, 1, NAME_BYTES_MAX - 1);
    view.status.name[NAME_BYTES_MAX - 1] = '\0';
    memcpy(view.status.leader_name, view.status.name, NAME_BYTES_MAX);
    memset(view.status.leader_address, 1, ADDRESS_BYTES_MAX - 1);
    view.status.leader_address[ADDRESS_BYTES_MAX - 1] = '\0';
    view.status.role = NODE_LEADER;
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
    contains("# TYPE phalanx_raft_elections_total counter\nphalanx_raft_elections_total 1\n");
    contains("\nphalanx_build_info{version=\"1.0.0\",commit=\"abc123\"} 1\n");
    contains("\nphalanx_uptime_seconds 61.750\n");
    contains("\nphalanx_status_age_seconds 0.250\n");
    contains("\nphalanx_raft_is_leader 1\n");
    contains("\nphalanx_store_size_bytes 8192\n");
}

/* promtool's rules, as far as they concern us. */
static void follows_the_text_format(void **state) {
    (void)state;
    print(debug__print_metrics);
    char name[64] = "";
    for (char *at = strtok(page, "\n"); at; at = strtok(NULL, "\n")) {
        assert_int_equal(sscanf(at, "# HELP %63s", name), 1);
        assert_int_equal(at[strlen(at) - 1], '.');
        at = strtok(NULL, "\n");
        char typed[64] = "";
        char type[16] = "";
        assert_int_equal(sscanf(at, "# TYPE %63s %15s", typed, type), 2);
        assert_string_equal(typed, name);
        size_t len = strlen(name);
        bool is_total = len > 6 && strcmp(name + len - 6, "_total") == 0;
        assert_string_equal(type, is_total ? "counter" : "gauge");
        at = strtok(NULL, "\n");
        assert_memory_equal(at, name, len);
        assert_true(at[len] == ' ' || at[len] == '{');
    }
}

/* ---- The rest ------------------------------------------------------------------------------ */

static void lists_the_other_paths(void **state) {
    (void)state;
    assert_string_equal(print(debug__print_index), "phalanx 1.0.0, node node-1\n\n"
                                                   "/health\n/ready\n/debug/status\n/metrics\n");
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
        TEST(shows_the_familiar_fields_at_the_top),
        TEST(shows_node_log_and_store),
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
        TEST(lists_the_other_paths),
        TEST(listens_on_both_families_for_the_ipv6_wildcard),
        TEST(puts_commas_between_values_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
