/* Links that we dial: one at a time, opened again and again. */
#include "log.h"
#include "rpc/channel.h"
#include "rpc/credentials.h"
#include "rpc/link.h"

#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>

/* The pause before the next link: of one that brought the peer's hello, and at most. While there is
 * no connection no link ends; the channel tries by itself. */
#define PAUSE_MS_MIN 20
#define PAUSE_MS_MAX 400

/*   idle -- woken or the pause is over --> linked -- the link is over --> pausing
 *                                                                            |
 *   over <-- rpc_dial_free(), in any state once the link is over            --+--> linked ...
 */
struct rpc_dial {
    struct rpc_server *server;
    struct rpc__queue *queue;
    void *user;
    struct rpc__channel_config config;

    /* The thread's own. */
    struct rpc__job woken;
    struct rpc__timer timer;
    grpc_channel *channel;
    struct rpc_link *link; /* NULL: pausing */
    unsigned pause_ms;
    bool has_told; /* that it is refused */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    char address[ADDRESS_BYTES_MAX];
    bool has_moved;
    bool is_waking;
    bool is_stopping;
    bool is_over;
};

static void go_on(struct rpc_dial *dial);

/* ---- Opening ------------------------------------------------------------------------------- */

static bool has_mark(const grpc_metadata_array *metadata) {
    for (size_t i = 0; i < metadata->count; i++) {
        if (grpc_slice_str_cmp(metadata->metadata[i].key, RPC__EXCHANGE_MARK) == 0)
            return true;
    }
    return false;
}

/* False: it ends. */
static bool is_with_node(struct rpc_link *link) {
    bool is_node = rpc__credentials_is_node(link->grpc);
    if (!is_node)
        (void)grpc_call_cancel_with_status(link->grpc, GRPC_STATUS_PERMISSION_DENIED,
                                           "the certificate there does not name a node", NULL);
    return is_node;
}

static void on_opened(struct rpc__event *event, bool is_ok) {
    struct rpc_link *link = CONTAINER_OF(event, struct rpc_link, opened);
    link->is_opening = false;
    if (is_ok && has_mark(&link->initial) && is_with_node(link))
        rpc__link_up(link);
    rpc__link_go_on(link);
}

/* Waits for a connection as long as it takes. */
static void start(struct rpc_link *link) {
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    end.data.recv_status_on_client.trailing_metadata = &link->trailing;
    end.data.recv_status_on_client.status = &link->code;
    end.data.recv_status_on_client.status_details = &link->detail;
    grpc_op begin[2] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA,
         .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                  GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &link->initial},
    };
    link->opened.run = on_opened;
    link->is_opening = true;
    rpc__batch_start(link->grpc, &end, 1, &link->closed);
    rpc__batch_start(link->grpc, begin, 2, &link->opened);
}

