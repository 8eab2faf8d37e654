/* What /debug/status says of the others: the cluster, the peers, the mesh, gossip. */
#include "debug/pages.h"

static const char *feeding_name(enum node_feeding feeding) {
    switch (feeding) {
    case NODE_FEEDING_UNKNOWN: return NULL;
    case NODE_PROBE: return "PROBE";
    case NODE_REPLICATE: return "REPLICATE";
    case NODE_SNAPSHOT: return "SNAPSHOT";
    }
    return NULL;
}

static const char *gossip_state_name(enum node_gossip_state state) {
    switch (state) {
    case NODE_ALIVE: return "alive";
    case NODE_SUSPECT: return "suspect";
    case NODE_DEAD: return "dead";
    case NODE_LEFT: return "left";
    }
    return "unknown";
}

/* Of another node, who may be none of the members. Empty: not known. */
static const char *name_of(const struct node_report *report, uint64_t identity) {
    for (size_t i = 0; i < report->member_count; i++)
        if (report->members[i].identity == identity)
            return report->members[i].name;
    return "";
}

void debug__put_peer_names(struct debug_json *j, const struct node_report *report) {
    debug__json_open(j, "peers", '[');
    for (size_t i = 1; i < report->member_count; i++)
        debug__json_text(j, NULL, report->members[i].name);
    debug__json_close(j, ']');
}

void debug__put_cluster(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    const struct node_report *report = &view->report;
    debug__json_open(j, "cluster", '{');
    debug__json_text(j, "label", report->label);
    debug__json_hex(j, "id", s->cluster_id);
    debug__json_u64(j, "members", (uint64_t)s->voter_count + s->learner_count);
    debug__json_u64(j, "voters", s->voter_count);
    debug__json_u64(j, "learners", s->learner_count);
    debug__json_u64(j, "quorum", report->quorum);
    debug__json_u64(j, "voters_in_reach", report->voters_in_reach);
    debug__json_u64(j, "failures_left", report->failures_left);
    debug__json_bool(j, "joint", report->is_joint);
    debug__json_close(j, '}');
}

/* ---- Peers ---------------------------------------------------------------------------------- */

static void put_snapshot(struct debug_json *j, const struct node_member *member) {
    if (member->snapshot_index == 0) {
        debug__json_null(j, "snapshot");
        return;
    }
    debug__json_open(j, "snapshot", '{');
    debug__json_u64(j, "index", member->snapshot_index);
    debug__json_u64(j, "sent_bytes", member->snapshot_sent_bytes);
    debug__json_close(j, '}');
}

/* Only a leader knows. */
static void put_progress(struct debug_json *j, const struct node_member *member,
                         uint64_t last_index) {
    bool is_known = member->feeding != NODE_FEEDING_UNKNOWN;
    uint64_t lag = member->match_index < last_index ? last_index - member->match_index : 0;
    if (is_known)
        debug__json_text(j, "state", feeding_name(member->feeding));
    else
        debug__json_null(j, "state");
    debug__json_known(j, "match_index", is_known ? member->match_index : NODE_UNKNOWN);
    debug__json_known(j, "next_index", is_known ? member->next_index : NODE_UNKNOWN);
    debug__json_known(j, "lag", is_known ? lag : NODE_UNKNOWN);
    debug__json_known(j, "in_flight", is_known ? member->in_flight : NODE_UNKNOWN);
    debug__json_known(j, "in_flight_bytes", is_known ? member->in_flight_bytes : NODE_UNKNOWN);
    put_snapshot(j, member);
}

static void put_peer(struct debug_json *j, const struct node_member *member, uint64_t last_index) {
    debug__json_open(j, NULL, '{');
    debug__json_text(j, "id", member->name);
    debug__json_hex(j, "identity", member->identity);
    debug__json_text(j, "region", member->digest.region);
    debug__json_text(j, "address", member->address);
    debug__json_text(j, "http_address", member->digest.http_address);
    debug__json_bool(j, "voter", member->is_voter);
    debug__json_bool(j, "connected", member->is_connected);
    debug__json_thousandths(j, "rtt_ms", member->trip_us);
    debug__json_known(j, "last_contact_ms", member->silent_ms);
    put_progress(j, member, last_index);
    debug__json_close(j, '}');
}

void debug__put_peers(struct debug_json *j, const struct debug_view *view) {
    debug__json_open(j, "peers", '[');
    for (size_t i = 1; i < view->report.member_count; i++)
        put_peer(j, &view->report.members[i], view->status.last_index);
    debug__json_close(j, ']');
}

