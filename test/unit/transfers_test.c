/* Snapshots between two nodes, over this host's loopback: each has its directory, its inbox and its
 * transfers; the test is their loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/rpc.h"
#include "server/transfers.h"
#include "support/log_fixture.h"
#include "support/state_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define CLUSTER 7
#define TERM 5
#define KEYS 100
#define APPLIED 50

/* Only a broken transfer reaches this. */
#define PATIENCE_MS 120000

/* A peer that stalls is given up after 30 s: what is cut off must not wait for that. */
#define CUT_OFF_MS_MAX 15000
#define STANDSTILL_MS 200

static void wait_until_busy_is(struct transfers *t, bool is_busy) {
    uint64_t deadline_ms = clock_ms() + PATIENCE_MS;
    while (transfers_is_busy(t) != is_busy && clock_ms() < deadline_ms)
        (void)sched_yield(); /* cannot fail */
    assert_int_equal(transfers_is_busy(t), is_busy);
}

/* ---- The node that sends --------------------------------------------------------------------- */

static struct sender {
    struct state_fixture state;
    struct state_holder *states;
    struct kv_identity identity;
    struct inbox inbox;
    struct transfers *transfers;
    struct turn_transfer transfer;
} sender;

/* Keys and a configuration of three, as of entry APPLIED; and with `ballast` more than any network
 * takes in by itself. */
static void fill_state(struct state_fixture *f, bool has_ballast) {
    static uint8_t body[512 * KIB];
    state_put_many(f, 1, KEYS);
    state_put_configuration(f, 3, 40);
    for (size_t i = 0; has_ballast && i < 64; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "large-%02zu", i);
        state_put(f, key, bytes_of(body, sizeof body));
    }
    f->meta.applied_index = APPLIED - 1;
    state_flush(f);
}

static void start_sender(const struct temporary *t, bool has_ballast) {
    struct state_fixture *f = &sender.state;
    sender = (struct sender){.identity = {.id = 1, .cluster_id = CLUSTER}};
    assert_int_equal(kv_directory_open(temporary_path(t, "sender"), &f->directory), STATUS_OK);
    assert_int_equal(kv_state_open(f->directory, 0, &f->options, &f->state, &f->meta), STATUS_OK);
    assert_int_equal(kv__overlay_new(&f->overlay), STATUS_OK);
    fill_state(f, has_ballast);
    sender.states = state_holder_new(f->state, 0);
    assert_non_null(sender.states);
    inbox_init(&sender.inbox);
    struct transfers_config config = {.identity = &sender.identity,
                                      .directory = f->directory,
                                      .states = sender.states,
                                      .inbox = &sender.inbox};
    assert_int_equal(transfers_new(&config, &sender.transfers), STATUS_OK);
}

static void stop_sender(void) {
    transfers_free(sender.transfers);
    inbox_close(&sender.inbox);
    state_holder_free(sender.states);
    sender.state.state = NULL; /* was the holder's */
    state_close(&sender.state);
}

static void send_to(raft_id peer, const char *address) {
    sender.transfer =
        (struct turn_transfer){.event.kind = TURN_TRANSFERRED, .peer = peer, .index = APPLIED};
    transfers_send(sender.transfers, &sender.transfer, TERM, address);
}

/* The one event that is to come. */
static struct turn_event *next_event(struct inbox *inbox) {
    struct turn_events events;
    inbox_take(inbox, clock_ms() + PATIENCE_MS, &events);
    struct turn_event *event = STAILQ_FIRST(&events);
    assert_non_null(event);
    assert_null(STAILQ_NEXT(event, link));
    return event;
}

static void assert_came_back(bool is_installed) {
    assert_ptr_equal(next_event(&sender.inbox), &sender.transfer.event);
    assert_int_equal(sender.transfer.is_installed, is_installed);
}

