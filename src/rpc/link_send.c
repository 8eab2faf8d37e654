/* What waits to be sent on a link: encoded when it is queued, and laid end to end when it leaves.
 */
#include "rpc/link.h"

#include <stdlib.h>

static bool is_urgent(const struct raft_message *message) {
    return message->kind != RAFT_APPEND && message->kind != RAFT_APPEND_ANSWER;
}

/* ---- Queueing ------------------------------------------------------------------------------ */

/* With the lock. */
static enum status put(struct rpc_link *link, struct rpc__out_frame *frame, bool is_small) {
    size_t size = GRPC_SLICE_LENGTH(frame->slice);
    if (link->is_down || link->is_closing)
        return STATUS_UNAVAILABLE;
    if (is_small && link->urgent_count >= RPC__URGENT_MAX)
        return STATUS_OVERLOAD;
    if (!is_small && link->bulk_bytes + size > RPC__BULK_BYTES_MAX)
        return STATUS_OVERLOAD;
    if (is_small) {
        STAILQ_INSERT_TAIL(&link->urgent, frame, next);
        link->urgent_count++;
    } else {
        STAILQ_INSERT_TAIL(&link->bulk, frame, next);
        link->bulk_bytes += size;
    }
    return STATUS_OK;
}

static void frame_free(struct rpc__out_frame *frame) {
    grpc_slice_unref(frame->slice);
    free(frame);
}

/* Takes `slice`. While a batch sends, its end will look for more. */
static enum status queue(struct rpc_link *link, grpc_slice slice, bool is_small) {
    struct rpc__out_frame *frame = malloc(sizeof *frame);
    CHECK(frame != NULL);
    frame->slice = slice;
    pthread_mutex_lock(&link->lock);
    enum status status = put(link, frame, is_small);
    pthread_mutex_unlock(&link->lock);
    if (status == STATUS_OK)
        rpc__link_send_next(link);
    else
        frame_free(frame);
    return status;
}

/* Whether it is worth encoding anything. */
static enum status look(struct rpc_link *link, size_t bytes, bool is_small) {
    pthread_mutex_lock(&link->lock);
    bool is_open = !link->is_down && !link->is_closing;
    bool is_full = is_small ? link->urgent_count >= RPC__URGENT_MAX
                            : link->bulk_bytes + bytes > RPC__BULK_BYTES_MAX;
    pthread_mutex_unlock(&link->lock);
    if (!is_open)
        return STATUS_UNAVAILABLE;
    return is_full ? STATUS_OVERLOAD : STATUS_OK;
}

enum status rpc_link_send_hello(struct rpc_link *link, const struct rpc_hello *hello) {
    return queue(link, rpc__hello_encode(hello), true);
}

static size_t payload_bytes(const struct raft_entry *entries, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += entries[i].payload.len;
    return bytes;
}

enum status rpc_link_send_message(struct rpc_link *link, const struct raft_message *message,
                                  const struct raft_entry *entries, size_t count) {
    CHECK(count == 0 || message->kind == RAFT_APPEND);
    size_t bytes = payload_bytes(entries, count);
    if (count > RAFT_APPEND_ENTRIES_MAX || bytes > RPC__FRAME_BYTES_MAX - 64 * KIB)
        return STATUS_INVALID;
    enum status status = look(link, bytes, is_urgent(message));
    if (status != STATUS_OK)
        return status;
    grpc_slice slice = rpc__raft_message_encode(message, entries, count);
    CHECK(GRPC_SLICE_LENGTH(slice) <= RPC__FRAME_BYTES_MAX);
    return queue(link, slice, is_urgent(message));
}

enum status rpc_link_send_bytes(struct rpc_link *link, enum rpc_bytes_kind kind,
                                struct bytes bytes) {
    if (bytes.len > RPC_LINK_BYTES_MAX)
        return STATUS_INVALID;
    return queue(link, rpc__link_bytes_encode(kind, bytes), false);
}

/* ---- Leaving ------------------------------------------------------------------------------- */

/* The frame that goes next; NULL: none waits. */
static struct rpc__out_frame *next_frame(struct rpc_link *link) {
    struct rpc__out_frame *frame = STAILQ_FIRST(&link->urgent);
    return frame != NULL ? frame : STAILQ_FIRST(&link->bulk);
}

static void unlink_frame(struct rpc_link *link, struct rpc__out_frame *frame) {
    if (frame == STAILQ_FIRST(&link->urgent)) {
        STAILQ_REMOVE_HEAD(&link->urgent, next);
        link->urgent_count--;
        return;
    }
    STAILQ_REMOVE_HEAD(&link->bulk, next);
    link->bulk_bytes -= GRPC_SLICE_LENGTH(frame->slice);
}

bool rpc__link_has_frames(const struct rpc_link *link) {
    return !STAILQ_EMPTY(&link->urgent) || !STAILQ_EMPTY(&link->bulk);
}

grpc_byte_buffer *rpc__link_take_frames(struct rpc_link *link) {
    struct rpc__out_frame *frame = next_frame(link);
    if (frame == NULL)
        return NULL;
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(NULL, 0);
    grpc_slice_buffer *slices = &body->data.raw.slice_buffer;
    do {
        unlink_frame(link, frame);
        grpc_slice_buffer_add(slices, frame->slice); /* takes it */
        free(frame);
        frame = next_frame(link);
    } while (frame != NULL &&
             slices->length + GRPC_SLICE_LENGTH(frame->slice) <= RPC__PACKET_BYTES_MAX);
    return body;
}

void rpc__link_drop_frames(struct rpc_link *link) {
    struct rpc__out_frame *frame;
    while ((frame = next_frame(link)) != NULL) {
        unlink_frame(link, frame);
        frame_free(frame);
    }
}
