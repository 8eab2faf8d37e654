/* Settings, from arguments and variables to struct settings or one line of error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/settings.h"

#include <stdio.h>

/* What a test sets, and what came of it. */
static struct {
    const char *variables[8][2];
    size_t variable_count;
    const char *host_name;
} world;

static struct settings settings;
static enum settings_request request;
static char error[SETTINGS_ERROR_BYTES_MAX];

static int blank_world(void **state) {
    (void)state;
    memset(&world, 0, sizeof world);
    memset(&settings, 0, sizeof settings);
    world.host_name = "host-7";
    error[0] = '\0';
    return 0;
}

static void given(const char *name, const char *value) {
    assert_true(world.variable_count < 8);
    world.variables[world.variable_count][0] = name;
    world.variables[world.variable_count++][1] = value;
}

static const char *variable(void *context, const char *name) {
    (void)context;
    for (size_t i = 0; i < world.variable_count; i++)
        if (strcmp(world.variables[i][0], name) == 0)
            return world.variables[i][1];
    return NULL;
}

static enum status parse(int argc, const char *const *argv) {
    const struct settings_source source = {
        .argc = argc,
        .argv = (char *const *)argv,
        .variable = variable,
        .host_name = world.host_name,
    };
    return settings_parse(&source, &settings, &request, error);
}

#define PARSE(...) \
    parse((int)(sizeof((const char *[]){"server", __VA_ARGS__}) / sizeof(const char *)), \
          (const char *[]){"server", __VA_ARGS__})

static enum status parse_variables(void) {
    return parse(1, (const char *[]){"server"});
}

static enum status parse_with(const char *name, const char *value) {
    blank_world(NULL);
    given(name, value);
    return parse_variables();
}

static void refuses(const char *name, const char *value, const char *wanted_error) {
    static const struct settings untouched;
    assert_int_equal(parse_with(name, value), STATUS_INVALID);
    assert_memory_equal(&settings, &untouched, sizeof untouched);
    assert_null(strchr(error, '\n'));
    assert_string_equal(error, wanted_error);
}

/* ---- Defaults and where values come from --------------------------------------------------- */

static void has_the_documented_defaults(void **state) {
    (void)state;
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(request, SETTINGS_RUN);
    assert_string_equal(settings.node_id, "host-7");
    assert_false(settings.has_node_id);
    assert_string_equal(settings.peers, "");
    assert_int_equal(settings.peer_count, 0);
    assert_string_equal(settings.cluster, "");
    assert_string_equal(settings.data_dir, "/data");
    assert_string_equal(settings.grpc_address, "[::]:9000");
    assert_string_equal(settings.debug_address, "[::]:8080");
    assert_string_equal(settings.seeds, "");
    assert_string_equal(settings.bind_address, "::");
    assert_int_equal(settings.bind_port, 7946);
    assert_int_equal(settings.tick_ms, 200);
    assert_int_equal(settings.election_ticks, 20);
    assert_int_equal(settings.heartbeat_ticks, 5);
    assert_int_equal(settings_election_ms(&settings), 4000);
    assert_int_equal(settings_heartbeat_ms(&settings), 1000);
    assert_true(settings_has_calm_elections(&settings));
    assert_true(settings.uses_lease_reads);
    assert_string_equal(settings.node_region, "");
}

static void has_the_defaults_of_the_storage(void **state) {
    (void)state;
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.grpc_threads, 1);
    assert_int_equal(settings.state_overlay_bytes, 32 * MIB);
    assert_int_equal(settings.state_dirty_bytes, 4 * MIB);
    assert_int_equal(settings.state_flush_ms, 30000);
    assert_int_equal(settings.state_reserve_bytes, 80 * MIB);
    assert_int_equal(settings.log_reserve_bytes, 16 * MIB);
    assert_int_equal(settings.log_keep_bytes, 32 * MIB);
    assert_int_equal(settings.log_keep_entries, 10000);
    assert_int_equal(settings.log_hold_bytes, 256 * MIB);
    assert_int_equal(settings.scrub_per_second, 10000);
    assert_int_equal(settings.log_level, LOG_LEVEL_INFO);
    assert_int_equal(settings.log_format, LOG_FORMAT_LOGFMT);
}

