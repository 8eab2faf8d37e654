/* RaftService.InstallSnapshot, received: a stream of messages that a worker takes one by one. */
#include "rpc/codec_install.h"
#include "rpc/server.h"

#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>
#include <time.h>

/* A sender that opens the stream and says nothing is given up. */
#define HEAD_MS_MAX 10000

/* How often a waiting reader looks whether the server is stopping. */
#define LOOK_MS 100

/*   waiting for the head --> handed over --> finishing --> freed, with its last event
 *                       \--> refused -------------------/
 *
 * Owed: the end of the call, the answer being away, and the message that is asked for. */
struct rpc_incoming {
    struct rpc_server *server;
    struct rpc__queue *queue;
    grpc_call *grpc;
    struct rpc__event received;
    struct rpc__event closed;
    struct rpc__event sent;
    struct rpc__timer timer; /* while it waits for the head; the thread's */
    int cancelled;
    bool has_started; /* handed over, or refused */

    grpc_slice current; /* the reader's: what its chunk lies in */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    grpc_byte_buffer *body; /* what came; written by gRPC while is_receiving */
    bool is_receiving;
    bool is_gone;
    unsigned owed;
};

/* ---- Its end ------------------------------------------------------------------------------- */

/* With the lock, which is let go. */
static void settle_and_unlock(struct rpc_incoming *incoming) {
    bool is_last = --incoming->owed == 0;
    pthread_mutex_unlock(&incoming->lock);
    if (!is_last)
        return;
    grpc_byte_buffer_destroy(incoming->body);
    grpc_slice_unref(incoming->current);
    grpc_call_unref(incoming->grpc);
    struct rpc_server *server = incoming->server;
    atomic_fetch_sub(&server->installs, 1);
    pthread_cond_destroy(&incoming->changed);
    pthread_mutex_destroy(&incoming->lock);
    free(incoming);
    rpc__stream_leave(server);
}

static void on_closed(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc_incoming *incoming = CONTAINER_OF(event, struct rpc_incoming, closed);
    pthread_mutex_lock(&incoming->lock);
    incoming->is_gone = true;
    pthread_cond_signal(&incoming->changed);
    settle_and_unlock(incoming);
}

static void on_sent(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* whoever does not take the answer is gone */
    struct rpc_incoming *incoming = CONTAINER_OF(event, struct rpc_incoming, sent);
    pthread_mutex_lock(&incoming->lock);
    settle_and_unlock(incoming);
}

/* The last that is done with it. */
static void answer(struct rpc_incoming *incoming, grpc_status_code code, const char *detail,
                   raft_index index) {
    struct rpc__ending ending;
    struct rpc__answer end = {.code = code, .detail = detail};
    grpc_op ops[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    size_t count = 1;
    grpc_byte_buffer *body = NULL;
    if (code == GRPC_STATUS_OK) {
        grpc_slice message = rpc__install_answer_encode(index);
        body = grpc_raw_byte_buffer_create(&message, 1);
        grpc_slice_unref(message);
        ops[count++] =
            (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body};
    }
    ops[count++] = rpc__ending_init(&ending, incoming->server, &end);
    rpc__batch_start(incoming->grpc, ops, count, &incoming->sent);
    rpc__ending_close(&ending);
    grpc_byte_buffer_destroy(body); /* its slices have gone into the call */
}

/* ---- Receiving ----------------------------------------------------------------------------- */

static void receive(struct rpc_incoming *incoming) {
    pthread_mutex_lock(&incoming->lock);
    incoming->owed++;
    incoming->is_receiving = true;
    incoming->body = NULL;
    pthread_mutex_unlock(&incoming->lock);
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &incoming->body};
    rpc__batch_start(incoming->grpc, &op, 1, &incoming->received);
}

/* The message's bytes in one piece; takes `body`. */
static grpc_slice whole(grpc_byte_buffer *body) {
    grpc_byte_buffer_reader reader;
    CHECK(grpc_byte_buffer_reader_init(&reader, body) != 0);
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(body);
    return slice;
}

