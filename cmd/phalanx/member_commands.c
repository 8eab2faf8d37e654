/* member add, promote, remove, replace, and transfer-leader: one order each, which the leader
 * carries out or refuses. */
#include "phalanx/member.h"

#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"

/* ---- Orders -------------------------------------------------------------------------------- */

static bool read_word(const struct cli_invocation *invocation, size_t index,
                      struct rpc_member_name *ret_name) {
    const char *word = invocation->arguments[index];
    if (cli_member_read(word, ret_name))
        return true;
    cli_error("%s: %s: must be a node's name, or id: and its identity's hexadecimal digits",
              invocation->command->name, word);
    return false;
}

static void attempt_order(void *context, struct rpc_client *client, uint64_t timeout_ms,
                          struct rpc_outcome *ret_outcome) {
    rpc_client_order(client, context, timeout_ms, ret_outcome);
}

static void print_json(const struct cli_invocation *invocation) {
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "done", invocation->command->name);
    cli_json_close(&json, '}');
    putchar('\n');
}

static void print_text(const struct cli_invocation *invocation, enum rpc_order_kind kind) {
    const char *const *names = invocation->arguments;
    switch (kind) {
    case RPC_ORDER_ADD: printf("%s is a learner\n", names[0]); return;
    case RPC_ORDER_PROMOTE: printf("%s is a voter\n", names[0]); return;
    case RPC_ORDER_REMOVE: printf("%s is no longer a member\n", names[0]); return;
    case RPC_ORDER_REPLACE: printf("%s is a voter in place of %s\n", names[1], names[0]); return;
    case RPC_ORDER_TRANSFER:
        printf("%s leads\n", invocation->argument_count > 0 ? names[0] : "another node");
    }
}

static enum cli_exit send(const struct cli_invocation *invocation, struct rpc_order *order) {
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller != NULL)
        end = cli_caller_order(caller, invocation->command->name, attempt_order, order);
    cli_caller_free(caller);
    rpc_shutdown();
    return end;
}

static enum cli_exit give(const struct cli_invocation *invocation, enum rpc_order_kind kind) {
    struct rpc_order order = {.kind = kind};
    if (invocation->argument_count > 0 && !read_word(invocation, 0, &order.member))
        return CLI_EXIT_USAGE;
    if (invocation->argument_count > 1 && !read_word(invocation, 1, &order.next))
        return CLI_EXIT_USAGE;
    enum cli_exit end = send(invocation, &order);
    if (end != CLI_EXIT_OK)
        return end;
    if (invocation->flags->is_json)
        print_json(invocation);
    else
        print_text(invocation, kind);
    return CLI_EXIT_OK;
}

/* ---- Commands ------------------------------------------------------------------------------ */

enum cli_exit cli_run_member_add(const struct cli_invocation *invocation) {
    return give(invocation, RPC_ORDER_ADD);
}

enum cli_exit cli_run_member_promote(const struct cli_invocation *invocation) {
    return give(invocation, RPC_ORDER_PROMOTE);
}

enum cli_exit cli_run_member_remove(const struct cli_invocation *invocation) {
    return give(invocation, RPC_ORDER_REMOVE);
}

enum cli_exit cli_run_member_replace(const struct cli_invocation *invocation) {
    return give(invocation, RPC_ORDER_REPLACE);
}

enum cli_exit cli_run_transfer_leader(const struct cli_invocation *invocation) {
    return give(invocation, RPC_ORDER_TRANSFER);
}
