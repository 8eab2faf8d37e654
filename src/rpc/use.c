/* How often each method is called, how it ends, and how long it takes from its arrival to its
 * answer. Calls that become streams are not among them: they last as long as their caller likes. */
#include "rpc/server.h"

#include <grpc/support/time.h>

void rpc__use_begin(struct rpc_call *call) {
    call->begun = gpr_now(GPR_CLOCK_MONOTONIC);
}

static uint64_t since_us(gpr_timespec begun) {
    gpr_timespec taken = gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begun);
    return taken.tv_sec < 0 ? 0 : (uint64_t)taken.tv_sec * 1000000 + (uint64_t)taken.tv_nsec / 1000;
}

void rpc__use_end(struct rpc_call *call, grpc_status_code code) {
    struct rpc__use *use = &call->queue->server->uses[call->method];
    CHECK((unsigned)code < NODE_CODES);
    atomic_fetch_add_explicit(&use->codes[code], 1, memory_order_relaxed);
    durations_add(&use->durations, since_us(call->begun));
}

static void copy_use(const struct rpc__use *use, const char *name, struct node_method *method) {
    method->name = name;
    for (unsigned code = 0; code < NODE_CODES; code++)
        method->codes[code] = atomic_load_explicit(&use->codes[code], memory_order_relaxed);
    durations_read(&use->durations, &method->durations);
}

size_t rpc_server_read_use(const struct rpc_server *server, struct node_method *methods,
                           size_t max) {
    size_t count = 0;
    for (enum rpc__method_id id = 0; id < RPC__METHOD_COUNT && count < max; id++) {
        const char *path = rpc__method(id)->path;
        struct node_method *method = &methods[count];
        copy_use(&server->uses[id], path ? path + 1 : "unknown", method);
        count += durations_count(&method->durations) > 0;
    }
    return count;
}
