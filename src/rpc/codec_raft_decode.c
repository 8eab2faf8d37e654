/* What other nodes say, checked: whatever arrives is hostile until it has passed here. */
#include "rpc/codec_raft.h"

#include "rpc/server.h"

#include "phalanx/v1/raft.upb.h"

#include <stdlib.h>

/* What one message's frames may take once they are parsed, beside its bytes. An honest sender's are
 * far below: many frames come in 256 KiB at most, and an append has a bounded number of entries. */
#define PARSED_BYTES_MAX (4 * MIB)

/* Room for a few small frames, so that most messages cost one allocation. */
#define BLOCK_BYTES ((size_t)1024)

/* ---- Memory -------------------------------------------------------------------------------- */

/* An exchange with the arena it is parsed into. */
struct parsed {
    struct rpc__exchange exchange;
    upb_alloc alloc; /* counts what the arena takes */
    size_t left_bytes;
    upb_Arena *arena;
    _Alignas(max_align_t) char block[BLOCK_BYTES];
};

/* realloc() and free() in one, as upb wants it, up to PARSED_BYTES_MAX in all. */
static void *take_memory(upb_alloc *alloc, void *old, size_t old_size, size_t size) {
    struct parsed *parsed = (struct parsed *)((char *)alloc - offsetof(struct parsed, alloc));
    if (size == 0) {
        free(old);
        return NULL;
    }
    size_t more = size > old_size ? size - old_size : 0;
    if (more > parsed->left_bytes)
        return NULL;
    parsed->left_bytes -= more;
    return realloc(old, size);
}

struct rpc__exchange *rpc__exchange_parse(struct bytes body) {
    struct parsed *parsed = malloc(sizeof *parsed);
    if (parsed == NULL)
        return NULL;
    parsed->alloc.func = take_memory;
    parsed->left_bytes = PARSED_BYTES_MAX;
    parsed->arena = upb_Arena_Init(parsed->block, sizeof parsed->block, &parsed->alloc);
    const phalanx_v1_ExchangeRequest *message =
        phalanx_v1_ExchangeRequest_parse_ex(body.len == 0 ? "" : (const char *)body.data, body.len,
                                            NULL, kUpb_DecodeOption_AliasString, parsed->arena);
    if (message == NULL) {
        rpc__exchange_free(&parsed->exchange);
        return NULL;
    }
    const phalanx_v1_Frame *const *frames =
        phalanx_v1_ExchangeRequest_frames(message, &parsed->exchange.frame_count);
    parsed->exchange.frames = (const void *const *)frames;
    return &parsed->exchange;
}

void rpc__exchange_free(struct rpc__exchange *exchange) {
    if (exchange == NULL)
        return;
    struct parsed *parsed = (struct parsed *)exchange;
    upb_Arena_Free(parsed->arena);
    free(parsed);
}

/* ---- Hello --------------------------------------------------------------------------------- */

/* False: too long, or with a zero inside. */
static bool take_text(upb_StringView view, char *ret_text, size_t size) {
    if (view.size >= size || (view.size > 0 && memchr(view.data, 0, view.size) != NULL))
        return false;
    if (view.size > 0)
        memcpy(ret_text, view.data, view.size);
    ret_text[view.size] = '\0';
    return true;
}

static struct rpc_start start_of(const phalanx_v1_StartPair *start) {
    if (start == NULL)
        return (struct rpc_start){0};
    return (struct rpc_start){.counter = phalanx_v1_StartPair_counter(start),
                              .nonce = phalanx_v1_StartPair_nonce(start)};
}

static bool take_refusal(const phalanx_v1_Hello *from, struct rpc_hello *hello) {
    const phalanx_v1_Refusal *refusal = phalanx_v1_Hello_refusal(from);
    if (refusal == NULL)
        return true;
    int32_t code = phalanx_v1_Refusal_code(refusal);
    bool is_known = code > RPC_REFUSAL_NONE && code <= RPC_REFUSAL_OTHER;
    hello->refusal = is_known ? (enum rpc_refusal)code : RPC_REFUSAL_OTHER;
    return take_text(phalanx_v1_Refusal_text(refusal), hello->refusal_text,
                     sizeof hello->refusal_text);
}

