/* RaftService's messages: there and back, and what must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/v1/raft.upb.h"
#include "rpc/codec_raft.h"

#include <stdio.h>
#include <stdlib.h>

static struct bytes bytes_in(const grpc_slice *slice) {
    return bytes_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

/* The only frame in it. The exchange lives until the test ends. */
static struct rpc__exchange *exchange;

static enum status decode(struct bytes body, struct rpc__frame *ret_frame) {
    rpc__exchange_free(exchange);
    exchange = rpc__exchange_parse(body);
    if (exchange == NULL)
        return STATUS_CORRUPT;
    assert_int_equal(exchange->frame_count, 1);
    return rpc__exchange_frame(exchange, 0, ret_frame);
}

static grpc_slice kept;

static struct raft_message round_trip(const struct raft_message *message,
                                      const struct raft_entry *entries, size_t count) {
    struct rpc__frame frame;
    grpc_slice_unref(kept);
    kept = rpc__raft_message_encode(message, entries, count);
    assert_int_equal(decode(bytes_in(&kept), &frame), STATUS_OK);
    assert_int_equal(frame.kind, RPC__FRAME_MESSAGE);
    assert_int_equal(frame.message.kind, message->kind);
    assert_true(frame.message.from == message->from);
    assert_true(frame.message.to == message->to);
    assert_int_equal(frame.message.term, message->term);
    return frame.message;
}

static struct raft_message message_of(enum raft_message_kind kind) {
    return (struct raft_message){.kind = kind, .from = UINT64_MAX, .to = 2, .term = 9};
}

static int set_up(void **state) {
    (void)state;
    kept = grpc_empty_slice();
    exchange = NULL;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rpc__exchange_free(exchange);
    grpc_slice_unref(kept);
    return 0;
}

/* ---- There and back ------------------------------------------------------------------------ */

static void carries_votes(void **state) {
    (void)state;
    const enum raft_message_kind asking[] = {RAFT_PRE_VOTE, RAFT_VOTE};
    const enum raft_message_kind answering[] = {RAFT_PRE_VOTE_ANSWER, RAFT_VOTE_ANSWER};
    for (size_t i = 0; i < 2; i++) {
        struct raft_message vote = message_of(asking[i]);
        vote.vote.last_index = 77;
        vote.vote.last_term = 8;
        vote.vote.is_transfer = true;
        struct raft_message back = round_trip(&vote, NULL, 0);
        assert_int_equal(back.vote.last_index, 77);
        assert_int_equal(back.vote.last_term, 8);
        assert_true(back.vote.is_transfer);
        struct raft_message answer = message_of(answering[i]);
        assert_false(round_trip(&answer, NULL, 0).vote_answer.is_granted);
        answer.vote_answer.is_granted = true;
        assert_true(round_trip(&answer, NULL, 0).vote_answer.is_granted);
    }
}

static void carries_heartbeats(void **state) {
    (void)state;
    struct raft_message heartbeat = message_of(RAFT_HEARTBEAT);
    heartbeat.heartbeat.round = 5;
    heartbeat.heartbeat.commit_index = 70;
    struct raft_message back = round_trip(&heartbeat, NULL, 0);
    assert_int_equal(back.heartbeat.round, 5);
    assert_int_equal(back.heartbeat.commit_index, 70);
    struct raft_message answer = message_of(RAFT_HEARTBEAT_ANSWER);
    answer.heartbeat_answer.round = 5;
    answer.heartbeat_answer.election_timeout_ms = 1000;
    back = round_trip(&answer, NULL, 0);
    assert_int_equal(back.heartbeat_answer.round, 5);
    assert_int_equal(back.heartbeat_answer.election_timeout_ms, 1000);
}

static void carries_reads_and_transfers(void **state) {
    (void)state;
    struct raft_message read = message_of(RAFT_READ);
    read.read.token = 12;
    assert_int_equal(round_trip(&read, NULL, 0).read.token, 12);
    struct raft_message answer = message_of(RAFT_READ_ANSWER);
    answer.read.token = 12;
    answer.read.index = 90;
    assert_int_equal(round_trip(&answer, NULL, 0).read.index, 90);
    struct raft_message now = message_of(RAFT_TIMEOUT_NOW);
    (void)round_trip(&now, NULL, 0);
}

