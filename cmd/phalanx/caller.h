/* Requests that get through if they can: several addresses, the leader's address where an answer
 * tells it, and further attempts until the timeout where they are safe (retry.h). */
#ifndef PHALANX_CLI_CALLER_H
#define PHALANX_CLI_CALLER_H

#include "phalanx/exit.h"
#include "phalanx/flags.h"
#include "rpc/rpc.h"

struct cli_caller;

/* Once in a process. NULL: an address is not one, or TLS cannot be used; a line on stderr says why.
 */
struct cli_caller *cli_caller_new(const struct cli_flags *flags);
void cli_caller_free(struct cli_caller *caller);

/* What is done in one attempt at one server, for what is not a KV request. */
typedef void cli_attempt(void *context, struct rpc_client *client, uint64_t timeout_ms,
                         struct rpc_outcome *ret_outcome);

/* A KV request, answered in `ret_response` (valid until the next request), or a line on stderr and
 * how to exit. `command` is the name in that line. `id_is_ours`: the request id is not the user's
 * but made for this request. */
enum cli_exit cli_caller_kv(struct cli_caller *caller, const char *command,
                            const struct kv_request *request, bool id_is_ours,
                            struct kv_response *ret_response);

/* Likewise for anything that only reads. With `may_repeat` false there are further attempts only
 * while none has been sent. */
enum cli_exit cli_caller_read(struct cli_caller *caller, const char *command, bool may_repeat,
                              cli_attempt *attempt, void *context);

/* Likewise for what changes the cluster. It bears no name, so there are further attempts only while
 * it has certainly not begun. */
enum cli_exit cli_caller_order(struct cli_caller *caller, const char *command, cli_attempt *attempt,
                               void *context);

/* The addresses given, for commands that ask each of them; one attempt each, and no line. */
size_t cli_caller_count(const struct cli_caller *caller);
const char *cli_caller_address(const struct cli_caller *caller, size_t index);
void cli_caller_ask(struct cli_caller *caller, size_t index, cli_attempt *attempt, void *context,
                    struct rpc_outcome *ret_outcome);

#endif
