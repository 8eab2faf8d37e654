/* Whether to try again, and what it all came to: decisions without I/O. */
#ifndef PHALANX_CLI_RETRY_H
#define PHALANX_CLI_RETRY_H

#include "phalanx/exit.h"
#include "rpc/rpc.h"

#include <stdbool.h>

/* One request over all its attempts. Starts zeroed but for the first three. */
struct cli_retry {
    bool is_write;
    bool has_request_id; /* a repeated write takes effect once; cleared when it has to go without */
    bool id_is_ours;     /* the id was made for this request, and never used before */
    bool is_open;        /* some attempt may have been applied, and no answer has settled it */
    enum rpc_code code;  /* of the newest attempt */
};

enum cli_next {
    CLI_NEXT_STOP,   /* answered, refused for good, or not safe to repeat */
    CLI_NEXT_LEADER, /* at the server that the answer named */
    CLI_NEXT_SERVER, /* at the next one of ours */
};

/* Takes note of an attempt. `asked` is the address it went to. */
enum cli_next cli_retry_next(struct cli_retry *retry, const struct rpc_outcome *outcome,
                             const char *asked);

/* How the program ends when there is no further attempt. */
enum cli_exit cli_retry_exit(const struct cli_retry *retry);

#endif
