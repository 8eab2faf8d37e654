#include "rpc/stream.h"

#include "rpc/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A caller that takes nothing for this long is given up: what it holds open, such as a read
 * transaction, costs others. */
#define STALL_MS_MAX 60000

/* How often a waiting writer looks whether the server is stopping. */
#define LOOK_MS 100

/* Two owe an end: the writer's last batch, and the news that the call is closed. */
struct rpc_stream {
    struct rpc_server *server;
    grpc_call *grpc;
    struct rpc__event batch;  /* the writer's, one at a time */
    struct rpc__event closed; /* the caller has gone, or has everything */
    int cancelled;            /* written by gRPC */
    bool has_started;         /* initial metadata is on its way; the writer's own */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_batch_running;
    bool is_batch_ok;
    bool is_gone;
    bool is_finishing;
    unsigned owed;
};

static void stream_free(struct rpc_stream *stream) {
    grpc_call_unref(stream->grpc);
    atomic_fetch_sub(&stream->server->snapshots, 1);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

/* One of the two ends has come; call without the lock. */
static void settle(struct rpc_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool is_last = --stream->owed == 0;
    pthread_mutex_unlock(&stream->lock);
    if (is_last)
        stream_free(stream);
}

static void on_batch(struct rpc__event *event, bool is_ok) {
    struct rpc_stream *stream = CONTAINER_OF(event, struct rpc_stream, batch);
    pthread_mutex_lock(&stream->lock);
    stream->is_batch_running = false;
    stream->is_batch_ok = is_ok;
    bool is_finishing = stream->is_finishing;
    pthread_cond_signal(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    if (is_finishing)
        settle(stream);
}

static void on_closed(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc_stream *stream = CONTAINER_OF(event, struct rpc_stream, closed);
    pthread_mutex_lock(&stream->lock);
    stream->is_gone = true;
    pthread_cond_signal(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    settle(stream);
}

struct rpc_stream *rpc__stream_new(struct rpc_server *server, grpc_call *grpc) {
    struct rpc_stream *stream = calloc(1, sizeof *stream);
    CHECK(stream != NULL);
    *stream = (struct rpc_stream){
        .server = server,
        .grpc = grpc,
        .batch.run = on_batch,
        .closed.run = on_closed,
        .owed = 2,
    };
    pthread_mutex_init(&stream->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&stream->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &stream->cancelled};
    rpc__batch_start(grpc, &op, 1, &stream->closed);
    return stream;
}

/* ---- Writing ------------------------------------------------------------------------------- */

static struct timespec later(unsigned ms) {
    struct timespec at;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_nsec += (long)ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Wait for the batch under way, for LOOK_MS at most. With the lock. */
static void wait_a_little(struct rpc_stream *stream) {
    struct timespec until = later(LOOK_MS);
    while (stream->is_batch_running) {
        if (pthread_cond_timedwait(&stream->changed, &stream->lock, &until) == ETIMEDOUT)
            return;
    }
}

/* Wait for the batch under way; a caller that stalls, or a server that stops, cancels it. */
static bool wait_for_batch(struct rpc_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    for (unsigned waited_ms = 0; stream->is_batch_running; waited_ms += LOOK_MS) {
        wait_a_little(stream);
        if (!stream->is_batch_running)
            break;
        bool give_up = waited_ms >= STALL_MS_MAX || atomic_load(&stream->server->is_draining);
        if (!give_up)
            continue;
        pthread_mutex_unlock(&stream->lock);
        CHECK(grpc_call_cancel(stream->grpc, NULL) == GRPC_CALL_OK);
        pthread_mutex_lock(&stream->lock);
    }
    bool is_ok = stream->is_batch_ok && !stream->is_gone;
    pthread_mutex_unlock(&stream->lock);
    return is_ok;
}

/* Send `op`, after the initial metadata if that has not gone out. The last batch ends the writer's
 * part: the stream may be gone when this returns. */
static void start(struct rpc_stream *stream, grpc_op op, bool is_last) {
    grpc_op ops[2];
    size_t count = 0;
    if (!stream->has_started)
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    ops[count++] = op;
    stream->has_started = true;
    pthread_mutex_lock(&stream->lock);
    stream->is_batch_running = true;
    stream->is_finishing = is_last;
    pthread_mutex_unlock(&stream->lock);
    rpc__batch_start(stream->grpc, ops, count, &stream->batch);
}

static bool is_useless(struct rpc_stream *stream) {
    pthread_mutex_lock(&stream->lock);
    bool is_gone = stream->is_gone;
    pthread_mutex_unlock(&stream->lock);
    return is_gone || atomic_load(&stream->server->is_draining);
}

static grpc_byte_buffer *message_of(struct bytes chunk) {
    grpc_slice message = rpc__chunk_encode(chunk);
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&message, 1);
    grpc_slice_unref(message);
    return body;
}

enum status rpc_stream_write(struct rpc_stream *stream, struct bytes chunk) {
    if (is_useless(stream))
        return STATUS_ABORTED;
    grpc_byte_buffer *body = message_of(chunk);
    start(stream, (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body},
          false);
    bool is_ok = wait_for_batch(stream);
    grpc_byte_buffer_destroy(body);
    return is_ok ? STATUS_OK : STATUS_ABORTED;
}

void rpc_stream_finish(struct rpc_stream *stream, enum status status, const char *detail) {
    struct rpc__answer answer = {.code = rpc__code_of(status), .detail = detail};
    if (status != STATUS_OK && detail == NULL)
        answer.detail = status_text(status);
    struct rpc__ending ending;
    start(stream, rpc__ending_init(&ending, stream->server, &answer), true);
    rpc__ending_close(&ending);
}
