/* A few nodes with a perfect network: what is sent is there at once. What goes wrong between them
 * is the simulator's (test/gossip). */
#include "gossip/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES_MAX (GOSSIP_MEMBERS_MAX + 1)
#define SEEDS 10
#define TICK_MS 100

struct node {
    struct gossip *g; /* NULL: down */
    struct gossip_address address;
    size_t changes[GOSSIP_FORGOTTEN + 1];
};

static struct node nodes[NODES_MAX];
static size_t node_count;
static uint64_t now_ms;
static bool (*is_cut)(size_t a, size_t b); /* either way; NULL: nothing is */

static struct gossip_address address_of(size_t place) {
    struct gossip_address address = {.port = (uint16_t)(7946 + place)};
    assert_true(gossip_address_parse("fdaa::1", address.port, &address));
    return address;
}

static struct node *at(const struct gossip_address *address) {
    for (size_t i = 0; i < node_count; i++)
        if (gossip_address_equal(&nodes[i].address, address))
            return &nodes[i];
    return NULL;
}

static void take(struct node *n);

static enum status step(struct node *n, struct gossip_event event) {
    event.now_ms = now_ms;
    enum status status = gossip_step(n->g, &event);
    take(n);
    return status;
}

static enum status receive(struct node *n, const struct gossip_address *from, struct bytes bytes) {
    return step(n, (struct gossip_event){.kind = GOSSIP_EVENT_RECEIVE, .receive = {*from, bytes}});
}

struct mail {
    struct gossip_address from, to;
    size_t len;
    uint8_t bytes[GOSSIP_DATAGRAM_BYTES_MAX];
};

static struct mail mails[4096];
static size_t mail_count;

static void take(struct node *n) {
    struct gossip_ready ready;
    gossip_ready(n->g, &ready);
    for (size_t i = 0; i < ready.datagram_count; i++) {
        assert_true(mail_count < sizeof mails / sizeof mails[0]);
        struct mail *mail = &mails[mail_count++];
        mail->from = n->address;
        mail->to = ready.datagrams[i].to;
        mail->len = ready.datagrams[i].bytes.len;
        memcpy(mail->bytes, ready.datagrams[i].bytes.data, mail->len);
    }
    for (size_t i = 0; i < ready.change_count; i++)
        n->changes[ready.changes[i].kind]++;
    gossip_advance(n->g);
}

static void deliver(void) {
    while (mail_count > 0) {
        struct mail mail = mails[--mail_count];
        const struct node *from = at(&mail.from);
        struct node *to = at(&mail.to);
        if (to && to->g && !(is_cut && is_cut((size_t)(from - nodes), (size_t)(to - nodes))))
            assert_int_not_equal(receive(to, &mail.from, bytes_of(mail.bytes, mail.len)),
                                 STATUS_OVERLOAD);
    }
}

static void elapse(uint64_t span_ms) {
    for (uint64_t end_ms = now_ms + span_ms; now_ms < end_ms;) {
        uint64_t next_ms = end_ms;
        for (size_t i = 0; i < node_count; i++)
            if (nodes[i].g && gossip_deadline_ms(nodes[i].g) < next_ms)
                next_ms = gossip_deadline_ms(nodes[i].g);
        now_ms = next_ms > now_ms ? next_ms : now_ms;
        for (size_t i = 0; i < node_count; i++)
            if (nodes[i].g && gossip_deadline_ms(nodes[i].g) <= now_ms)
                assert_int_equal(step(&nodes[i], (struct gossip_event){0}), STATUS_OK);
        deliver();
    }
}

static struct gossip_config config_of(size_t place, const char *label) {
    struct gossip_config config = {.self = 100 + place,
                                   .label = label,
                                   .address = {.port = nodes[place].address.port},
                                   .tick_ms = TICK_MS,
                                   .seed = now_ms + place,
                                   .now_ms = now_ms};
    (void)snprintf(config.meta.name, sizeof config.meta.name, "node-%zu", place);
    (void)snprintf(config.meta.raft_address, sizeof config.meta.raft_address, ":9000");
    return config;
}

static void start(size_t place, const char *label) {
    nodes[place] = (struct node){.address = address_of(place)};
    struct gossip_config config = config_of(place, label);
    assert_int_equal(gossip_new(&config, &nodes[place].g), STATUS_OK);
    if (place >= node_count)
        node_count = place + 1;
    struct gossip_address seeds[SEEDS];
    for (size_t i = 0; i < SEEDS; i++)
        seeds[i] = address_of(i);
    struct gossip_event event = {.kind = GOSSIP_EVENT_SEEDS, .seeds = {seeds, SEEDS}};
    assert_int_equal(step(&nodes[place], event), STATUS_OK);
}

static void stop(size_t place) {
    gossip_free(nodes[place].g);
    nodes[place].g = NULL;
}

