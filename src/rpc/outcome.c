/* What became of a call: its status and its trailing metadata. */
#include "rpc/client.h"

#include <stdio.h>

const char *rpc_code_name(enum rpc_code code) {
    switch (code) {
    case RPC_OK: return "OK";
    case RPC_CANCELLED: return "CANCELLED";
    case RPC_UNKNOWN: return "UNKNOWN";
    case RPC_INVALID_ARGUMENT: return "INVALID_ARGUMENT";
    case RPC_DEADLINE_EXCEEDED: return "DEADLINE_EXCEEDED";
    case RPC_NOT_FOUND: return "NOT_FOUND";
    case RPC_ALREADY_EXISTS: return "ALREADY_EXISTS";
    case RPC_PERMISSION_DENIED: return "PERMISSION_DENIED";
    case RPC_RESOURCE_EXHAUSTED: return "RESOURCE_EXHAUSTED";
    case RPC_FAILED_PRECONDITION: return "FAILED_PRECONDITION";
    case RPC_ABORTED: return "ABORTED";
    case RPC_OUT_OF_RANGE: return "OUT_OF_RANGE";
    case RPC_UNIMPLEMENTED: return "UNIMPLEMENTED";
    case RPC_INTERNAL: return "INTERNAL";
    case RPC_UNAVAILABLE: return "UNAVAILABLE";
    case RPC_DATA_LOSS: return "DATA_LOSS";
    case RPC_UNAUTHENTICATED: return "UNAUTHENTICATED";
    }
    return "a code of a later version"; /* it came over the wire */
}

static bool slice_is(grpc_slice slice, const char *text) {
    return grpc_slice_str_cmp(slice, text) == 0;
}

static void slice_copy(grpc_slice slice, char *ret_text, size_t size) {
    size_t len = GRPC_SLICE_LENGTH(slice);
    if (len >= size)
        len = size - 1;
    memcpy(ret_text, GRPC_SLICE_START_PTR(slice), len);
    ret_text[len] = '\0';
}

static void read_trailing(const grpc_metadata_array *trailing, struct rpc_outcome *outcome) {
    for (size_t i = 0; i < trailing->count; i++) {
        const grpc_metadata *entry = &trailing->metadata[i];
        if (slice_is(entry->key, "phalanx-leader"))
            slice_copy(entry->value, outcome->leader, sizeof outcome->leader);
        else if (slice_is(entry->key, "phalanx-outcome") && slice_is(entry->value, "not-applied"))
            outcome->is_not_applied = true;
    }
}

/* How the core fails a call that no connection has taken, between two nodes too: never sent. */
static bool was_never_sent(const struct rpc_outcome *outcome) {
    static const char text[] = "failed to connect to all addresses";
    return outcome->code == RPC_UNAVAILABLE && strncmp(outcome->detail, text, sizeof text - 1) == 0;
}

/* Details may hold any byte; they end up in one line on somebody's terminal. */
static void keep_printable(char *text) {
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

void rpc__outcome_fill(grpc_status_code code, grpc_slice detail,
                       const grpc_metadata_array *trailing, struct rpc_outcome *ret_outcome) {
    ret_outcome->code = (enum rpc_code)code;
    ret_outcome->is_not_applied = false;
    ret_outcome->leader[0] = '\0';
    ret_outcome->detail[0] = '\0';
    read_trailing(trailing, ret_outcome);
    slice_copy(detail, ret_outcome->detail, sizeof ret_outcome->detail);
    keep_printable(ret_outcome->detail);
    ret_outcome->is_not_applied |= was_never_sent(ret_outcome);
}

void rpc__outcome_set(struct rpc_outcome *ret_outcome, enum rpc_code code, bool is_not_applied,
                      const char *detail) {
    ret_outcome->code = code;
    ret_outcome->is_not_applied = is_not_applied;
    ret_outcome->leader[0] = '\0';
    snprintf(ret_outcome->detail, sizeof ret_outcome->detail, "%s", detail);
}
