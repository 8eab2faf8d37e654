/* What the server's files share. Private to the room.
 *
 *   server.c   lifecycle: bind, start, drain, free
 *   queue.c    completion queues: their threads, answers handed back, call objects to use again
 *   accept.c   connections accepted, whatever befalls
 *   credentials.h  who this process is to others
 *   guard.c    memory watched: who eats it is closed, what is free is given back
 *   link.h     streams between nodes
 *   call.c     calls: armed, arrived, answered
 *   method.c   the methods, by path
 *   use.c      how often they are called, and how long they take
 *   kv_service.c, cluster_service.c, health.c, reflection.c   what they do
 *   member_service.c   orders that change the members
 *   forward.c  requests handed on to another node
 *   stream.c   a snapshot on its way out
 *   incoming.c a snapshot on its way in
 *
 * Threads: whatever belongs to a queue is touched by that queue's thread only. A call is handed
 * between threads by `phase`. */
#ifndef PHALANX_RPC_SERVER_H
#define PHALANX_RPC_SERVER_H

#include "container.h"
#include "rpc/rpc.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* Completion-queue threads. */
#define RPC__THREADS_MAX 16

/* Call objects that a queue keeps for later; more are given back to the heap. */
#define RPC__FREE_CALLS_MAX ((size_t)1024)

/* Peers' indexes and terms are below it, so that no sum of theirs overflows. */
#define RPC__NUMBER_MAX ((uint64_t)1 << 62)

/* Streams that stay open for as long as their caller likes, each kind. */
#define RPC__INSTALLS_MAX 4
#define RPC__SNAPSHOTS_MAX 4
#define RPC__WATCHES_MAX ((size_t)64)
#define RPC__REFLECTIONS_MAX 64

/* What a completion queue returns: every tag is one of these, inside of its owner. */
struct rpc__event {
    void (*run)(struct rpc__event *event, bool is_ok);
};

/* ---- Methods ------------------------------------------------------------------------------- */

enum rpc__method_id {
    RPC__PUT,
    RPC__GET,
    RPC__DELETE,
    RPC__SCAN,
    RPC__STATUS,
    RPC__GET_REPORT,
    RPC__SAVE_SNAPSHOT,
    RPC__LIST_MEMBERS,
    RPC__ADD_MEMBER,
    RPC__PROMOTE_MEMBER,
    RPC__REMOVE_MEMBER,
    RPC__REPLACE_MEMBER,
    RPC__TRANSFER,
    RPC__EXCHANGE,
    RPC__INSTALL,
    RPC__HEALTH_CHECK,
    RPC__HEALTH_WATCH,
    RPC__REFLECT,
    RPC__REFLECT_ALPHA,
    RPC__UNKNOWN, /* any other path */
    RPC__METHOD_COUNT,
};

struct rpc__method {
    const char *path; /* NULL: any other */
    bool has_body;    /* one message, read before on_call() */
    unsigned armed;   /* calls awaited at a time, on each queue */
    /* On the queue's thread. Answers, hands over, or detaches. */
    void (*on_call)(struct rpc_call *call);
};

const struct rpc__method *rpc__method(enum rpc__method_id id);

void rpc__kv_on_call(struct rpc_call *call);
void rpc__status_on_call(struct rpc_call *call);
void rpc__report_on_call(struct rpc_call *call);
void rpc__snapshot_on_call(struct rpc_call *call);
void rpc__members_on_call(struct rpc_call *call);
void rpc__order_on_call(struct rpc_call *call);
void rpc__exchange_on_call(struct rpc_call *call);
void rpc__install_on_call(struct rpc_call *call);
void rpc__health_on_check(struct rpc_call *call);
void rpc__health_on_watch(struct rpc_call *call);
void rpc__reflection_on_call(struct rpc_call *call);
void rpc__unknown_on_call(struct rpc_call *call);

/* ---- Server -------------------------------------------------------------------------------- */

struct rpc__queue {
    struct rpc_server *server;
    grpc_completion_queue *cq;
    pthread_t thread;
    struct rpc_call *free_calls;
    size_t free_count;

    /* Answers that other threads hand back, the newest first. Whoever finds it empty wakes the
     * queue. */
    _Atomic(struct rpc_call *) returned;
    struct rpc__event woken;
    grpc_call *waker; /* goes nowhere: an empty batch on it is an event */

    _Atomic(struct rpc__job *) jobs; /* what other threads ask for, likewise */
    LIST_HEAD(, rpc__timer) timers;  /* the thread's own */
};

/* Something to be run on a queue's thread; not posted again before it has begun. */
struct rpc__job {
    struct rpc__job *next;
    void (*run)(struct rpc__job *job);
};

