/* Links between servers of one process, over this host's loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/v1/raft.upb.h"
#include "rpc/link.h"
#include "rpc/rpc.h"
#include "support/peer.h"
#include "support/raw_call.h"

#include <stdio.h>
#include <stdlib.h>

static struct peer a;
static struct peer b;
static struct rpc_dial *dial; /* from a to b */

static int set_up(void **state) {
    (void)state;
    peer_start(&a, 1, 0, true);
    peer_start(&b, 2, 0, true);
    dial = NULL;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rpc_dial_free(dial);
    peer_stop(&a);
    peer_stop(&b);
    return 0;
}

/* Both sides have said hello. */
static void connect(struct peer_link **ret_at_a, struct peer_link **ret_at_b) {
    dial = peer_dial(&a, b.address);
    *ret_at_a = peer_link(&a, 0);
    *ret_at_b = peer_link(&b, 0);
    PEER_WAIT(&a, (*ret_at_a)->hello_count == 1);
    PEER_WAIT(&b, (*ret_at_b)->hello_count == 1);
}

static uint8_t payload[200 * KIB];

/* One entry, after prev_index. */
static enum status send_append(struct rpc_link *link, uint64_t prev_index, size_t payload_bytes) {
    struct raft_entry entry = {.index = prev_index + 1,
                               .term = 1,
                               .type = RAFT_ENTRY_COMMAND,
                               .payload = bytes_of(payload, payload_bytes)};
    struct raft_message message = {.kind = RAFT_APPEND, .from = 1, .to = 2, .term = 1};
    message.append.prev_index = prev_index;
    message.append.last_index = prev_index + 1;
    return rpc_link_send_message(link, &message, &entry, 1);
}

static enum status send_heartbeat(struct rpc_link *link, uint64_t round) {
    struct raft_message message = {.kind = RAFT_HEARTBEAT, .from = 1, .to = 2, .term = 1};
    message.heartbeat.round = round;
    return rpc_link_send_message(link, &message, NULL, 0);
}

/* ---- Hello --------------------------------------------------------------------------------- */

static void says_hello_both_ways(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    assert_string_equal(at_a->hello.name, "n2");
    assert_string_equal(at_b->hello.name, "n1");
    assert_int_equal(at_b->hello.start.nonce, 33);
    assert_false(rpc_link_is_incoming(at_a->link));
    assert_true(rpc_link_is_incoming(at_b->link));
    assert_ptr_equal(rpc_link_user(at_a->link), &a);
    assert_null(rpc_link_user(at_b->link));
    assert_non_null(strchr(rpc_link_remote(at_a->link), ':'));
    char host[RPC_HOST_BYTES_MAX];
    assert_true(rpc_link_remote_host(at_a->link, host));
    assert_string_equal(host, "127.0.0.1");
}

static void cuts_off_who_does_not_begin_with_hello(void **state) {
    (void)state;
    peer_be_silent(&a);
    dial = peer_dial(&a, b.address);
    struct peer_link *at_a = peer_link(&a, 0);
    assert_int_equal(send_heartbeat(at_a->link, 1), STATUS_OK);
    PEER_WAIT(&b, b.down_count >= 1);
    PEER_WAIT(&a, a.down_count >= 1);
    assert_int_equal(peer_link(&b, 0)->message_count, 0);
}

/* A stranger's message with one hello of this version. */
static void write_hello(struct raw_stream *stream, uint32_t version) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_ExchangeRequest *request = phalanx_v1_ExchangeRequest_new(arena);
    phalanx_v1_Frame *frame = phalanx_v1_ExchangeRequest_add_frames(request, arena);
    phalanx_v1_Hello *hello = phalanx_v1_Frame_mutable_hello(frame, arena);
    phalanx_v1_Hello_set_protocol_version(hello, version);
    size_t size = 0;
    char *data = phalanx_v1_ExchangeRequest_serialize(request, arena, &size);
    raw_stream_write(stream, bytes_of(data, size));
    upb_Arena_Free(arena);
}

static void tells_who_speaks_another_version(void **state) {
    (void)state;
    peer_be_silent(&b);
    struct raw_client *client = raw_client_new(b.port);
    struct raw_stream *stream = raw_stream_open(client, RPC__EXCHANGE_PATH);
    write_hello(stream, 99);
    char data[2048];
    size_t len = 0;
    assert_true(raw_stream_read(stream, data, sizeof data, &len));
    struct rpc__exchange *exchange = rpc__exchange_parse(bytes_of(data, len));
    struct rpc__frame frame;
    assert_int_equal(exchange->frame_count, 1);
    assert_int_equal(rpc__exchange_frame(exchange, 0, &frame), STATUS_OK);
    assert_int_equal(frame.hello.refusal, RPC_REFUSAL_PROTOCOL);
    assert_non_null(strstr(frame.hello.refusal_text, "99"));
    rpc__exchange_free(exchange);
    assert_false(raw_stream_read(stream, data, sizeof data, &len));
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    raw_client_free(client);
    PEER_WAIT(&b, b.down_count == 1);
    assert_int_equal(peer_link(&b, 0)->hello_count, 0);
}

