#include "rpc/codec_raft.h"

#include "phalanx/v1/raft.upb.h"

#include <stdlib.h>

/* Room for a small message on its way out, and for its bytes. */
#define BLOCK_BYTES 2048

/* What a message needs beside its entries, and an entry beside its payload: tags, lengths and
 * numbers, each of at most 10 bytes. */
#define MESSAGE_HEAD_BYTES_MAX ((size_t)128)
#define ENTRY_HEAD_BYTES_MAX ((size_t)32)

static upb_StringView view_of(struct bytes bytes) {
    return upb_StringView_FromDataAndSize((const char *)bytes.data, bytes.len);
}

/* ---- Out: hello ---------------------------------------------------------------------------- */

static phalanx_v1_StartPair *make_start(const struct rpc_start *from, upb_Arena *arena) {
    phalanx_v1_StartPair *start = phalanx_v1_StartPair_new(arena);
    CHECK(start != NULL);
    phalanx_v1_StartPair_set_counter(start, from->counter);
    phalanx_v1_StartPair_set_nonce(start, from->nonce);
    return start;
}

static void fill_starts(phalanx_v1_Hello *to, const struct rpc_hello *from, upb_Arena *arena) {
    phalanx_v1_Hello_set_start(to, make_start(&from->start, arena));
    phalanx_v1_Hello_set_start_before(to, make_start(&from->start_before, arena));
    phalanx_v1_Hello_set_remembered(to, make_start(&from->remembered, arena));
    phalanx_v1_Hello_set_proof(to, make_start(&from->proof, arena));
}

static void fill_refusal(phalanx_v1_Hello *to, const struct rpc_hello *from, upb_Arena *arena) {
    if (from->refusal == RPC_REFUSAL_NONE)
        return;
    phalanx_v1_Refusal *refusal = phalanx_v1_Hello_mutable_refusal(to, arena);
    CHECK(refusal != NULL);
    phalanx_v1_Refusal_set_code(refusal, (int32_t)from->refusal);
    phalanx_v1_Refusal_set_text(refusal, upb_StringView_FromString(from->refusal_text));
}

static void fill_hello(phalanx_v1_Hello *to, const struct rpc_hello *from, upb_Arena *arena) {
    phalanx_v1_Hello_set_protocol_version(to, RPC_PROTOCOL_VERSION);
    phalanx_v1_Hello_set_software_version(to, upb_StringView_FromString(from->software_version));
    phalanx_v1_Hello_set_cluster_label(to, upb_StringView_FromString(from->cluster_label));
    phalanx_v1_Hello_set_cluster_id(to, from->cluster_id);
    phalanx_v1_Hello_set_sender(to, from->sender);
    phalanx_v1_Hello_set_name(to, upb_StringView_FromString(from->name));
    phalanx_v1_Hello_set_receiver(to, from->receiver);
    phalanx_v1_Hello_set_address(to, upb_StringView_FromString(from->address));
    phalanx_v1_Hello_set_http_address(to, upb_StringView_FromString(from->http_address));
    phalanx_v1_Hello_set_region(to, upb_StringView_FromString(from->region));
    phalanx_v1_Hello_set_is_blank(to, from->is_blank);
    fill_starts(to, from, arena);
    fill_refusal(to, from, arena);
}

/* ---- Out: Raft messages -------------------------------------------------------------------- */

static phalanx_v1_Vote *make_vote(const struct raft_message *from, upb_Arena *arena) {
    phalanx_v1_Vote *vote = phalanx_v1_Vote_new(arena);
    CHECK(vote != NULL);
    phalanx_v1_Vote_set_last_index(vote, from->vote.last_index);
    phalanx_v1_Vote_set_last_term(vote, from->vote.last_term);
    phalanx_v1_Vote_set_is_transfer(vote, from->vote.is_transfer);
    return vote;
}

static phalanx_v1_VoteAnswer *make_vote_answer(const struct raft_message *from, upb_Arena *arena) {
    phalanx_v1_VoteAnswer *answer = phalanx_v1_VoteAnswer_new(arena);
    CHECK(answer != NULL);
    phalanx_v1_VoteAnswer_set_is_granted(answer, from->vote_answer.is_granted);
    return answer;
}

static phalanx_v1_Entry *make_entry(const struct raft_entry *from, upb_Arena *arena) {
    phalanx_v1_Entry *entry = phalanx_v1_Entry_new(arena);
    CHECK(entry != NULL);
    phalanx_v1_Entry_set_term(entry, from->term);
    phalanx_v1_Entry_set_type(entry, (int32_t)from->type);
    phalanx_v1_Entry_set_payload(entry, view_of(from->payload));
    return entry;
}

