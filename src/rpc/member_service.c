/* ClusterService's part about members: orders that change the cluster, and the list. */
#include "rpc/codec.h"
#include "rpc/codec_cluster.h"
#include "rpc/server.h"

static enum rpc_order_kind kind_of(enum rpc__method_id method) {
    static const enum rpc_order_kind kinds[] = {
        [RPC__ADD_MEMBER - RPC__ADD_MEMBER] = RPC_ORDER_ADD,
        [RPC__PROMOTE_MEMBER - RPC__ADD_MEMBER] = RPC_ORDER_PROMOTE,
        [RPC__REMOVE_MEMBER - RPC__ADD_MEMBER] = RPC_ORDER_REMOVE,
        [RPC__REPLACE_MEMBER - RPC__ADD_MEMBER] = RPC_ORDER_REPLACE,
        [RPC__TRANSFER - RPC__ADD_MEMBER] = RPC_ORDER_TRANSFER,
    };
    CHECK(method >= RPC__ADD_MEMBER && method <= RPC__TRANSFER);
    return kinds[method - RPC__ADD_MEMBER];
}

/* Whether the call may go on to the holder; else it was answered. */
static bool is_welcome(struct rpc_call *call, bool has_handler) {
    if (!has_handler) {
        rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, "this server has no members");
        return false;
    }
    if (rpc__refuse_if_crowded(call) || rpc__refuse_if_draining(call))
        return false;
    if (rpc__call_wait_ms(call) == 0) {
        rpc__call_refuse(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline passed on the way");
        return false;
    }
    return true;
}

void rpc__order_on_call(struct rpc_call *call) {
    const struct rpc_handlers *handlers = &call->queue->server->handlers;
    if (!is_welcome(call, handlers->on_order != NULL))
        return;
    struct bytes body = {0};
    struct rpc_order order;
    const char *problem = rpc__call_body(call, &body)
                              ? rpc__order_decode(kind_of(call->method), body, &order)
                              : "the request has no body";
    if (problem != NULL) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT, problem);
        return;
    }
    uint64_t wait_ms = rpc__call_wait_ms(call);
    /* Once taken, it may be answered before this returns. */
    enum status status = handlers->on_order(handlers->context, call, &order, wait_ms);
    if (status != STATUS_OK)
        rpc__call_refuse(call, rpc__code_of(status), status_text(status));
}

void rpc__members_on_call(struct rpc_call *call) {
    const struct rpc_handlers *handlers = &call->queue->server->handlers;
    if (!is_welcome(call, handlers->on_members != NULL))
        return;
    struct bytes body;
    if (!rpc__call_body(call, &body) || !rpc__decode_empty(body)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT,
                         "the body is not a ListMembersRequest");
        return;
    }
    enum status status = handlers->on_members(handlers->context, call, rpc__call_wait_ms(call));
    if (status != STATUS_OK)
        rpc__call_refuse(call, rpc__code_of(status), status_text(status));
}

void rpc_reply_members(struct rpc_call *call, const struct rpc_members *members) {
    CHECK(call->method == RPC__LIST_MEMBERS);
    rpc__call_return(call, &(struct rpc__answer){.code = GRPC_STATUS_OK,
                                                 .has_body = true,
                                                 .body = rpc__members_encode(members)});
}

void rpc_reply_status(struct rpc_call *call, enum status status, bool is_not_applied,
                      const char *detail) {
    struct rpc__answer answer = {.code = rpc__code_of(status)};
    if (status == STATUS_OK) {
        CHECK(call->method >= RPC__ADD_MEMBER && call->method <= RPC__TRANSFER);
        answer.has_body = true; /* without fields */
        answer.body = grpc_empty_slice();
    } else {
        answer.is_not_applied = is_not_applied;
        answer.detail = rpc__call_keep_detail(call, detail != NULL ? detail : status_text(status));
    }
    rpc__call_return(call, &answer);
}
