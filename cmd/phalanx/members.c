/* members: who belongs to the cluster, as its leader sees them. */
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *role_of(const struct rpc_member *member) {
    if (member->is_leader)
        return "leader";
    return member->is_voter ? "voter" : "learner";
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void print_json_member(struct cli_json *json, const struct rpc_member *member) {
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "name", member->name);
    cli_json_id(json, "identity", member->id);
    cli_json_text(json, "role", role_of(member));
    cli_json_bool(json, "is_voter", member->is_voter);
    cli_json_text(json, "address", member->address);
    if (member->has_progress) {
        cli_json_count(json, "match_index", member->match_index);
        cli_json_count(json, "lag", member->lag);
    }
    if (member->is_heard)
        cli_json_count(json, "silent_ms", member->silent_ms);
    cli_json_close(json, '}');
}

static void print_json(const struct rpc_members *members) {
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_count(&json, "term", members->term);
    cli_json_count(&json, "configuration_index", members->configuration_index);
    cli_json_bool(&json, "is_joint", members->is_joint);
    cli_json_open(&json, "members", '[');
    for (size_t i = 0; i < members->count; i++)
        print_json_member(&json, &members->members[i]);
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    putchar('\n');
}

/* ---- Text ---------------------------------------------------------------------------------- */

/* A column is as wide as its widest text. */
static int width_of(int width, const char *text) {
    int len = (int)strlen(text);
    return len > width ? len : width;
}

/* What nobody told is a dash. */
static const char *count_text(char *room, size_t size, bool is_known, uint64_t count) {
    if (!is_known)
        return "-";
    snprintf(room, size, "%" PRIu64, count);
    return room;
}

static const char *silence_text(char *room, size_t size, const struct rpc_member *member) {
    if (!member->is_heard)
        return "-";
    snprintf(room, size, "%" PRIu64 ".%" PRIu64 " s", member->silent_ms / 1000,
             member->silent_ms % 1000 / 100);
    return room;
}

static void print_member(const struct rpc_member *member, int name_width, int address_width) {
    char match[24];
    char lag[24];
    char silence[24];
    printf("%-*s  %016" PRIx64 "  %-7s  %-*s  %10s  %8s  %s\n", name_width, member->name,
           (uint64_t)member->id, role_of(member), address_width,
           member->address[0] == '\0' ? "-" : member->address,
           count_text(match, sizeof match, member->has_progress, member->match_index),
           count_text(lag, sizeof lag, member->has_progress, member->lag),
           silence_text(silence, sizeof silence, member));
}

static void print_text(const struct rpc_members *members) {
    int name_width = (int)strlen("NAME");
    int address_width = (int)strlen("ADDRESS");
    for (size_t i = 0; i < members->count; i++) {
        name_width = width_of(name_width, members->members[i].name);
        address_width = width_of(address_width, members->members[i].address);
    }
    printf("%-*s  %-16s  %-7s  %-*s  %10s  %8s  %s\n", name_width, "NAME", "IDENTITY", "ROLE",
           address_width, "ADDRESS", "MATCH", "LAG", "SILENT");
    for (size_t i = 0; i < members->count; i++)
        print_member(&members->members[i], name_width, address_width);
}

/* By name; those who bear the same one by identity. */
static int compare(const void *left, const void *right) {
    const struct rpc_member *a = left;
    const struct rpc_member *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

/* ---- Asking -------------------------------------------------------------------------------- */

static void attempt_members(void *context, struct rpc_client *client, uint64_t timeout_ms,
                            struct rpc_outcome *ret_outcome) {
    rpc_client_members(client, timeout_ms, context, ret_outcome);
}

static enum cli_exit ask(const struct cli_invocation *invocation, struct cli_caller *caller) {
    struct rpc_members members;
    enum cli_exit end = cli_caller_read(caller, "members", true, attempt_members, &members);
    if (end != CLI_EXIT_OK)
        return end;
    qsort(members.members, members.count, sizeof members.members[0], compare);
    if (invocation->flags->is_json)
        print_json(&members);
    else
        print_text(&members);
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_members(const struct cli_invocation *invocation) {
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller != NULL)
        end = ask(invocation, caller);
    cli_caller_free(caller);
    rpc_shutdown();
    return end;
}