static void carries_append_answers(void **state) {
    (void)state;
    struct raft_message answer = message_of(RAFT_APPEND_ANSWER);
    answer.append_answer.is_match = true;
    answer.append_answer.index = 3;
    answer.append_answer.hint_index = 2;
    answer.append_answer.hint_term = 1;
    struct raft_message back = round_trip(&answer, NULL, 0);
    assert_true(back.append_answer.is_match);
    assert_int_equal(back.append_answer.index, 3);
    assert_int_equal(back.append_answer.hint_index, 2);
    assert_int_equal(back.append_answer.hint_term, 1);
}

static void carries_appends_with_their_entries(void **state) {
    (void)state;
    struct raft_entry entries[] = {
        {.index = 41, .term = 7, .type = RAFT_ENTRY_NOOP},
        {.index = 42, .term = 7, .type = RAFT_ENTRY_COMMAND, .payload = bytes_of("a\0b", 3)},
        {.index = 43,
         .term = 9,
         .type = RAFT_ENTRY_CONFIGURATION,
         .payload = bytes_of_text("a payload that is longer than sixteen bytes")},
        {.index = 44, .term = 9, .type = RAFT_ENTRY_COMMAND, .payload = bytes_of_text("last")},
    };
    struct raft_message append = message_of(RAFT_APPEND);
    append.append.prev_index = 40;
    append.append.prev_term = 6;
    append.append.commit_index = 39;
    append.append.last_index = 44;
    struct raft_message back = round_trip(&append, entries, 4);
    assert_int_equal(back.append.prev_index, 40);
    assert_int_equal(back.append.prev_term, 6);
    assert_int_equal(back.append.commit_index, 39);
    assert_int_equal(back.append.last_index, 44);
    assert_int_equal(back.append.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(back.append.entries[i].index, entries[i].index);
        assert_int_equal(back.append.entries[i].term, entries[i].term);
        assert_int_equal(back.append.entries[i].type, entries[i].type);
        assert_true(bytes_equal(back.append.entries[i].payload, entries[i].payload));
    }
}

static void an_empty_append_has_no_entries(void **state) {
    (void)state;
    struct raft_message append = message_of(RAFT_APPEND);
    append.append.prev_index = 40;
    struct raft_message back = round_trip(&append, NULL, 0);
    assert_int_equal(back.append.count, 0);
    assert_int_equal(back.append.last_index, 40);
}

static void carries_hellos(void **state) {
    (void)state;
    struct rpc_hello hello = {
        .software_version = "1.0",
        .cluster_label = "label",
        .cluster_id = UINT64_MAX,
        .sender = 4,
        .receiver = 5,
        .name = "n1",
        .start = {1, 2},
        .start_before = {3, 4},
        .remembered = {5, 6},
        .proof = {7, UINT64_MAX},
        .address = "host:9000",
        .http_address = "host:8080",
        .region = "fra",
        .is_blank = true,
        .refusal = RPC_REFUSAL_ROLLED_BACK,
        .refusal_text = "because",
    };
    kept = rpc__hello_encode(&hello);
    struct rpc__frame frame;
    assert_int_equal(decode(bytes_in(&kept), &frame), STATUS_OK);
    assert_int_equal(frame.kind, RPC__FRAME_HELLO);
    assert_int_equal(frame.protocol_version, RPC_PROTOCOL_VERSION);
    assert_memory_equal(&frame.hello, &hello, sizeof hello);
}

static void a_refusal_of_a_later_kind_is_still_one(void **state) {
    (void)state;
    struct rpc_hello hello = {.refusal = (enum rpc_refusal)99};
    kept = rpc__hello_encode(&hello);
    struct rpc__frame frame;
    assert_int_equal(decode(bytes_in(&kept), &frame), STATUS_OK);
    assert_int_equal(frame.hello.refusal, RPC_REFUSAL_OTHER);
}

