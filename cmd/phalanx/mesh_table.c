#include "phalanx/mesh_table.h"

#include "phalanx/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is as old as this says little of how things are. */
#define OLD_MS 5000

static const char *role_of(const struct node_member *member) {
    if (member->digest_age_ms == NODE_UNKNOWN)
        return "unknown";
    switch (member->digest.role) {
    case NODE_FOLLOWER: return "follower";
    case NODE_CANDIDATE: return "candidate";
    case NODE_LEADER: return "leader";
    case NODE_LEARNER: return "learner";
    }
    return "unknown";
}

static const char *state_of(const struct node_member *member) {
    const struct node_digest *digest = &member->digest;
    if (member->digest_age_ms == NODE_UNKNOWN)
        return "never heard";
    if (!member->is_connected || member->digest_age_ms > OLD_MS)
        return "out of reach";
    if (digest->disk_is_full)
        return "disk full";
    return digest->is_ready ? "ready" : "not ready";
}

/* ---- Text ---------------------------------------------------------------------------------- */

/* Thousandths with one decimal; what is not known is a dash. */
static const char *tenths(char *room, size_t size, uint64_t thousandths) {
    if (thousandths == NODE_UNKNOWN)
        return "-";
    snprintf(room, size, "%" PRIu64 ".%" PRIu64, thousandths / 1000, thousandths % 1000 / 100);
    return room;
}

/* A node that leads, for whom the cluster's term stands. */
static const struct node_member *leader_of(const struct node_report *report) {
    const struct node_member *leader = NULL;
    for (size_t i = 0; i < report->member_count; i++) {
        const struct node_member *member = &report->members[i];
        bool leads = member->digest_age_ms != NODE_UNKNOWN && member->digest.role == NODE_LEADER;
        if (leads && (!leader || member->digest.term > leader->digest.term))
            leader = member;
    }
    return leader;
}

static void print_summary(const struct node_report *report) {
    const struct node_member *leader = leader_of(report);
    printf("cluster %s: ", report->label);
    if (leader)
        printf("%s leads term %" PRIu64 "\n", leader->name, leader->digest.term);
    else
        printf("no leader is known\n");
    if (report->quorum == 0)
        printf("no members yet\n");
    else if (report->voters_in_reach < report->quorum)
        printf("NO QUORUM: %" PRIu32 " voters in reach, %" PRIu32 " needed\n",
               report->voters_in_reach, report->quorum);
    else
        printf("%" PRIu32 " voters in reach, %" PRIu32 " needed: can take %" PRIu32
               " more failure%s\n",
               report->voters_in_reach, report->quorum, report->failures_left,
               report->failures_left == 1 ? "" : "s");
}

static void print_row(const struct node_member *member, int width) {
    const struct node_digest *d = &member->digest;
    char rooms[5][32];
    bool is_known = member->digest_age_ms != NODE_UNKNOWN;
    printf("%-*s  %-6.6s  %-9s  %-12s", width, member->name, d->region[0] == '\0' ? "-" : d->region,
           role_of(member), state_of(member));
    if (!is_known) {
        printf("\n");
        return;
    }
    printf("  %10" PRIu64 "  %10" PRIu64 "  %8s  %8s  %8s  %8s  %8s  %6" PRIu64 "\n", d->log.commit,
           d->log.applied, tenths(rooms[0], sizeof rooms[0], d->writes_per_1000s),
           tenths(rooms[1], sizeof rooms[1], d->reads_per_1000s),
           tenths(rooms[2], sizeof rooms[2], d->commit_p99_us),
           tenths(rooms[3], sizeof rooms[3], d->sync_p99_us),
           tenths(rooms[4], sizeof rooms[4], member->trip_us), d->memory_bytes / MIB);
}

void cli_mesh_print(const struct node_report *report) {
    int width = (int)strlen("NODE");
    for (size_t i = 0; i < report->member_count; i++) {
        int len = (int)strlen(report->members[i].name);
        width = len > width ? len : width;
    }
    print_summary(report);
    printf("%-*s  %-6s  %-9s  %-12s  %10s  %10s  %8s  %8s  %8s  %8s  %8s  %6s\n", width, "NODE",
           "REGION", "ROLE", "STATE", "COMMIT", "APPLIED", "WRITES/S", "READS/S", "COMMIT99",
           "SYNC99", "RTT ms", "MB");
    for (size_t i = 0; i < report->member_count; i++)
        print_row(&report->members[i], width);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* What is not known is left out. */
static void put_known(struct cli_json *json, const char *name, uint64_t value) {
    if (value != NODE_UNKNOWN)
        cli_json_count(json, name, value);
}

static void put_digest(struct cli_json *json, const struct node_digest *digest) {
    cli_json_text(json, "region", digest->region);
    cli_json_text(json, "version", digest->version);
    cli_json_bool(json, "is_ready", digest->is_ready);
    cli_json_bool(json, "disk_is_full", digest->disk_is_full);
    cli_json_count(json, "term", digest->term);
    cli_json_count(json, "commit_index", digest->log.commit);
    cli_json_count(json, "applied_index", digest->log.applied);
    cli_json_count(json, "last_index", digest->log.last);
    cli_json_count(json, "key_count", digest->key_count);
    cli_json_count(json, "memory_bytes", digest->memory_bytes);
    cli_json_count(json, "uptime_ms", digest->uptime_ms);
    cli_json_count(json, "writes_per_1000s", digest->writes_per_1000s);
    cli_json_count(json, "reads_per_1000s", digest->reads_per_1000s);
    put_known(json, "commit_p99_us", digest->commit_p99_us);
    put_known(json, "sync_p99_us", digest->sync_p99_us);
}

static void put_member(struct cli_json *json, const struct node_member *member) {
    cli_json_open(json, NULL, '{');
    cli_json_text(json, "name", member->name);
    cli_json_id(json, "identity", member->identity);
    cli_json_bool(json, "is_voter", member->is_voter);
    cli_json_bool(json, "is_connected", member->is_connected);
    put_known(json, "round_trip_us", member->trip_us);
    cli_json_text(json, "role", role_of(member));
    put_known(json, "age_ms", member->digest_age_ms);
    if (member->digest_age_ms != NODE_UNKNOWN)
        put_digest(json, &member->digest);
    cli_json_close(json, '}');
}

void cli_mesh_print_json(const struct node_report *report) {
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "cluster", report->label);
    cli_json_count(&json, "quorum", report->quorum);
    cli_json_count(&json, "voters_in_reach", report->voters_in_reach);
    cli_json_count(&json, "failures_left", report->failures_left);
    cli_json_open(&json, "members", '[');
    for (size_t i = 0; i < report->member_count; i++)
        put_member(&json, &report->members[i]);
    cli_json_close(&json, ']');
    cli_json_close(&json, '}');
    putchar('\n');
}
