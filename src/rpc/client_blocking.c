/* One call at a time: connect, start it, and wait for its completion. */
#include "rpc/client.h"
#include "rpc/codec_cluster.h"

#include <stdio.h>

/* ---- Connecting ---------------------------------------------------------------------------- */

/* A call that failed may have been received, unless it was never sent. The core does not tell which
 * it was: so nothing is sent before there is a connection, and what fails until then is certain. */

/* Tag of a watched connection. */
static char watch_tag;

static grpc_connectivity_state
wait_for_change(struct rpc_client *client, grpc_connectivity_state state, gpr_timespec deadline) {
    grpc_completion_queue *completions = client->queue->completions;
    grpc_channel_watch_connectivity_state(client->channel, state, deadline, completions,
                                          &watch_tag);
    grpc_event event =
        grpc_completion_queue_next(completions, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    CHECK(event.tag == &watch_tag);
    return grpc_channel_check_connectivity_state(client->channel, 1);
}

/* The completion of the call just started; it ends at its deadline, so nothing here does. */
static void wait_for_completion(struct rpc_client *client, struct rpc_completion *ret_completion) {
    while (rpc_queue_next(client->queue, UINT64_MAX, ret_completion) != STATUS_OK)
        continue;
    CHECK(ret_completion->tag == client);
}

/* Why a connection failed is told only to calls. So make one that asks for nothing: it fails at
 * once, and should it get through after all, no harm is done. */
static void explain(struct rpc_client *client, struct rpc_outcome *ret_outcome) {
    struct rpc_completion completion = {0};
    if (rpc_client_start_method(client, "/grpc.health.v1.Health/Check", bytes_of("", 0), 100,
                                client) == STATUS_OK)
        wait_for_completion(client, &completion);
    /* Its last words are what the system said, such as "Connection refused". */
    const char *last = strrchr(completion.outcome.detail, ':');
    bool is_telling = completion.outcome.code == RPC_UNAVAILABLE && last != NULL;
    rpc__outcome_set(ret_outcome, RPC_UNAVAILABLE, true, "cannot connect");
    if (is_telling)
        snprintf(ret_outcome->detail, sizeof ret_outcome->detail, "cannot connect%s", last);
}

bool rpc__client_connect(struct rpc_client *client, gpr_timespec deadline,
                         struct rpc_outcome *ret_outcome) {
    CHECK(client->owns_queue);
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(client->channel, 1);
    while (state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) {
        if (gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), deadline) >= 0) {
            rpc__outcome_set(ret_outcome, RPC_UNAVAILABLE, true, "no connection in time");
            return false;
        }
        state = wait_for_change(client, state, deadline);
    }
    if (state != GRPC_CHANNEL_READY)
        explain(client, ret_outcome);
    return state == GRPC_CHANNEL_READY;
}

bool rpc_client_connects(struct rpc_client *client, uint64_t timeout_ms) {
    CHECK(client->owns_queue);
    gpr_timespec deadline = rpc__deadline_after(timeout_ms);
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(client->channel, 1);
    if (state == GRPC_CHANNEL_READY)
        return false;
    while (state != GRPC_CHANNEL_READY && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), deadline) < 0)
        state = wait_for_change(client, state, deadline);
    return state == GRPC_CHANNEL_READY;
}

/* ---- Calls --------------------------------------------------------------------------------- */

static uint64_t left_until(gpr_timespec deadline) {
    int64_t left_ms = gpr_time_to_millis(gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC)));
    return left_ms < 0 ? 0 : (uint64_t)left_ms;
}

static void outcome_unsent(struct rpc_outcome *ret_outcome, enum status status) {
    rpc__outcome_set(ret_outcome, RPC_RESOURCE_EXHAUSTED, true, status_text(status));
}

static void outcome_unreadable(struct rpc_outcome *ret_outcome) {
    rpc__outcome_set(ret_outcome, RPC_INTERNAL, false, "the answer is not the expected message");
}

