#include "server/forwarder.h"

#include "log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A request that the leader did not take goes to the next one after this time. */
#define RETRY_MS 25

/* How long the thread waits for an answer at a time. */
#define WAIT_MS 100

struct target {
    char address[ADDRESS_BYTES_MAX];
    struct rpc_client *client; /* NULL: the place is free */
    atomic_size_t in_flight;
};

/* A call on its way. */
struct passage {
    struct rpc_call *call;
    struct turn_request *request; /* that may come back; NULL: it is answered in any case */
    struct target *target;
};

struct forwarder {
    struct inbox *inbox;
    struct rpc_call *(*call_of)(struct turn_request *request);
    struct rpc_queue *queue;
    struct target targets[MEMBERS_MAX]; /* the loop's */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* there is something in flight again, or it stops */
    size_t in_flight;       /* both under the mutex */
    bool is_stopping;
};

/* ---- Answers --------------------------------------------------------------------------------- */

static void give_back(struct forwarder *f, struct turn_request *request) {
    request->not_before_ms = clock_ms() + RETRY_MS;
    if (inbox_post_request(f->inbox, &request->event) == STATUS_OK)
        return;
    rpc_reply(f->call_of(request), &(struct kv_response){.status = STATUS_UNAVAILABLE,
                                                         .is_not_applied = true,
                                                         .detail = "the server is stopping"});
}

/* A write goes to another leader only when this one certainly did nothing with it. */
static bool is_to_retry(const struct turn_request *request, const struct rpc_outcome *outcome) {
    if (!request || outcome->code != RPC_UNAVAILABLE)
        return false;
    bool is_safe = outcome->is_not_applied || !kv_request_is_write(request->request);
    return is_safe && clock_ms() + RETRY_MS < request->deadline_ms;
}

static void count(struct forwarder *f, int more) {
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    bool was_idle = f->in_flight == 0;
    f->in_flight += (size_t)more;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    if (was_idle)
        CHECK(pthread_cond_signal(&f->changed) == 0);
}

/* A call that was cut off, there or here, may have been carried out: its caller ended nothing. */
static void answer(const struct passage *passage, const struct rpc_completion *completion) {
    if (completion->outcome.code == RPC_CANCELLED)
        rpc_reply_status(passage->call, STATUS_ABORTED, false, "it was cut off on its way");
    else
        rpc_reply_forwarded(passage->call, completion);
}

static void take(struct forwarder *f, const struct rpc_completion *completion) {
    struct passage *passage = completion->tag;
    atomic_fetch_sub(&passage->target->in_flight, 1);
    if (is_to_retry(passage->request, &completion->outcome))
        give_back(f, passage->request);
    else
        answer(passage, completion);
    free(passage);
    count(f, -1);
}

/* A thread that polls takes other threads' events too, only to hand them on: while nothing is in
 * flight, as on a leader for ever, it stays out of the way. False: nothing is left, and it stops.
 */
static bool await_flight(struct forwarder *f) {
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    while (f->in_flight == 0 && !f->is_stopping)
        CHECK(pthread_cond_wait(&f->changed, &f->mutex) == 0);
    bool is_flying = f->in_flight > 0;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    return is_flying;
}

static void *run(void *context) {
    struct forwarder *f = context;
    struct rpc_completion completion;
    while (await_flight(f))
        if (rpc_queue_next(f->queue, WAIT_MS, &completion) == STATUS_OK)
            take(f, &completion);
    return NULL;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static struct target *find(struct forwarder *f, const char *address) {
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (f->targets[i].client && strcmp(f->targets[i].address, address) == 0)
            return &f->targets[i];
    return NULL;
}

/* A place that is free, or one whose calls are over: addresses come and go as nodes move. */
static struct target *make_place(struct forwarder *f) {
    struct target *idle = NULL;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct target *target = &f->targets[i];
        if (!target->client)
            return target;
        if (atomic_load(&target->in_flight) == 0)
            idle = target;
    }
    if (idle)
        rpc_client_free(idle->client);
    return idle;
}