static struct bytes bytes_in(const grpc_slice *slice) {
    return bytes_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

/* What came first must be the head. */
static void begin(struct rpc_incoming *incoming, grpc_byte_buffer *body) {
    const struct rpc_handlers *handlers = &incoming->server->handlers;
    struct rpc_install_head head;
    rpc__timer_clear(&incoming->timer);
    incoming->has_started = true;
    grpc_slice slice = body == NULL ? grpc_empty_slice() : whole(body);
    enum status status = rpc__install_head_decode(bytes_in(&slice), &head);
    grpc_slice_unref(slice);
    if (status != STATUS_OK) {
        answer(incoming, GRPC_STATUS_INVALID_ARGUMENT, "a snapshot begins with its head", 0);
        return;
    }
    receive(incoming);
    handlers->on_install(handlers->context, incoming, &head);
}

static void on_received(struct rpc__event *event, bool is_ok) {
    struct rpc_incoming *incoming = CONTAINER_OF(event, struct rpc_incoming, received);
    pthread_mutex_lock(&incoming->lock);
    if (!is_ok)
        incoming->is_gone = true;
    grpc_byte_buffer *first = incoming->has_started ? NULL : incoming->body;
    bool is_first = !incoming->has_started;
    if (is_first)
        incoming->body = NULL;
    incoming->is_receiving = false;
    pthread_cond_signal(&incoming->changed);
    pthread_mutex_unlock(&incoming->lock);
    if (is_first)
        begin(incoming, first);
    pthread_mutex_lock(&incoming->lock);
    settle_and_unlock(incoming);
}

static void on_silent(struct rpc__timer *timer) {
    struct rpc_incoming *incoming = CONTAINER_OF(timer, struct rpc_incoming, timer);
    CHECK(grpc_call_cancel(incoming->grpc, NULL) == GRPC_CALL_OK);
}

/* ---- Arrival ------------------------------------------------------------------------------- */

static struct rpc_incoming *incoming_new(struct rpc__queue *queue, grpc_call *grpc) {
    struct rpc_incoming *incoming = calloc(1, sizeof *incoming);
    CHECK(incoming != NULL);
    *incoming = (struct rpc_incoming){.server = queue->server,
                                      .queue = queue,
                                      .grpc = grpc,
                                      .received.run = on_received,
                                      .closed.run = on_closed,
                                      .sent.run = on_sent,
                                      .timer.run = on_silent,
                                      .current = grpc_empty_slice(),
                                      .owed = 2};
    pthread_condattr_t monotonic;
    pthread_mutex_init(&incoming->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&incoming->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return incoming;
}

void rpc__install_on_call(struct rpc_call *call) {
    struct rpc__queue *queue = call->queue;
    struct rpc_server *server = queue->server;
    if (server->handlers.on_install == NULL) {
        rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, "this server has no peers");
        return;
    }
    if (rpc__refuse_if_draining(call) || rpc__refuse_if_no_node(call))
        return;
    if (atomic_fetch_add(&server->installs, 1) >= RPC__INSTALLS_MAX) {
        atomic_fetch_sub(&server->installs, 1);
        rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many snapshots are arriving");
        return;
    }
    rpc__stream_enter(server);
    struct rpc_incoming *incoming = incoming_new(queue, rpc__call_detach(call));
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &incoming->cancelled};
    rpc__batch_start(incoming->grpc, &op, 1, &incoming->closed);
    rpc__timer_set(queue, &incoming->timer, HEAD_MS_MAX);
    receive(incoming);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static struct timespec later(uint64_t ms) {
    struct timespec at;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void wait_a_little(struct rpc_incoming *incoming, uint64_t ms) {
    struct timespec until = later(ms);
    while (incoming->is_receiving) {
        if (pthread_cond_timedwait(&incoming->changed, &incoming->lock, &until) == ETIMEDOUT)
            return;
    }
}

/* With the lock: until the message is here, the sender gone, or it takes too long. */
static enum status wait_for_message(struct rpc_incoming *incoming, uint64_t timeout_ms) {
    uint64_t waited_ms = 0;
    while (incoming->is_receiving) {
        if (atomic_load(&incoming->server->is_draining))
            return STATUS_ABORTED;
        if (waited_ms >= timeout_ms)
            return STATUS_TIMEOUT;
        uint64_t left_ms = timeout_ms - waited_ms;
        uint64_t step_ms = left_ms < LOOK_MS ? left_ms : LOOK_MS;
        wait_a_little(incoming, step_ms);
        waited_ms += step_ms;
    }
    return incoming->body == NULL && incoming->is_gone ? STATUS_ABORTED : STATUS_OK;
}

enum status rpc_incoming_read(struct rpc_incoming *incoming, uint64_t timeout_ms,
                              struct bytes *ret_chunk) {
    pthread_mutex_lock(&incoming->lock);
    enum status status = wait_for_message(incoming, timeout_ms);
    grpc_byte_buffer *body = status == STATUS_OK ? incoming->body : NULL;
    if (body != NULL)
        incoming->body = NULL;
    pthread_mutex_unlock(&incoming->lock);
    if (status != STATUS_OK)
        return status;
    if (body == NULL) { /* the sender says no more */
        *ret_chunk = bytes_of(NULL, 0);
        return STATUS_OK;
    }
    grpc_slice_unref(incoming->current);
    incoming->current = whole(body);
    status = rpc__install_chunk_decode(bytes_in(&incoming->current), ret_chunk);
    if (status != STATUS_OK || ret_chunk->len == 0)
        return STATUS_CORRUPT;
    receive(incoming); /* the next, while this one is worked on */
    return STATUS_OK;
}

void rpc_incoming_finish(struct rpc_incoming *incoming, enum status status, const char *detail,
                         raft_index index) {
    if (status != STATUS_OK && detail == NULL)
        detail = status_text(status);
    answer(incoming, rpc__code_of(status), detail, index);
}