/* Runs once, on its queue's thread. */
struct rpc__timer {
    LIST_ENTRY(rpc__timer) link; /* while it is set */
    bool is_set;
    gpr_timespec at;
    void (*run)(struct rpc__timer *timer);
};

/* Streams to and from other nodes. */
struct rpc__links {
    pthread_mutex_t lock;
    LIST_HEAD(, rpc_link) list; /* accepted ones */
    size_t count;
    size_t dial_count;
    unsigned dial_turn; /* whose queue is next */
};

/* Who watches this server's health. */
struct rpc__health {
    pthread_mutex_t lock;
    bool is_serving;
    struct rpc__watch *watches[RPC__WATCHES_MAX]; /* NULL: a free place */
};

/* Zeroed at first. The memory's fields are its thread's. */
struct rpc__guard {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    int statm;          /* open on /proc/self/statm; -1: nothing can be watched */
    size_t last_bytes;  /* at the last tick */
    size_t calm_bytes;  /* what was usual lately; 0: unknown */
    unsigned ticks;     /* without growth */
    bool is_suspicious; /* the last tick marked what the connections had received */
};

/* Counted by whichever queue's thread answers. */
struct rpc__use {
    _Atomic uint64_t codes[NODE_CODES];
    struct durations durations;
};

struct rpc_server {
    struct rpc_handlers handlers;
    size_t user_bytes;
    size_t message_user_bytes;
    grpc_server *grpc;
    int port;
    bool is_started;
    atomic_bool is_draining;
    unsigned queue_count;
    struct rpc__queue queues[RPC__THREADS_MAX];
    void *registered[RPC__METHOD_COUNT]; /* gRPC's handle; NULL for RPC__UNKNOWN */

    atomic_size_t in_flight; /* KV requests accepted and not yet answered; at most REQUESTS_MAX */
    /* Bodies of answers that their callers have not taken; but for small ones, REPLY_BYTES_MAX. */
    atomic_size_t reply_bytes;
    struct rpc__use uses[RPC__METHOD_COUNT];
    atomic_int snapshots; /* open streams of each kind */
    atomic_int installs;
    atomic_int reflections;

    pthread_mutex_t leader_lock; /* held for an instant only */
    grpc_slice leader;           /* host:port, or empty */

    struct rpc__health health;
    struct rpc__links links;
    struct rpc__index *index; /* of the descriptors, for reflection */

    struct rpc__guard guard;   /* while is_started */
    struct rpc__event stopped; /* every call and connection is gone */
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_changed;
    bool has_stopped;
    size_t stream_count; /* whose events may start further batches */
    size_t fence_count;  /* on their way */
};

/* Around the life of a stream that answers its events by batches: the queues stay until the last
 * has left, as its last touch of the server. */
void rpc__stream_enter(struct rpc_server *server);
void rpc__stream_leave(struct rpc_server *server);

/* A reference of the caller's own. */
grpc_slice rpc__leader_ref(struct rpc_server *server);

/* ---- Connections --------------------------------------------------------------------------- */

/* Around all servers of the process. */
void rpc__accept_init(void);
void rpc__accept_close(void);

/* Around the time in which a server answers. */
void rpc__guard_start(struct rpc__guard *guard);
void rpc__guard_stop(struct rpc__guard *guard);
/* A connection was accepted. Any thread. */
void rpc__guard_accepted(int fd);

/* ---- Queues -------------------------------------------------------------------------------- */

void rpc__queue_init(struct rpc__queue *queue, struct rpc_server *server);
/* Await calls of every method, and run the thread. */
void rpc__queue_start(struct rpc__queue *queue);
/* Once nothing can arrive any more: drains, joins, closes. */
void rpc__queue_close(struct rpc__queue *queue, bool is_started);

/* Any thread: have this call's answer sent by the queue's thread. */
void rpc__queue_return(struct rpc__queue *queue, struct rpc_call *call);

/* Whether this is the queue's thread. */
bool rpc__queue_is_own(const struct rpc__queue *queue);

/* Any thread. */
void rpc__queue_post(struct rpc__queue *queue, struct rpc__job *job);

/* Queue's thread. One that is set already is set anew. */
void rpc__timer_set(struct rpc__queue *queue, struct rpc__timer *timer, uint64_t after_ms);
void rpc__timer_clear(struct rpc__timer *timer);

struct rpc_call *rpc__queue_take(struct rpc__queue *queue);
void rpc__queue_give_back(struct rpc__queue *queue, struct rpc_call *call);

/* ---- Calls --------------------------------------------------------------------------------- */

/* Who may touch a call. Stored by whoever hands it on, loaded by whoever takes it over. */
enum rpc__phase {
    RPC__PHASE_FREE,
    RPC__PHASE_ARMED,    /* gRPC has it until a call arrives */
    RPC__PHASE_OPEN,     /* here or with the holder, who owes an answer */
    RPC__PHASE_RETURNED, /* on its way to its queue's thread, with the answer */
    RPC__PHASE_ANSWERED, /* gRPC has it until the answer is away */
};