/* Until the network takes no more: the thread that sends waits. */
static void wait_until_it_stands_still(void) {
    uint64_t index = 0, sent_bytes = 0, seen_bytes = 0, since_ms = clock_ms();
    uint64_t deadline_ms = since_ms + PATIENCE_MS;
    while ((sent_bytes == 0 || clock_ms() < since_ms + STANDSTILL_MS) && clock_ms() < deadline_ms) {
        (void)sched_yield(); /* cannot fail */
        transfers_look(sender.transfers, 2, &index, &sent_bytes);
        if (sent_bytes != seen_bytes)
            since_ms = clock_ms();
        seen_bytes = sent_bytes;
    }
    assert_int_equal(index, APPLIED);
    assert_true(sent_bytes > 0);
}

/* ---- The node that receives ------------------------------------------------------------------ */

static struct receiver {
    struct log_fixture log;
    struct state_holder *states;
    struct kv_identity identity;
    struct inbox inbox;
    struct log_writer *writer;
    struct transfers *transfers;
    struct rpc_server *server;
    char address[64];
} receiver;

static void on_install(void *context, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head) {
    transfers_receive(((struct receiver *)context)->transfers, incoming, head);
}

static void start_server(struct receiver *r) {
    struct rpc_server_config config = {
        .address = "127.0.0.1:0",
        .threads = 1,
        .handlers = {.context = r, .on_install = on_install},
    };
    assert_int_equal(rpc_server_new(&config, &r->server), STATUS_OK);
    snprintf(r->address, sizeof r->address, "127.0.0.1:%d", rpc_server_port(r->server));
    rpc_server_start(r->server);
}

static void start_receiver(const struct temporary *t) {
    struct receiver *r = &receiver;
    struct kv_state *store;
    struct kv_meta meta;
    *r = (struct receiver){.identity = {.id = 2, .cluster_id = CLUSTER}};
    fixture_open(&r->log, t);
    struct transfers_config config = {.identity = &r->identity,
                                      .directory = r->log.directory,
                                      .inbox = &r->inbox};
    assert_int_equal(kv_state_open(r->log.directory, 0, &config.state, &store, &meta), STATUS_OK);
    r->states = config.states = state_holder_new(store, 0);
    assert_non_null(r->states);
    inbox_init(&r->inbox);
    assert_int_equal(log_writer_new(r->log.log, 1, &r->inbox, &r->writer), STATUS_OK);
    config.log_writer = r->writer;
    assert_int_equal(transfers_new(&config, &r->transfers), STATUS_OK);
    start_server(r);
}

static void stop_receiver(void) {
    struct receiver *r = &receiver;
    transfers_stop(r->transfers);
    rpc_server_drain(r->server);
    transfers_free(r->transfers);
    rpc_server_free(r->server);
    log_writer_free(r->writer);
    inbox_close(&r->inbox);
    state_holder_free(r->states);
    fixture_close(&r->log);
}

/* A snapshot lies built, and the loop is asked about it. */
static struct turn_install *offered(void) {
    struct turn_event *event = next_event(&receiver.inbox);
    assert_int_equal(event->kind, TURN_INSTALL);
    return (struct turn_install *)event;
}

static bool has_key(const char *name) {
    struct held_state *held = state_hold(receiver.states);
    struct kv_base base = kv_state_base(held->store);
    uint8_t key[64] = {KV_TABLE_KEY};
    struct bytes record;
    memcpy(key + 1, name, strlen(name));
    enum status status = base.ops->get(base.context, bytes_of(key, strlen(name) + 1), &record);
    state_release(receiver.states, held);
    return status == STATUS_OK;
}

/* A snapshot of which nothing but the head has come. */
static struct rpc_upload *given_a_silent_sender(void) {
    struct rpc_upload_config config = {.address = receiver.address,
                                       .head = {.cluster_id = CLUSTER,
                                                .from = 3,
                                                .to = 2,
                                                .term = TERM,
                                                .index = APPLIED,
                                                .index_term = TERM},
                                       .stall_ms = PATIENCE_MS};
    struct rpc_upload *upload;
    assert_int_equal(rpc_upload_new(&config, &upload), STATUS_OK);
    wait_until_busy_is(receiver.transfers, true);
    return upload;
}

