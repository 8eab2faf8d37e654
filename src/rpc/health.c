/* grpc.health.v1.Health: whether this node serves, asked once or watched.
 *
 * A watch belongs to its queue's thread. rpc_server_set_serving() only wakes it there, by an empty
 * batch on its call. */
#include "rpc/codec_health.h"
#include "rpc/server.h"

#include <stdlib.h>

/* A place among the watches, until its call is closed and none of its events is on the way. */
struct rpc__watch {
    struct rpc_server *server;
    grpc_call *grpc;
    struct rpc__event sent;
    struct rpc__event woken;
    struct rpc__event closed;
    int cancelled; /* written by gRPC */
    bool is_known; /* there is such a service */
    bool has_started;
    bool is_sending;
    bool has_ended; /* its status is on its way */
    bool is_closed;
    bool is_waking; /* under health->lock: `woken` is on the way */
    enum rpc__health_status last;
};

void rpc__health_init(struct rpc__health *health) {
    pthread_mutex_init(&health->lock, NULL);
}

void rpc__health_close(struct rpc__health *health) {
    for (size_t i = 0; i < RPC__WATCHES_MAX; i++)
        CHECK(health->watches[i] == NULL);
    pthread_mutex_destroy(&health->lock);
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* Some service, or none in particular: all of them. */
static bool is_service_known(struct bytes name) {
    static const char *const names[] = {"", "phalanx.v1.KVService", "phalanx.v1.ClusterService"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (bytes_equal(name, bytes_of_text(names[i])))
            return true;
    }
    return false;
}

/* False: no HealthCheckRequest. */
static bool decode(struct rpc_call *call, bool *ret_is_known) {
    struct bytes body;
    struct bytes service;
    if (!rpc__call_body(call, &body) || !rpc__health_decode(body, &service))
        return false;
    *ret_is_known = is_service_known(service);
    return true;
}

static grpc_slice encode(enum rpc__health_status status) {
    uint8_t data[RPC__HEALTH_BYTES_MAX];
    size_t len = rpc__health_encode(status, data);
    return grpc_slice_from_copied_buffer((const char *)data, len);
}

/* A server that is stopping does not serve, whatever it was last told. */
static enum rpc__health_status status_now(struct rpc_server *server) {
    struct rpc__health *health = &server->health;
    pthread_mutex_lock(&health->lock);
    bool is_serving = health->is_serving;
    pthread_mutex_unlock(&health->lock);
    return is_serving && !atomic_load(&server->is_draining) ? RPC__HEALTH_SERVING
                                                            : RPC__HEALTH_NOT_SERVING;
}

/* ---- Check --------------------------------------------------------------------------------- */

void rpc__health_on_check(struct rpc_call *call) {
    bool is_known = false;
    if (!decode(call, &is_known)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT,
                         "the body is not a HealthCheckRequest");
        return;
    }
    if (!is_known) {
        rpc__call_refuse(call, GRPC_STATUS_NOT_FOUND, "unknown service");
        return;
    }
    grpc_slice body = encode(status_now(call->queue->server));
    rpc__call_answer(call,
                     &(struct rpc__answer){.code = GRPC_STATUS_OK, .has_body = true, .body = body});
}

/* ---- Watch --------------------------------------------------------------------------------- */

static bool watch_enter(struct rpc__watch *watch) {
    struct rpc__health *health = &watch->server->health;
    bool has_entered = false;
    pthread_mutex_lock(&health->lock);
    for (size_t i = 0; i < RPC__WATCHES_MAX && !has_entered; i++) {
        if (health->watches[i] != NULL)
            continue;
        health->watches[i] = watch;
        has_entered = true;
    }
    pthread_mutex_unlock(&health->lock);
    return has_entered;
}

/* Leave the places, unless somebody is waking the watch: then its event comes first. */
static bool watch_leave(struct rpc__watch *watch) {
    struct rpc__health *health = &watch->server->health;
    pthread_mutex_lock(&health->lock);
    bool may_leave = !watch->is_waking;
    for (size_t i = 0; i < RPC__WATCHES_MAX && may_leave; i++) {
        if (health->watches[i] == watch)
            health->watches[i] = NULL;
    }
    pthread_mutex_unlock(&health->lock);
    return may_leave;
}

static void watch_send(struct rpc__watch *watch, enum rpc__health_status status) {
    grpc_slice slice = encode(status);
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[2];
    size_t count = 0;
    if (!watch->has_started)
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body};
    watch->has_started = true;
    watch->is_sending = true;
    watch->last = status;
    rpc__batch_start(watch->grpc, ops, count, &watch->sent);
    grpc_byte_buffer_destroy(body); /* its slices have gone into the call */
    grpc_slice_unref(slice);
}

