/* status: what each server says of itself. */
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"
#include "phalanx/retry.h"

#include <inttypes.h>

struct answer {
    struct node_status status;
    char version[64];
};

static const char *role_name(enum node_role role) {
    switch (role) {
    case NODE_FOLLOWER: return "follower";
    case NODE_CANDIDATE: return "candidate";
    case NODE_LEADER: return "leader";
    case NODE_LEARNER: return "learner";
    }
    return "unknown";
}

static void print_json(const char *address, const struct answer *answer) {
    const struct node_status *s = &answer->status;
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "address", address);
    cli_json_text(&json, "node_id", s->name);
    cli_json_id(&json, "identity", s->identity);
    cli_json_id(&json, "cluster_id", s->cluster_id);
    cli_json_text(&json, "version", answer->version);
    cli_json_text(&json, "role", role_name(s->role));
    cli_json_count(&json, "term", s->term);
    cli_json_text(&json, "waiting_for", s->waiting);
    cli_json_count(&json, "voter_count", s->voter_count);
    cli_json_count(&json, "learner_count", s->learner_count);
    cli_json_text(&json, "leader_id", s->leader_name);
    cli_json_text(&json, "leader_address", s->leader_address);
    cli_json_count(&json, "first_index", s->first_index);
    cli_json_count(&json, "last_index", s->last_index);
    cli_json_count(&json, "commit_index", s->commit_index);
    cli_json_count(&json, "applied_index", s->applied_index);
    cli_json_count(&json, "flushed_index", s->flushed_index);
    cli_json_number(&json, "revision", s->revision);
    cli_json_count(&json, "key_count", s->key_count);
    cli_json_count(&json, "key_value_bytes", s->key_value_bytes);
    cli_json_id(&json, "state_hash", s->state_hash);
    cli_json_count(&json, "session_count", s->session_count);
    cli_json_count(&json, "log_file_bytes", s->log_file_bytes);
    cli_json_count(&json, "state_file_bytes", s->state_file_bytes);
    cli_json_bool(&json, "disk_is_full", s->disk_is_full);
    cli_json_count(&json, "damaged_records", s->damaged_records);
    cli_json_count(&json, "uptime_ms", s->uptime_ms);
    cli_json_close(&json, '}');
    putchar('\n');
}

static void print_version(const struct answer *answer) {
    uint64_t uptime_ms = answer->status.uptime_ms;
    printf("  version   %s, up %" PRIu64 ".%" PRIu64 " s\n", answer->version, uptime_ms / 1000,
           uptime_ms % 1000 / 100);
}

/* It belongs to no cluster yet: there is no more to tell. */
static void print_waiting(const char *address, const struct answer *answer) {
    const struct node_status *s = &answer->status;
    printf("%s at %s: in no cluster yet\n", s->name, address);
    printf("  %s\n", s->waiting);
    printf("  identity  %016" PRIx64 "\n", s->identity);
    print_version(answer);
}

static void print_cluster(const struct node_status *s) {
    printf("  leader    %s", s->leader_name[0] == '\0' ? "none known" : s->leader_name);
    printf("%s%s\n", s->leader_address[0] == '\0' ? "" : " at ", s->leader_address);
    printf("  members   %" PRIu32 " voter%s", s->voter_count, s->voter_count == 1 ? "" : "s");
    if (s->learner_count > 0)
        printf(", %" PRIu32 " learner%s", s->learner_count, s->learner_count == 1 ? "" : "s");
    printf("\n  identity  %016" PRIx64 " in cluster %016" PRIx64 "\n", s->identity, s->cluster_id);
}

/* It has met its cluster, and is no member. */
static void print_outside(const char *address, const struct answer *answer) {
    const struct node_status *s = &answer->status;
    printf("%s at %s: waits to be taken in: `phalanx member add %s` does it\n", s->name, address,
           s->name);
    printf("  identity  %016" PRIx64 " in cluster %016" PRIx64 "\n", s->identity, s->cluster_id);
    print_version(answer);
}

static void print_state(const struct node_status *s) {
    printf("  log       %" PRIu64 " to %" PRIu64 ", committed %" PRIu64 ", %" PRIu64 " bytes\n",
           s->first_index, s->last_index, s->commit_index, s->log_file_bytes);
    printf("  state     applied %" PRIu64 ", on disk %" PRIu64 ", %" PRIu64
           " bytes, hash %016" PRIx64 "\n",
           s->applied_index, s->flushed_index, s->state_file_bytes, s->state_hash);
    printf("  keys      %" PRIu64 " with %" PRIu64 " bytes, revision %" PRId64 ", %" PRIu64
           " sessions\n",
           s->key_count, s->key_value_bytes, s->revision, s->session_count);
    if (s->disk_is_full)
        printf("  DISK FULL: writes are refused\n");
    if (s->damaged_records > 0)
        printf("  DAMAGED RECORDS: %" PRIu64 "\n", s->damaged_records);
}

static void print_text(const char *address, const struct answer *answer) {
    const struct node_status *s = &answer->status;
    if (s->waiting[0] != '\0') {
        print_waiting(address, answer);
        return;
    }
    if (s->voter_count == 0) {
        print_outside(address, answer);
        return;
    }
    printf("%s at %s: %s of term %" PRIu64 "\n", s->name, address, role_name(s->role), s->term);
    print_cluster(s);
    print_version(answer);
    print_state(s);
}

static void attempt_status(void *context, struct rpc_client *client, uint64_t timeout_ms,
                           struct rpc_outcome *ret_outcome) {
    struct answer *answer = context;
    rpc_client_status(client, timeout_ms, &answer->status, answer->version, sizeof answer->version,
                      ret_outcome);
}

static enum cli_exit ask_one(const struct cli_invocation *invocation, struct cli_caller *caller,
                             size_t index) {
    struct answer answer = {0};
    struct rpc_outcome outcome;
    const char *address = cli_caller_address(caller, index);
    cli_caller_ask(caller, index, attempt_status, &answer, &outcome);
    struct cli_retry retry = {0};
    (void)cli_retry_next(&retry, &outcome, address); /* each address is asked once */
    enum cli_exit end = cli_retry_exit(&retry);
    if (end != CLI_EXIT_OK)
        cli_error("status: %s: %s: %s", address, rpc_code_name(outcome.code), outcome.detail);
    else if (invocation->flags->is_json)
        print_json(address, &answer);
    else
        print_text(address, &answer);
    (void)cli_output_flush(); /* so that both outputs stay in order; failures show at the end */
    return end;
}

enum cli_exit cli_run_status(const struct cli_invocation *invocation) {
    if (invocation->flags->wants_all)
        return cli_run_status_all(invocation);
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller != NULL) {
        end = CLI_EXIT_OK;
        for (size_t i = 0; i < cli_caller_count(caller); i++) {
            enum cli_exit one = ask_one(invocation, caller, i);
            end = one == CLI_EXIT_OK ? end : one;
        }
    }
    cli_caller_free(caller);
    rpc_shutdown();
    return end;
}