static enum rpc_code end_of(struct rpc_upload *upload) {
    struct rpc_outcome outcome;
    raft_index index = 0;
    rpc_upload_finish(upload, false, &outcome, &index);
    return outcome.code;
}

/* ---- Both, as they are meant to be ----------------------------------------------------------- */

static void start_both(const struct temporary *t, bool has_ballast) {
    start_sender(t, has_ballast);
    start_receiver(t);
}

static void stop_both(void) {
    stop_receiver();
    stop_sender();
}

static void a_peer_takes_it_and_goes_on_from_there(void **state) {
    start_both(*state, false);
    send_to(2, receiver.address);
    struct turn_install *install = offered();
    assert_int_equal(install->index, APPLIED);
    assert_int_equal(install->term, 3);
    assert_int_equal(install->generation, 1);
    assert_int_equal(install->configuration.count, 3);
    assert_false(has_key("key-000001")); /* the loop has not decided */
    transfers_install(receiver.transfers, install);
    assert_ptr_equal(next_event(&receiver.inbox), &install->event);
    assert_int_equal(install->status, STATUS_OK);
    assert_false(install->is_log_kept);
    assert_int_equal(install->meta.applied_index, APPLIED);
    assert_true(has_key("key-000001"));
    assert_true(has_key("key-000100"));
    transfers_done(receiver.transfers, install, STATUS_OK);
    assert_came_back(true);
    assert_int_equal(sender.transfer.index, APPLIED);
    stop_both();
}

/* It has come as far by itself, and says that it needs none of this. */
static void a_peer_that_needs_it_no_more_counts_as_having_it(void **state) {
    start_both(*state, false);
    send_to(2, receiver.address);
    transfers_done(receiver.transfers, offered(), STATUS_STALE);
    assert_came_back(true);
    assert_false(has_key("key-000001"));
    stop_both();
}

static void a_peer_that_cannot_install_it_does_not_have_it(void **state) {
    start_both(*state, false);
    send_to(2, receiver.address);
    transfers_done(receiver.transfers, offered(), STATUS_DISK_FULL);
    assert_came_back(false);
    wait_until_busy_is(receiver.transfers, false);
    send_to(2, receiver.address); /* it may be tried again */
    transfers_done(receiver.transfers, offered(), STATUS_STALE);
    assert_came_back(true);
    stop_both();
}

/* ---- Refused --------------------------------------------------------------------------------- */

static void another_identity_or_cluster_is_refused(void **state) {
    start_both(*state, true);
    send_to(4, receiver.address);
    assert_came_back(false);
    transfers_join(sender.transfers, CLUSTER + 1);
    send_to(2, receiver.address);
    assert_came_back(false);
    transfers_join(sender.transfers, CLUSTER);
    transfers_join(receiver.transfers, 0);
    send_to(2, receiver.address);
    assert_came_back(false);
    assert_false(transfers_is_busy(receiver.transfers));
    stop_both();
}

static void one_is_received_at_a_time(void **state) {
    start_both(*state, true);
    struct rpc_upload *first = given_a_silent_sender();
    send_to(2, receiver.address);
    assert_came_back(false);
    assert_int_equal(end_of(first), RPC_CANCELLED);
    wait_until_busy_is(receiver.transfers, false);
    send_to(2, receiver.address);
    transfers_done(receiver.transfers, offered(), STATUS_STALE);
    assert_came_back(true);
    stop_both();
}

static void a_peer_without_an_address_gets_none(void **state) {
    start_sender(*state, false);
    send_to(2, NULL);
    assert_came_back(false);
    send_to(2, "nowhere");
    assert_came_back(false);
    stop_sender();
}

/* ---- Cut off --------------------------------------------------------------------------------- */

static void a_sender_that_breaks_off_installs_nothing(void **state) {
    start_receiver(*state);
    assert_int_equal(end_of(given_a_silent_sender()), RPC_CANCELLED);
    wait_until_busy_is(receiver.transfers, false);
    struct turn_events events;
    inbox_take(&receiver.inbox, 0, &events);
    assert_true(STAILQ_EMPTY(&events));
    stop_receiver();
}