static int begin(void **state) {
    (void)state;
    node_count = 0;
    mail_count = 0;
    now_ms = 1000;
    is_cut = NULL;
    return 0;
}

static int end(void **state) {
    (void)state;
    for (size_t i = 0; i < node_count; i++)
        stop(i);
    return 0;
}

static void start_five(void) {
    for (size_t i = 0; i < 5; i++)
        start(i, "test");
    elapse(3000);
}

static void assert_state(size_t place, size_t of, enum gossip_state expected) {
    const struct gossip_member *member = gossip_find(nodes[place].g, 100 + of);
    assert_non_null(member);
    assert_int_equal(member->state, expected);
}

static void all_find_each_other(void **state) {
    (void)state;
    start_five();
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(gossip_count(nodes[i].g), 4);
        assert_int_equal(nodes[i].changes[GOSSIP_JOINED], 4);
        for (size_t j = 0; j < 5; j++)
            if (i != j) {
                assert_state(i, j, GOSSIP_ALIVE);
                const struct gossip_member *member = gossip_find(nodes[i].g, 100 + j);
                assert_true(gossip_address_equal(&member->address, &nodes[j].address));
                assert_string_equal(member->meta.raft_address, ":9000");
            }
    }
    struct gossip_status status;
    gossip_status(nodes[0].g, &status);
    assert_true(status.has_observed);
    assert_true(gossip_address_equal(&status.observed, &nodes[0].address));
}

static void as_many_as_there_may_be_find_each_other(void **state) {
    (void)state;
    for (size_t i = 0; i < NODES_MAX; i++) {
        start(i, "test");
        deliver();
    }
    elapse(10000);
    for (size_t i = 0; i < NODES_MAX; i++)
        assert_int_equal(gossip_count(nodes[i].g), NODES_MAX - 1);
}

static void a_killed_member_dies_everywhere_in_time(void **state) {
    (void)state;
    start_five();
    struct gossip_timing timing = gossip_timing_of(TICK_MS);
    stop(2);
    elapse(gossip_bound_ms(&timing, 5));
    for (size_t i = 0; i < 5; i++)
        if (i != 2) {
            assert_state(i, 2, GOSSIP_DEAD);
            assert_int_equal(nodes[i].changes[GOSSIP_DIED], 1);
        }
}

static bool is_between_the_first_two(size_t a, size_t b) {
    return a + b == 1;
}

static void two_that_cannot_talk_hear_of_each_other_through_helpers(void **state) {
    (void)state;
    start_five();
    is_cut = is_between_the_first_two;
    elapse(300000);
    for (size_t i = 0; i < 2; i++) {
        assert_state(i, 1 - i, GOSSIP_ALIVE);
        assert_int_equal(nodes[i].changes[GOSSIP_SUSPECTED], 0);
    }
}

static bool is_between_two_and_three(size_t a, size_t b) {
    return (a < 2) != (b < 2);
}

static void a_healed_split_finds_itself(void **state) {
    (void)state;
    start_five();
    is_cut = is_between_two_and_three;
    elapse(600000);
    assert_state(0, 2, GOSSIP_DEAD);
    assert_state(2, 0, GOSSIP_DEAD);
    is_cut = NULL;
    elapse(60000);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            if (i != j)
                assert_state(i, j, GOSSIP_ALIVE);
}

static void one_that_leaves_is_not_called_dead(void **state) {
    (void)state;
    start_five();
    assert_int_equal(step(&nodes[1], (struct gossip_event){.kind = GOSSIP_EVENT_LEAVE}), STATUS_OK);
    elapse(1000);
    struct gossip_status status;
    gossip_status(nodes[1].g, &status);
    assert_true(status.has_left);
    assert_int_equal(gossip_deadline_ms(nodes[1].g), UINT64_MAX);
    elapse(3000);
    assert_state(0, 1, GOSSIP_LEFT);
    assert_int_equal(nodes[0].changes[GOSSIP_DIED], 0);
    assert_int_equal(nodes[0].changes[GOSSIP_GONE], 1);
}

static void new_metadata_reaches_all(void **state) {
    (void)state;
    start_five();
    struct gossip_meta meta = gossip_self(nodes[3].g)->meta;
    meta.cluster_id = 77;
    struct gossip_event event = {.kind = GOSSIP_EVENT_META,
                                 .meta = {&meta, gossip_self(nodes[3].g)->address}};
    assert_int_equal(step(&nodes[3], event), STATUS_OK);
    elapse(2000);
    for (size_t i = 0; i < 5; i++)
        if (i != 3) {
            assert_int_equal(gossip_find(nodes[i].g, 103)->meta.cluster_id, 77);
            assert_int_equal(nodes[i].changes[GOSSIP_UPDATED], 1);
        }
}

