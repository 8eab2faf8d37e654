/* A request handed on to the node that can answer it: its message as it came, and the answer as it
 * comes back, neither of them looked into. */
#include "rpc/client.h"
#include "rpc/server.h"

bool rpc_call_is_forwarded(const struct rpc_call *call) {
    for (size_t i = 0; i < call->metadata.count; i++) {
        if (grpc_slice_str_cmp(call->metadata.metadata[i].key, RPC__FORWARDED) == 0)
            return true;
    }
    return false;
}

/* A reference of its own, as the call may be answered before the message is away. */
static grpc_slice message_ref(const struct rpc_call *call) {
    if (call->has_flat)
        return grpc_slice_ref(call->flat);
    const grpc_slice_buffer *slices = &call->payload->data.raw.slice_buffer;
    return slices->count == 0 ? grpc_empty_slice() : grpc_slice_ref(slices->slices[0]);
}

enum status rpc_client_forward(struct rpc_client *client, struct rpc_call *call,
                               uint64_t timeout_ms, void *tag) {
    CHECK(call->payload != NULL && rpc__method(call->method)->path != NULL);
    return rpc__client_start(client, rpc__method(call->method)->path, message_ref(call), timeout_ms,
                             true, tag);
}

void rpc_reply_forwarded(struct rpc_call *call, const struct rpc_completion *completion) {
    const struct rpc_outcome *outcome = &completion->outcome;
    struct rpc__answer answer = {.code = (grpc_status_code)outcome->code,
                                 .is_not_applied = outcome->is_not_applied};
    if (outcome->code == RPC_OK) {
        answer.has_body = true;
        answer.body = grpc_slice_from_copied_buffer((const char *)completion->body.data,
                                                    completion->body.len);
    } else {
        answer.detail = rpc__call_keep_detail(call, outcome->detail);
    }
    rpc__call_return_bounded(call, &answer);
}
