/* What the settings say of where others are. */
#include "server/seed_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct settings settings;

static int set_up(void **state) {
    (void)state;
    settings = (struct settings){.bind_address = "::", .bind_port = 7946};
    return 0;
}

static void expect_name(const struct dns_name *name, const char *host, uint16_t port) {
    assert_string_equal(name->host, host);
    assert_int_equal(name->port, port);
}

static void seeds_are_told_apart(void **state) {
    struct dns_name names[DNS_NAMES_MAX];
    (void)state;
    snprintf(settings.seeds, sizeof settings.seeds,
             "host,host:1,10.0.0.1,10.0.0.2:2,fdaa::1,[fdaa::2]:3");
    snprintf(settings.discovery_dns, sizeof settings.discovery_dns, "phalanx.internal");
    assert_int_equal(seed_names_read(&settings, names), 7);
    expect_name(&names[0], "host", 7946);
    expect_name(&names[1], "host", 1);
    expect_name(&names[2], "10.0.0.1", 7946);
    expect_name(&names[3], "10.0.0.2", 2);
    expect_name(&names[4], "fdaa::1", 7946);
    expect_name(&names[5], "fdaa::2", 3);
    expect_name(&names[6], "phalanx.internal", 7946);
}

static void expect_port(const struct gossip_address *seed, const char *ip, uint16_t port) {
    struct gossip_address expected;
    assert_true(gossip_address_parse(ip, port, &expected));
    assert_true(gossip_address_equal(seed, &expected));
}

static void names_alone_are_looked_for_on_this_host(void **state) {
    struct gossip_address seeds[SEED_PORTS];
    struct dns_name names[DNS_NAMES_MAX];
    (void)state;
    settings.peer_count = 2;
    snprintf(settings.node_id, sizeof settings.node_id, "a");
    snprintf(settings.peers_list[0].name, NAME_BYTES_MAX, "a");
    snprintf(settings.peers_list[1].name, NAME_BYTES_MAX, "b");
    assert_int_equal(seed_names_read(&settings, names), 0);
    assert_int_equal(seed_ports(&settings, seeds), SEED_PORTS);
    expect_port(&seeds[0], "127.0.0.1", 7946);
    expect_port(&seeds[SEED_PORTS - 1], "127.0.0.1", 7946 + SEED_PORTS - 1);
    snprintf(settings.bind_address, sizeof settings.bind_address, "::1");
    settings.bind_port = 65534;
    assert_int_equal(seed_ports(&settings, seeds), 2); /* there are no more */
    expect_port(&seeds[1], "::1", 65535);
}

static void whoever_is_told_of_others_does_not_ask_this_host(void **state) {
    struct gossip_address seeds[SEED_PORTS];
    (void)state;
    assert_int_equal(seed_ports(&settings, seeds), 0);
    settings.peer_count = 1;
    snprintf(settings.peers_list[0].name, NAME_BYTES_MAX, "b");
    snprintf(settings.seeds, sizeof settings.seeds, "host");
    assert_int_equal(seed_ports(&settings, seeds), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(seeds_are_told_apart),
        TEST(names_alone_are_looked_for_on_this_host),
        TEST(whoever_is_told_of_others_does_not_ask_this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
