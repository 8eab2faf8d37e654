#include "server/report.h"

#include "process.h"
#include "server/tolerance.h"
#include "server/wiring.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

/* A member that was not heard for so long, or an election timeout, is out of reach. Nodes speak
 * once a second. */
#define REACH_MS_MIN 2500

/* A report that is asked for early leaves the rates as they are. */
#define RATE_MS_MIN 500

void reporter_init(struct reporter *reporter) {
    CHECK(pthread_mutex_init(&reporter->mutex, NULL) == 0);
}

void reporter_close(struct reporter *reporter) {
    CHECK(pthread_mutex_destroy(&reporter->mutex) == 0);
}

void reporter_read(struct reporter *reporter, struct node_report *ret_report) {
    CHECK(pthread_mutex_lock(&reporter->mutex) == 0);
    *ret_report = reporter->published;
    CHECK(pthread_mutex_unlock(&reporter->mutex) == 0);
}

/* ---- Figures --------------------------------------------------------------------------------- */

/* What was added within the window. */
static void slide(struct reporter *reporter, struct report_window *window,
                  const struct durations *durations, struct durations_copy *ret_recent) {
    struct durations_copy *oldest = &window->past[reporter->reports % REPORT_WINDOW];
    durations_read(durations, &window->now);
    durations_since(&window->now, oldest, ret_recent);
    *oldest = window->now;
}

static void fill_latencies(struct server *s, struct node_digest *self) {
    struct reporter *reporter = &s->reporter;
    struct node_report *report = &reporter->report;
    struct durations_copy recent;
    slide(reporter, &reporter->commits, &s->commits.durations, &recent);
    report->commit_p50_us = durations_quantile_us(&recent, 50);
    self->commit_p99_us = durations_quantile_us(&recent, 99);
    slide(reporter, &reporter->syncs, log_writer_syncs(s->log_writer), &recent);
    self->sync_p99_us = durations_quantile_us(&recent, 99);
    slide(reporter, &reporter->applies, &s->applies, &recent);
    report->apply_p99_us = durations_quantile_us(&recent, 99);
    report->latency_window_ms = REPORT_WINDOW * REPORT_MS;
    report->commits = reporter->commits.now;
    report->syncs = reporter->syncs.now;
    report->applies = reporter->applies.now;
}

static void fill_rates(struct reporter *reporter, const struct node_status *status, uint64_t now_ms,
                       struct node_digest *self) {
    uint64_t elapsed_ms = now_ms - reporter->counted_ms;
    if (elapsed_ms < RATE_MS_MIN)
        return;
    self->writes_per_1000s = (status->proposals_total - reporter->writes) * 1000000 / elapsed_ms;
    self->reads_per_1000s = (status->reads_total - reporter->reads) * 1000000 / elapsed_ms;
    reporter->report.rate_window_ms = elapsed_ms;
    reporter->counted_ms = now_ms;
    reporter->writes = status->proposals_total;
    reporter->reads = status->reads_total;
}

/* ---- Members --------------------------------------------------------------------------------- */

static void fill_self(struct server *s, const struct node_status *status,
                      struct node_digest *self) {
    snprintf(self->version, sizeof self->version, "%s", PHALANX_VERSION);
    snprintf(self->region, sizeof self->region, "%s", s->settings->node_region);
    snprintf(self->http_address, sizeof self->http_address, "%s", s->http_address);
    self->role = status->role;
    self->is_ready = status->is_ready;
    self->disk_is_full = status->disk_is_full;
    self->term = status->term;
    self->leader = status->leader;
    self->log = (struct node_log){.first = status->first_index,
                                  .snapshot = status->flushed_index,
                                  .applied = status->applied_index,
                                  .commit = status->commit_index,
                                  .last = status->last_index};
    self->key_count = status->key_count;
    self->log_file_bytes = status->log_file_bytes;
    self->state_file_bytes = status->state_file_bytes;
    self->memory_bytes = process_memory_bytes();
    self->uptime_ms = status->uptime_ms;
}

