/* /metrics: the Prometheus text format, base units, `_total` on counters, HELP on all. */
#include "debug/pages.h"

#include <inttypes.h>
#include <stdio.h>

static void put_head(struct text_writer *w, const char *name, const char *type, const char *help) {
    text_put(w, "# HELP ");
    text_put(w, name);
    text_put(w, " ");
    text_put(w, help);
    text_put(w, "\n# TYPE ");
    text_put(w, name);
    text_put(w, " ");
    text_put(w, type);
    text_put(w, "\n");
}

/* ---- Samples -------------------------------------------------------------------------------- */

struct label {
    const char *name;
    const char *value; /* any text */
};

/* A sample but for its value. Prometheus knows no other escapes in a label than JSON's of quotes,
 * backslashes and line feeds; names hold no other control characters. */
static void put_labelled(struct text_writer *w, const char *name, const struct label *labels,
                         size_t count) {
    text_put(w, name);
    for (size_t i = 0; i < count; i++) {
        text_put(w, i == 0 ? "{" : ",");
        text_put(w, labels[i].name);
        text_put(w, "=");
        text_put_quoted(w, bytes_of_text(labels[i].value));
    }
    text_put(w, count > 0 ? "} " : " ");
}

static void put_sample(struct text_writer *w, const char *name, const char *label,
                       const char *label_value, uint64_t value) {
    const struct label labels[] = {{label, label_value}};
    put_labelled(w, name, labels, label ? 1 : 0);
    text_put_u64(w, value);
    text_put(w, "\n");
}

/* Microseconds as seconds. */
static void print_seconds(uint64_t us, char text[static 32]) {
    snprintf(text, 32, "%" PRIu64 ".%06u", us / 1000000, (unsigned)(us % 1000000));
}

/* The buckets of one histogram, or of one of several that a label tells apart: every second bound,
 * the powers of two. */
static void put_buckets(struct text_writer *w, const char *name, const char *label,
                        const char *label_value, const struct durations_copy *copy) {
    char bucket[96];
    char bound[32] = "";
    struct label labels[] = {{"le", bound}, {label, label_value}};
    size_t count = label ? 2 : 1;
    uint64_t sum = 0;
    snprintf(bucket, sizeof bucket, "%s_bucket", name);
    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++) {
        bool is_last = i == DURATIONS_BUCKETS - 1;
        sum += copy->counts[i];
        if (is_last)
            snprintf(bound, sizeof bound, "+Inf");
        else
            print_seconds(durations_bound_us(i), bound);
        if (i > 0 && i % 2 == 0 && !is_last)
            continue;
        put_labelled(w, bucket, labels, count);
        text_put_u64(w, sum);
        text_put(w, "\n");
    }
}

static void put_durations(struct text_writer *w, const char *name, const char *label,
                          const char *label_value, const struct durations_copy *copy) {
    char text[96];
    const struct label labels[] = {{label, label_value}};
    put_buckets(w, name, label, label_value, copy);
    snprintf(text, sizeof text, "%s_sum", name);
    put_labelled(w, text, labels, label ? 1 : 0);
    print_seconds(copy->sum_us, text);
    text_put(w, text);
    text_put(w, "\n");
    snprintf(text, sizeof text, "%s_count", name);
    put_sample(w, text, label, label_value, durations_count(copy));
}

static void put_histogram(struct text_writer *w, const char *name, const char *help,
                          const struct durations_copy *copy) {
    put_head(w, name, "histogram", help);
    put_durations(w, name, NULL, NULL, copy);
}

static void put_gauge(struct text_writer *w, const char *name, const char *help, uint64_t value) {
    put_head(w, name, "gauge", help);
    put_sample(w, name, NULL, NULL, value);
}

static void put_counter(struct text_writer *w, const char *name, const char *help, uint64_t value) {
    put_head(w, name, "counter", help);
    put_sample(w, name, NULL, NULL, value);
}

static void put_seconds(struct text_writer *w, const char *name, const char *help, uint64_t ms) {
    put_head(w, name, "gauge", help);
    text_put(w, name);
    text_put(w, " ");
    text_put_thousandths(w, ms);
    text_put(w, "\n");
}

static void put_build(struct text_writer *w, const struct debug_view *view) {
    const struct label labels[] = {{"version", view->version}, {"commit", view->commit}};
    put_head(w, "phalanx_build_info", "gauge", "Always 1; the labels tell what is running.");
    put_labelled(w, "phalanx_build_info", labels, 2);
    text_put(w, "1\n");
}

/* ---- The process ----------------------------------------------------------------------------- */

/* The names that Prometheus's own libraries use. */
static void put_use(struct text_writer *w, const struct process_use *use) {
    put_head(w, "process_cpu_seconds_total", "counter", "On all processors.");
    text_put(w, "process_cpu_seconds_total ");
    text_put_thousandths(w, use->cpu_ms);
    text_put(w, "\n");
    put_gauge(w, "process_resident_memory_bytes", "Memory that is there.", use->memory_bytes);
    put_gauge(w, "process_virtual_memory_bytes", "Memory that is mapped.", use->virtual_bytes);
    put_gauge(w, "process_open_fds", "Open files and other descriptors.", use->open_files);
    put_gauge(w, "process_max_fds", "How many there may be.", use->open_files_max);
    put_seconds(w, "process_start_time_seconds", "When it began, since 1970.", use->start_unix_ms);
}

