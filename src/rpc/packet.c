/* One received message of a link: the frames in it, and the memory that its Raft messages share
 * until the last of them is given back. */
#include "rpc/link.h"

#include "log.h"
#include "version.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <stdio.h>
#include <stdlib.h>

struct packet {
    struct rpc_link *link;
    atomic_uint refs; /* the room's while it hands over, one for each message */
    grpc_slice body;
    struct rpc__exchange *exchange;
};

struct rpc_peer_message {
    struct packet *packet;
    struct raft_message raft;
    max_align_t user[];
};

/* ---- Packets ------------------------------------------------------------------------------- */

/* In one piece: without a copy when it came so. Takes `buffer`. */
static grpc_slice whole(grpc_byte_buffer *buffer) {
    const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;
    grpc_slice slice;
    if (slices->count == 1) {
        slice = grpc_slice_ref(slices->slices[0]);
    } else {
        grpc_byte_buffer_reader reader;
        CHECK(grpc_byte_buffer_reader_init(&reader, buffer) != 0);
        slice = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(buffer);
    return slice;
}

/* An inlined slice's bytes lie in the slice itself: parsed only once it has come to rest. */
static struct packet *packet_new(struct rpc_link *link, grpc_byte_buffer *buffer) {
    struct packet *packet = malloc(sizeof *packet);
    CHECK(packet != NULL);
    packet->link = link;
    packet->refs = 1;
    packet->body = whole(buffer);
    packet->exchange = rpc__exchange_parse(
        bytes_of(GRPC_SLICE_START_PTR(packet->body), GRPC_SLICE_LENGTH(packet->body)));
    rpc__link_ref(link);
    pthread_mutex_lock(&link->lock);
    link->held_bytes += GRPC_SLICE_LENGTH(packet->body);
    pthread_mutex_unlock(&link->lock);
    return packet;
}

static void packet_unref(struct packet *packet) {
    if (atomic_fetch_sub_explicit(&packet->refs, 1, memory_order_acq_rel) > 1)
        return;
    struct rpc_link *link = packet->link;
    pthread_mutex_lock(&link->lock);
    link->held_bytes -= GRPC_SLICE_LENGTH(packet->body);
    bool is_to_wake =
        link->is_paused && link->held_bytes < RPC__HELD_BYTES_MAX && rpc__link_is_to_wake(link);
    pthread_mutex_unlock(&link->lock);
    if (is_to_wake)
        rpc__link_wake(link);
    rpc__exchange_free(packet->exchange);
    grpc_slice_unref(packet->body);
    free(packet);
    rpc__link_unref(link);
}

/* ---- Messages ------------------------------------------------------------------------------ */

static struct rpc_peer_message *message_new(struct packet *packet,
                                            const struct raft_message *raft) {
    size_t user_bytes = packet->link->server->message_user_bytes;
    struct rpc_peer_message *message = malloc(sizeof *message + user_bytes);
    CHECK(message != NULL);
    message->packet = packet;
    message->raft = *raft;
    memset(message->user, 0, user_bytes);
    atomic_fetch_add_explicit(&packet->refs, 1, memory_order_relaxed);
    return message;
}

void rpc_peer_message_free(struct rpc_peer_message *message) {
    if (message == NULL)
        return;
    packet_unref(message->packet);
    free(message);
}

void *rpc_peer_message_user(struct rpc_peer_message *message) {
    return message->user;
}

const struct raft_message *rpc_peer_message_raft(const struct rpc_peer_message *message) {
    return &message->raft;
}

/* ---- Frames -------------------------------------------------------------------------------- */

/* The other side cannot know our version's words for it, only that this is a refusal. */
static void refuse_version(struct rpc_link *link, uint32_t version) {
    struct rpc_hello hello = {.software_version = PHALANX_VERSION, .refusal = RPC_REFUSAL_PROTOCOL};
    snprintf(hello.refusal_text, sizeof hello.refusal_text,
             "this node speaks protocol version %u, not %u", RPC_PROTOCOL_VERSION, version);
    log_warn("a peer speaks another protocol version", log_text("remote", link->remote),
             log_u64("version", version), log_u64("ours", RPC_PROTOCOL_VERSION));
    if (rpc_link_send_hello(link, &hello) == STATUS_OK)
        rpc_link_close(link);
    else
        rpc_link_cancel(link);
}

static void take_hello(struct rpc_link *link, const struct rpc__frame *frame) {
    const struct rpc_handlers *handlers = &link->server->handlers;
    bool is_refusal = frame->hello.refusal != RPC_REFUSAL_NONE;
    if (frame->protocol_version != RPC_PROTOCOL_VERSION && !is_refusal) {
        refuse_version(link, frame->protocol_version);
        return;
    }
    atomic_store(&link->is_known, !is_refusal);
    handlers->links.on_link_hello(handlers->context, link, &frame->hello);
}

/* False: this link is at its end. */
static bool take_frame(struct packet *packet, const struct rpc__frame *frame) {
    struct rpc_link *link = packet->link;
    const struct rpc_handlers *handlers = &link->server->handlers;
    bool is_content = frame->kind == RPC__FRAME_MESSAGE || frame->kind == RPC__FRAME_BYTES;
    if (is_content && !atomic_load(&link->is_known)) {
        rpc__link_fail(link, GRPC_STATUS_FAILED_PRECONDITION, "a stream begins with a hello");
        return false;
    }
    switch (frame->kind) {
    case RPC__FRAME_HELLO: take_hello(link, frame); break;
    case RPC__FRAME_MESSAGE:
        handlers->links.on_link_message(handlers->context, link,
                                        message_new(packet, &frame->message));
        break;
    case RPC__FRAME_BYTES:
        handlers->links.on_link_bytes(handlers->context, link, frame->bytes_kind, frame->bytes);
        break;
    case RPC__FRAME_UNKNOWN: break;
    }
    return true;
}

static bool is_closing(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    bool is_closing = link->is_closing;
    pthread_mutex_unlock(&link->lock);
    return is_closing;
}

static bool take_frames(struct packet *packet) {
    struct rpc__frame frame;
    if (packet->exchange == NULL)
        return false;
    for (size_t i = 0; i < packet->exchange->frame_count && !is_closing(packet->link); i++) {
        if (rpc__exchange_frame(packet->exchange, i, &frame) != STATUS_OK)
            return false;
        if (!take_frame(packet, &frame))
            break;
    }
    return true;
}

void rpc__link_take_message(struct rpc_link *link, grpc_byte_buffer *body) {
    struct packet *packet = packet_new(link, body);
    if (!take_frames(packet)) {
        log_every(1000, LOG_LEVEL_WARN, "a peer sends what cannot be understood",
                  log_text("remote", link->remote));
        rpc__link_fail(link, GRPC_STATUS_INVALID_ARGUMENT, "a frame cannot be understood");
    }
    packet_unref(packet);
}
