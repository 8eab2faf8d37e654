#include "rpc/codec.h"
#include "rpc/server.h"

_Static_assert(RPC__PUT == 0 && RPC__SCAN == 3, "the KV methods come first");

static enum kv_operation operation_of(enum rpc__method_id method) {
    static const enum kv_operation operations[] = {
        [RPC__PUT] = KV_PUT,
        [RPC__GET] = KV_GET,
        [RPC__DELETE] = KV_DELETE,
        [RPC__SCAN] = KV_SCAN,
    };
    CHECK(method <= RPC__SCAN);
    return operations[method];
}

/* Count the call among those in flight, unless there are too many. */
static bool admit(struct rpc_call *call) {
    struct rpc_server *server = call->queue->server;
    size_t others = atomic_fetch_add_explicit(&server->in_flight, 1, memory_order_relaxed);
    if (others >= REQUESTS_MAX) {
        atomic_fetch_sub_explicit(&server->in_flight, 1, memory_order_relaxed);
        return false;
    }
    call->is_counted = true;
    return true;
}

/* NULL when call->request is well-formed, else what is wrong with the body. */
static const char *decode(struct rpc_call *call) {
    struct bytes body;
    if (!rpc__call_body(call, &body))
        return "the request has no body";
    if (!rpc__decode_request(operation_of(call->method), body, &call->request))
        return "the body is not the request's message";
    return kv_request_check(&call->request);
}

bool rpc__refuse_if_crowded(struct rpc_call *call) {
    if (admit(call))
        return false;
    rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many requests are in flight");
    return true;
}

void rpc__kv_on_call(struct rpc_call *call) {
    const struct rpc_handlers *handlers = &call->queue->server->handlers;
    if (rpc__refuse_if_crowded(call) || rpc__refuse_if_draining(call))
        return;
    const char *problem = decode(call);
    if (problem != NULL) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT, problem);
        return;
    }
    uint64_t wait_ms = rpc__call_wait_ms(call);
    if (wait_ms == 0) {
        rpc__call_refuse(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline passed on the way");
        return;
    }
    /* Once taken, it may be answered before this returns. */
    enum status status = handlers->on_request(handlers->context, call, &call->request, wait_ms);
    if (status != STATUS_OK)
        rpc__call_refuse(call, rpc__code_of(status), status_text(status));
}

void *rpc_call_user(struct rpc_call *call) {
    return call->user;
}

/* Whether there is room for one more answer to wait for its caller, who may never take it. */
static bool reserve_reply(struct rpc_call *call, size_t bytes) {
    struct rpc_server *server = call->queue->server;
    size_t others = atomic_fetch_add_explicit(&server->reply_bytes, bytes, memory_order_relaxed);
    if (others + bytes > REPLY_BYTES_MAX && bytes > REPLY_SMALL_BYTES_MAX) {
        atomic_fetch_sub_explicit(&server->reply_bytes, bytes, memory_order_relaxed);
        return false;
    }
    call->reply_bytes = bytes;
    return true;
}

/* Only reads have large answers. */
void rpc__call_return_bounded(struct rpc_call *call, const struct rpc__answer *answer) {
    if (!answer->has_body || reserve_reply(call, GRPC_SLICE_LENGTH(answer->body))) {
        rpc__call_return(call, answer);
        return;
    }
    grpc_slice_unref(answer->body);
    rpc__call_return(call,
                     &(struct rpc__answer){.code = GRPC_STATUS_RESOURCE_EXHAUSTED,
                                           .detail = "too many answers wait for their callers",
                                           .is_not_applied = true});
}

void rpc_reply(struct rpc_call *call, const struct kv_response *response) {
    struct rpc__answer answer;
    if (response->status == STATUS_OK)
        answer = (struct rpc__answer){
            .code = GRPC_STATUS_OK,
            .has_body = true,
            .body = rpc__response_encode(operation_of(call->method), response),
        };
    else
        answer = (struct rpc__answer){
            .code = rpc__code_of(response->status),
            .detail = response->detail != NULL ? response->detail : status_text(response->status),
            .is_not_applied = response->is_not_applied,
        };
    rpc__call_return_bounded(call, &answer);
}