static bool take_texts(const phalanx_v1_Hello *from, struct rpc_hello *hello) {
    return take_text(phalanx_v1_Hello_software_version(from), hello->software_version,
                     sizeof hello->software_version) &&
           take_text(phalanx_v1_Hello_cluster_label(from), hello->cluster_label,
                     sizeof hello->cluster_label) &&
           take_text(phalanx_v1_Hello_name(from), hello->name, sizeof hello->name) &&
           take_text(phalanx_v1_Hello_address(from), hello->address, sizeof hello->address) &&
           take_text(phalanx_v1_Hello_http_address(from), hello->http_address,
                     sizeof hello->http_address) &&
           take_text(phalanx_v1_Hello_region(from), hello->region, sizeof hello->region);
}

static void take_numbers(const phalanx_v1_Hello *from, struct rpc_hello *hello) {
    hello->cluster_id = phalanx_v1_Hello_cluster_id(from);
    hello->sender = phalanx_v1_Hello_sender(from);
    hello->receiver = phalanx_v1_Hello_receiver(from);
    hello->start = start_of(phalanx_v1_Hello_start(from));
    hello->start_before = start_of(phalanx_v1_Hello_start_before(from));
    hello->remembered = start_of(phalanx_v1_Hello_remembered(from));
    hello->proof = start_of(phalanx_v1_Hello_proof(from));
    hello->is_blank = phalanx_v1_Hello_is_blank(from);
}

/* Of another version nothing but a refusal is certain to mean what we think. */
static bool take_hello(const phalanx_v1_Hello *from, struct rpc__frame *frame) {
    frame->kind = RPC__FRAME_HELLO;
    frame->protocol_version = phalanx_v1_Hello_protocol_version(from);
    frame->hello = (struct rpc_hello){0};
    if (!take_refusal(from, &frame->hello))
        return false;
    if (frame->protocol_version != RPC_PROTOCOL_VERSION)
        return true;
    take_numbers(from, &frame->hello);
    return take_texts(from, &frame->hello);
}

/* ---- Raft messages ------------------------------------------------------------------------- */

static bool is_number(uint64_t value) {
    return value < RPC__NUMBER_MAX;
}

static bool take_vote(const phalanx_v1_Vote *from, struct raft_message *m) {
    m->vote.last_index = phalanx_v1_Vote_last_index(from);
    m->vote.last_term = phalanx_v1_Vote_last_term(from);
    m->vote.is_transfer = phalanx_v1_Vote_is_transfer(from);
    return is_number(m->vote.last_index) && is_number(m->vote.last_term);
}

static bool take_vote_answer(const phalanx_v1_VoteAnswer *from, struct raft_message *m) {
    m->vote_answer.is_granted = phalanx_v1_VoteAnswer_is_granted(from);
    return true;
}

static bool entry_is_sound(const struct raft_entry *entry, raft_term term_before, raft_term term) {
    bool is_known = entry->type == RAFT_ENTRY_NOOP || entry->type == RAFT_ENTRY_COMMAND ||
                    entry->type == RAFT_ENTRY_CONFIGURATION;
    return is_known && entry->term >= 1 && entry->term >= term_before && entry->term <= term &&
           entry->payload.len <= ENTRY_BYTES_MAX;
}

static bool take_entries(const phalanx_v1_Append *from, upb_Arena *arena, struct raft_message *m) {
    size_t count = 0;
    const phalanx_v1_Entry *const *list = phalanx_v1_Append_entries(from, &count);
    if (count == 0)
        return true;
    if (count > RAFT_APPEND_ENTRIES_MAX)
        return false;
    struct raft_entry *entries = upb_Arena_Malloc(arena, count * sizeof *entries);
    if (entries == NULL)
        return false;
    raft_term term_before = m->append.prev_term;
    for (size_t i = 0; i < count; i++) {
        upb_StringView payload = phalanx_v1_Entry_payload(list[i]);
        entries[i] = (struct raft_entry){
            .index = m->append.prev_index + 1 + i,
            .term = phalanx_v1_Entry_term(list[i]),
            .type = (enum raft_entry_type)phalanx_v1_Entry_type(list[i]),
            .payload = bytes_of(payload.data, payload.size),
        };
        if (!entry_is_sound(&entries[i], term_before, m->term))
            return false;
        term_before = entries[i].term;
    }
    m->append.entries = entries;
    m->append.count = count;
    return true;
}