/* ---- Gossip --------------------------------------------------------------------------------- */

static void put_gossip_member(struct debug_json *j, const struct node_gossip *member) {
    debug__json_open(j, NULL, '{');
    debug__json_text(j, "id", member->name);
    debug__json_text(j, "address", member->address);
    debug__json_text(j, "state", gossip_state_name(member->state));
    debug__json_u64(j, "incarnation", member->incarnation);
    debug__json_u64(j, "in_state_ms", member->in_state_ms);
    debug__json_close(j, '}');
}

void debug__put_gossip(struct debug_json *j, const struct node_report *report) {
    debug__json_open(j, "gossip", '{');
    debug__json_u64(j, "health", report->gossip_health);
    debug__json_open(j, "members", '[');
    for (size_t i = 0; i < report->gossip_count; i++)
        put_gossip_member(j, &report->gossip[i]);
    debug__json_close(j, ']');
    debug__json_close(j, '}');
}

/* ---- Mesh ----------------------------------------------------------------------------------- */

void debug__put_log(struct debug_json *j, const struct node_log *log) {
    debug__json_open(j, "log", '{');
    debug__json_u64(j, "first", log->first);
    debug__json_u64(j, "snapshot", log->snapshot);
    debug__json_u64(j, "applied", log->applied);
    debug__json_u64(j, "commit", log->commit);
    debug__json_u64(j, "last", log->last);
    debug__json_close(j, '}');
}

static uint64_t trip_us(const struct node_digest *digest, uint64_t identity) {
    for (size_t i = 0; i < digest->trip_count; i++)
        if (digest->trips[i].identity == identity)
            return digest->trips[i].us;
    return NODE_UNKNOWN;
}

/* A row of the matrix: a column for each other node, with or without a connection. */
static void put_trips(struct debug_json *j, const struct node_report *report,
                      const struct node_member *row) {
    debug__json_open(j, "rtt_ms", '{');
    for (size_t i = 0; i < report->member_count; i++) {
        const struct node_member *column = &report->members[i];
        if (column != row)
            debug__json_thousandths(j, column->name, trip_us(&row->digest, column->identity));
    }
    debug__json_close(j, '}');
}

static void put_digest(struct debug_json *j, const struct node_report *report,
                       const struct node_member *member) {
    const struct node_digest *digest = &member->digest;
    debug__json_text(j, "state", debug__role_name(digest->role));
    debug__json_u64(j, "term", digest->term);
    debug__json_text(j, "leader_id", name_of(report, digest->leader));
    debug__json_bool(j, "ready", digest->is_ready);
    debug__json_bool(j, "disk_full", digest->disk_is_full);
    debug__json_text(j, "version", digest->version);
    debug__json_text(j, "http_address", digest->http_address);
    debug__json_u64(j, "uptime_ms", digest->uptime_ms);
    debug__put_log(j, &digest->log);
    debug__json_u64(j, "keys", digest->key_count);
    debug__json_u64(j, "log_file_bytes", digest->log_file_bytes);
    debug__json_u64(j, "state_file_bytes", digest->state_file_bytes);
    debug__json_u64(j, "memory_bytes", digest->memory_bytes);
    debug__json_thousandths(j, "writes_per_s", digest->writes_per_1000s);
    debug__json_thousandths(j, "reads_per_s", digest->reads_per_1000s);
    debug__json_thousandths(j, "commit_p99_ms", digest->commit_p99_us);
    debug__json_thousandths(j, "sync_p99_ms", digest->sync_p99_us);
    put_trips(j, report, member);
}

static void put_member(struct debug_json *j, const struct node_report *report,
                       const struct node_member *member) {
    debug__json_open(j, NULL, '{');
    debug__json_text(j, "id", member->name);
    debug__json_hex(j, "identity", member->identity);
    debug__json_text(j, "region", member->digest.region);
    debug__json_bool(j, "self", member->is_self);
    debug__json_bool(j, "voter", member->is_voter);
    debug__json_known(j, "age_ms", member->digest_age_ms);
    if (member->digest_age_ms != NODE_UNKNOWN)
        put_digest(j, report, member);
    debug__json_close(j, '}');
}

void debug__put_mesh(struct debug_json *j, const struct debug_view *view) {
    debug__json_open(j, "mesh", '[');
    for (size_t i = 0; i < view->report.member_count; i++)
        put_member(j, &view->report, &view->report.members[i]);
    debug__json_close(j, ']');
}