static void hears_a_refusal_before_the_end(void **state) {
    (void)state;
    peer_be_silent(&b);
    dial = peer_dial(&a, b.address);
    struct peer_link *at_b = peer_link(&b, 0);
    struct rpc_hello hello = peer_hello(&b);
    hello.refusal = RPC_REFUSAL_REMOVED;
    snprintf(hello.refusal_text, sizeof hello.refusal_text, "you were removed");
    assert_int_equal(rpc_link_send_hello(at_b->link, &hello), STATUS_OK);
    rpc_link_close(at_b->link);
    assert_int_equal(send_heartbeat(at_b->link, 1), STATUS_UNAVAILABLE);
    struct peer_link *at_a = peer_link(&a, 0);
    PEER_WAIT(&a, at_a->hello_count == 1 && !at_a->is_up);
    assert_int_equal(at_a->hello.refusal, RPC_REFUSAL_REMOVED);
    assert_string_equal(at_a->hello.refusal_text, "you were removed");
    PEER_WAIT(&b, !at_b->is_up);
}

static void ends_a_stream_of_nonsense(void **state) {
    (void)state;
    struct raw_client *client = raw_client_new(b.port);
    struct raw_stream *stream = raw_stream_open(client, RPC__EXCHANGE_PATH);
    raw_stream_write(stream, bytes_of_text("\x0a\xff\xff\xff\xff\x0fnonsense"));
    char data[2048];
    size_t len = 0;
    while (raw_stream_read(stream, data, sizeof data, &len)) /* its hello */
        ;
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_INVALID_ARGUMENT);
    raw_client_free(client);
    PEER_WAIT(&b, b.down_count == 1);
}

static void ignores_frames_of_later_kinds(void **state) {
    (void)state;
    struct raw_client *client = raw_client_new(b.port);
    struct raw_stream *stream = raw_stream_open(client, RPC__EXCHANGE_PATH);
    raw_stream_write(stream, bytes_of_text("\x0a\x04\xfa\x01\x01x")); /* frame { 31: "x" } */
    write_hello(stream, RPC_PROTOCOL_VERSION);
    struct peer_link *at_b = peer_link(&b, 0);
    PEER_WAIT(&b, at_b->hello_count == 1);
    raw_stream_cancel(stream);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    raw_client_free(client);
    PEER_WAIT(&b, b.down_count == 1);
}

/* ---- Frames -------------------------------------------------------------------------------- */

static void brings_appends_in_order(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(send_append(at_a->link, i, 100), STATUS_OK);
    PEER_WAIT(&b, at_b->message_count == 5000);
    assert_true(at_b->is_in_order);
    assert_int_equal(b.payload_bytes, 5000 * 100);
}

static void carries_bytes_both_ways(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    assert_int_equal(rpc_link_send_bytes(at_a->link, RPC_BYTES_FOUNDING,
                                         bytes_of_text("found with me")),
                     STATUS_OK);
    assert_int_equal(rpc_link_send_bytes(at_b->link, RPC_BYTES_NOTE, bytes_of_text("noted")),
                     STATUS_OK);
    PEER_WAIT(&b, at_b->bytes_count == 1);
    PEER_WAIT(&a, at_a->bytes_count == 1);
    assert_string_equal(b.bytes, "0:found with me");
    assert_string_equal(a.bytes, "1:noted");
    static uint8_t large[RPC_LINK_BYTES_MAX + 1];
    assert_int_equal(rpc_link_send_bytes(at_a->link, RPC_BYTES_NOTE, bytes_of(large, sizeof large)),
                     STATUS_INVALID);
    assert_int_equal(rpc_link_send_bytes(at_a->link, RPC_BYTES_NOTE,
                                         bytes_of(large, sizeof large - 1)),
                     STATUS_OK);
    PEER_WAIT(&b, at_b->bytes_count == 2);
}