static bool take_append(const phalanx_v1_Append *from, upb_Arena *arena, struct raft_message *m) {
    m->append.prev_index = phalanx_v1_Append_prev_index(from);
    m->append.prev_term = phalanx_v1_Append_prev_term(from);
    m->append.commit_index = phalanx_v1_Append_commit_index(from);
    if (!is_number(m->append.prev_index) || !is_number(m->append.prev_term) ||
        !is_number(m->append.commit_index) || !take_entries(from, arena, m))
        return false;
    m->append.last_index = m->append.prev_index + m->append.count;
    return true;
}

static bool take_append_answer(const phalanx_v1_AppendAnswer *from, struct raft_message *m) {
    m->append_answer.is_match = phalanx_v1_AppendAnswer_is_match(from);
    m->append_answer.index = phalanx_v1_AppendAnswer_index(from);
    m->append_answer.hint_index = phalanx_v1_AppendAnswer_hint_index(from);
    m->append_answer.hint_term = phalanx_v1_AppendAnswer_hint_term(from);
    return is_number(m->append_answer.index) && is_number(m->append_answer.hint_index) &&
           is_number(m->append_answer.hint_term);
}

static bool take_heartbeat(const phalanx_v1_Heartbeat *from, struct raft_message *m) {
    m->heartbeat.round = phalanx_v1_Heartbeat_round(from);
    m->heartbeat.commit_index = phalanx_v1_Heartbeat_commit_index(from);
    return is_number(m->heartbeat.commit_index);
}

static bool take_heartbeat_answer(const phalanx_v1_HeartbeatAnswer *from, struct raft_message *m) {
    m->heartbeat_answer.round = phalanx_v1_HeartbeatAnswer_round(from);
    m->heartbeat_answer.election_timeout_ms = phalanx_v1_HeartbeatAnswer_election_timeout_ms(from);
    return is_number(m->heartbeat_answer.election_timeout_ms);
}

static bool take_read(const phalanx_v1_ReadIndex *from, struct raft_message *m) {
    m->read.token = phalanx_v1_ReadIndex_token(from);
    m->read.index = phalanx_v1_ReadIndex_index(from);
    return is_number(m->read.index);
}

/* What is in the body, by kind. */
static bool take_body(const phalanx_v1_RaftMessage *from, upb_Arena *arena,
                      struct raft_message *m) {
    switch (m->kind) {
    case RAFT_PRE_VOTE: return take_vote(phalanx_v1_RaftMessage_pre_vote(from), m);
    case RAFT_PRE_VOTE_ANSWER:
        return take_vote_answer(phalanx_v1_RaftMessage_pre_vote_answer(from), m);
    case RAFT_VOTE: return take_vote(phalanx_v1_RaftMessage_vote(from), m);
    case RAFT_VOTE_ANSWER: return take_vote_answer(phalanx_v1_RaftMessage_vote_answer(from), m);
    case RAFT_APPEND: return take_append(phalanx_v1_RaftMessage_append(from), arena, m);
    case RAFT_APPEND_ANSWER:
        return take_append_answer(phalanx_v1_RaftMessage_append_answer(from), m);
    case RAFT_HEARTBEAT: return take_heartbeat(phalanx_v1_RaftMessage_heartbeat(from), m);
    case RAFT_HEARTBEAT_ANSWER:
        return take_heartbeat_answer(phalanx_v1_RaftMessage_heartbeat_answer(from), m);
    case RAFT_TIMEOUT_NOW: return true;
    case RAFT_READ: return take_read(phalanx_v1_RaftMessage_read(from), m);
    case RAFT_READ_ANSWER: return take_read(phalanx_v1_RaftMessage_read_answer(from), m);
    }
    return false;
}

