/* Gossipers over this host's loopback: what they tell their nodes. The test is the nodes' loop. */
#include "server/gossiper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "log.h"
#include "server/clock.h"
#include "server/loop_event.h"

#include <unistd.h>

#define LIMIT_MS 30000
#define FIRST_PORT 22000
#define NODES_MAX 3

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER_KEY "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct node {
    struct settings settings;
    struct kv_identity identity;
    struct inbox inbox;
    struct gossiper *gossiper;
    raft_id found; /* the newest, and where */
    char address[ADDRESS_BYTES_MAX];
    raft_id lost;
    char observed[ADDRESS_BYTES_MAX];
    char observed_http[ADDRESS_BYTES_MAX];
};

/* No other run of this test, whose ports may have been these, has the same. */
static char label[NAME_BYTES_MAX];

static struct node nodes[NODES_MAX];
static size_t node_count;
static uint64_t next_port = FIRST_PORT;

/* ---- What they tell -------------------------------------------------------------------------- */

static void on_found(void *context, raft_id id, const char *address) {
    struct node *n = context;
    n->found = id;
    snprintf(n->address, sizeof n->address, "%s", address);
}

static void on_lost(void *context, raft_id id) {
    ((struct node *)context)->lost = id;
}

static void on_forgotten(void *context, raft_id id) {
    (void)context, (void)id;
}

static void on_observed(void *context, const char *address, const char *http_address) {
    struct node *n = context;
    snprintf(n->observed, sizeof n->observed, "%s", address);
    snprintf(n->observed_http, sizeof n->observed_http, "%s", http_address);
}