/* Nobody reads what is sent, until nobody is there. */
static struct rpc_incoming *unread;
static pthread_mutex_t unread_mutex = PTHREAD_MUTEX_INITIALIZER;

static void leave_unread(void *context, struct rpc_incoming *incoming,
                         const struct rpc_install_head *head) {
    (void)context, (void)head;
    CHECK(pthread_mutex_lock(&unread_mutex) == 0);
    unread = incoming;
    CHECK(pthread_mutex_unlock(&unread_mutex) == 0);
}

static struct rpc_incoming *wait_for_unread(void) {
    struct rpc_incoming *incoming = NULL;
    for (uint64_t deadline_ms = clock_ms() + PATIENCE_MS; !incoming && clock_ms() < deadline_ms;) {
        (void)sched_yield(); /* cannot fail */
        CHECK(pthread_mutex_lock(&unread_mutex) == 0);
        incoming = unread;
        CHECK(pthread_mutex_unlock(&unread_mutex) == 0);
    }
    assert_non_null(incoming);
    return incoming;
}

/* The peer is a server that takes the stream and then nothing of it. */
static struct rpc_server *given_a_peer_that_does_not_read(const struct temporary *t) {
    struct rpc_server_config config = {.address = "127.0.0.1:0",
                                       .threads = 1,
                                       .handlers.on_install = leave_unread};
    struct rpc_server *server;
    char address[64];
    unread = NULL;
    start_sender(t, true);
    assert_int_equal(rpc_server_new(&config, &server), STATUS_OK);
    rpc_server_start(server);
    snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(server));
    send_to(2, address);
    (void)wait_for_unread();
    wait_until_it_stands_still();
    return server;
}

static void a_peer_that_hangs_up_in_between_does_not_have_it(void **state) {
    struct rpc_server *server = given_a_peer_that_does_not_read(*state);
    rpc_incoming_finish(wait_for_unread(), STATUS_ABORTED, NULL, 0);
    assert_came_back(false);
    rpc_server_free(server);
    stop_sender();
}

static void a_node_that_stops_cuts_off_what_it_sends(void **state) {
    struct rpc_server *server = given_a_peer_that_does_not_read(*state);
    assert_true(transfers_is_busy(sender.transfers));
    uint64_t stop_ms = clock_ms();
    transfers_stop(sender.transfers);
    assert_came_back(false);
    assert_true(clock_ms() - stop_ms < CUT_OFF_MS_MAX);
    wait_until_busy_is(sender.transfers, false);
    send_to(2, "127.0.0.1:1"); /* nothing begins any more */
    assert_false(transfers_is_busy(sender.transfers));
    assert_came_back(false);
    rpc_incoming_finish(wait_for_unread(), STATUS_ABORTED, NULL, 0);
    rpc_server_free(server);
    stop_sender();
}

static void a_node_that_stops_cuts_off_what_it_receives(void **state) {
    start_receiver(*state);
    struct rpc_upload *upload = given_a_silent_sender();
    uint64_t stop_ms = clock_ms();
    stop_receiver();
    assert_true(clock_ms() - stop_ms < CUT_OFF_MS_MAX);
    assert_int_not_equal(end_of(upload), RPC_OK);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(a_peer_takes_it_and_goes_on_from_there),
        STORY(a_peer_that_needs_it_no_more_counts_as_having_it),
        STORY(a_peer_that_cannot_install_it_does_not_have_it),
        STORY(another_identity_or_cluster_is_refused),
        STORY(one_is_received_at_a_time),
        STORY(a_peer_without_an_address_gets_none),
        STORY(a_sender_that_breaks_off_installs_nothing),
        STORY(a_peer_that_hangs_up_in_between_does_not_have_it),
        STORY(a_node_that_stops_cuts_off_what_it_sends),
        STORY(a_node_that_stops_cuts_off_what_it_receives),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