static void reads_the_local_recipe_of_the_manual(void **state) {
    (void)state;
    given("NODE_ID", "node-1");
    given("DATA_DIR", "./data");
    given("GRPC_ADDR", "127.0.0.1:9000");
    given("DEBUG_ADDR", "127.0.0.1:8080");
    given("TICK_MS", "100");
    given("ELECTION", "10");
    given("HEARTBEAT", "3");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_string_equal(settings.node_id, "node-1");
    assert_true(settings.has_node_id);
    assert_string_equal(settings.data_dir, "./data");
    assert_string_equal(settings.grpc_address, "127.0.0.1:9000");
    assert_int_equal(settings_election_ms(&settings), 1000);
    assert_false(settings_has_calm_elections(&settings)); /* allowed all the same */
}

static void takes_an_empty_variable_for_unset(void **state) {
    (void)state;
    given("NODE_ID", "");
    given("TICK_MS", "");
    given("PEERS", "");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_string_equal(settings.node_id, "host-7");
    assert_false(settings.has_node_id);
    assert_int_equal(settings.tick_ms, 200);
}

static void takes_a_flag_with_one_dash_or_two(void **state) {
    (void)state;
    assert_int_equal(PARSE("--node-id", "a", "-tick-ms", "7", "--data-dir=x=y", "-election=30"),
                     STATUS_OK);
    assert_string_equal(settings.node_id, "a");
    assert_true(settings.has_node_id);
    assert_int_equal(settings.tick_ms, 7);
    assert_string_equal(settings.data_dir, "x=y");
    assert_int_equal(settings.election_ticks, 30);
}

static void prefers_a_flag_to_the_variable(void **state) {
    (void)state;
    given("TICK_MS", "50");
    given("DATA_DIR", "/variable");
    assert_int_equal(PARSE("--tick-ms=60", "--data-dir="), STATUS_OK);
    assert_int_equal(settings.tick_ms, 60);
    assert_string_equal(settings.data_dir, "/data"); /* an empty flag asks for the default */
}

static void prefers_the_last_of_two_flags(void **state) {
    (void)state;
    assert_int_equal(PARSE("--tick-ms=60", "--tick-ms", "70"), STATUS_OK);
    assert_int_equal(settings.tick_ms, 70);
}

static void ignores_a_bad_variable_behind_a_flag(void **state) {
    (void)state;
    given("TICK_MS", "soon");
    assert_int_equal(PARSE("--tick-ms=60"), STATUS_OK);
}

static void derives_the_reserve_from_the_budgets_of_a_flush(void **state) {
    (void)state;
    given("STATE_OVERLAY_MB", "5");
    given("STATE_DIRTY_MB", "2");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.state_reserve_bytes, 18 * MIB);
    given("STATE_RESERVE_MB", "9");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.state_reserve_bytes, 9 * MIB);
}

static void reads_choices_in_any_case(void **state) {
    (void)state;
    given("LOG_LEVEL", "Debug");
    given("LOG_FORMAT", "JSON");
    given("LEASE_READS", "OFF");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(settings.log_format, LOG_FORMAT_JSON);
    assert_false(settings.uses_lease_reads);
}

static void completes_an_address_without_a_host(void **state) {
    (void)state;
    given("GRPC_ADDR", ":65535");
    given("DEBUG_ADDR", ":0");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_string_equal(settings.grpc_address, "[::]:65535");
    assert_string_equal(settings.debug_address, "[::]:0");
}

/* ---- Requests ------------------------------------------------------------------------------ */

static void asks_for_help_whatever_the_values_are(void **state) {
    (void)state;
    given("TICK_MS", "soon");
    assert_int_equal(PARSE("--help"), STATUS_OK);
    assert_int_equal(request, SETTINGS_HELP);
    assert_int_equal(PARSE("-h"), STATUS_OK);
    assert_int_equal(request, SETTINGS_HELP);
    assert_int_equal(PARSE("--version", "--nonsense"), STATUS_OK);
    assert_int_equal(request, SETTINGS_VERSION);
}