static void messages_laid_end_to_end_are_one(void **state) {
    (void)state;
    struct raft_message first = message_of(RAFT_TIMEOUT_NOW);
    grpc_slice one = rpc__raft_message_encode(&first, NULL, 0);
    grpc_slice two = rpc__link_bytes_encode(RPC_BYTES_NOTE, bytes_of_text("a note"));
    uint8_t body[200];
    size_t len = GRPC_SLICE_LENGTH(one);
    memcpy(body, GRPC_SLICE_START_PTR(one), len);
    memcpy(body + len, GRPC_SLICE_START_PTR(two), GRPC_SLICE_LENGTH(two));
    len += GRPC_SLICE_LENGTH(two);
    exchange = rpc__exchange_parse(bytes_of(body, len));
    assert_non_null(exchange);
    assert_int_equal(exchange->frame_count, 2);
    struct rpc__frame frame;
    assert_int_equal(rpc__exchange_frame(exchange, 0, &frame), STATUS_OK);
    assert_int_equal(frame.message.kind, RAFT_TIMEOUT_NOW);
    assert_int_equal(rpc__exchange_frame(exchange, 1, &frame), STATUS_OK);
    assert_int_equal(frame.kind, RPC__FRAME_BYTES);
    assert_true(bytes_equal(frame.bytes, bytes_of_text("a note")));
    grpc_slice_unref(one);
    grpc_slice_unref(two);
}

/* ---- What must not be believed --------------------------------------------------------------- */

static enum status status_of(const struct raft_message *message, const struct raft_entry *entries,
                             size_t count) {
    struct rpc__frame frame;
    grpc_slice_unref(kept);
    kept = rpc__raft_message_encode(message, entries, count);
    return decode(bytes_in(&kept), &frame);
}

static void refuses_numbers_that_would_overflow(void **state) {
    (void)state;
    struct raft_message append = message_of(RAFT_APPEND);
    append.append.prev_index = UINT64_MAX;
    assert_int_equal(status_of(&append, NULL, 0), STATUS_CORRUPT);
    append.append.prev_index = ((uint64_t)1 << 62) - 1;
    assert_int_equal(status_of(&append, NULL, 0), STATUS_OK);
    append.append.commit_index = (uint64_t)1 << 62;
    assert_int_equal(status_of(&append, NULL, 0), STATUS_CORRUPT);
    struct raft_message vote = message_of(RAFT_VOTE);
    vote.term = (uint64_t)1 << 62;
    assert_int_equal(status_of(&vote, NULL, 0), STATUS_CORRUPT);
    struct raft_message read = message_of(RAFT_READ_ANSWER);
    read.read.index = UINT64_MAX;
    assert_int_equal(status_of(&read, NULL, 0), STATUS_CORRUPT);
}

static void refuses_entries_that_cannot_be(void **state) {
    (void)state;
    struct raft_message append = message_of(RAFT_APPEND);
    append.append.prev_term = 5;
    struct raft_entry entry = {.index = 1, .term = 5, .type = RAFT_ENTRY_NOOP};
    assert_int_equal(status_of(&append, &entry, 1), STATUS_OK);
    entry.term = 4; /* older than the one before */
    assert_int_equal(status_of(&append, &entry, 1), STATUS_CORRUPT);
    entry.term = 10; /* newer than the message */
    assert_int_equal(status_of(&append, &entry, 1), STATUS_CORRUPT);
    entry.term = 5;
    entry.type = (enum raft_entry_type)4;
    assert_int_equal(status_of(&append, &entry, 1), STATUS_CORRUPT);
    entry.type = (enum raft_entry_type)0;
    assert_int_equal(status_of(&append, &entry, 1), STATUS_CORRUPT);
}

static void refuses_more_entries_than_an_append_has(void **state) {
    (void)state;
    static struct raft_entry entries[RAFT_APPEND_ENTRIES_MAX + 1];
    for (size_t i = 0; i <= RAFT_APPEND_ENTRIES_MAX; i++)
        entries[i] = (struct raft_entry){.index = i + 1, .term = 1, .type = RAFT_ENTRY_NOOP};
    struct raft_message append = message_of(RAFT_APPEND);
    assert_int_equal(status_of(&append, entries, RAFT_APPEND_ENTRIES_MAX), STATUS_OK);
    assert_int_equal(status_of(&append, entries, RAFT_APPEND_ENTRIES_MAX + 1), STATUS_CORRUPT);
}

