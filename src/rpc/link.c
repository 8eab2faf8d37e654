#include "rpc/link.h"

#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>

/*   dialled:   opening -- the peer answers --> up --+
 *   accepted:  -------------------------------> up --+-- closed --> down --> freed with its last
 * ref
 *
 * Down means: the call is over, no batch is under way, nobody is waking the thread. Whatever ends a
 * link (rpc_link_close(), an error, the network) only makes gRPC bring `closed`; the rest follows
 * from there. */

/* ---- Life ---------------------------------------------------------------------------------- */

static void on_sent(struct rpc__event *event, bool is_ok);
static void on_received(struct rpc__event *event, bool is_ok);
static void on_closed(struct rpc__event *event, bool is_ok);
static void on_woken(struct rpc__event *event, bool is_ok);

static void note_remote(struct rpc_link *link) {
    char *remote = grpc_call_get_peer(link->grpc);
    snprintf(link->remote, sizeof link->remote, "%s", remote != NULL ? remote : "");
    gpr_free(remote);
}

struct rpc_link *rpc__link_new(struct rpc__queue *queue, grpc_call *grpc) {
    struct rpc_link *link = calloc(1, sizeof *link);
    CHECK(link != NULL);
    link->server = queue->server;
    link->queue = queue;
    link->grpc = grpc;
    link->refs = 1;
    link->sent.run = on_sent;
    link->received.run = on_received;
    link->closed.run = on_closed;
    link->woken.run = on_woken;
    link->detail = grpc_empty_slice();
    grpc_metadata_array_init(&link->initial);
    grpc_metadata_array_init(&link->trailing);
    CHECK(pthread_mutex_init(&link->lock, NULL) == 0);
    STAILQ_INIT(&link->urgent);
    STAILQ_INIT(&link->bulk);
    return link;
}

void rpc__link_forget(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    link->is_down = true;
    pthread_mutex_unlock(&link->lock);
    grpc_slice_unref(link->detail);
    grpc_metadata_array_destroy(&link->initial);
    grpc_metadata_array_destroy(&link->trailing);
    rpc__link_unref(link);
}

void rpc__link_ref(struct rpc_link *link) {
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
}

void rpc__link_unref(struct rpc_link *link) {
    if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) > 1)
        return;
    CHECK(link->is_down);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

void rpc__link_up(struct rpc_link *link) {
    const struct rpc_handlers *handlers = &link->server->handlers;
    note_remote(link);
    link->is_up = true;
    rpc__link_ref(link); /* the holder's */
    handlers->links.on_link_up(handlers->context, link);
}

/* No batch is under way, and from now on none will be. */
static bool try_to_come_down(struct rpc_link *link) {
    if (!link->is_closed || link->is_opening || link->is_receiving)
        return false;
    pthread_mutex_lock(&link->lock);
    bool is_quiet = !link->is_sending && !link->is_waking;
    if (is_quiet) {
        link->is_down = true;
        rpc__link_drop_frames(link);
    }
    pthread_mutex_unlock(&link->lock);
    return is_quiet;
}

static void come_down(struct rpc_link *link) {
    const struct rpc_handlers *handlers = &link->server->handlers;
    if (link->is_up)
        handlers->links.on_link_down(handlers->context, link);
    grpc_call_unref(link->grpc);
    if (link->dial != NULL)
        rpc__dial_over(link);
    else
        rpc__exchange_over(link);
    rpc__link_forget(link);
}

/* ---- Batches ------------------------------------------------------------------------------- */

static void receive(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    link->is_paused = link->held_bytes >= RPC__HELD_BYTES_MAX;
    bool is_paused = link->is_paused;
    pthread_mutex_unlock(&link->lock);
    if (is_paused)
        return;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &link->body};
    link->body = NULL;
    link->is_receiving = true;
    rpc__batch_start(link->grpc, &op, 1, &link->received);
}

static void start_end(struct rpc_link *link) {
    link->has_ended = true;
    if (link->dial != NULL) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        rpc__batch_start(link->grpc, &op, 1, &link->sent);
        return;
    }
    struct rpc__ending ending;
    struct rpc__answer answer = {.code = link->end_code, .detail = link->end_detail};
    grpc_op op = rpc__ending_init(&ending, link->server, &answer);
    rpc__batch_start(link->grpc, &op, 1, &link->sent);
    rpc__ending_close(&ending);
}

void rpc__link_send_next(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    bool is_free = !link->is_sending && !link->is_down;
    grpc_byte_buffer *body = is_free ? rpc__link_take_frames(link) : NULL;
    link->is_sending = link->is_sending || body != NULL;
    pthread_mutex_unlock(&link->lock);
    if (body == NULL)
        return;
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body};
    rpc__batch_start(link->grpc, &op, 1, &link->sent);
    grpc_byte_buffer_destroy(body); /* its slices have gone into the call */
}