static void checks_the_values_for_check_config(void **state) {
    (void)state;
    assert_int_equal(PARSE("--check-config", "--tick-ms=60"), STATUS_OK);
    assert_int_equal(request, SETTINGS_CHECK);
    assert_int_equal(settings.tick_ms, 60);
    assert_int_equal(PARSE("--tick-ms=0", "--check-config"), STATUS_INVALID);
}

static void refuses_unknown_arguments(void **state) {
    (void)state;
    assert_int_equal(PARSE("--bogus=1"), STATUS_INVALID);
    assert_string_equal(error, "argument \"--bogus=1\": must be a known flag; --help lists them");
    assert_int_equal(PARSE("--rejoin=yes"), STATUS_INVALID);
    assert_int_equal(PARSE("--help=yes"), STATUS_INVALID);
    assert_int_equal(PARSE("--tick_ms=5"), STATUS_INVALID);
    assert_int_equal(PARSE("serve"), STATUS_INVALID);
    assert_string_equal(error, "argument \"serve\": must be a flag; --help lists them");
    assert_int_equal(PARSE("-"), STATUS_INVALID);
    assert_int_equal(PARSE("--"), STATUS_INVALID);
    assert_int_equal(PARSE(""), STATUS_INVALID);
    assert_int_equal(PARSE("--tick-ms"), STATUS_INVALID);
    assert_string_equal(error, "argument \"--tick-ms\": must have a value after it");
}

/* ---- Bad values ---------------------------------------------------------------------------- */

static void names_variable_value_and_what_is_allowed(void **state) {
    (void)state;
    refuses("TICK_MS", "soon", "TICK_MS=\"soon\": must be a whole number from 1 to 60000");
    refuses("LOG_LEVEL", "loud", "LOG_LEVEL=\"loud\": must be debug, info, warn or error");
    refuses("LEASE_READS", "yes", "LEASE_READS=\"yes\": must be on or off");
    refuses("NODE_ID", "a b", "NODE_ID=\"a b\": must be 1 to 63 characters of A-Z a-z 0-9 . _ -");
}

static void names_the_flag_that_a_bad_value_came_from(void **state) {
    (void)state;
    assert_int_equal(PARSE("--grpc-threads", "17"), STATUS_INVALID);
    assert_string_equal(
        error, "GRPC_THREADS=\"17\" (--grpc-threads): must be a whole number from 1 to 16");
}

static void says_when_the_host_name_is_no_node_id(void **state) {
    (void)state;
    world.host_name = "";
    assert_int_equal(parse_variables(), STATUS_INVALID);
    assert_string_equal(error, "NODE_ID=\"\" (the host's name): must be 1 to 63 characters of "
                               "A-Z a-z 0-9 . _ -");
}

static void keeps_a_nasty_value_on_one_short_line(void **state) {
    (void)state;
    char value[4000];
    memset(value, '\x01', sizeof value);
    value[sizeof value - 1] = '\0';
    assert_int_equal(parse_with("SEEDS", value), STATUS_INVALID);
    assert_true(strlen(error) < SETTINGS_ERROR_BYTES_MAX);
    assert_non_null(strstr(error, "…\": must be up to 16 addresses"));
    refuses("TICK_MS", "1\n2\xff",
            "TICK_MS=\"1\\n2\\\\xff\": must be a whole number from 1 to 60000");
}

static void refuses_numbers_that_are_none_or_out_of_range(void **state) {
    (void)state;
    static const char *const bad[] = {"0",
                                      "60001",
                                      "-5",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      "5ms",
                                      "1e3",
                                      "0x5",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_with("TICK_MS", bad[i]), STATUS_INVALID);
    assert_int_equal(parse_with("TICK_MS", "60000"), STATUS_OK);
    assert_int_equal(parse_with("TICK_MS", "007"), STATUS_OK);
    assert_int_equal(settings.tick_ms, 7);
    assert_int_equal(parse_with("BIND_PORT", "65536"), STATUS_INVALID);
    assert_int_equal(parse_with("BIND_PORT", "65535"), STATUS_OK);
    assert_int_equal(parse_with("GRPC_THREADS", "0"), STATUS_INVALID);
    assert_int_equal(parse_with("SCRUB_PER_SECOND", "0"), STATUS_OK);
}