static void put_process(struct text_writer *w, const struct debug_view *view) {
    put_build(w, view);
    put_use(w, &view->process);
    put_seconds(w, "phalanx_uptime_seconds", "Since the node started.",
                view->status.uptime_ms + view->age_ms);
    put_seconds(w, "phalanx_status_age_seconds", "Since these values were published.",
                view->age_ms);
    put_gauge(w, "phalanx_ready", "1 while the node is ready to serve.", debug__is_ready(view));
}

/* ---- Raft ------------------------------------------------------------------------------------ */

/* Entries that a leader has in its log and that are not yet committed. */
static uint64_t pending(const struct node_status *s) {
    bool has_any = s->role == NODE_LEADER && s->last_index > s->commit_index;
    return has_any ? s->last_index - s->commit_index : 0;
}

static void put_proposals(struct text_writer *w, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    put_counter(w, "phalanx_raft_proposals_total", "Writes proposed on this node.",
                s->proposals_total);
    put_counter(w, "phalanx_raft_proposals_committed_total",
                "Entries committed while this node led.", durations_count(&view->report.commits));
    put_counter(w, "phalanx_raft_proposals_failed_total",
                "Writes refused by this node, or whose fate it left open.",
                s->proposals_failed_total);
    put_gauge(w, "phalanx_raft_proposals_pending",
              "Entries of a leader that are not yet committed.", pending(s));
}

/* Of the leader's peers: what it knows of them. */
static void put_matches(struct text_writer *w, const struct debug_view *view) {
    const struct node_report *report = &view->report;
    put_head(w, "phalanx_raft_peer_match_index", "gauge",
             "How far a peer's log equals the leader's.");
    for (size_t i = 1; i < report->member_count; i++)
        if (report->members[i].feeding != NODE_FEEDING_UNKNOWN)
            put_sample(w, "phalanx_raft_peer_match_index", "peer", report->members[i].name,
                       report->members[i].match_index);
    put_head(w, "phalanx_raft_peer_lag_entries", "gauge",
             "Entries of the leader's log that a peer lacks.");
    for (size_t i = 1; i < report->member_count; i++) {
        const struct node_member *peer = &report->members[i];
        uint64_t last = view->status.last_index;
        if (peer->feeding != NODE_FEEDING_UNKNOWN)
            put_sample(w, "phalanx_raft_peer_lag_entries", "peer", peer->name,
                       last > peer->match_index ? last - peer->match_index : 0);
    }
}

static void put_trips(struct text_writer *w, const struct node_report *report) {
    char seconds[32];
    put_head(w, "phalanx_raft_peer_rtt_seconds", "gauge", "To a peer and back.");
    for (size_t i = 1; i < report->member_count; i++) {
        const struct label labels[] = {{"peer", report->members[i].name}};
        if (report->members[i].trip_us == NODE_UNKNOWN)
            continue;
        put_labelled(w, "phalanx_raft_peer_rtt_seconds", labels, 1);
        print_seconds(report->members[i].trip_us, seconds);
        text_put(w, seconds);
        text_put(w, "\n");
    }
    put_head(w, "phalanx_raft_peer_connected", "gauge", "1 while there is a connection.");
    for (size_t i = 1; i < report->member_count; i++)
        put_sample(w, "phalanx_raft_peer_connected", "peer", report->members[i].name,
                   report->members[i].is_connected);
}

static void put_cluster(struct text_writer *w, const struct debug_view *view) {
    const struct node_report *report = &view->report;
    put_gauge(w, "phalanx_raft_voters", "Members that vote.", view->status.voter_count);
    put_gauge(w, "phalanx_raft_learners", "Members that do not vote.", view->status.learner_count);
    put_gauge(w, "phalanx_raft_voters_in_reach", "Voters that this node hears, itself included.",
              report->voters_in_reach);
    put_gauge(w, "phalanx_raft_failures_left", "Voters that may still fail before writes stop.",
              report->failures_left);
    put_counter(w, "phalanx_raft_leader_changes_total", "Leaders that this node has seen come.",
                report->leader_changes_total);
    put_counter(w, "phalanx_raft_step_downs_total", "How often this node left office.",
                report->step_downs_total);
    put_matches(w, view);
    put_trips(w, report);
    put_histogram(w, "phalanx_commit_duration_seconds",
                  "From proposed to committed, while this node led.", &report->commits);
    put_histogram(w, "phalanx_log_sync_duration_seconds", "Synced writes of the log.",
                  &report->syncs);
    put_histogram(w, "phalanx_apply_duration_seconds",
                  "Applying what a turn of the loop found committed.", &report->applies);
}