static phalanx_v1_Append *make_append(const struct raft_message *from,
                                      const struct raft_entry *entries, size_t count,
                                      upb_Arena *arena) {
    phalanx_v1_Append *append = phalanx_v1_Append_new(arena);
    CHECK(append != NULL);
    phalanx_v1_Append_set_prev_index(append, from->append.prev_index);
    phalanx_v1_Append_set_prev_term(append, from->append.prev_term);
    phalanx_v1_Append_set_commit_index(append, from->append.commit_index);
    phalanx_v1_Entry **list = phalanx_v1_Append_resize_entries(append, count, arena);
    CHECK(list != NULL);
    for (size_t i = 0; i < count; i++) {
        CHECK(entries[i].index == from->append.prev_index + 1 + i);
        list[i] = make_entry(&entries[i], arena);
    }
    return append;
}

static phalanx_v1_AppendAnswer *make_append_answer(const struct raft_message *from,
                                                   upb_Arena *arena) {
    phalanx_v1_AppendAnswer *answer = phalanx_v1_AppendAnswer_new(arena);
    CHECK(answer != NULL);
    phalanx_v1_AppendAnswer_set_is_match(answer, from->append_answer.is_match);
    phalanx_v1_AppendAnswer_set_index(answer, from->append_answer.index);
    phalanx_v1_AppendAnswer_set_hint_index(answer, from->append_answer.hint_index);
    phalanx_v1_AppendAnswer_set_hint_term(answer, from->append_answer.hint_term);
    return answer;
}

static phalanx_v1_Heartbeat *make_heartbeat(const struct raft_message *from, upb_Arena *arena) {
    phalanx_v1_Heartbeat *heartbeat = phalanx_v1_Heartbeat_new(arena);
    CHECK(heartbeat != NULL);
    phalanx_v1_Heartbeat_set_round(heartbeat, from->heartbeat.round);
    phalanx_v1_Heartbeat_set_commit_index(heartbeat, from->heartbeat.commit_index);
    return heartbeat;
}

static phalanx_v1_HeartbeatAnswer *make_heartbeat_answer(const struct raft_message *from,
                                                         upb_Arena *arena) {
    phalanx_v1_HeartbeatAnswer *answer = phalanx_v1_HeartbeatAnswer_new(arena);
    CHECK(answer != NULL);
    phalanx_v1_HeartbeatAnswer_set_round(answer, from->heartbeat_answer.round);
    phalanx_v1_HeartbeatAnswer_set_election_timeout_ms(answer,
                                                       from->heartbeat_answer.election_timeout_ms);
    return answer;
}

static phalanx_v1_TimeoutNow *make_timeout_now(upb_Arena *arena) {
    phalanx_v1_TimeoutNow *now = phalanx_v1_TimeoutNow_new(arena);
    CHECK(now != NULL);
    return now;
}

static phalanx_v1_ReadIndex *make_read(const struct raft_message *from, upb_Arena *arena) {
    phalanx_v1_ReadIndex *read = phalanx_v1_ReadIndex_new(arena);
    CHECK(read != NULL);
    phalanx_v1_ReadIndex_set_token(read, from->read.token);
    phalanx_v1_ReadIndex_set_index(read, from->read.index);
    return read;
}

static void fill_body(phalanx_v1_RaftMessage *to, const struct raft_message *from,
                      const struct raft_entry *entries, size_t count, upb_Arena *arena) {
    switch (from->kind) {
    case RAFT_PRE_VOTE: phalanx_v1_RaftMessage_set_pre_vote(to, make_vote(from, arena)); return;
    case RAFT_PRE_VOTE_ANSWER:
        phalanx_v1_RaftMessage_set_pre_vote_answer(to, make_vote_answer(from, arena));
        return;
    case RAFT_VOTE: phalanx_v1_RaftMessage_set_vote(to, make_vote(from, arena)); return;
    case RAFT_VOTE_ANSWER:
        phalanx_v1_RaftMessage_set_vote_answer(to, make_vote_answer(from, arena));
        return;
    case RAFT_APPEND:
        phalanx_v1_RaftMessage_set_append(to, make_append(from, entries, count, arena));
        return;
    case RAFT_APPEND_ANSWER:
        phalanx_v1_RaftMessage_set_append_answer(to, make_append_answer(from, arena));
        return;
    case RAFT_HEARTBEAT:
        phalanx_v1_RaftMessage_set_heartbeat(to, make_heartbeat(from, arena));
        return;
    case RAFT_HEARTBEAT_ANSWER:
        phalanx_v1_RaftMessage_set_heartbeat_answer(to, make_heartbeat_answer(from, arena));
        return;
    case RAFT_TIMEOUT_NOW:
        phalanx_v1_RaftMessage_set_timeout_now(to, make_timeout_now(arena));
        return;
    case RAFT_READ: phalanx_v1_RaftMessage_set_read(to, make_read(from, arena)); return;
    case RAFT_READ_ANSWER:
        phalanx_v1_RaftMessage_set_read_answer(to, make_read(from, arena));
        return;
    }
    CHECK(!"a Raft message");
}