/* What goes back to the caller of a unary method. */
struct rpc__answer {
    grpc_status_code code;
    const char *detail; /* static, or copied before rpc__call_answer() returns; NULL when OK */
    bool is_not_applied;
    bool has_body;
    grpc_slice body; /* taken over */
};

struct rpc_call {
    struct rpc__event event; /* its arrival, then its answer being away */
    struct rpc__queue *queue;
    struct rpc_call *next; /* in a list of its queue */
    enum rpc__method_id method;
    _Atomic enum rpc__phase phase;
    bool is_counted;    /* in server->in_flight */
    size_t reply_bytes; /* what it adds to server->reply_bytes */

    grpc_call *grpc;
    gpr_timespec begun; /* when it arrived, on GPR_CLOCK_MONOTONIC */
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_call_details details; /* RPC__UNKNOWN only */
    grpc_byte_buffer *payload; /* NULL: no message came */
    grpc_slice flat;           /* the payload in one piece, when it came in several */
    bool has_flat;

    struct rpc__answer answer; /* while it is on its way to the queue */
    char *detail;              /* what answer.detail may point to; or NULL */
    grpc_byte_buffer reply;    /* swapped into gRPC when the answer starts */
    int cancelled;

    struct kv_request request; /* points into body */
    max_align_t user[];        /* server->user_bytes */
};

/* Await one more call of this method on this queue. */
void rpc__call_arm(struct rpc__queue *queue, enum rpc__method_id method);

/* The message that came with the call; false: there was none. Valid until the answer is away. */
bool rpc__call_body(struct rpc_call *call, struct bytes *ret_body);

/* Milliseconds after which an answer still reaches the caller in time, at most REQUEST_WAIT_MS_MAX;
 * 0: its deadline has passed. */
uint64_t rpc__call_wait_ms(const struct rpc_call *call);

/* Queue's thread. */
void rpc__call_answer(struct rpc_call *call, const struct rpc__answer *answer);
/* The same from any thread; `detail` must be static. */
void rpc__call_return(struct rpc_call *call, const struct rpc__answer *answer);
/* For the queue: send the answer that rpc__call_return() left. */
void rpc__call_answer_returned(struct rpc_call *call);
/* The room's own refusal: not applied, for certain. */
void rpc__call_refuse(struct rpc_call *call, grpc_status_code code, const char *detail);

/* It has arrived; its answer is being sent. Queue's thread. */
void rpc__use_begin(struct rpc_call *call);
void rpc__use_end(struct rpc_call *call, grpc_status_code code);

/* A copy that lives as long as this use of the call. */
const char *rpc__call_keep_detail(struct rpc_call *call, const char *detail);

/* A KV answer's body counts among those that wait for their callers; too many: it is replaced by
 * RESOURCE_EXHAUSTED. Any thread. */
void rpc__call_return_bounded(struct rpc_call *call, const struct rpc__answer *answer);

/* Count the call among those in flight; RESOURCE_EXHAUSTED when there are too many; false: it may
 * go on. */
bool rpc__refuse_if_crowded(struct rpc_call *call);

/* UNAVAILABLE while the server stops; false: it does not. */
bool rpc__refuse_if_draining(struct rpc_call *call);

/* PERMISSION_DENIED when the caller's certificate is no node's; false: it is, or nobody has one. */
bool rpc__refuse_if_no_node(struct rpc_call *call);

/* Take gRPC's call out, to go on as a stream; the call object is free again. Queue's thread. */
grpc_call *rpc__call_detach(struct rpc_call *call);

/* The op that ends a call, and what it borrows until its batch has started. */
struct rpc__ending {
    grpc_metadata trailer[2];
    grpc_slice detail;
};
grpc_op rpc__ending_init(struct rpc__ending *ending, struct rpc_server *server,
                         const struct rpc__answer *answer);
void rpc__ending_close(struct rpc__ending *ending);

/* The gRPC code that says it to clients. */
grpc_status_code rpc__code_of(enum status status);

/* Start a batch on a call; a refusal would be our own mistake. */
void rpc__batch_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc__event *event);

/* ---- Links --------------------------------------------------------------------------------- */

void rpc__links_init(struct rpc__links *links);
void rpc__links_close(struct rpc__links *links);

/* ---- Health -------------------------------------------------------------------------------- */

void rpc__health_init(struct rpc__health *health);
void rpc__health_close(struct rpc__health *health);

/* Tell every watch that the server no longer serves, then end it; some later event finishes that.
 */
void rpc__health_drain(struct rpc_server *server);
bool rpc__health_is_drained(struct rpc__health *health);

#endif