static void carries_the_largest_entry(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    uint8_t *large = calloc(1, ENTRY_BYTES_MAX);
    struct raft_entry entry = {.index = 1,
                               .term = 1,
                               .type = RAFT_ENTRY_COMMAND,
                               .payload = bytes_of(large, ENTRY_BYTES_MAX)};
    struct raft_message message = {.kind = RAFT_APPEND, .from = 1, .to = 2, .term = 1};
    assert_int_equal(rpc_link_send_message(at_a->link, &message, &entry, 1), STATUS_OK);
    free(large);
    PEER_WAIT(&b, at_b->message_count == 1);
    assert_int_equal(b.payload_bytes, ENTRY_BYTES_MAX);
}

/* ---- Bounds -------------------------------------------------------------------------------- */

/* Until it refuses; how many it took. */
static uint64_t fill(struct rpc_link *link) {
    enum status status;
    uint64_t count = 0;
    do
        status = send_append(link, count + 1, sizeof payload);
    while (status == STATUS_OK && ++count < 100000);
    assert_int_equal(status, STATUS_OVERLOAD);
    return count;
}

static void a_full_queue_still_takes_heartbeats(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    peer_hold(&b);
    connect(&at_a, &at_b);
    uint64_t appends = fill(at_a->link);
    assert_int_equal(send_heartbeat(at_a->link, 1), STATUS_OK);
    assert_int_equal(send_heartbeat(at_a->link, 2), STATUS_OK);
    PEER_WAIT(&b, at_b->held_count * sizeof payload >= RPC__HELD_BYTES_MAX);
    peer_let_go(&b);
    PEER_WAIT(&b, at_b->message_count == appends + 2);
    assert_true(at_b->is_in_order);
    assert_int_equal(send_append(at_a->link, appends + 1, 1), STATUS_OK);
    PEER_WAIT(&b, at_b->message_count == appends + 3);
}

static void urgent_frames_are_bounded_too(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    peer_hold(&b);
    connect(&at_a, &at_b);
    uint64_t appends = fill(at_a->link);
    uint64_t count = 0;
    enum status status;
    while ((status = send_heartbeat(at_a->link, count)) == STATUS_OK && count < 1000000)
        count++;
    assert_int_equal(status, STATUS_OVERLOAD);
    peer_let_go(&b);
    PEER_WAIT(&b, at_b->message_count == appends + count);
}

static void a_slow_reader_holds_only_its_own_link(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    struct peer c;
    peer_start(&c, 3, 0, true);
    peer_hold(&b);
    connect(&at_a, &at_b);
    struct rpc_dial *second = peer_dial(&a, c.address);
    struct peer_link *to_c = peer_link(&a, 1);
    struct peer_link *at_c = peer_link(&c, 0);
    (void)fill(at_a->link);
    for (uint64_t i = 1; i <= 200; i++) {
        assert_int_equal(send_append(to_c->link, i, sizeof payload), STATUS_OK);
        PEER_WAIT(&c, at_c->message_count == i);
    }
    assert_true(at_c->is_in_order);
    rpc_dial_free(second);
    peer_stop(&c);
}

static void strangers_make_room(void **state) {
    (void)state;
    struct raw_client *clients[RPC__LINKS_MAX];
    struct raw_stream *streams[RPC__LINKS_MAX];
    for (size_t i = 0; i < RPC__LINKS_MAX; i++) {
        clients[i] = raw_client_new(b.port);
        streams[i] = raw_stream_open(clients[i], RPC__EXCHANGE_PATH);
    }
    PEER_WAIT(&b, b.up_count == RPC__LINKS_MAX);
    dial = peer_dial(&a, b.address);
    struct peer_link *at_a = peer_link(&a, 0);
    PEER_WAIT(&a, at_a->hello_count == 1);
    PEER_WAIT(&b, b.down_count == 1);
    assert_false(peer_link(&b, 0)->is_up);
    for (size_t i = 0; i < RPC__LINKS_MAX; i++) {
        struct raw_outcome outcome;
        raw_stream_cancel(streams[i]);
        raw_stream_finish(streams[i], &outcome);
        raw_client_free(clients[i]);
    }
}

/* ---- Breaking and coming back ---------------------------------------------------------------- */

static void opens_the_next_when_one_breaks(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    rpc_link_cancel(at_b->link);
    struct peer_link *next = peer_link(&a, 1);
    PEER_WAIT(&a, !at_a->is_up && next->hello_count == 1);
    assert_int_equal(send_heartbeat(at_a->link, 1), STATUS_UNAVAILABLE);
    assert_int_equal(send_heartbeat(next->link, 1), STATUS_OK);
    struct peer_link *next_at_b = peer_link(&b, 1);
    PEER_WAIT(&b, next_at_b->message_count == 1);
}