static void on_seeds(void *context, size_t count) {
    (void)context;
    assert_in_range(count, 1, GOSSIP_SEEDS_MAX);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static int set_up(void **state) {
    (void)state;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    snprintf(label, sizeof label, "test-%d", (int)getpid());
    memset(nodes, 0, sizeof nodes);
    node_count = 0;
    return 0;
}

/* One more, that is told of those before it; the first free port is its. */
static struct node *given_node(const char *its_label, const char *keys, const char *address) {
    struct node *n = &nodes[node_count++];
    n->settings = (struct settings){.bind_address = "127.0.0.1", .tick_ms = 10};
    snprintf(n->settings.gossip_keys, sizeof n->settings.gossip_keys, "%s", keys);
    if (node_count > 1)
        snprintf(n->settings.seeds, sizeof n->settings.seeds, "127.0.0.1:%u",
                 (unsigned)nodes[0].settings.bind_port);
    n->identity = (struct kv_identity){.id = node_count, .start_counter = 1, .start_nonce = 7};
    snprintf(n->identity.name, sizeof n->identity.name, "n%zu", node_count);
    inbox_init(&n->inbox);
    struct gossiper_config config = {
        .settings = &n->settings,
        .identity = &n->identity,
        .label = its_label,
        .raft_address = address,
        .http_address = ":8080",
        .inbox = &n->inbox,
        .handlers = {.context = n,
                     .on_found = on_found,
                     .on_lost = on_lost,
                     .on_forgotten = on_forgotten,
                     .on_seeds = on_seeds,
                     .on_observed = on_observed},
    };
    enum status status = STATUS_BUSY;
    while (status == STATUS_BUSY) {
        n->settings.bind_port = next_port++;
        status = gossiper_new(&config, &n->gossiper);
    }
    assert_int_equal(status, STATUS_OK);
    gossiper_start(n->gossiper);
    return n;
}

static void run_events(struct node *n, uint64_t deadline_ms) {
    struct turn_events events;
    inbox_take(&n->inbox, deadline_ms, &events);
    while (!STAILQ_EMPTY(&events)) {
        struct turn_event *event = STAILQ_FIRST(&events);
        STAILQ_REMOVE_HEAD(&events, link);
        ((struct loop_event *)event)->run((struct loop_event *)event);
    }
}

/* One round of everybody's loop. */
static void run(void) {
    for (size_t i = 0; i < node_count; i++) {
        run_events(&nodes[i], clock_ms() + 1);
        gossiper_tick(nodes[i].gossiper);
    }
}

#define RUN_UNTIL(condition) \
    do { \
        uint64_t end_ms = clock_ms() + LIMIT_MS; \
        while (!(condition)) { \
            run(); \
            if (clock_ms() > end_ms) \
                fail_msg("not within the limit: %s", #condition); \
        } \
    } while (0)

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < node_count; i++) {
        gossiper_stop(nodes[i].gossiper);
        run_events(&nodes[i], 0);
        gossiper_free(nodes[i].gossiper);
        inbox_close(&nodes[i].inbox);
    }
    return 0;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void nodes_find_each_other_and_where_they_are(void **state) {
    (void)state;
    struct node *a = given_node(label, "", "10.0.0.1:9000");
    struct node *b = given_node(label, "", ":9000");
    RUN_UNTIL(a->found == 2 && b->found == 1);
    assert_string_equal(b->address, "10.0.0.1:9000");
    assert_string_equal(a->address, "127.0.0.1:9000"); /* where a sees it */
    assert_string_equal(gossiper_find(a->gossiper, 2)->meta.name, "n2");
    assert_null(gossiper_find(a->gossiper, 3));
}

static void a_node_that_knows_no_address_of_its_own_is_told(void **state) {
    (void)state;
    (void)given_node(label, "", "10.0.0.1:9000");
    struct node *b = given_node(label, "", ":9000");
    RUN_UNTIL(b->observed[0] != '\0');
    assert_string_equal(b->observed, "127.0.0.1:9000");
    assert_string_equal(b->observed_http, "127.0.0.1:8080");
}

static void what_is_new_about_a_node_gets_around(void **state) {
    (void)state;
    struct node *a = given_node(label, "", ":9001");
    struct node *b = given_node(label, "", ":9002");
    RUN_UNTIL(a->found == 2 && b->found == 1);
    b->identity.cluster_id = 77;
    gossiper_tell(b->gossiper, label);
    RUN_UNTIL(gossiper_find(a->gossiper, 2)->meta.cluster_id == 77);
}

static void who_says_goodbye_is_lost(void **state) {
    (void)state;
    struct node *a = given_node(label, "", ":9001");
    struct node *b = given_node(label, "", ":9002");
    RUN_UNTIL(a->found == 2 && b->found == 1);
    assert_false(gossiper_has_left(b->gossiper));
    gossiper_leave(b->gossiper);
    RUN_UNTIL(gossiper_has_left(b->gossiper));
    RUN_UNTIL(a->lost == 2);
    assert_int_equal(gossiper_find(a->gossiper, 2)->state, GOSSIP_LEFT);
}

static void who_has_another_key_is_a_stranger(void **state) {
    (void)state;
    struct node *a = given_node(label, KEY, ":9001");
    struct node *b = given_node(label, OTHER_KEY, ":9002");
    struct node *c = given_node(label, OTHER_KEY "," KEY, ":9003"); /* it opens both */
    b->found = c->found = 0;
    for (int i = 0; i < 300; i++)
        run();
    assert_int_equal(a->found, 0); /* it opens nothing of theirs */
    assert_int_equal(b->found, 0);
}

static void keys_are_changed_without_a_gap(void **state) {
    (void)state;
    struct node *a = given_node(label, KEY "," OTHER_KEY, ":9001");
    struct node *b = given_node(label, OTHER_KEY "," KEY, ":9002");
    RUN_UNTIL(a->found == 2 && b->found == 1);
}

static void who_adopts_a_label_finds_its_nodes(void **state) {
    (void)state;
    struct node *a = given_node(label, "", ":9001");
    struct node *b = given_node("blank", "", ":9002");
    for (int i = 0; i < 100; i++)
        run();
    assert_int_equal(a->found, 0);
    assert_int_equal(b->found, 0);
    gossiper_tell(b->gossiper, label);
    RUN_UNTIL(a->found == 2 && b->found == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nodes_find_each_other_and_where_they_are),
        TEST(a_node_that_knows_no_address_of_its_own_is_told),
        TEST(what_is_new_about_a_node_gets_around),
        TEST(who_says_goodbye_is_lost),
        TEST(who_has_another_key_is_a_stranger),
        TEST(keys_are_changed_without_a_gap),
        TEST(who_adopts_a_label_finds_its_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