static void refuses_a_heartbeat_that_is_not_below_the_election(void **state) {
    (void)state;
    refuses("HEARTBEAT", "20", "HEARTBEAT=\"20\": must be below ELECTION, which is 20");
    assert_int_equal(parse_with("HEARTBEAT", "19"), STATUS_OK);
    assert_int_equal(parse_with("ELECTION", "5"), STATUS_INVALID);
    assert_string_equal(error, "HEARTBEAT=\"5\": must be below ELECTION, which is 5");
}

static void refuses_node_ids_outside_the_alphabet(void **state) {
    (void)state;
    char long_name[65];
    memset(long_name, 'n', sizeof long_name);
    long_name[64] = '\0';
    assert_int_equal(parse_with("NODE_ID", long_name), STATUS_INVALID);
    long_name[63] = '\0';
    assert_int_equal(parse_with("NODE_ID", long_name), STATUS_OK);
    assert_int_equal(parse_with("NODE_ID", "Node_1.eu-west"), STATUS_OK);
    assert_int_equal(parse_with("NODE_ID", "a/b"), STATUS_INVALID);
    assert_int_equal(parse_with("NODE_ID", "a,b"), STATUS_INVALID);
    assert_int_equal(parse_with("NODE_ID", "knoten-ä"), STATUS_INVALID);
    assert_int_equal(parse_with("NODE_REGION", "jnb"), STATUS_OK);
    assert_int_equal(parse_with("NODE_REGION", "j nb"), STATUS_INVALID);
}

static void tells_listen_addresses_from_others(void **state) {
    (void)state;
    static const char *const good[] = {"[::]:9000",  "127.0.0.1:0",    "localhost:9000",
                                       "[::1]:9000", "node-1.eu.x:80", "[fdaa::1]:65535"};
    static const char *const bad[] = {
        "9000",       "localhost",  "::1:9000",       "[::1]",       "[::1]9000",
        "[nope]:1",   "1.2.3:80",   "256.1.1.1:80",   "host:65536",  "host:",
        "host:80:80", "host:http",  "ho st:80",       "-host:80",    "[::]:9000 ",
        "host:-1",    "[fe80::1]:", "http://host:80", "host:000080", ":",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse_with("GRPC_ADDR", good[i]), STATUS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_with("DEBUG_ADDR", bad[i]), STATUS_INVALID);
}

static void tells_ip_addresses_and_paths_from_others(void **state) {
    (void)state;
    assert_int_equal(parse_with("BIND_ADDR", "0.0.0.0"), STATUS_OK);
    assert_int_equal(parse_with("BIND_ADDR", "fdaa::1"), STATUS_OK);
    assert_int_equal(parse_with("BIND_ADDR", "localhost"), STATUS_INVALID);
    assert_int_equal(parse_with("BIND_ADDR", "::1:99999"), STATUS_INVALID);
    assert_int_equal(parse_with("DATA_DIR", "/with a space/ü"), STATUS_OK);
    assert_int_equal(parse_with("DATA_DIR", "/tab\there"), STATUS_INVALID);
}

/* ---- What forms a cluster ------------------------------------------------------------------ */

static void expect_peer(size_t at, const char *name, const char *address) {
    assert_true(at < settings.peer_count);
    assert_string_equal(settings.peers_list[at].name, name);
    assert_string_equal(settings.peers_list[at].address, address);
}

static void reads_peers_with_this_node_among_them(void **state) {
    (void)state;
    given("NODE_ID", "b");
    given("PEERS", "a=[::1]:9001,b,c=host-3.x:9003");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.peer_count, 3);
    expect_peer(0, "a", "[::1]:9001");
    expect_peer(1, "b", "");
    expect_peer(2, "c", "host-3.x:9003");
    assert_int_equal(PARSE("--peers=b=10.0.0.2:9000"), STATUS_OK);
    assert_int_equal(settings.peer_count, 1);
    expect_peer(0, "b", "10.0.0.2:9000");
}