static void finds_a_peer_that_restarts_on_its_port(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    int port = b.port;
    peer_stop(&b);
    PEER_WAIT(&a, !at_a->is_up);
    peer_start(&b, 3, port, true);
    struct peer_link *next = peer_link(&a, 1);
    PEER_WAIT(&a, next->hello_count == 1);
    assert_string_equal(next->hello.name, "n3");
}

static void waits_for_a_peer_that_starts_later(void **state) {
    (void)state;
    struct peer late;
    int port = b.port;
    peer_stop(&b);
    dial = peer_dial(&a, b.address);
    peer_start(&late, 4, port, true);
    struct peer_link *at_a = peer_link(&a, 0);
    PEER_WAIT(&a, at_a->hello_count == 1);
    assert_int_equal(late.port, port);
    rpc_dial_free(dial);
    dial = NULL;
    peer_stop(&late);
    peer_start(&b, 2, 0, true);
}

static void follows_a_peer_that_moves(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    struct peer c;
    peer_start(&c, 3, 0, true);
    connect(&at_a, &at_b);
    assert_int_equal(rpc_dial_set_address(dial, b.address), STATUS_OK);
    assert_int_equal(rpc_dial_set_address(dial, "nowhere"), STATUS_INVALID);
    assert_int_equal(rpc_dial_set_address(dial, c.address), STATUS_OK);
    struct peer_link *next = peer_link(&a, 1);
    PEER_WAIT(&a, next->hello_count == 1);
    assert_string_equal(next->hello.name, "n3");
    PEER_WAIT(&b, !at_b->is_up);
    rpc_dial_free(dial);
    dial = NULL;
    peer_stop(&c);
}

/* ---- Shutdown ------------------------------------------------------------------------------ */

static void stops_dialling_nobody(void **state) {
    (void)state;
    rpc_dial_free(peer_dial(&a, "127.0.0.1:1"));
    rpc_dial_free(peer_dial(&a, "name.invalid:1"));
    rpc_dial_free(peer_dial(&a, b.address));
}

static void stops_dialling_a_server_without_peers(void **state) {
    (void)state;
    struct peer c;
    peer_start(&c, 3, 0, false);
    struct rpc_dial *useless = peer_dial(&a, c.address);
    struct raw_client *client = raw_client_new(c.port);
    struct raw_stream *stream = raw_stream_open(client, RPC__EXCHANGE_PATH);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_UNIMPLEMENTED);
    raw_client_free(client);
    rpc_dial_free(useless);
    peer_stop(&c);
    assert_int_equal(a.up_count, 0);
}

static void stops_with_full_queues_and_held_messages(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    peer_hold(&b);
    connect(&at_a, &at_b);
    (void)fill(at_a->link);
    PEER_WAIT(&b, at_b->held_count > 0);
}

static void stops_in_the_middle_of_traffic(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    for (uint64_t i = 1; i <= 100; i++) {
        (void)!send_append(at_a->link, i, 1000);
        (void)!send_heartbeat(at_b->link, i);
    }
    rpc_link_close(at_a->link);
    rpc_link_cancel(at_b->link);
}

static void a_stopping_server_ends_its_links(void **state) {
    (void)state;
    struct peer_link *at_a;
    struct peer_link *at_b;
    connect(&at_a, &at_b);
    peer_stop(&b);
    PEER_WAIT(&a, !at_a->is_up);
    peer_start(&b, 2, 0, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(says_hello_both_ways),
        TEST(cuts_off_who_does_not_begin_with_hello),
        TEST(tells_who_speaks_another_version),
        TEST(hears_a_refusal_before_the_end),
        TEST(ends_a_stream_of_nonsense),
        TEST(ignores_frames_of_later_kinds),
        TEST(brings_appends_in_order),
        TEST(carries_bytes_both_ways),
        TEST(carries_the_largest_entry),
        TEST(a_full_queue_still_takes_heartbeats),
        TEST(urgent_frames_are_bounded_too),
        TEST(a_slow_reader_holds_only_its_own_link),
        TEST(strangers_make_room),
        TEST(opens_the_next_when_one_breaks),
        TEST(finds_a_peer_that_restarts_on_its_port),
        TEST(waits_for_a_peer_that_starts_later),
        TEST(follows_a_peer_that_moves),
        TEST(stops_dialling_nobody),
        TEST(stops_dialling_a_server_without_peers),
        TEST(stops_with_full_queues_and_held_messages),
        TEST(stops_in_the_middle_of_traffic),
        TEST(a_stopping_server_ends_its_links),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