/* False: a kind of a later version. */
static bool take_kind(const phalanx_v1_RaftMessage *from, enum raft_message_kind *ret_kind) {
    switch (phalanx_v1_RaftMessage_body_case(from)) {
    case phalanx_v1_RaftMessage_body_pre_vote: *ret_kind = RAFT_PRE_VOTE; return true;
    case phalanx_v1_RaftMessage_body_pre_vote_answer: *ret_kind = RAFT_PRE_VOTE_ANSWER; return true;
    case phalanx_v1_RaftMessage_body_vote: *ret_kind = RAFT_VOTE; return true;
    case phalanx_v1_RaftMessage_body_vote_answer: *ret_kind = RAFT_VOTE_ANSWER; return true;
    case phalanx_v1_RaftMessage_body_append: *ret_kind = RAFT_APPEND; return true;
    case phalanx_v1_RaftMessage_body_append_answer: *ret_kind = RAFT_APPEND_ANSWER; return true;
    case phalanx_v1_RaftMessage_body_heartbeat: *ret_kind = RAFT_HEARTBEAT; return true;
    case phalanx_v1_RaftMessage_body_heartbeat_answer:
        *ret_kind = RAFT_HEARTBEAT_ANSWER;
        return true;
    case phalanx_v1_RaftMessage_body_timeout_now: *ret_kind = RAFT_TIMEOUT_NOW; return true;
    case phalanx_v1_RaftMessage_body_read: *ret_kind = RAFT_READ; return true;
    case phalanx_v1_RaftMessage_body_read_answer: *ret_kind = RAFT_READ_ANSWER; return true;
    case phalanx_v1_RaftMessage_body_NOT_SET: return false;
    }
    return false;
}

static bool take_message(const phalanx_v1_RaftMessage *from, upb_Arena *arena,
                         struct rpc__frame *frame) {
    struct raft_message *m = &frame->message;
    *m = (struct raft_message){.from = phalanx_v1_RaftMessage_from(from),
                               .to = phalanx_v1_RaftMessage_to(from),
                               .term = phalanx_v1_RaftMessage_term(from)};
    if (!take_kind(from, &m->kind))
        return true;
    frame->kind = RPC__FRAME_MESSAGE;
    return is_number(m->term) && take_body(from, arena, m);
}

/* ---- Frames -------------------------------------------------------------------------------- */

static bool take_bytes(upb_StringView view, enum rpc_bytes_kind kind, struct rpc__frame *frame) {
    frame->kind = RPC__FRAME_BYTES;
    frame->bytes_kind = kind;
    frame->bytes = bytes_of(view.data, view.size);
    return view.size <= RPC_LINK_BYTES_MAX;
}

static bool take_frame(const phalanx_v1_Frame *from, upb_Arena *arena, struct rpc__frame *frame) {
    switch (phalanx_v1_Frame_kind_case(from)) {
    case phalanx_v1_Frame_kind_hello: return take_hello(phalanx_v1_Frame_hello(from), frame);
    case phalanx_v1_Frame_kind_message:
        return take_message(phalanx_v1_Frame_message(from), arena, frame);
    case phalanx_v1_Frame_kind_founding:
        return take_bytes(phalanx_v1_Frame_founding(from), RPC_BYTES_FOUNDING, frame);
    case phalanx_v1_Frame_kind_note:
        return take_bytes(phalanx_v1_Frame_note(from), RPC_BYTES_NOTE, frame);
    case phalanx_v1_Frame_kind_NOT_SET: return true;
    }
    return true;
}

enum status rpc__exchange_frame(struct rpc__exchange *exchange, size_t index,
                                struct rpc__frame *ret_frame) {
    CHECK(index < exchange->frame_count);
    ret_frame->kind = RPC__FRAME_UNKNOWN;
    bool is_sound =
        take_frame(exchange->frames[index], ((struct parsed *)exchange)->arena, ret_frame);
    return is_sound ? STATUS_OK : STATUS_CORRUPT;
}