static enum rpc__health_status wanted_status(struct rpc__watch *watch) {
    return watch->is_known ? status_now(watch->server) : RPC__HEALTH_SERVICE_UNKNOWN;
}

/* A stopping server has told its last news: no watch is left to be cut off with it unsaid. */
static void watch_end(struct rpc__watch *watch) {
    grpc_slice reason = grpc_slice_from_static_string("the server is stopping");
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                  .data.send_status_from_server = {.status = GRPC_STATUS_UNAVAILABLE,
                                                   .status_details = &reason}};
    watch->has_ended = true;
    watch->is_sending = true;
    rpc__batch_start(watch->grpc, &op, 1, &watch->sent);
}

static void watch_tell(struct rpc__watch *watch) {
    enum rpc__health_status status = wanted_status(watch);
    if (!watch->has_started || status != watch->last)
        watch_send(watch, status);
    else if (atomic_load(&watch->server->is_draining))
        watch_end(watch);
}

/* After each event: tell what is new, or end. */
static void watch_go_on(struct rpc__watch *watch) {
    if (watch->is_sending)
        return;
    if (!watch->is_closed) {
        if (!watch->has_ended)
            watch_tell(watch);
        return;
    }
    if (!watch_leave(watch))
        return;
    grpc_call_unref(watch->grpc);
    rpc__stream_leave(watch->server);
    free(watch);
}

static void on_sent(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* when it failed, `closed` is on the way */
    struct rpc__watch *watch = CONTAINER_OF(event, struct rpc__watch, sent);
    watch->is_sending = false;
    watch_go_on(watch);
}

static void on_closed(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc__watch *watch = CONTAINER_OF(event, struct rpc__watch, closed);
    watch->is_closed = true;
    watch_go_on(watch);
}

static void on_woken(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc__watch *watch = CONTAINER_OF(event, struct rpc__watch, woken);
    pthread_mutex_lock(&watch->server->health.lock);
    watch->is_waking = false;
    pthread_mutex_unlock(&watch->server->health.lock);
    watch_go_on(watch);
}

void rpc__health_on_watch(struct rpc_call *call) {
    bool is_known = false;
    if (!decode(call, &is_known)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT,
                         "the body is not a HealthCheckRequest");
        return;
    }
    struct rpc__watch *watch = calloc(1, sizeof *watch);
    CHECK(watch != NULL);
    *watch = (struct rpc__watch){
        .server = call->queue->server,
        .grpc = call->grpc,
        .sent.run = on_sent,
        .woken.run = on_woken,
        .closed.run = on_closed,
        .is_known = is_known,
    };
    if (!watch_enter(watch)) {
        free(watch);
        rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many health watches");
        return;
    }
    (void)rpc__call_detach(call); /* watch->grpc */
    rpc__stream_enter(watch->server);
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &watch->cancelled};
    rpc__batch_start(watch->grpc, &op, 1, &watch->closed);
    watch_go_on(watch);
}

/* Change the state and collect whom to wake. A waking watch stays until its event has come. */
static size_t collect_watches(struct rpc__health *health, bool is_serving, bool is_last,
                              struct rpc__watch **ret_watches) {
    size_t count = 0;
    pthread_mutex_lock(&health->lock);
    bool is_news = is_last || health->is_serving != is_serving;
    health->is_serving = is_serving;
    for (size_t i = 0; i < RPC__WATCHES_MAX && is_news; i++) {
        struct rpc__watch *watch = health->watches[i];
        if (watch == NULL || watch->is_waking)
            continue;
        watch->is_waking = true;
        ret_watches[count++] = watch;
    }
    pthread_mutex_unlock(&health->lock);
    return count;
}

static void tell_watches(struct rpc_server *server, bool is_serving, bool is_last) {
    struct rpc__watch *watches[RPC__WATCHES_MAX];
    size_t count = collect_watches(&server->health, is_serving, is_last, watches);
    for (size_t i = 0; i < count; i++)
        rpc__batch_start(watches[i]->grpc, NULL, 0, &watches[i]->woken);
}

void rpc_server_set_serving(struct rpc_server *server, bool is_serving) {
    tell_watches(server, is_serving, false);
}

void rpc__health_drain(struct rpc_server *server) {
    tell_watches(server, false, true);
}

bool rpc__health_is_drained(struct rpc__health *health) {
    bool is_drained = true;
    pthread_mutex_lock(&health->lock);
    for (size_t i = 0; i < RPC__WATCHES_MAX; i++)
        is_drained = is_drained && health->watches[i] == NULL;
    pthread_mutex_unlock(&health->lock);
    return is_drained;
}
