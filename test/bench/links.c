/* What a link costs: messages and entries a second between two servers of this process, and the
 * processor's time for both sides together. Prints a table; no argument. */
#include "rpc/rpc.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define RUN_SECONDS 2.0
#define ENTRIES_MAX ((size_t)64)

static atomic_uint_fast64_t received;
static atomic_bool is_echoing;
static _Atomic(struct rpc_link *) dialled;
static struct rpc_hello hello = {.sender = 1, .name = "bench"};

/* ---- Handlers ------------------------------------------------------------------------------ */

static void on_up(void *context, struct rpc_link *link) {
    (void)context;
    CHECK(rpc_link_send_hello(link, &hello) == STATUS_OK);
}

static void on_hello(void *context, struct rpc_link *link, const struct rpc_hello *from) {
    (void)context, (void)from;
    if (!rpc_link_is_incoming(link))
        atomic_store(&dialled, link);
}

static void on_message(void *context, struct rpc_link *link, struct rpc_peer_message *message) {
    (void)context;
    atomic_fetch_add(&received, 1);
    if (atomic_load(&is_echoing) && rpc_link_is_incoming(link))
        CHECK(rpc_link_send_message(link, rpc_peer_message_raft(message), NULL, 0) == STATUS_OK);
    rpc_peer_message_free(message);
}

static void on_bytes(void *context, struct rpc_link *link, enum rpc_bytes_kind kind,
                     struct bytes bytes) {
    (void)context, (void)link, (void)kind, (void)bytes;
}

static void on_down(void *context, struct rpc_link *link) {
    (void)context;
    rpc_link_release(link);
}

static struct rpc_server *server_new(void) {
    struct rpc_server_config config = {
        .address = "127.0.0.1:0",
        .threads = 1,
        .handlers.links = {.on_link_up = on_up,
                           .on_link_hello = on_hello,
                           .on_link_message = on_message,
                           .on_link_bytes = on_bytes,
                           .on_link_down = on_down},
    };
    struct rpc_server *server = NULL;
    CHECK(rpc_server_new(&config, &server) == STATUS_OK);
    rpc_server_start(server);
    return server;
}

/* ---- Measuring ----------------------------------------------------------------------------- */

static double seconds(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct shape {
    const char *name;
    enum raft_message_kind kind;
    size_t count; /* entries */
    size_t payload_bytes;
    bool is_alone; /* the next is sent when the echo is here */
};

static struct raft_entry entries[ENTRIES_MAX];
static uint8_t payload[64 * KIB];

static struct raft_message message_of(const struct shape *shape) {
    struct raft_message message = {.kind = shape->kind, .from = 1, .to = 2, .term = 1};
    if (shape->kind == RAFT_APPEND)
        message.append.last_index = shape->count;
    for (size_t i = 0; i < shape->count; i++)
        entries[i] = (struct raft_entry){.index = i + 1,
                                         .term = 1,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .payload = bytes_of(payload, shape->payload_bytes)};
    return message;
}

static void wait_for(uint64_t count) {
    while (atomic_load(&received) < count)
        sched_yield();
}

static void run(struct rpc_link *link, const struct shape *shape) {
    struct raft_message message = message_of(shape);
    atomic_store(&received, 0);
    atomic_store(&is_echoing, shape->is_alone);
    uint64_t sent = 0;
    double sending = 0;
    double start = seconds(CLOCK_MONOTONIC);
    double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double own_start = seconds(CLOCK_THREAD_CPUTIME_ID);
    while (seconds(CLOCK_MONOTONIC) - start < RUN_SECONDS) {
        double before = seconds(CLOCK_MONOTONIC);
        enum status status = rpc_link_send_message(link, &message, entries, shape->count);
        if (status == STATUS_OK) {
            sending += seconds(CLOCK_MONOTONIC) - before;
            sent++;
        } else {
            sched_yield();
        }
        if (shape->is_alone)
            wait_for(2 * sent);
    }
    wait_for(shape->is_alone ? 2 * sent : sent);
    double took = seconds(CLOCK_MONOTONIC) - start;
    double own = seconds(CLOCK_THREAD_CPUTIME_ID) - own_start;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start - own;
    printf("%-28s %10.0f /s %8.2f us each; sender's call %6.2f us, other threads %6.2f us\n",
           shape->name, (double)sent / took, took * 1e6 / (double)sent,
           sending * 1e6 / (double)sent, cpu * 1e6 / (double)sent);
}

int main(void) {
    static const struct shape shapes[] = {
        {"heartbeat and echo, alone", RAFT_HEARTBEAT, 0, 0, true},
        {"heartbeats", RAFT_HEARTBEAT, 0, 0, false},
        {"appends of 1 x 256 bytes", RAFT_APPEND, 1, 256, false},
        {"appends of 64 x 256 bytes", RAFT_APPEND, 64, 256, false},
        {"appends of 16 x 64 KiB", RAFT_APPEND, 16, 64 * KIB, false},
    };
    rpc_init();
    struct rpc_server *from = server_new();
    struct rpc_server *to = server_new();
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(to));
    struct rpc_dial_config config = {.address = address,
                                     .keepalive_ms = 100,
                                     .keepalive_timeout_ms = 5000};
    struct rpc_dial *dial = NULL;
    CHECK(rpc_dial_new(from, &config, &dial) == STATUS_OK);
    struct rpc_link *link;
    while ((link = atomic_load(&dialled)) == NULL)
        sched_yield();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        run(link, &shapes[i]);
    rpc_dial_free(dial);
    rpc_server_free(from);
    rpc_server_free(to);
    rpc_shutdown();
    return EXIT_SUCCESS;
}