void rpc_client_kv(struct rpc_client *client, const struct kv_request *request, uint64_t timeout_ms,
                   struct kv_response *ret_response, struct rpc_outcome *ret_outcome) {
    gpr_timespec deadline = rpc__deadline_after(timeout_ms);
    if (!rpc__client_connect(client, deadline, ret_outcome))
        return;
    enum status status = rpc_client_start(client, request, left_until(deadline), client);
    if (status != STATUS_OK) {
        outcome_unsent(ret_outcome, status);
        return;
    }
    struct rpc_completion completion;
    wait_for_completion(client, &completion);
    *ret_outcome = completion.outcome;
    if (completion.outcome.code == RPC_OK &&
        rpc_queue_decode(client->queue, &completion, request->operation, ret_response) != STATUS_OK)
        outcome_unreadable(ret_outcome);
}

/* The answer to one call of a method; false: there is none, and the outcome says why. */
static bool ask(struct rpc_client *client, const char *method, grpc_slice body, uint64_t timeout_ms,
                struct rpc_outcome *ret_outcome, struct bytes *ret_body) {
    gpr_timespec deadline = rpc__deadline_after(timeout_ms);
    if (!rpc__client_connect(client, deadline, ret_outcome)) {
        grpc_slice_unref(body);
        return false;
    }
    enum status status =
        rpc__client_start(client, method, body, left_until(deadline), false, client);
    if (status != STATUS_OK) {
        outcome_unsent(ret_outcome, status);
        return false;
    }
    struct rpc_completion completion;
    wait_for_completion(client, &completion);
    *ret_outcome = completion.outcome;
    *ret_body = completion.body;
    return completion.outcome.code == RPC_OK;
}

void rpc_client_status(struct rpc_client *client, uint64_t timeout_ms,
                       struct node_status *ret_status, char *ret_version, size_t version_size,
                       struct rpc_outcome *ret_outcome) {
    struct bytes body;
    if (ask(client, "/phalanx.v1.ClusterService/Status", grpc_empty_slice(), timeout_ms,
            ret_outcome, &body) &&
        rpc__decode_status(client->queue->memory, body, ret_status, ret_version, version_size) !=
            STATUS_OK)
        outcome_unreadable(ret_outcome);
}

static const char *method_of_order(enum rpc_order_kind kind) {
    switch (kind) {
    case RPC_ORDER_ADD: return "/phalanx.v1.ClusterService/AddMember";
    case RPC_ORDER_PROMOTE: return "/phalanx.v1.ClusterService/PromoteMember";
    case RPC_ORDER_REMOVE: return "/phalanx.v1.ClusterService/RemoveMember";
    case RPC_ORDER_REPLACE: return "/phalanx.v1.ClusterService/ReplaceMember";
    case RPC_ORDER_TRANSFER: return "/phalanx.v1.ClusterService/TransferLeadership";
    }
    CHECK(!"an order");
    return NULL;
}

void rpc_client_order(struct rpc_client *client, const struct rpc_order *order, uint64_t timeout_ms,
                      struct rpc_outcome *ret_outcome) {
    struct bytes ignored; /* an answer without fields */
    (void)ask(client, method_of_order(order->kind), rpc__order_encode(order), timeout_ms,
              ret_outcome, &ignored);
}

void rpc_client_members(struct rpc_client *client, uint64_t timeout_ms,
                        struct rpc_members *ret_members, struct rpc_outcome *ret_outcome) {
    struct bytes body;
    if (ask(client, "/phalanx.v1.ClusterService/ListMembers", grpc_empty_slice(), timeout_ms,
            ret_outcome, &body) &&
        rpc__members_decode(body, ret_members) != STATUS_OK)
        outcome_unreadable(ret_outcome);
}

void rpc_client_report(struct rpc_client *client, uint64_t timeout_ms,
                       struct node_report *ret_report, struct rpc_outcome *ret_outcome) {
    struct bytes body;
    if (ask(client, "/phalanx.v1.ClusterService/GetReport", grpc_empty_slice(), timeout_ms,
            ret_outcome, &body) &&
        rpc__report_decode(body, ret_report) != STATUS_OK)
        outcome_unreadable(ret_outcome);
}