static struct node_member *add_member(struct node_report *report, raft_id id, const char *name) {
    CHECK(report->member_count <= MEMBERS_MAX);
    struct node_member *member = &report->members[report->member_count++];
    memset(member, 0, sizeof *member);
    member->identity = id;
    snprintf(member->name, sizeof member->name, "%s", name);
    return member;
}

static enum node_feeding feeding_of(enum raft_feeding feeding) {
    switch (feeding) {
    case RAFT_FEEDING_PROBE: return NODE_PROBE;
    case RAFT_FEEDING_REPLICATE: return NODE_REPLICATE;
    case RAFT_FEEDING_SNAPSHOT: return NODE_SNAPSHOT;
    }
    return NODE_FEEDING_UNKNOWN;
}

static void fill_progress(struct server *s, struct node_member *member) {
    struct raft_peer_status peer;
    if (!turn_peer_status(s->turn, member->identity, &peer))
        return;
    member->feeding = feeding_of(peer.feeding);
    member->match_index = peer.match_index;
    member->next_index = peer.next_index;
    member->in_flight = peer.in_flight;
    member->in_flight_bytes = peer.in_flight_bytes;
    transfers_look(s->transfers, member->identity, &member->snapshot_index,
                   &member->snapshot_sent_bytes);
}

static uint64_t reach_ms(const struct server *s) {
    uint64_t election_ms = settings_election_ms(s->settings);
    return election_ms > REACH_MS_MIN ? election_ms : REACH_MS_MIN;
}

/* Over a connection that has been silent for so long nothing comes: it is about to break. */
static void add_peer(struct server *s, raft_id id, const char *name, bool is_voter) {
    struct node_member *member = add_member(&s->reporter.report, id, name);
    member->is_voter = is_voter;
    mesh_describe(s->mesh, id, member);
    member->is_connected = member->is_connected && member->silent_ms <= reach_ms(s);
    if (!member->is_connected)
        member->trip_us = NODE_UNKNOWN;
    if (s->turn)
        fill_progress(s, member);
}

/* Whom a node without a cluster sees. */
static void add_those_in_sight(struct server *s) {
    raft_id ids[MEMBERS_MAX];
    size_t count = mesh_in_sight(s->mesh, ids, MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        add_peer(s, ids[i], mesh_name(s->mesh, ids[i]), false);
}

static bool is_voter(const struct raft_member *member) {
    return member && (member->rights & RAFT_VOTER_BOTH) != 0;
}

static void add_peers(struct server *s, const struct raft_configuration *members) {
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (member->id != s->summary.identity.id)
            add_peer(s, member->id, member->name, is_voter(member));
    }
}

/* For people, who look for a name at its place. */
static void sort_peers(struct node_report *report) {
    for (size_t i = 2; i < report->member_count; i++)
        for (size_t at = i; at > 1; at--) {
            struct node_member *left = &report->members[at - 1];
            struct node_member *right = &report->members[at];
            if (strcmp(left->name, right->name) <= 0)
                break;
            struct node_member swapped = *left;
            *left = *right;
            *right = swapped;
        }
}

static void fill_trips(struct node_report *report) {
    struct node_digest *self = &report->members[0].digest;
    self->trip_count = 0;
    for (size_t i = 1; i < report->member_count && self->trip_count < MEMBERS_MAX; i++)
        if (report->members[i].trip_us != NODE_UNKNOWN)
            self->trips[self->trip_count++] =
                (struct node_trip){.identity = report->members[i].identity,
                                   .us = report->members[i].trip_us};
}

/* ---- The cluster ----------------------------------------------------------------------------- */

static bool is_in_reach(const void *context, raft_id id) {
    const struct node_report *report = context;
    for (size_t i = 0; i < report->member_count; i++) {
        const struct node_member *member = &report->members[i];
        if (member->identity == id)
            return member->is_connected;
    }
    return false;
}