static void adds_this_node_to_peers_that_lack_it(void **state) {
    (void)state;
    given("NODE_ID", "node-2");
    given("PEERS", "node-1=h:1,node-3=h:3");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.peer_count, 3);
    expect_peer(0, "node-1", "h:1");
    expect_peer(1, "node-3", "h:3");
    expect_peer(2, "node-2", "");
    assert_string_equal(settings.peers, "node-1=h:1,node-3=h:3"); /* as given */
}

static void label_of(const char *node_id, const char *peers, char label[NAME_BYTES_MAX]) {
    blank_world(NULL);
    given("NODE_ID", node_id);
    given("PEERS", peers);
    assert_int_equal(parse_variables(), STATUS_OK);
    memcpy(label, settings.cluster, NAME_BYTES_MAX);
}

static void labels_a_cluster_alike_on_all_its_nodes(void **state) {
    (void)state;
    char one[NAME_BYTES_MAX], two[NAME_BYTES_MAX], other[NAME_BYTES_MAX];
    label_of("a", "a=h:1,b=h:2,c=h:3", one);
    label_of("b", "c=[::1]:3,a=h:9", two);
    label_of("a", "a=h:1,b=h:2", other);
    assert_string_equal(one, two);
    assert_string_not_equal(one, other);
    label_of("ab", "ab,c=h:1", one);
    label_of("a", "a,bc=h:1", two);
    assert_string_not_equal(one, two);
    label_of("a", "a", one);
    assert_string_equal(one, "089be207b544f1e4"); /* FNV-1a of "a" and a zero byte */
}

static void prefers_a_label_that_is_given(void **state) {
    (void)state;
    given("NODE_ID", "a");
    given("PEERS", "b=h:2");
    given("CLUSTER", "shop.eu-1");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_string_equal(settings.cluster, "shop.eu-1");
    refuses("CLUSTER", "a shop",
            "CLUSTER=\"a shop\": must be 1 to 63 characters of A-Z a-z 0-9 . _ -");
}

static void refuses_peers(const char *peers, const char *why) {
    blank_world(NULL);
    given("NODE_ID", "a");
    given("PEERS", peers);
    assert_int_equal(parse_variables(), STATUS_INVALID);
    assert_non_null(strstr(error, "PEERS=\""));
    if (!strstr(error, why))
        fail_msg("not in the error: %s: %s", why, error);
}

static void refuses_peers_that_cannot_be_called_or_told_apart(void **state) {
    (void)state;
    refuses_peers("b=h:1,c=h:2,b=h:3", "names every node once, and twice there is b");
    refuses_peers("a,a", "twice there is a");
    refuses_peers("b=h:0", "must be up to 16 names");
    refuses_peers("b=[::1]:000", "must be up to 16 names");
}

static void refuses_peers_without_a_name_of_its_own(void **state) {
    (void)state;
    refuses("PEERS", "host-7,b=h:1",
            "PEERS=\"host-7,b=h:1\": must be together with NODE_ID: the host's name is no name to "
            "agree on");
}

static void counts_this_node_among_16(void **state) {
    (void)state;
    static const char others[] = "1=h:1,2=h:1,3=h:1,4=h:1,5=h:1,6=h:1,7=h:1,8=h:1,9=h:1,10=h:1,"
                                 "11=h:1,12=h:1,13=h:1,14=h:1,15=h:1";
    char list[256];
    given("NODE_ID", "a");
    given("PEERS", others);
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_int_equal(settings.peer_count, MEMBERS_MAX);
    snprintf(list, sizeof list, "%s,a", others);
    assert_int_equal(PARSE("--peers", list), STATUS_OK);
    assert_int_equal(settings.peer_count, MEMBERS_MAX);
    snprintf(list, sizeof list, "%s,16=h:1", others);
    refuses_peers(list, "must be up to 16 names, with NODE_ID's own");
}

