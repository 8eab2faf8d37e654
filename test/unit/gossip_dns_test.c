/* Look-ups, with a name server of the test's own on loopback. */
#include "gossip/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "log.h"
#include "support/name_server.h"

#include <stdio.h>
#include <time.h>

#define PORT 7946
#define LIMIT_S 30

/* What was told last. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct gossip_address told[DNS_ADDRESSES_MAX];
static size_t told_count;
static unsigned told_times;

static struct name_server server;
static struct dns *dns;

static void on_addresses(void *context, const struct gossip_address *addresses, size_t count) {
    (void)context;
    pthread_mutex_lock(&mutex);
    memcpy(told, addresses, count * sizeof *addresses);
    told_count = count;
    told_times++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static int set_up(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    told_count = told_times = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    dns_free(dns);
    name_server_stop(&server);
    return 0;
}

static void look_up(const char *host) {
    struct dns_name name = {.port = PORT};
    struct dns_config config = {.names = &name,
                                .count = 1,
                                .name_servers = server.address,
                                .on_addresses = on_addresses};
    snprintf(name.host, sizeof name.host, "%s", host);
    assert_int_equal(dns_new(&config, &dns), STATUS_OK);
}

/* Until so many addresses were told at last. */
static void wait_until_told(size_t count) {
    struct timespec end;
    int result = 0;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT_S;
    pthread_mutex_lock(&mutex);
    while (told_count != count && result == 0)
        result = pthread_cond_timedwait(&changed, &mutex, &end);
    pthread_mutex_unlock(&mutex);
    assert_int_equal(result, 0);
}

static void wait_for_questions(unsigned count) {
    while (atomic_load(&server.udp_questions) < count)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void expect_address(size_t at, const char *ip) {
    struct gossip_address expected;
    assert_true(gossip_address_parse(ip, PORT, &expected));
    assert_true(gossip_address_equal(&told[at], &expected));
}

static void all_addresses_are_told_in_order(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_ANSWERS, 5);
    look_up("phalanx.internal");
    wait_until_told(5);
    expect_address(0, "fdaa::1");
    expect_address(4, "fdaa::5");
    assert_int_equal(atomic_load(&server.tcp_questions), 0);
}

static void a_name_may_have_ipv4_addresses_only(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_IS_V4, 2);
    look_up("phalanx.internal");
    wait_until_told(2);
    expect_address(0, "10.0.0.1");
}

static void an_answer_that_was_cut_is_fetched_over_tcp(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_ANSWERS, 40);
    look_up("phalanx.internal");
    wait_until_told(40);
    assert_true(atomic_load(&server.tcp_questions) > 0);
}

static void no_more_are_kept_than_there_is_room_for(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_ANSWERS, 2000);
    look_up("phalanx.internal");
    wait_until_told(DNS_ADDRESSES_MAX);
}

static void an_answer_that_changed_is_told(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_ANSWERS, 1);
    look_up("phalanx.internal");
    wait_until_told(1);
    atomic_store(&server.count, 3);
    wait_until_told(3);
    assert_int_equal(told_times, 2);
}

static void whatever_fails_is_tried_again(void **state) {
    const enum name_server_mood moods[] = {NAME_SERVER_IS_SILENT, NAME_SERVER_IS_MAD,
                                           NAME_SERVER_REFUSES, NAME_SERVER_KNOWS_NOT};
    (void)state;
    for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++) {
        if (i > 0)
            tear_down(state);
        set_up(state);
        name_server_start(&server, moods[i], 1);
        look_up("phalanx.internal");
        wait_for_questions(2);
        assert_int_equal(told_times, 0);
        atomic_store(&server.mood, NAME_SERVER_ANSWERS);
        wait_until_told(1);
    }
}

/* Nor does an answer without addresses: the others are still there. */
static void a_failure_takes_nothing_away(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_ANSWERS, 2);
    look_up("phalanx.internal");
    wait_until_told(2);
    unsigned before = atomic_load(&server.udp_questions);
    atomic_store(&server.mood, NAME_SERVER_KNOWS_NOT);
    wait_for_questions(before + 4);
    atomic_store(&server.count, 0);
    atomic_store(&server.mood, NAME_SERVER_ANSWERS);
    before = atomic_load(&server.udp_questions);
    wait_for_questions(before + 4);
    assert_int_equal(told_times, 1);
    assert_int_equal(told_count, 2);
}

static void an_address_is_no_question(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_IS_SILENT, 0);
    look_up("fdaa::7");
    wait_until_told(1);
    expect_address(0, "fdaa::7");
    assert_int_equal(atomic_load(&server.udp_questions), 0);
}

static void it_stops_while_it_waits_for_an_answer(void **state) {
    (void)state;
    name_server_start(&server, NAME_SERVER_IS_SILENT, 0);
    look_up("phalanx.internal");
    wait_for_questions(1);
}

static void a_server_that_is_none_is_told(void **state) {
    struct dns_name name = {.host = "phalanx.internal", .port = PORT};
    struct dns_config config = {.names = &name,
                                .count = 1,
                                .name_servers = "no server",
                                .on_addresses = on_addresses};
    (void)state;
    dns = NULL;
    name_server_start(&server, NAME_SERVER_IS_SILENT, 0);
    assert_int_equal(dns_new(&config, &dns), STATUS_INVALID);
}

#define DNS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        DNS_TEST(all_addresses_are_told_in_order),
        DNS_TEST(a_name_may_have_ipv4_addresses_only),
        DNS_TEST(an_answer_that_was_cut_is_fetched_over_tcp),
        DNS_TEST(no_more_are_kept_than_there_is_room_for),
        DNS_TEST(an_answer_that_changed_is_told),
        DNS_TEST(whatever_fails_is_tried_again),
        DNS_TEST(a_failure_takes_nothing_away),
        DNS_TEST(an_address_is_no_question),
        DNS_TEST(it_stops_while_it_waits_for_an_answer),
        DNS_TEST(a_server_that_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