static phalanx_v1_RaftMessage *make_message(const struct raft_message *from,
                                            const struct raft_entry *entries, size_t count,
                                            upb_Arena *arena) {
    phalanx_v1_RaftMessage *message = phalanx_v1_RaftMessage_new(arena);
    CHECK(message != NULL);
    phalanx_v1_RaftMessage_set_from(message, from->from);
    phalanx_v1_RaftMessage_set_to(message, from->to);
    phalanx_v1_RaftMessage_set_term(message, from->term);
    fill_body(message, from, entries, count, arena);
    return message;
}

/* ---- Out: slices --------------------------------------------------------------------------- */

/* A message with one empty frame. */
static phalanx_v1_ExchangeRequest *exchange_new(upb_Arena *arena, phalanx_v1_Frame **ret_frame) {
    phalanx_v1_ExchangeRequest *exchange = phalanx_v1_ExchangeRequest_new(arena);
    CHECK(exchange != NULL);
    *ret_frame = phalanx_v1_ExchangeRequest_add_frames(exchange, arena);
    CHECK(*ret_frame != NULL);
    return exchange;
}

/* Room for an arena in which upb doubles one buffer, in place, until it holds so many bytes. */
static size_t block_bytes(size_t bytes) {
    size_t size = 256;
    while (size < bytes)
        size *= 2;
    return size + 256;
}

/* As bytes, in memory of their own that goes with the slice: all of it taken at once, since upb
 * would otherwise take and copy it again at each doubling. `bytes` is an upper bound. */
static grpc_slice encode_large(const phalanx_v1_ExchangeRequest *exchange, size_t bytes) {
    char *block = malloc(block_bytes(bytes));
    CHECK(block != NULL);
    upb_Arena *arena = upb_Arena_Init(block, block_bytes(bytes), NULL);
    size_t size = 0;
    char *data = phalanx_v1_ExchangeRequest_serialize(exchange, arena, &size);
    CHECK(data != NULL); /* or the bound is wrong */
    return grpc_slice_new_with_user_data(data, size, free, block);
}

/* As bytes, copied out of the arena. */
static grpc_slice encode_small(const phalanx_v1_ExchangeRequest *exchange, upb_Arena *arena) {
    size_t size = 0;
    char *data = phalanx_v1_ExchangeRequest_serialize(exchange, arena, &size);
    CHECK(data != NULL);
    return grpc_slice_from_copied_buffer(data, size);
}

grpc_slice rpc__hello_encode(const struct rpc_hello *hello) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    phalanx_v1_Frame *frame = NULL;
    phalanx_v1_ExchangeRequest *exchange = exchange_new(arena, &frame);
    phalanx_v1_Hello *message = phalanx_v1_Frame_mutable_hello(frame, arena);
    CHECK(message != NULL);
    fill_hello(message, hello, arena);
    grpc_slice slice = encode_small(exchange, arena);
    upb_Arena_Free(arena);
    return slice;
}

static size_t entries_bytes_max(const struct raft_entry *entries, size_t count) {
    size_t bytes = count * ENTRY_HEAD_BYTES_MAX;
    for (size_t i = 0; i < count; i++)
        bytes += entries[i].payload.len;
    return bytes;
}

grpc_slice rpc__raft_message_encode(const struct raft_message *message,
                                    const struct raft_entry *entries, size_t count) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    CHECK(count == 0 || message->kind == RAFT_APPEND);
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    phalanx_v1_Frame *frame = NULL;
    phalanx_v1_ExchangeRequest *exchange = exchange_new(arena, &frame);
    phalanx_v1_Frame_set_message(frame, make_message(message, entries, count, arena));
    grpc_slice slice =
        count == 0
            ? encode_small(exchange, arena)
            : encode_large(exchange, MESSAGE_HEAD_BYTES_MAX + entries_bytes_max(entries, count));
    upb_Arena_Free(arena);
    return slice;
}

grpc_slice rpc__link_bytes_encode(enum rpc_bytes_kind kind, struct bytes bytes) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    phalanx_v1_Frame *frame = NULL;
    phalanx_v1_ExchangeRequest *exchange = exchange_new(arena, &frame);
    switch (kind) {
    case RPC_BYTES_FOUNDING: phalanx_v1_Frame_set_founding(frame, view_of(bytes)); break;
    case RPC_BYTES_NOTE: phalanx_v1_Frame_set_note(frame, view_of(bytes)); break;
    }
    grpc_slice slice = encode_large(exchange, MESSAGE_HEAD_BYTES_MAX + bytes.len);
    upb_Arena_Free(arena);
    return slice;
}