static void a_restart_at_another_address_is_known_at_once(void **state) {
    (void)state;
    start_five();
    uint64_t incarnation = gossip_self(nodes[4].g)->incarnation;
    stop(4);
    nodes[7] = (struct node){.address = address_of(7)};
    node_count = 8;
    struct gossip_config config = config_of(7, "test");
    config.self = 104; /* the same directory in another place */
    assert_int_equal(gossip_new(&config, &nodes[7].g), STATUS_OK);
    struct gossip_address seed = address_of(0);
    struct gossip_event event = {.kind = GOSSIP_EVENT_SEEDS, .seeds = {&seed, 1}};
    assert_int_equal(step(&nodes[7], event), STATUS_OK);
    elapse(2000);
    for (size_t i = 0; i < 4; i++) {
        assert_state(i, 4, GOSSIP_ALIVE);
        assert_true(gossip_find(nodes[i].g, 104)->incarnation > incarnation);
        assert_int_equal(gossip_find(nodes[i].g, 104)->address.port, address_of(7).port);
    }
}

static void an_address_that_changes_under_a_node_is_followed(void **state) {
    (void)state;
    struct gossip_timing timing = gossip_timing_of(TICK_MS);
    start_five();
    nodes[4].address = address_of(8);
    elapse(gossip_bound_ms(&timing, 5));
    for (size_t i = 0; i < 4; i++) {
        assert_state(i, 4, GOSSIP_ALIVE);
        assert_int_equal(gossip_find(nodes[i].g, 104)->address.port, address_of(8).port);
        assert_int_equal(nodes[i].changes[GOSSIP_DIED], 0);
    }
    assert_int_equal(nodes[4].changes[GOSSIP_DIED], 0);
}

static void labels_never_meet(void **state) {
    (void)state;
    start(0, "one");
    start(1, "two");
    elapse(20000);
    assert_int_equal(gossip_count(nodes[0].g), 0);
    assert_int_equal(gossip_count(nodes[1].g), 0);
    struct gossip_status status;
    gossip_status(nodes[0].g, &status);
    assert_true(status.counts.other_label > 0);
    assert_true(status.counts.from_self > 0);
    struct gossip_event event = {.kind = GOSSIP_EVENT_LABEL, .label = "two"};
    assert_int_equal(step(&nodes[0], event), STATUS_OK);
    elapse(8000);
    assert_state(0, 1, GOSSIP_ALIVE);
    assert_state(1, 0, GOSSIP_ALIVE);
}

static void the_dead_are_forgotten(void **state) {
    (void)state;
    start_five();
    struct gossip_timing timing = gossip_timing_of(TICK_MS);
    stop(2);
    elapse(timing.forget_ms / 2);
    assert_state(0, 2, GOSSIP_DEAD);
    elapse(timing.forget_ms / 2 + 60000);
    assert_null(gossip_find(nodes[0].g, 102));
    assert_int_equal(nodes[0].changes[GOSSIP_FORGOTTEN], 1);
    assert_int_equal(nodes[0].changes[GOSSIP_DIED], 1);
}

static void addresses_are_completed(void **state) {
    (void)state;
    char text[ADDRESS_BYTES_MAX];
    struct gossip_address six = address_of(0), four;
    assert_true(gossip_address_parse("10.0.0.1", 7946, &four));
    assert_true(gossip_address_complete(":9000", &six, text));
    assert_string_equal(text, "[fdaa::1]:9000");
    assert_true(gossip_address_complete(":9000", &four, text));
    assert_string_equal(text, "10.0.0.1:9000");
    assert_true(gossip_address_complete("host:1", &four, text));
    assert_string_equal(text, "host:1");
    assert_false(gossip_address_complete("", &four, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_find_each_other, begin, end),
        cmocka_unit_test_setup_teardown(as_many_as_there_may_be_find_each_other, begin, end),
        cmocka_unit_test_setup_teardown(a_killed_member_dies_everywhere_in_time, begin, end),
        cmocka_unit_test_setup_teardown(two_that_cannot_talk_hear_of_each_other_through_helpers,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_healed_split_finds_itself, begin, end),
        cmocka_unit_test_setup_teardown(one_that_leaves_is_not_called_dead, begin, end),
        cmocka_unit_test_setup_teardown(new_metadata_reaches_all, begin, end),
        cmocka_unit_test_setup_teardown(a_restart_at_another_address_is_known_at_once, begin, end),
        cmocka_unit_test_setup_teardown(an_address_that_changes_under_a_node_is_followed, begin,
                                        end),
        cmocka_unit_test_setup_teardown(labels_never_meet, begin, end),
        cmocka_unit_test_setup_teardown(the_dead_are_forgotten, begin, end),
        cmocka_unit_test(addresses_are_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
