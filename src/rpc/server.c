#include "rpc/server.h"

#include "rpc/address.h"
#include "rpc/credentials.h"
#include "rpc/reflection_index.h"

#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

/* Calls that one connection may have open at a time; its client keeps the rest waiting. */
#define STREAMS_PER_CONNECTION_MAX 4096

/* What gRPC's buffers may take: a window full of values, and room to breathe. */
#define BUFFER_BYTES_MAX (8 * UNAPPLIED_BYTES_MAX)

#define HANDSHAKE_MS_MAX 10000

/* How long a stop waits for answers to leave. */
#define SEND_MS_MAX 2000

/* A silent connection is asked this often whether it is there, and has this long to say so. */
#define KEEPALIVE_MS 30000
#define KEEPALIVE_TIMEOUT_MS 10000

/* Clients may ping this often. Go's and our own peers would otherwise be cut off. */
#define CLIENT_PING_MS_MIN 5

/* ---- Settings ------------------------------------------------------------------------------ */

static grpc_arg integer_arg(const char *key, int value) {
    return (
        grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_arg quota_arg(grpc_resource_quota *quota) {
    return (grpc_arg){.type = GRPC_ARG_POINTER,
                      .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
                      .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}};
}

static grpc_server *server_create(void) {
    grpc_resource_quota *quota = grpc_resource_quota_create("phalanx");
    grpc_resource_quota_resize(quota, BUFFER_BYTES_MAX);
    grpc_arg list[] = {
        quota_arg(quota),
        /* Two servers on one port would share its connections, silently. */
        integer_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_BYTES_MAX),
        integer_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1),
        integer_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION_MAX),
        integer_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS_MAX),
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, CLIENT_PING_MS_MIN),
        /* No compression: a small message must not unpack into a huge one. */
        integer_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        integer_arg(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
        integer_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
    };
    grpc_channel_args args = {.num_args = sizeof list / sizeof list[0], .args = list};
    grpc_server *server = grpc_server_create(&args, NULL);
    grpc_resource_quota_unref(quota);
    return server;
}

/* ---- Start --------------------------------------------------------------------------------- */

static void on_stopped(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* there is no other way to stop */
    struct rpc_server *server = CONTAINER_OF(event, struct rpc_server, stopped);
    pthread_mutex_lock(&server->stop_lock);
    server->has_stopped = true;
    pthread_cond_signal(&server->stop_changed);
    pthread_mutex_unlock(&server->stop_lock);
}

static void init_fields(struct rpc_server *server, const struct rpc_server_config *config) {
    server->handlers = config->handlers;
    server->user_bytes = config->user_bytes;
    server->message_user_bytes = config->message_user_bytes;
    server->queue_count = config->threads;
    server->leader = grpc_empty_slice();
    server->stopped.run = on_stopped;
    pthread_mutex_init(&server->leader_lock, NULL);
    pthread_mutex_init(&server->stop_lock, NULL);
    pthread_cond_init(&server->stop_changed, NULL);
    rpc__health_init(&server->health);
    rpc__links_init(&server->links);
    server->index = rpc__index_new();
}

static void register_methods(struct rpc_server *server) {
    for (int id = 0; id < RPC__METHOD_COUNT; id++) {
        const struct rpc__method *method = rpc__method(id);
        if (method->path == NULL)
            continue;
        server->registered[id] =
            grpc_server_register_method(server->grpc, method->path, NULL,
                                        method->has_body ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                                                         : GRPC_SRM_PAYLOAD_NONE,
                                        0);
        CHECK(server->registered[id] != NULL);
    }
}

static enum status bind_address(struct rpc_server *server, const char *address) {
    grpc_server_credentials *credentials = rpc__server_credentials_new();
    server->port = grpc_server_add_http2_port(server->grpc, address, credentials);
    grpc_server_credentials_release(credentials);
    return server->port > 0 ? STATUS_OK : STATUS_BUSY;
}

enum status rpc_server_new(const struct rpc_server_config *config, struct rpc_server **ret_server) {
    CHECK(config->threads >= 1 && config->threads <= RPC__THREADS_MAX);
    enum status status = rpc__address_probe(config->address);
    if (status != STATUS_OK)
        return status;
    struct rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return STATUS_NO_MEMORY;
    init_fields(server, config);
    server->grpc = server_create();
    register_methods(server);
    for (unsigned i = 0; i < server->queue_count; i++)
        rpc__queue_init(&server->queues[i], server);
    status = bind_address(server, config->address);
    if (status != STATUS_OK) { /* somebody was faster, after the probe */
        rpc_server_free(server);
        return status;
    }
    *ret_server = server;
    return STATUS_OK;
}

void rpc_server_start(struct rpc_server *server) {
    CHECK(!server->is_started);
    server->is_started = true;
    grpc_server_start(server->grpc);
    for (unsigned i = 0; i < server->queue_count; i++)
        rpc__queue_start(&server->queues[i]);
    rpc__guard_start(&server->guard);
}