static void looks_for_nobody_unless_told(void **state) {
    (void)state;
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_true(settings_is_alone(&settings));
    assert_false(settings_has_gossip(&settings));
    assert_false(settings.autopilot_joins || settings.autopilot_replaces);
    assert_int_equal(settings.bootstrap_expect, 1);
    assert_int_equal(parse_with("BOOTSTRAP_EXPECT", "1"), STATUS_OK);
    assert_true(settings_is_alone(&settings));
}

static void gossips_where_an_address_has_to_be_found(void **state) {
    (void)state;
    given("NODE_ID", "a");
    given("PEERS", "a,b=h:1,c=h:2");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_false(settings_has_gossip(&settings) || settings_is_alone(&settings));
    assert_int_equal(PARSE("--peers=b=h:1,c"), STATUS_OK);
    assert_true(settings_has_gossip(&settings) && settings_gossips_here(&settings));
    assert_true(settings.autopilot_joins);
    assert_int_equal(settings.bootstrap_expect, 3);
    assert_int_equal(PARSE("--peers=b=h:1,c", "--seeds=h", "--autopilot-join=off"), STATUS_OK);
    assert_true(settings_has_gossip(&settings));
    assert_false(settings_gossips_here(&settings) || settings.autopilot_joins);
}

static void finds_the_founders_by_a_name(void **state) {
    (void)state;
    char longer[100];
    given("DISCOVERY_DNS", "phalanx.internal");
    given("BOOTSTRAP_EXPECT", "5");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_true(settings_has_gossip(&settings));
    assert_false(settings_is_alone(&settings) || settings_gossips_here(&settings));
    assert_string_equal(settings.cluster, "phalanx.internal");
    assert_false(settings.has_cluster);
    assert_int_equal(settings.bootstrap_expect, 5);
    assert_int_equal(PARSE("--cluster=shop"), STATUS_OK);
    assert_true(settings.has_cluster);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(PARSE("--discovery-dns", longer), STATUS_OK);
    assert_int_equal(strlen(settings.cluster), 16);
    assert_int_equal(PARSE("--discovery-dns", "", "--seeds=10.0.0.1"), STATUS_OK);
    assert_string_equal(settings.cluster, "phalanx");
}

static void needs_to_know_how_many_found_a_cluster(void **state) {
    (void)state;
    refuses(
        "SEEDS", "10.0.0.1,[fdaa::1]:7946,fdaa::2,host:1",
        "BOOTSTRAP_EXPECT=\"\": must be given with SEEDS or DISCOVERY_DNS: how many nodes found "
        "the cluster");
    refuses("BOOTSTRAP_EXPECT", "3",
            "BOOTSTRAP_EXPECT=\"3\": must be together with PEERS, SEEDS or DISCOVERY_DNS, to find "
            "the others by");
    assert_int_equal(parse_with("BOOTSTRAP_EXPECT", "17"), STATUS_INVALID);
    blank_world(NULL);
    given("NODE_ID", "a");
    given("PEERS", "b,c");
    assert_int_equal(PARSE("--bootstrap-expect=3"), STATUS_OK);
    assert_int_equal(PARSE("--bootstrap-expect=2"), STATUS_INVALID);
    assert_non_null(strstr(error, "the number of nodes that PEERS names"));
}

