#include "phalanx/retry.h"

#include <string.h>

/* What an answer says of the request. */
enum verdict {
    VERDICT_SETTLED,   /* answered: done, or compared and found different */
    VERDICT_REFUSED,   /* never looked at, and repeating it would not help */
    VERDICT_TRANSIENT, /* not now, or not here */
    VERDICT_BROKEN,    /* something went wrong in the middle */
};

static enum verdict verdict_of(enum rpc_code code) {
    switch (code) {
    case RPC_OK:
    case RPC_FAILED_PRECONDITION: return VERDICT_SETTLED;
    case RPC_INVALID_ARGUMENT:
    case RPC_NOT_FOUND:
    case RPC_ALREADY_EXISTS:
    case RPC_PERMISSION_DENIED:
    case RPC_OUT_OF_RANGE:
    case RPC_UNIMPLEMENTED:
    case RPC_UNAUTHENTICATED: return VERDICT_REFUSED;
    case RPC_CANCELLED:
    case RPC_DEADLINE_EXCEEDED:
    case RPC_RESOURCE_EXHAUSTED:
    case RPC_ABORTED:
    case RPC_UNAVAILABLE: return VERDICT_TRANSIENT;
    case RPC_UNKNOWN:
    case RPC_INTERNAL:
    case RPC_DATA_LOSS: return VERDICT_BROKEN;
    }
    return VERDICT_BROKEN; /* a code of a later version */
}

/* The servers have no room to remember another client. As this one was made for this request, and
 * no attempt may have brought it to them, they did not know it: nothing was applied, and it can do
 * without. */
static bool is_one_client_too_many(const struct cli_retry *retry,
                                   const struct rpc_outcome *outcome) {
    return retry->id_is_ours && retry->has_request_id && !retry->is_open &&
           outcome->code == RPC_RESOURCE_EXHAUSTED &&
           strncmp(outcome->detail, "request_id:", strlen("request_id:")) == 0;
}

/* A refusal of one attempt says nothing of an earlier one; an answer to the named request does, as
 * a server answers it the same way each time. */
static void note(struct cli_retry *retry, const struct rpc_outcome *outcome) {
    retry->code = outcome->code;
    if (is_one_client_too_many(retry, outcome)) {
        retry->has_request_id = false;
        return;
    }
    switch (verdict_of(outcome->code)) {
    case VERDICT_SETTLED: retry->is_open = false; return;
    case VERDICT_REFUSED: return;
    case VERDICT_TRANSIENT:
    case VERDICT_BROKEN: retry->is_open |= retry->is_write && !outcome->is_not_applied; return;
    }
}

enum cli_next cli_retry_next(struct cli_retry *retry, const struct rpc_outcome *outcome,
                             const char *asked) {
    note(retry, outcome);
    bool is_safe = !retry->is_write || retry->has_request_id || !retry->is_open;
    if (verdict_of(outcome->code) != VERDICT_TRANSIENT || !is_safe)
        return CLI_NEXT_STOP;
    bool names_another = outcome->leader[0] != '\0' && strcmp(outcome->leader, asked) != 0;
    return names_another ? CLI_NEXT_LEADER : CLI_NEXT_SERVER;
}

enum cli_exit cli_retry_exit(const struct cli_retry *retry) {
    if (retry->code == RPC_OK)
        return CLI_EXIT_OK;
    if (retry->code == RPC_FAILED_PRECONDITION)
        return CLI_EXIT_PRECONDITION;
    if (retry->is_open)
        return CLI_EXIT_UNKNOWN;
    if (retry->code == RPC_NOT_FOUND)
        return CLI_EXIT_NOT_FOUND;
    if (verdict_of(retry->code) == VERDICT_TRANSIENT)
        return CLI_EXIT_UNAVAILABLE;
    return CLI_EXIT_ERROR;
}
