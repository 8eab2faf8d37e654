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

/* What nobody told is a dash. */
static const char *gossip_text(const struct rpc_member *member) {
    if (!member->has_gossip)
        return "-";
    switch (member->gossip) {
    case NODE_ALIVE: return "alive";
    case NODE_SUSPECT: return "suspect";
    case NODE_DEAD: return "dead";
    case NODE_LEFT: return "left";
    }
    return "-";
}

static const char *or_dash(const char *text) {
    return text[0] == '\0' ? "-" : text;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void print_json_member(struct cli_json *json, const struct rpc_member *member) {
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "name", member->name);
    cli_json_id(json, "identity", member->id);
    cli_json_text(json, "role", role_of(member));
    cli_json_bool(json, "is_voter", member->is_voter);
    cli_json_text(json, "address", member->address);
    if (member->has_gossip)
        cli_json_text(json, "gossip", gossip_text(member));
    cli_json_text(json, "region", member->region);
    cli_json_text(json, "version", member->version);
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

/* Of the columns whose texts are of any length. */
struct widths {
    int name;
    int address;
    int region;
    int version;
};

static void print_member(const struct rpc_member *member, const struct widths *w) {
    char match[24];
    char lag[24];
    char silence[24];
    printf("%-*s  %016" PRIx64 "  %-7s  %-*s  %-7s  %-*s  %-*s  %10s  %8s  %s\n", w->name,
           member->name, (uint64_t)member->id, role_of(member), w->address,
           or_dash(member->address), gossip_text(member), w->region, or_dash(member->region),
           w->version, or_dash(member->version),
           count_text(match, sizeof match, member->has_progress, member->match_index),
           count_text(lag, sizeof lag, member->has_progress, member->lag),
           silence_text(silence, sizeof silence, member));
}

static struct widths widths_of(const struct rpc_members *members) {
    struct widths w = {(int)strlen("NAME"), (int)strlen("ADDRESS"), (int)strlen("REGION"),
                       (int)strlen("VERSION")};
    for (size_t i = 0; i < members->count; i++) {
        w.name = width_of(w.name, members->members[i].name);
        w.address = width_of(w.address, members->members[i].address);
        w.region = width_of(w.region, members->members[i].region);
        w.version = width_of(w.version, members->members[i].version);
    }
    return w;
}

static void print_text(const struct rpc_members *members) {
    struct widths w = widths_of(members);
    printf("%-*s  %-16s  %-7s  %-*s  %-7s  %-*s  %-*s  %10s  %8s  %s\n", w.name, "NAME", "IDENTITY",
           "ROLE", w.address, "ADDRESS", "GOSSIP", w.region, "REGION", w.version, "VERSION",
           "MATCH", "LAG", "SILENT");
    for (size_t i = 0; i < members->count; i++)
        print_member(&members->members[i], &w);
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