/* After the last of what is queued. */
static void send_end(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    bool is_due =
        !link->is_sending && !rpc__link_has_frames(link) && link->is_closing && !link->has_ended;
    link->is_sending = link->is_sending || is_due;
    pthread_mutex_unlock(&link->lock);
    if (is_due)
        start_end(link);
}

void rpc__link_go_on(struct rpc_link *link) {
    if (try_to_come_down(link)) {
        come_down(link);
        return;
    }
    if (link->is_closed || !link->is_up)
        return;
    rpc__link_send_next(link);
    send_end(link);
    if (!link->is_receiving && !link->has_heard_all) /* gRPC tells the end after the last message */
        receive(link);
}

static void on_sent(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* when it failed, `closed` is on the way */
    struct rpc_link *link = CONTAINER_OF(event, struct rpc_link, sent);
    pthread_mutex_lock(&link->lock);
    link->is_sending = false;
    pthread_mutex_unlock(&link->lock);
    rpc__link_go_on(link);
}

static void on_received(struct rpc__event *event, bool is_ok) {
    struct rpc_link *link = CONTAINER_OF(event, struct rpc_link, received);
    link->is_receiving = false;
    link->has_heard_all = !is_ok || link->body == NULL;
    if (link->has_heard_all)
        rpc_link_close(link);
    else
        rpc__link_take_message(link, link->body);
    rpc__link_go_on(link);
}

static void on_closed(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc_link *link = CONTAINER_OF(event, struct rpc_link, closed);
    link->is_closed = true;
    rpc__link_go_on(link);
}

/* ---- Waking -------------------------------------------------------------------------------- */

/* A batch that sends will look at the queues when it is done. */
bool rpc__link_is_to_wake(struct rpc_link *link) {
    if (link->is_down || link->is_waking)
        return false;
    link->is_waking = true;
    return true;
}

void rpc__link_wake(struct rpc_link *link) {
    rpc__batch_start(link->grpc, NULL, 0, &link->woken);
}

static void on_woken(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct rpc_link *link = CONTAINER_OF(event, struct rpc_link, woken);
    pthread_mutex_lock(&link->lock);
    link->is_waking = false;
    pthread_mutex_unlock(&link->lock);
    rpc__link_go_on(link);
}

/* ---- The holder's -------------------------------------------------------------------------- */

void rpc__link_fail(struct rpc_link *link, grpc_status_code code, const char *detail) {
    if (link->end_detail == NULL) {
        link->end_code = code;
        link->end_detail = detail;
    }
    if (link->dial != NULL) /* a client's end carries no reason */
        (void)grpc_call_cancel_with_status(link->grpc, code, detail, NULL);
    rpc_link_close(link);
}

void rpc_link_close(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    bool is_to_wake = !link->is_closing && rpc__link_is_to_wake(link);
    link->is_closing = true;
    pthread_mutex_unlock(&link->lock);
    atomic_store(&link->is_known, false);
    if (is_to_wake)
        rpc__link_wake(link);
}

void rpc_link_cancel(struct rpc_link *link) {
    pthread_mutex_lock(&link->lock);
    link->is_closing = true;
    bool is_there = !link->is_down;
    if (is_there)
        grpc_call_ref(link->grpc);
    pthread_mutex_unlock(&link->lock);
    if (!is_there)
        return;
    (void)grpc_call_cancel(link->grpc, NULL); /* one that has ended is left as it is */
    grpc_call_unref(link->grpc);
}

void rpc_link_release(struct rpc_link *link) {
    rpc__link_unref(link);
}

void *rpc_link_user(const struct rpc_link *link) {
    return atomic_load(&link->user);
}

void rpc_link_set_user(struct rpc_link *link, void *user) {
    atomic_store(&link->user, user);
}

bool rpc_link_is_incoming(const struct rpc_link *link) {
    return link->dial == NULL;
}

const char *rpc_link_remote(const struct rpc_link *link) {
    return link->remote;
}

/* ipv4:a.b.c.d:port, or ipv6:[v6]:port with its brackets as %5B and %5D. */
bool rpc_link_remote_host(const struct rpc_link *link, char ret_host[static RPC_HOST_BYTES_MAX]) {
    const char *host = strchr(link->remote, ':');
    const char *port = strrchr(link->remote, ':');
    bool is_v4 = strncmp(link->remote, "ipv4:", 5) == 0;
    bool is_v6 = strncmp(link->remote, "ipv6:", 5) == 0;
    if ((!is_v4 && !is_v6) || port == host)
        return false;
    host++;
    size_t bracket_len = is_v4 ? 0 : host[0] == '%' ? strlen("%5B") : strlen("[");
    int len = (int)(port - host) - 2 * (int)bracket_len;
    if (len <= 0 || (size_t)len + sizeof "[]" > RPC_HOST_BYTES_MAX)
        return false;
    snprintf(ret_host, RPC_HOST_BYTES_MAX, is_v4 ? "%.*s" : "[%.*s]", len, host + bracket_len);
    return true;
}