/* NULL: not now. */
static struct target *target_for(struct forwarder *f, const char *address) {
    struct target *target = find(f, address);
    struct rpc_client *client;
    if (target)
        return target;
    target = make_place(f);
    if (!target)
        return NULL;
    target->client = NULL;
    if (rpc_client_new_on(f->queue, address, &client) != STATUS_OK)
        return NULL;
    target->client = client;
    snprintf(target->address, sizeof target->address, "%s", address);
    return target;
}

static enum status send(struct forwarder *f, struct target *target, uint64_t timeout_ms,
                        const struct passage *passage) {
    struct passage *copy = malloc(sizeof *copy);
    if (!copy)
        return STATUS_NO_MEMORY;
    *copy = *passage;
    count(f, 1);
    atomic_fetch_add(&target->in_flight, 1);
    enum status status = rpc_client_forward(target->client, copy->call, timeout_ms, copy);
    if (status == STATUS_OK)
        return STATUS_OK;
    count(f, -1);
    atomic_fetch_sub(&target->in_flight, 1);
    free(copy);
    return status;
}

/* Without a connection nothing is sent, so that it is certain that nothing was. */
void forwarder_send(struct forwarder *f, struct turn_request *request, const char *address) {
    uint64_t now_ms = clock_ms();
    struct passage passage = {.call = f->call_of(request), .request = request};
    passage.target = address ? target_for(f, address) : NULL;
    bool is_connected = passage.target && rpc_client_is_connected(passage.target->client);
    if (!is_connected || request->deadline_ms <= now_ms ||
        send(f, passage.target, request->deadline_ms - now_ms, &passage) != STATUS_OK)
        give_back(f, request);
}

/* Waits for a connection, if need be: nobody tries for it again. */
void forwarder_send_call(struct forwarder *f, struct rpc_call *call, uint64_t deadline_ms,
                         const char *address) {
    uint64_t now_ms = clock_ms();
    struct passage passage = {.call = call};
    passage.target = address ? target_for(f, address) : NULL;
    if (!passage.target || deadline_ms <= now_ms ||
        send(f, passage.target, deadline_ms - now_ms, &passage) != STATUS_OK)
        rpc_reply_status(call, STATUS_UNAVAILABLE, true, "the leader cannot be reached");
}

void forwarder_warm(struct forwarder *f, const char *address) {
    struct target *target = address ? target_for(f, address) : NULL;
    if (target)
        (void)rpc_client_is_connected(target->client); /* if not, connecting begins */
}

/* ---- Life ------------------------------------------------------------------------------------ */

enum status forwarder_new(struct inbox *inbox,
                          struct rpc_call *(*call_of)(struct turn_request *request),
                          struct forwarder **ret_forwarder) {
    struct forwarder *f = calloc(1, sizeof *f);
    if (!f)
        return STATUS_NO_MEMORY;
    f->inbox = inbox;
    f->call_of = call_of;
    enum status status = rpc_queue_new(&f->queue);
    if (status != STATUS_OK) {
        free(f);
        return status;
    }
    CHECK(pthread_mutex_init(&f->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&f->changed, NULL) == 0);
    CHECK(pthread_create(&f->thread, NULL, run, f) == 0);
    *ret_forwarder = f;
    return STATUS_OK;
}

bool forwarder_is_busy(struct forwarder *f) {
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    bool is_busy = f->in_flight > 0;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    return is_busy;
}

void forwarder_free(struct forwarder *f) {
    if (!f)
        return;
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (f->targets[i].client)
            rpc_client_cancel(f->targets[i].client);
    CHECK(pthread_mutex_lock(&f->mutex) == 0);
    f->is_stopping = true;
    CHECK(pthread_mutex_unlock(&f->mutex) == 0);
    CHECK(pthread_cond_signal(&f->changed) == 0);
    CHECK(pthread_join(f->thread, NULL) == 0);
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        if (f->targets[i].client)
            rpc_client_free(f->targets[i].client);
    rpc_queue_free(f->queue);
    CHECK(pthread_cond_destroy(&f->changed) == 0);
    CHECK(pthread_mutex_destroy(&f->mutex) == 0);
    free(f);
}
