#include "rpc/server.h"

#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

/* So many events at most between two pauses. */
#define RPC__EVENTS_A_PAUSE 32

static struct rpc_call *call_new(struct rpc__queue *queue) {
    struct rpc_call *call = calloc(1, sizeof *call + queue->server->user_bytes);
    CHECK(call != NULL); /* gRPC itself ends the process when memory is gone */
    call->queue = queue;
    grpc_metadata_array_init(&call->metadata);
    grpc_call_details_init(&call->details);
    call->reply.type = GRPC_BB_RAW;
    call->reply.data.raw.compression = GRPC_COMPRESS_NONE;
    grpc_slice_buffer_init(&call->reply.data.raw.slice_buffer);
    return call;
}

static void call_free(struct rpc_call *call) {
    grpc_slice_buffer_destroy(&call->reply.data.raw.slice_buffer);
    free(call);
}

/* What one use of a call left behind. */
static void call_clear(struct rpc_call *call) {
    if (call->payload != NULL)
        grpc_byte_buffer_destroy(call->payload);
    if (call->has_flat)
        grpc_slice_unref(call->flat);
    if (call->grpc != NULL)
        grpc_call_unref(call->grpc);
    if (call->method == RPC__UNKNOWN) {
        grpc_call_details_destroy(&call->details);
        grpc_call_details_init(&call->details);
    }
    grpc_metadata_array_destroy(&call->metadata);
    grpc_metadata_array_init(&call->metadata);
    grpc_slice_buffer_reset_and_unref(&call->reply.data.raw.slice_buffer);
    free(call->detail);
    call->detail = NULL;
    call->payload = NULL;
    call->has_flat = false;
    call->grpc = NULL;
    call->is_counted = false;
    call->reply_bytes = 0;
}

struct rpc_call *rpc__queue_take(struct rpc__queue *queue) {
    struct rpc_call *call = queue->free_calls;
    if (call == NULL)
        return call_new(queue);
    queue->free_calls = call->next;
    queue->free_count--;
    if (queue->server->user_bytes > 0)
        memset(call->user, 0, queue->server->user_bytes);
    return call;
}

void rpc__queue_give_back(struct rpc__queue *queue, struct rpc_call *call) {
    call_clear(call);
    atomic_store_explicit(&call->phase, RPC__PHASE_FREE, memory_order_relaxed);
    if (queue->free_count >= RPC__FREE_CALLS_MAX) {
        call_free(call);
        return;
    }
    call->next = queue->free_calls;
    queue->free_calls = call;
    queue->free_count++;
}

/* ---- From other threads ---------------------------------------------------------------------- */

void rpc__queue_return(struct rpc__queue *queue, struct rpc_call *call) {
    struct rpc_call *top = atomic_load_explicit(&queue->returned, memory_order_relaxed);
    do {
        call->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&queue->returned, &top, call,
                                                    memory_order_release, memory_order_relaxed));
    if (top == NULL) /* one event for all that gather until it is run */
        rpc__batch_start(queue->waker, NULL, 0, &queue->woken);
}

/* The same calls, the oldest first. */
static struct rpc_call *reverse(struct rpc_call *list) {
    struct rpc_call *reversed = NULL;
    while (list != NULL) {
        struct rpc_call *call = list;
        list = call->next;
        call->next = reversed;
        reversed = call;
    }
    return reversed;
}

void rpc__queue_post(struct rpc__queue *queue, struct rpc__job *job) {
    struct rpc__job *top = atomic_load_explicit(&queue->jobs, memory_order_relaxed);
    do {
        job->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&queue->jobs, &top, job, memory_order_release,
                                                    memory_order_relaxed));
    if (top == NULL)
        rpc__batch_start(queue->waker, NULL, 0, &queue->woken);
}

/* In no particular order. */
static void run_jobs(struct rpc__queue *queue) {
    struct rpc__job *list = atomic_exchange_explicit(&queue->jobs, NULL, memory_order_acquire);
    while (list != NULL) {
        struct rpc__job *job = list;
        list = job->next;
        job->run(job);
    }
}

static void on_woken(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* an empty batch cannot fail */
    struct rpc__queue *queue = CONTAINER_OF(event, struct rpc__queue, woken);
    run_jobs(queue);
    struct rpc_call *list =
        reverse(atomic_exchange_explicit(&queue->returned, NULL, memory_order_acquire));
    while (list != NULL) {
        struct rpc_call *call = list;
        list = call->next;
        rpc__call_answer_returned(call);
    }
}

