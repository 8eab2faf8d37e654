/* Gossip's socket, over this host's loopback. */
#include "gossip/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 21000
#define PORTS 400

/* What a socket's thread received last; the semaphore counts them. */
struct receiver {
    struct udp *udp;
    sem_t arrived;
    struct gossip_address from;
    uint8_t data[UDP_BYTES_MAX];
    size_t len;
};

static void on_datagram(void *context, const struct gossip_address *from, struct bytes bytes) {
    struct receiver *r = context;
    r->from = *from;
    memcpy(r->data, bytes.data, bytes.len);
    r->len = bytes.len;
    sem_post(&r->arrived);
}

static void start(struct receiver *r, const char *ip) {
    struct udp_config config = {.ip = ip,
                                .port = FIRST_PORT,
                                .port_count = PORTS,
                                .context = r,
                                .on_datagram = on_datagram};
    assert_int_equal(sem_init(&r->arrived, 0, 0), 0);
    assert_int_equal(udp_new(&config, &r->udp), STATUS_OK);
    udp_start(r->udp);
}

static void stop(struct receiver *r) {
    udp_free(r->udp);
    sem_destroy(&r->arrived);
}

static struct gossip_address address_of(const char *ip, const struct receiver *r) {
    struct gossip_address address;
    assert_true(gossip_address_parse(ip, udp_port(r->udp), &address));
    return address;
}

static void wait_for_one(struct receiver *r) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    assert_int_equal(sem_timedwait(&r->arrived, &end), 0);
}

static void send_and_compare(struct receiver *from, struct receiver *to, const char *ip,
                             size_t len) {
    uint8_t data[UDP_BYTES_MAX];
    struct gossip_address there = address_of(ip, to);
    memset(data, (int)len, sizeof data);
    udp_send(from->udp, &there, bytes_of(data, len));
    wait_for_one(to);
    assert_int_equal(to->len, len);
    assert_memory_equal(to->data, data, len);
    struct gossip_address here = address_of(ip, from);
    assert_true(gossip_address_equal(&to->from, &here));
}

static void both_families_go_through_one_socket(void **state) {
    struct receiver a, b;
    (void)state;
    start(&a, "::");
    start(&b, "::");
    assert_int_not_equal(udp_port(a.udp), udp_port(b.udp)); /* the next free one */
    send_and_compare(&a, &b, "127.0.0.1", 3);
    send_and_compare(&b, &a, "::1", UDP_BYTES_MAX);
    send_and_compare(&a, &b, "127.0.0.1", 0);
    stop(&a);
    stop(&b);
}

static void an_ipv4_address_is_bound_too(void **state) {
    struct receiver a, b;
    (void)state;
    start(&a, "127.0.0.1");
    start(&b, "127.0.0.1");
    send_and_compare(&a, &b, "127.0.0.1", 100);
    stop(&a);
    stop(&b);
}

static void a_taken_port_is_told(void **state) {
    struct receiver a;
    struct udp *other = NULL;
    (void)state;
    start(&a, "::");
    struct udp_config config = {.ip = "::", .port = udp_port(a.udp), .port_count = 1};
    assert_int_equal(udp_new(&config, &other), STATUS_BUSY);
    assert_null(other);
    stop(&a);
}

static void an_address_of_others_is_told(void **state) {
    struct udp *udp = NULL;
    (void)state;
    struct udp_config config = {.ip = "2001:db8::1", .port = FIRST_PORT, .port_count = 1};
    assert_int_equal(udp_new(&config, &udp), STATUS_INVALID);
    config.ip = "not an address";
    assert_int_equal(udp_new(&config, &udp), STATUS_INVALID);
}

/* Longer than udp_send() would take: through a socket of the test's own. */
static void send_too_much(const struct receiver *to) {
    static const uint8_t data[UDP_BYTES_MAX + 1];
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons(udp_port(to->udp)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, data, sizeof data, 0, (struct sockaddr *)&there, sizeof there),
                     sizeof data);
    close(fd);
}

static void what_is_too_long_is_dropped_and_counted(void **state) {
    struct receiver a, b;
    (void)state;
    start(&a, "::");
    start(&b, "::");
    send_too_much(&b);
    send_and_compare(&a, &b, "127.0.0.1", 1); /* looked at after what came before it */
    assert_int_equal(udp_oversize_total(b.udp), 1);
    stop(&a);
    stop(&b);
}

static void addresses_are_read_and_printed(void **state) {
    const char *const texts[][2] = {{"10.1.2.3", "10.1.2.3:7946"},
                                    {"::ffff:10.1.2.3", "10.1.2.3:7946"},
                                    {"fdaa:0:1::5", "[fdaa:0:1::5]:7946"},
                                    {"::", "[::]:7946"}};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gossip_address address;
        char text[GOSSIP_ADDRESS_TEXT_BYTES_MAX];
        assert_true(gossip_address_parse(texts[i][0], 7946, &address));
        gossip_address_print(&address, text);
        assert_string_equal(text, texts[i][1]);
    }
    struct gossip_address address;
    const char *const others[] = {"", "10.1.2", "10.1.2.3.4", "[::1]", "host", "fdaa:::1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(gossip_address_parse(others[i], 1, &address));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_go_through_one_socket),
        cmocka_unit_test(an_ipv4_address_is_bound_too),
        cmocka_unit_test(a_taken_port_is_told),
        cmocka_unit_test(an_address_of_others_is_told),
        cmocka_unit_test(what_is_too_long_is_dropped_and_counted),
        cmocka_unit_test(addresses_are_read_and_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