static void fill_cluster(struct server *s, const struct raft_configuration *members) {
    struct node_report *report = &s->reporter.report;
    struct tolerance tolerance = tolerance_of(members, is_in_reach, report);
    report->is_joint = members->is_joint;
    report->quorum = tolerance.quorum;
    report->voters_in_reach = tolerance.in_reach;
    report->failures_left = tolerance.failures_left;
}

static void fill_settings(struct server *s) {
    struct node_report *report = &s->reporter.report;
    snprintf(report->label, sizeof report->label, "%s", mesh_label(s->mesh));
    snprintf(report->address, sizeof report->address, "%s", s->address);
    report->election_timeout_ms = settings_election_ms(s->settings);
    report->heartbeat_ms = settings_heartbeat_ms(s->settings);
    report->unix_ms = clock_unix_ms();
}

/* ---- Gossip ---------------------------------------------------------------------------------- */

static void fill_gossip_member(const struct gossip_member *member, uint64_t now_ms,
                               struct node_gossip *to) {
    *to = (struct node_gossip){.state = gossiper_state_of(member->state),
                               .incarnation = member->incarnation,
                               .in_state_ms = now_ms - member->since_ms};
    snprintf(to->name, sizeof to->name, "%s", member->meta.name);
    snprintf(to->address, sizeof to->address, "%s", member->meta.raft_address);
}

static void fill_gossip(struct server *s, uint64_t now_ms) {
    const struct gossip *gossip = gossiper_machine(s->gossiper);
    struct node_report *report = &s->reporter.report;
    struct gossip_status status;
    report->gossip_count = 0;
    if (!gossip)
        return;
    gossip_status(gossip, &status);
    report->gossip_health = status.local_health;
    report->probe_failures_total = status.counts.probes_failed;
    for (size_t i = 0; i < gossip_count(gossip) && report->gossip_count < NODE_GOSSIP_MAX; i++)
        fill_gossip_member(gossip_at(gossip, i), now_ms, &report->gossip[report->gossip_count++]);
}

/* ---- A report -------------------------------------------------------------------------------- */

static void fill(struct server *s, const struct node_status *status, uint64_t now_ms) {
    static const struct raft_configuration nobody;
    const struct raft_configuration *members = s->turn ? turn_configuration(s->turn) : &nobody;
    struct node_report *report = &s->reporter.report;
    struct node_digest before = report->members[0].digest; /* rates may stay as they are */
    report->member_count = 0;
    struct node_member *self = add_member(report, s->summary.identity.id, status->name);
    self->is_self = true;
    self->is_connected = true;
    self->is_voter = is_voter(raft_configuration_find(members, self->identity));
    self->trip_us = NODE_UNKNOWN;
    self->digest = before;
    snprintf(self->address, sizeof self->address, "%s", s->address);
    fill_self(s, status, &self->digest);
    fill_settings(s);
    fill_rates(&s->reporter, status, now_ms, &self->digest);
    fill_latencies(s, &self->digest);
    if (members->count > 0)
        add_peers(s, members);
    else
        add_those_in_sight(s);
    sort_peers(report);
    fill_trips(report);
    fill_cluster(s, members);
    fill_gossip(s, now_ms);
    report->method_count = rpc_server_read_use(s->rpc, report->methods, NODE_METHODS_MAX);
    if (s->turn)
        report->step_downs_total = turn_raft(s->turn)->step_downs_total;
    report->leader_changes_total = s->leader_changes_total;
}

void reporter_tend(struct server *s, uint64_t now_ms) {
    struct reporter *reporter = &s->reporter;
    struct node_status status;
    if (now_ms < reporter->due_ms)
        return;
    reporter->due_ms = now_ms + REPORT_MS;
    server__read_status(s, &status);
    server__chronicle_syncs(s);
    fill(s, &status, now_ms);
    reporter->reports++;
    CHECK(pthread_mutex_lock(&reporter->mutex) == 0);
    reporter->published = reporter->report;
    CHECK(pthread_mutex_unlock(&reporter->mutex) == 0);
    mesh_tell(s->mesh, &reporter->report.members[0].digest);
}