int rpc_server_port(const struct rpc_server *server) {
    return server->port;
}

/* ---- The leader's address ------------------------------------------------------------------ */

grpc_slice rpc__leader_ref(struct rpc_server *server) {
    pthread_mutex_lock(&server->leader_lock);
    grpc_slice leader = grpc_slice_ref(server->leader);
    pthread_mutex_unlock(&server->leader_lock);
    return leader;
}

void rpc_server_set_leader(struct rpc_server *server, const char *address) {
    grpc_slice leader = grpc_slice_from_copied_string(address);
    pthread_mutex_lock(&server->leader_lock);
    grpc_slice old = server->leader;
    server->leader = leader;
    pthread_mutex_unlock(&server->leader_lock);
    grpc_slice_unref(old);
}

/* ---- Streams ------------------------------------------------------------------------------- */

void rpc__stream_enter(struct rpc_server *server) {
    pthread_mutex_lock(&server->stop_lock);
    server->stream_count++;
    pthread_mutex_unlock(&server->stop_lock);
}

void rpc__stream_leave(struct rpc_server *server) {
    pthread_mutex_lock(&server->stop_lock);
    server->stream_count--;
    pthread_cond_signal(&server->stop_changed);
    pthread_mutex_unlock(&server->stop_lock);
}

/* ---- Stop ---------------------------------------------------------------------------------- */

/* gRPC's own shutdown would answer CANCELLED, which says nothing, to calls that cross its goodbye
 * on the way. Until rpc_server_free() the server therefore stays, and says UNAVAILABLE. */
void rpc_server_drain(struct rpc_server *server) {
    atomic_store(&server->is_draining, true);
    rpc__health_drain(server);
}

/* Answers already given are on their way for an instant; a caller that does not take its own is not
 * waited for longer than this. */
static void wait_until_sent(struct rpc_server *server) {
    for (int waited_ms = 0; waited_ms < SEND_MS_MAX; waited_ms++) {
        if (atomic_load(&server->in_flight) == 0 && rpc__health_is_drained(&server->health))
            return;
        gpr_sleep_until(
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(1, GPR_TIMESPAN)));
    }
}

/* Marks a place in a queue's order: what was in it before has been run. */
struct fence {
    struct rpc__job job;
    struct rpc_server *server;
};

static void on_fence(struct rpc__job *job) {
    struct rpc_server *server = CONTAINER_OF(job, struct fence, job)->server;
    pthread_mutex_lock(&server->stop_lock);
    server->fence_count--;
    pthread_cond_signal(&server->stop_changed);
    pthread_mutex_unlock(&server->stop_lock);
}

/* gRPC has stopped when the connections are gone. A call that arrived before may still be met in a
 * queue, and so may the last events of a stream, which start batches: first those, then the queues'
 * end. */
static void wait_until_stopped(struct rpc_server *server) {
    struct fence fences[RPC__THREADS_MAX];
    pthread_mutex_lock(&server->stop_lock);
    while (!server->has_stopped)
        pthread_cond_wait(&server->stop_changed, &server->stop_lock);
    server->fence_count = server->queue_count;
    pthread_mutex_unlock(&server->stop_lock);
    for (unsigned i = 0; i < server->queue_count; i++) {
        fences[i] = (struct fence){.job.run = on_fence, .server = server};
        rpc__queue_post(&server->queues[i], &fences[i].job);
    }
    pthread_mutex_lock(&server->stop_lock);
    while (server->fence_count > 0 || server->stream_count > 0)
        pthread_cond_wait(&server->stop_changed, &server->stop_lock);
    pthread_mutex_unlock(&server->stop_lock);
}

void rpc_server_free(struct rpc_server *server) {
    if (server == NULL)
        return;
    CHECK(server->links.dial_count == 0);
    rpc_server_drain(server);
    wait_until_sent(server);
    grpc_server_shutdown_and_notify(server->grpc, server->queues[0].cq, &server->stopped);
    grpc_server_cancel_all_calls(server->grpc);
    if (server->is_started) {
        wait_until_stopped(server);
        rpc__guard_stop(&server->guard);
    }
    grpc_server_destroy(server->grpc);
    for (unsigned i = 0; i < server->queue_count; i++)
        rpc__queue_close(&server->queues[i], server->is_started);
    CHECK(atomic_load(&server->in_flight) == 0);
    rpc__index_free(server->index);
    rpc__health_close(&server->health);
    rpc__links_close(&server->links);
    grpc_slice_unref(server->leader);
    pthread_cond_destroy(&server->stop_changed);
    pthread_mutex_destroy(&server->stop_lock);
    pthread_mutex_destroy(&server->leader_lock);
    free(server);
}