static void tells_names_and_name_servers_from_others(void **state) {
    (void)state;
    static const char *const good[] = {"10.0.0.1", "10.0.0.1:53", "fdaa::3", "[fdaa::3]:53",
                                       "10.0.0.1,fdaa::3"};
    static const char *const bad[] = {"host", "host:53", "10.0.0.1:", "10.0.0",
                                      "10.0.0.1;10.0.0.2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse_with("DISCOVERY_SERVER", good[i]), STATUS_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_with("DISCOVERY_SERVER", bad[i]), STATUS_INVALID);
    assert_int_equal(parse_with("DISCOVERY_DNS", "10.0.0.1"), STATUS_INVALID);
    assert_int_equal(parse_with("DISCOVERY_DNS", "a b"), STATUS_INVALID);
}

#define KEY_HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_BASE64 "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8="

/* What looks over somebody's shoulder, or is read from a log, must not learn it. */
static void keeps_keys_to_itself(void **state) {
    (void)state;
    char text[8192];
    assert_int_equal(parse_with("GOSSIP_KEY", KEY_HEX "," KEY_BASE64), STATUS_OK);
    assert_string_equal(settings.gossip_keys, KEY_HEX "," KEY_BASE64);
    text[settings_print(&settings, text, sizeof text - 1)] = '\0';
    assert_non_null(strstr(text, "GOSSIP_KEY=(set)\n"));
    assert_int_equal(parse_with("GOSSIP_KEY", "0011secret"), STATUS_INVALID);
    assert_null(strstr(error, "secret"));
    assert_int_equal(parse_with("GOSSIP_KEY", KEY_HEX "0"), STATUS_INVALID);
    assert_int_equal(parse_with("GOSSIP_KEY", KEY_HEX ","), STATUS_INVALID);
}

static void takes_orders_as_flags_only(void **state) {
    (void)state;
    given("REJOIN", "on");
    given("ADOPT", "on");
    given("RESET_FOUNDING", "on");
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_false(settings.is_adopting || settings.is_rejoining || settings.is_resetting_founding);
    assert_int_equal(PARSE("--rejoin", "-reset-founding", "--tick-ms", "7"), STATUS_OK);
    assert_true(settings.is_rejoining && settings.is_resetting_founding);
    assert_false(settings.is_adopting);
    assert_int_equal(settings.tick_ms, 7);
    assert_int_equal(PARSE("--adopt", "--node-id=a"), STATUS_OK);
    assert_true(settings.is_adopting);
    assert_false(settings.is_rejoining || settings.is_resetting_founding);
}

static void refuses_orders_that_make_no_sense(void **state) {
    (void)state;
    assert_int_equal(PARSE("--rejoin", "--adopt", "--node-id=a"), STATUS_INVALID);
    assert_string_equal(error, "argument \"--adopt\": must not come with --rejoin");
    assert_int_equal(PARSE("--adopt"), STATUS_INVALID);
    assert_string_equal(error, "argument \"--adopt\": must come with NODE_ID, the name to adopt");
    assert_int_equal(PARSE("--adopt=a"), STATUS_INVALID);
}

static void refuses_malformed_lists_for_their_form(void **state) {
    (void)state;
    static const char *const peers[] = {"a,,b",    ",a",
                                        "a,",      "a b",
                                        "a=",      "a=host",
                                        "=host:1", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"};
    static const char *const seeds[] = {"host:", "a b:1", "[::1]", "host:1;host:2"};
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        assert_int_equal(parse_with("PEERS", peers[i]), STATUS_INVALID);
        assert_non_null(strstr(error, "must be up to 16 names"));
    }
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        assert_int_equal(parse_with("SEEDS", seeds[i]), STATUS_INVALID);
        assert_non_null(strstr(error, "must be up to 16 addresses"));
    }
}

static void takes_all_of_tls_or_nothing(void **state) {
    (void)state;
    assert_int_equal(parse_variables(), STATUS_OK);
    assert_false(settings_has_tls(&settings));
    assert_int_equal(PARSE("--tls-cert=c", "--tls-key=k", "--tls-ca=a", "--tls-name=n"), STATUS_OK);
    assert_true(settings_has_tls(&settings));
    assert_string_equal(settings.tls_name, "n");
    assert_int_equal(PARSE("--tls-cert=c", "--tls-key=k"), STATUS_INVALID);
    assert_non_null(strstr(error, "TLS_CA"));
    assert_int_equal(PARSE("--tls-name=n"), STATUS_INVALID);
    assert_non_null(strstr(error, "given together with TLS_CERT, TLS_KEY and TLS_CA"));
}

/* ---- Text ---------------------------------------------------------------------------------- */