static void put_raft(struct text_writer *w, const struct node_status *s) {
    put_gauge(w, "phalanx_raft_term", "The current term.", s->term);
    put_gauge(w, "phalanx_raft_is_leader", "1 on the leader.", s->role == NODE_LEADER);
    put_gauge(w, "phalanx_raft_has_leader", "1 while a leader is known.",
              s->leader_name[0] != '\0');
    put_gauge(w, "phalanx_raft_first_index", "First entry kept in the log.", s->first_index);
    put_gauge(w, "phalanx_raft_last_index", "Last entry of the log.", s->last_index);
    put_gauge(w, "phalanx_raft_commit_index", "Last entry known to be committed.", s->commit_index);
    put_gauge(w, "phalanx_raft_applied_index", "Last entry applied to the state.",
              s->applied_index);
    put_counter(w, "phalanx_raft_elections_total", "Elections this node has started.",
                s->elections_total);
    put_counter(w, "phalanx_raft_messages_sent_total", "Raft messages sent.",
                s->messages_sent_total);
    put_counter(w, "phalanx_raft_messages_refused_total",
                "Messages not for this node, malformed, or past a shut gate.",
                s->refused_messages_total);
    put_counter(w, "phalanx_snapshots_sent_total", "Snapshots begun, to peers.",
                s->snapshots_sent_total);
    put_counter(w, "phalanx_snapshots_installed_total", "Snapshots installed, from peers.",
                s->snapshots_installed_total);
    put_counter(w, "phalanx_reads_total", "Reads answered by this node.", s->reads_total);
    put_gauge(w, "phalanx_log_size_bytes", "Size of the log's file.", s->log_file_bytes);
}

static void put_store(struct text_writer *w, const struct node_status *s) {
    /* A revision is a count and starts at 0. */
    uint64_t revision = s->revision > 0 ? (uint64_t)s->revision : 0;
    put_gauge(w, "phalanx_store_revision", "The store's revision.", revision);
    put_gauge(w, "phalanx_store_keys", "Keys in the store.", s->key_count);
    put_gauge(w, "phalanx_store_key_value_bytes", "Keys and values, without overhead.",
              s->key_value_bytes);
    put_gauge(w, "phalanx_store_size_bytes", "Size of the state's file.", s->state_file_bytes);
    put_gauge(w, "phalanx_store_flushed_index", "The state on disk holds everything up to it.",
              s->flushed_index);
    put_gauge(w, "phalanx_store_sessions", "Client sessions kept.", s->session_count);
    put_gauge(w, "phalanx_store_damaged_records", "Damaged records met since the start.",
              s->damaged_records);
    put_gauge(w, "phalanx_store_disk_full", "1 while writes are refused for want of room.",
              s->disk_is_full);
}

/* ---- Gossip ---------------------------------------------------------------------------------- */

static uint64_t count_in(const struct node_report *report, enum node_gossip_state state) {
    uint64_t count = 0;
    for (size_t i = 0; i < report->gossip_count; i++)
        count += report->gossip[i].state == state;
    return count;
}

static void put_gossip(struct text_writer *w, const struct node_report *report) {
    static const char name[] = "phalanx_gossip_members";
    put_head(w, name, "gauge", "Other nodes that gossip knows, by their state.");
    put_sample(w, name, "state", "alive", count_in(report, NODE_ALIVE));
    put_sample(w, name, "state", "suspect", count_in(report, NODE_SUSPECT));
    put_sample(w, name, "state", "dead", count_in(report, NODE_DEAD));
    put_sample(w, name, "state", "left", count_in(report, NODE_LEFT));
    put_counter(w, "phalanx_gossip_probe_failures_total", "Probes that nobody answered.",
                report->probe_failures_total);
    put_gauge(w, "phalanx_gossip_health", "0: this node hears well; 8: hardly at all.",
              report->gossip_health);
}

/* ---- gRPC ------------------------------------------------------------------------------------ */

static const char *const codes[NODE_CODES] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

static void put_method(struct text_writer *w, const struct node_method *method) {
    struct label labels[] = {{"method", method->name}, {"code", NULL}};
    for (size_t code = 0; code < NODE_CODES; code++) {
        if (method->codes[code] == 0)
            continue;
        labels[1].value = codes[code];
        put_labelled(w, "phalanx_grpc_server_handled_total", labels, 2);
        text_put_u64(w, method->codes[code]);
        text_put(w, "\n");
    }
}

static void put_grpc(struct text_writer *w, const struct node_report *report) {
    static const char name[] = "phalanx_grpc_server_handling_seconds";
    put_head(w, "phalanx_grpc_server_handled_total", "counter",
             "Unary calls answered, by method and code.");
    for (size_t i = 0; i < report->method_count; i++)
        put_method(w, &report->methods[i]);
    put_head(w, name, "histogram", "From the arrival of a unary call to its answer.");
    for (size_t i = 0; i < report->method_count; i++)
        put_durations(w, name, "method", report->methods[i].name, &report->methods[i].durations);
}

void debug__print_metrics(const struct debug_view *view, struct text_writer *w) {
    put_process(w, view);
    put_raft(w, &view->status);
    put_proposals(w, view);
    put_cluster(w, view);
    put_store(w, &view->status);
    put_gossip(w, &view->report);
    put_grpc(w, &view->report);
}