static void refuses_an_entry_that_is_too_large(void **state) {
    (void)state;
    uint8_t *large = calloc(1, ENTRY_BYTES_MAX + 1);
    struct raft_message append = message_of(RAFT_APPEND);
    struct raft_entry entry = {.index = 1, .term = 1, .type = RAFT_ENTRY_COMMAND};
    entry.payload = bytes_of(large, ENTRY_BYTES_MAX);
    assert_int_equal(status_of(&append, &entry, 1), STATUS_OK);
    entry.payload = bytes_of(large, ENTRY_BYTES_MAX + 1);
    assert_int_equal(status_of(&append, &entry, 1), STATUS_CORRUPT);
    free(large);
}

static enum status status_of_name(const char *name, size_t len) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_ExchangeRequest *request = phalanx_v1_ExchangeRequest_new(arena);
    phalanx_v1_Frame *frame = phalanx_v1_ExchangeRequest_add_frames(request, arena);
    phalanx_v1_Hello *hello = phalanx_v1_Frame_mutable_hello(frame, arena);
    phalanx_v1_Hello_set_protocol_version(hello, RPC_PROTOCOL_VERSION);
    phalanx_v1_Hello_set_name(hello, upb_StringView_FromDataAndSize(name, len));
    size_t size = 0;
    char *data = phalanx_v1_ExchangeRequest_serialize(request, arena, &size);
    struct rpc__frame ignored;
    enum status status = decode(bytes_of(data, size), &ignored);
    rpc__exchange_free(exchange);
    exchange = NULL;
    upb_Arena_Free(arena);
    return status;
}

static void refuses_texts_that_do_not_fit(void **state) {
    (void)state;
    char name[NAME_BYTES_MAX + 1];
    memset(name, 'n', sizeof name);
    assert_int_equal(status_of_name(name, NAME_BYTES_MAX - 1), STATUS_OK);
    assert_int_equal(status_of_name(name, NAME_BYTES_MAX), STATUS_CORRUPT);
    assert_int_equal(status_of_name("n\0one", 5), STATUS_CORRUPT);
    assert_int_equal(status_of_name("\xff\xfe", 2), STATUS_CORRUPT);
}

/* Two bytes each that become forty when they are parsed. */
static void refuses_what_grows_without_measure(void **state) {
    (void)state;
    size_t len = 2 * MIB;
    uint8_t *body = malloc(len);
    for (size_t i = 0; i < len; i += 2)
        memcpy(body + i, "\x0a\x00", 2);
    assert_null(rpc__exchange_parse(bytes_of(body, len)));
    exchange = rpc__exchange_parse(bytes_of(body, 2000));
    assert_int_equal(exchange->frame_count, 1000);
    struct rpc__frame frame;
    assert_int_equal(rpc__exchange_frame(exchange, 999, &frame), STATUS_OK);
    assert_int_equal(frame.kind, RPC__FRAME_UNKNOWN);
    free(body);
}

static void an_empty_body_has_no_frames(void **state) {
    (void)state;
    exchange = rpc__exchange_parse(bytes_of(NULL, 0));
    assert_non_null(exchange);
    assert_int_equal(exchange->frame_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(carries_votes),
        TEST(carries_heartbeats),
        TEST(carries_reads_and_transfers),
        TEST(carries_append_answers),
        TEST(carries_appends_with_their_entries),
        TEST(an_empty_append_has_no_entries),
        TEST(carries_hellos),
        TEST(a_refusal_of_a_later_kind_is_still_one),
        TEST(messages_laid_end_to_end_are_one),
        TEST(refuses_numbers_that_would_overflow),
        TEST(refuses_entries_that_cannot_be),
        TEST(refuses_more_entries_than_an_append_has),
        TEST(refuses_an_entry_that_is_too_large),
        TEST(refuses_texts_that_do_not_fit),
        TEST(refuses_what_grows_without_measure),
        TEST(an_empty_body_has_no_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