/* A call to nowhere, on a channel that is dead from birth. */
static grpc_call *waker_new(grpc_completion_queue *cq) {
    grpc_channel *channel = grpc_lame_client_channel_create("", GRPC_STATUS_UNAVAILABLE, "");
    grpc_call *waker = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, cq,
                                                grpc_slice_from_static_string("/"), NULL,
                                                gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_channel_destroy(channel);
    return waker;
}

/* ---- The thread ------------------------------------------------------------------------------ */

static _Thread_local const struct rpc__queue *own_queue;

bool rpc__queue_is_own(const struct rpc__queue *queue) {
    return queue == own_queue;
}

void rpc__timer_set(struct rpc__queue *queue, struct rpc__timer *timer, uint64_t after_ms) {
    rpc__timer_clear(timer);
    timer->at = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                             gpr_time_from_millis((int64_t)after_ms, GPR_TIMESPAN));
    timer->is_set = true;
    LIST_INSERT_HEAD(&queue->timers, timer, link);
}

void rpc__timer_clear(struct rpc__timer *timer) {
    if (timer->is_set)
        LIST_REMOVE(timer, link);
    timer->is_set = false;
}

/* When the thread has to look again, if nothing comes. */
static gpr_timespec next_look(struct rpc__queue *queue) {
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    struct rpc__timer *timer;
    LIST_FOREACH (timer, &queue->timers, link)
        next = gpr_time_min(next, timer->at);
    return next;
}

/* One at a time: what it runs may set others. */
static bool run_timer(struct rpc__queue *queue, gpr_timespec now) {
    struct rpc__timer *timer;
    LIST_FOREACH (timer, &queue->timers, link) {
        if (gpr_time_cmp(timer->at, now) > 0)
            continue;
        rpc__timer_clear(timer);
        timer->run(timer);
        return true;
    }
    return false;
}

static void run_timers(struct rpc__queue *queue) {
    if (LIST_EMPTY(&queue->timers))
        return;
    gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    while (run_timer(queue, now))
        ;
}

/* What is there already; after it, or after many, the holder has time for what he was handed. */
static grpc_event next_event(struct rpc__queue *queue, unsigned *unsettled) {
    const struct rpc_handlers *handlers = &queue->server->handlers;
    if (*unsettled > 0 && handlers->on_pause != NULL) {
        grpc_event next = {.type = GRPC_QUEUE_TIMEOUT};
        if (*unsettled < RPC__EVENTS_A_PAUSE)
            next = grpc_completion_queue_next(queue->cq, gpr_time_0(GPR_CLOCK_MONOTONIC), NULL);
        if (next.type != GRPC_QUEUE_TIMEOUT)
            return next;
        *unsettled = 0;
        handlers->on_pause(handlers->context);
    }
    return grpc_completion_queue_next(queue->cq, next_look(queue), NULL);
}

static void *run(void *argument) {
    struct rpc__queue *queue = argument;
    unsigned unsettled = 0;
    own_queue = queue;
    for (;;) {
        grpc_event next = next_event(queue, &unsettled);
        if (next.type == GRPC_QUEUE_SHUTDOWN)
            break;
        struct rpc__event *event = next.tag;
        if (next.type == GRPC_OP_COMPLETE) {
            event->run(event, next.success != 0);
            unsettled++;
        }
        run_timers(queue);
    }
    own_queue = NULL; /* of a server that never started, run() drains on its owner's thread */
    return NULL;
}

void rpc__queue_init(struct rpc__queue *queue, struct rpc_server *server) {
    queue->server = server;
    queue->cq = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->grpc, queue->cq, NULL);
    queue->woken.run = on_woken;
    LIST_INIT(&queue->timers);
    queue->waker = waker_new(queue->cq);
}

void rpc__queue_start(struct rpc__queue *queue) {
    for (int id = 0; id < RPC__METHOD_COUNT; id++) {
        for (unsigned i = 0; i < rpc__method(id)->armed; i++)
            rpc__call_arm(queue, id);
    }
    CHECK(pthread_create(&queue->thread, NULL, run, queue) == 0);
}

void rpc__queue_close(struct rpc__queue *queue, bool is_started) {
    grpc_call_unref(queue->waker);
    grpc_completion_queue_shutdown(queue->cq);
    if (is_started)
        CHECK(pthread_join(queue->thread, NULL) == 0);
    else
        (void)run(queue);
    grpc_completion_queue_destroy(queue->cq);
    while (queue->free_calls != NULL) {
        struct rpc_call *call = queue->free_calls;
        queue->free_calls = call->next;
        call_free(call);
    }
}