static void prints_settings_that_read_back_the_same(void **state) {
    (void)state;
    assert_int_equal(PARSE("--node-id=n", "--log-format=json", "--state-dirty-mb=5",
                           "--peers=m=h:1"),
                     STATUS_OK);
    struct settings first = settings;
    char text[8192];
    size_t len = settings_print(&settings, text, sizeof text - 1);
    text[len] = '\0';
    assert_non_null(strstr(text, "NODE_ID=n\n"));
    assert_non_null(strstr(text, "STATE_RESERVE_MB=84\n"));
    assert_non_null(strstr(text, "LEASE_READS=on\n"));
    assert_non_null(strstr(text, "PEERS=m=h:1\n"));

    const char *argv[64] = {"server"};
    static char flags[64][128];
    int argc = 1;
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"), argc++) {
        snprintf(flags[argc], sizeof flags[argc], "--%s", at);
        for (char *letter = flags[argc]; *letter != '='; letter++)
            *letter = (char)(*letter == '_' ? '-' : *letter | 0x20);
        argv[argc] = flags[argc];
    }
    memset(&settings, 0, sizeof settings);
    assert_int_equal(parse(argc, argv), STATUS_OK);
    assert_memory_equal(&settings, &first, sizeof first);
}

static void explains_every_setting_within_100_columns(void **state) {
    (void)state;
    char text[16384];
    size_t len = settings_help(text, sizeof text - 1);
    text[len] = '\0';
    assert_true(len < sizeof text - 1);
    assert_non_null(strstr(text, "NODE_ID           --node-id           hostname "));
    assert_non_null(strstr(text, "SCRUB_PER_SECOND  --scrub-per-second  10000 "));
    assert_non_null(strstr(text, "--check-config"));
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
        assert_true(strlen(at) <= 100);
}

#define TEST(name) cmocka_unit_test_setup(name, blank_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(has_the_documented_defaults),
        TEST(has_the_defaults_of_the_storage),
        TEST(reads_the_local_recipe_of_the_manual),
        TEST(takes_an_empty_variable_for_unset),
        TEST(takes_a_flag_with_one_dash_or_two),
        TEST(prefers_a_flag_to_the_variable),
        TEST(prefers_the_last_of_two_flags),
        TEST(ignores_a_bad_variable_behind_a_flag),
        TEST(derives_the_reserve_from_the_budgets_of_a_flush),
        TEST(reads_choices_in_any_case),
        TEST(completes_an_address_without_a_host),
        TEST(asks_for_help_whatever_the_values_are),
        TEST(checks_the_values_for_check_config),
        TEST(refuses_unknown_arguments),
        TEST(names_variable_value_and_what_is_allowed),
        TEST(names_the_flag_that_a_bad_value_came_from),
        TEST(says_when_the_host_name_is_no_node_id),
        TEST(keeps_a_nasty_value_on_one_short_line),
        TEST(refuses_numbers_that_are_none_or_out_of_range),
        TEST(refuses_a_heartbeat_that_is_not_below_the_election),
        TEST(refuses_node_ids_outside_the_alphabet),
        TEST(tells_listen_addresses_from_others),
        TEST(tells_ip_addresses_and_paths_from_others),
        TEST(reads_peers_with_this_node_among_them),
        TEST(adds_this_node_to_peers_that_lack_it),
        TEST(labels_a_cluster_alike_on_all_its_nodes),
        TEST(prefers_a_label_that_is_given),
        TEST(refuses_peers_that_cannot_be_called_or_told_apart),
        TEST(refuses_peers_without_a_name_of_its_own),
        TEST(counts_this_node_among_16),
        TEST(looks_for_nobody_unless_told),
        TEST(gossips_where_an_address_has_to_be_found),
        TEST(finds_the_founders_by_a_name),
        TEST(needs_to_know_how_many_found_a_cluster),
        TEST(tells_names_and_name_servers_from_others),
        TEST(keeps_keys_to_itself),
        TEST(takes_orders_as_flags_only),
        TEST(refuses_orders_that_make_no_sense),
        TEST(refuses_malformed_lists_for_their_form),
        TEST(takes_all_of_tls_or_nothing),
        TEST(prints_settings_that_read_back_the_same),
        TEST(explains_every_setting_within_100_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