static void open_link(struct rpc_dial *dial) {
    grpc_call *grpc =
        grpc_channel_create_call(dial->channel, NULL, GRPC_PROPAGATE_DEFAULTS, dial->queue->cq,
                                 grpc_slice_from_static_string(RPC__EXCHANGE_PATH), NULL,
                                 gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    CHECK(grpc != NULL);
    dial->link = rpc__link_new(dial->queue, grpc);
    dial->link->dial = dial;
    rpc_link_set_user(dial->link, dial->user);
    start(dial->link);
}

/* ---- The end of a link ----------------------------------------------------------------------- */

static void pause_a_little(struct rpc_dial *dial, bool was_good) {
    dial->pause_ms = was_good ? PAUSE_MS_MIN : 2 * dial->pause_ms;
    if (dial->pause_ms > PAUSE_MS_MAX)
        dial->pause_ms = PAUSE_MS_MAX;
    rpc__timer_set(dial->queue, &dial->timer, dial->pause_ms);
}

/* Once, until it is let in. */
static void tell_refusal(struct rpc_dial *dial, const struct rpc_link *link) {
    bool is_refused = link->code == GRPC_STATUS_PERMISSION_DENIED;
    if (is_refused && !dial->has_told) {
        char address[ADDRESS_BYTES_MAX];
        pthread_mutex_lock(&dial->lock);
        snprintf(address, sizeof address, "%s", dial->address);
        pthread_mutex_unlock(&dial->lock);
        log_warn("a node and this one do not come together", log_text("address", address),
                 log_bytes("reason", bytes_of(GRPC_SLICE_START_PTR(link->detail),
                                              GRPC_SLICE_LENGTH(link->detail))));
    }
    dial->has_told = is_refused;
}

void rpc__dial_over(struct rpc_link *link) {
    struct rpc_dial *dial = link->dial;
    CHECK(dial->link == link);
    dial->link = NULL;
    tell_refusal(dial, link);
    pause_a_little(dial, atomic_load(&link->is_known));
    go_on(dial);
}

static void on_timer(struct rpc__timer *timer) {
    struct rpc_dial *dial = CONTAINER_OF(timer, struct rpc_dial, timer);
    if (dial->link == NULL)
        open_link(dial);
}

/* ---- What other threads ask for -------------------------------------------------------------- */

static void move(struct rpc_dial *dial, const char *address) {
    grpc_channel *old = dial->channel;
    dial->channel = rpc__channel_new(address, &dial->config);
    if (old != NULL)
        grpc_channel_destroy(old); /* its calls keep what they need */
    if (dial->link != NULL)
        rpc_link_cancel(dial->link);
    else
        rpc__timer_set(dial->queue, &dial->timer, 0);
}

/* The end of everything, unless a link or a wake is still on its way. */
static void try_to_end(struct rpc_dial *dial) {
    if (dial->link != NULL) {
        rpc_link_cancel(dial->link);
        return;
    }
    rpc__timer_clear(&dial->timer);
    if (dial->channel != NULL)
        grpc_channel_destroy(dial->channel);
    dial->channel = NULL;
    pthread_mutex_lock(&dial->lock);
    dial->is_over = !dial->is_waking;
    pthread_cond_signal(&dial->changed);
    pthread_mutex_unlock(&dial->lock);
}

static void go_on(struct rpc_dial *dial) {
    char address[ADDRESS_BYTES_MAX];
    pthread_mutex_lock(&dial->lock);
    bool is_stopping = dial->is_stopping;
    bool has_moved = dial->has_moved;
    dial->has_moved = false;
    memcpy(address, dial->address, sizeof address);
    pthread_mutex_unlock(&dial->lock);
    if (is_stopping)
        try_to_end(dial);
    else if (has_moved)
        move(dial, address);
}

static void on_woken(struct rpc__job *job) {
    struct rpc_dial *dial = CONTAINER_OF(job, struct rpc_dial, woken);
    pthread_mutex_lock(&dial->lock);
    dial->is_waking = false;
    pthread_mutex_unlock(&dial->lock);
    go_on(dial);
}

/* With the lock, which is let go. */
static void wake_and_unlock(struct rpc_dial *dial) {
    bool is_first = !dial->is_waking;
    dial->is_waking = true;
    pthread_mutex_unlock(&dial->lock);
    if (is_first)
        rpc__queue_post(dial->queue, &dial->woken);
}

/* ---- The door ------------------------------------------------------------------------------ */

static struct rpc__queue *next_queue(struct rpc_server *server) {
    pthread_mutex_lock(&server->links.lock);
    server->links.dial_count++;
    unsigned turn = server->links.dial_turn++;
    pthread_mutex_unlock(&server->links.lock);
    return &server->queues[turn % server->queue_count];
}

enum status rpc_dial_new(struct rpc_server *server, const struct rpc_dial_config *config,
                         struct rpc_dial **ret_dial) {
    CHECK(server->is_started && server->handlers.links.on_link_up != NULL);
    CHECK(config->keepalive_ms >= 10 && config->keepalive_timeout_ms >= 10);
    if (!rpc__address_is_valid(config->address))
        return STATUS_INVALID;
    struct rpc_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return STATUS_NO_MEMORY;
    dial->server = server;
    dial->queue = next_queue(server);
    dial->user = config->user;
    dial->config =
        (struct rpc__channel_config){.keepalive_ms = config->keepalive_ms,
                                     .keepalive_timeout_ms = config->keepalive_timeout_ms,
                                     .receive_bytes_max = MESSAGE_BYTES_MAX};
    dial->woken.run = on_woken;
    dial->timer.run = on_timer;
    dial->pause_ms = PAUSE_MS_MIN;
    snprintf(dial->address, sizeof dial->address, "%s", config->address);
    dial->has_moved = true; /* from nowhere */
    CHECK(pthread_mutex_init(&dial->lock, NULL) == 0);
    CHECK(pthread_cond_init(&dial->changed, NULL) == 0);
    *ret_dial = dial;
    pthread_mutex_lock(&dial->lock);
    wake_and_unlock(dial);
    return STATUS_OK;
}

enum status rpc_dial_set_address(struct rpc_dial *dial, const char *address) {
    if (!rpc__address_is_valid(address))
        return STATUS_INVALID;
    pthread_mutex_lock(&dial->lock);
    if (strcmp(dial->address, address) == 0) {
        pthread_mutex_unlock(&dial->lock);
        return STATUS_OK;
    }
    snprintf(dial->address, sizeof dial->address, "%s", address);
    dial->has_moved = true;
    wake_and_unlock(dial);
    return STATUS_OK;
}

void rpc_dial_free(struct rpc_dial *dial) {
    if (dial == NULL)
        return;
    CHECK(!rpc__queue_is_own(dial->queue));
    pthread_mutex_lock(&dial->lock);
    dial->is_stopping = true;
    wake_and_unlock(dial);
    pthread_mutex_lock(&dial->lock);
    while (!dial->is_over)
        pthread_cond_wait(&dial->changed, &dial->lock);
    pthread_mutex_unlock(&dial->lock);
    pthread_mutex_lock(&dial->server->links.lock);
    dial->server->links.dial_count--;
    pthread_mutex_unlock(&dial->server->links.lock);
    pthread_cond_destroy(&dial->changed);
    pthread_mutex_destroy(&dial->lock);
    free(dial);
}
