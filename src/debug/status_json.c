/* /debug/status, /health and /ready. */
#include "debug/pages.h"

bool debug__is_sound(const struct debug_view *view) {
    return view->stall_ms == 0 || view->age_ms <= view->stall_ms;
}

bool debug__is_ready(const struct debug_view *view) {
    return debug__is_sound(view) && view->status.is_ready;
}

const char *debug__role_name(enum node_role role) {
    switch (role) {
    case NODE_FOLLOWER: return "FOLLOWER";
    case NODE_CANDIDATE: return "CANDIDATE";
    case NODE_LEADER: return "LEADER";
    case NODE_LEARNER: return "LEARNER";
    }
    return "UNKNOWN";
}

static uint64_t log_length(const struct node_status *s) {
    if (s->last_index == 0 || s->first_index > s->last_index)
        return 0;
    return s->last_index - s->first_index + 1;
}

/* ---- Health -------------------------------------------------------------------------------- */

static void put_waiting_for(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    debug__json_open(j, "waiting_for", '[');
    if (!debug__is_sound(view))
        debug__json_text(j, NULL, "the loop");
    if (s->waiting[0] != '\0')
        debug__json_text(j, NULL, s->waiting);
    else if (s->leader_name[0] == '\0')
        debug__json_text(j, NULL, "a leader");
    else if (!s->is_ready)
        debug__json_text(j, NULL, "the state to catch up");
    if (s->disk_is_full)
        debug__json_text(j, NULL, "room on the disk");
    debug__json_close(j, ']');
}

void debug__print_health(const struct debug_view *view, struct text_writer *w) {
    struct debug_json j = {.w = w};
    debug__json_open(&j, NULL, '{');
    debug__json_text(&j, "status", debug__is_sound(view) ? "ok" : "stalled");
    put_waiting_for(&j, view);
    debug__json_close(&j, '}');
    text_put(w, "\n");
}

void debug__print_ready(const struct debug_view *view, struct text_writer *w) {
    struct debug_json j = {.w = w};
    debug__json_open(&j, NULL, '{');
    debug__json_bool(&j, "ready", debug__is_ready(view));
    put_waiting_for(&j, view);
    debug__json_close(&j, '}');
    text_put(w, "\n");
}

/* ---- Status -------------------------------------------------------------------------------- */

/* What the users of earlier Phalanx versions look for, under the names they know. */
static void put_familiar(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    debug__json_text(j, "node_id", s->name);
    debug__json_text(j, "state", debug__role_name(s->role));
    debug__json_u64(j, "term", s->term);
    debug__json_text(j, "leader_id", s->leader_name);
    debug__json_u64(j, "commit_index", s->commit_index);
    debug__json_u64(j, "applied_index", s->applied_index);
    debug__json_u64(j, "log_length", log_length(s));
    debug__put_peer_names(j, &view->report);
    debug__json_u64(j, "kv_size", s->key_count);
}

static void put_totals(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    debug__json_open(j, "metrics", '{');
    debug__json_u64(j, "messages_sent_total", s->messages_sent_total);
    debug__json_u64(j, "election_count", s->elections_total);
    debug__json_u64(j, "step_downs_total", view->report.step_downs_total);
    debug__json_u64(j, "leader_changes_total", view->report.leader_changes_total);
    debug__json_u64(j, "proposals_total", s->proposals_total);
    debug__json_u64(j, "reads_total", s->reads_total);
    debug__json_u64(j, "refused_messages_total", s->refused_messages_total);
    debug__json_u64(j, "snapshots_sent_total", s->snapshots_sent_total);
    debug__json_u64(j, "snapshots_installed_total", s->snapshots_installed_total);
    debug__json_close(j, '}');
}

static void put_node(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    const struct node_digest *self = &view->report.members[0].digest;
    debug__json_open(j, "node", '{');
    debug__json_text(j, "id", s->name);
    debug__json_hex(j, "identity", s->identity);
    debug__json_hex(j, "cluster_id", s->cluster_id);
    debug__json_text(j, "region", view->region);
    debug__json_text(j, "version", view->version);
    debug__json_text(j, "commit", view->commit);
    debug__json_text(j, "address", view->report.address);
    debug__json_text(j, "http_address", self->http_address);
    debug__json_u64(j, "uptime_ms", s->uptime_ms + view->age_ms);
    debug__json_u64(j, "status_age_ms", view->age_ms);
    debug__json_bool(j, "sound", debug__is_sound(view));
    debug__json_bool(j, "ready", debug__is_ready(view));
    put_waiting_for(j, view);
    debug__json_u64(j, "memory_bytes", view->process.memory_bytes);
    debug__json_u64(j, "cpu_ms", view->process.cpu_ms);
    debug__json_u64(j, "open_files", view->process.open_files);
    debug__json_u64(j, "election_timeout_ms", view->report.election_timeout_ms);
    debug__json_u64(j, "heartbeat_ms", view->report.heartbeat_ms);
    debug__json_close(j, '}');
}

static void put_raft(struct debug_json *j, const struct debug_view *view) {
    const struct node_status *s = &view->status;
    debug__json_open(j, "raft", '{');
    debug__json_text(j, "leader_address", s->leader_address);
    debug__json_u64(j, "first_index", s->first_index);
    debug__json_u64(j, "last_index", s->last_index);
    debug__json_u64(j, "log_file_bytes", s->log_file_bytes);
    debug__put_peers(j, view);
    debug__json_close(j, '}');
}

static void put_store(struct debug_json *j, const struct node_status *s) {
    debug__json_open(j, "store", '{');
    debug__json_i64(j, "revision", s->revision);
    debug__json_u64(j, "keys", s->key_count);
    debug__json_u64(j, "key_value_bytes", s->key_value_bytes);
    debug__json_u64(j, "sessions", s->session_count);
    debug__json_hex(j, "state_hash", s->state_hash);
    debug__json_u64(j, "flushed_index", s->flushed_index);
    debug__json_u64(j, "state_file_bytes", s->state_file_bytes);
    debug__json_bool(j, "disk_full", s->disk_is_full);
    debug__json_u64(j, "damaged_records", s->damaged_records);
    debug__json_close(j, '}');
}

/* The published indexes, which are newer than the report's. */
static void put_log(struct debug_json *j, const struct node_status *s) {
    const struct node_log log = {.first = s->first_index,
                                 .snapshot = s->flushed_index,
                                 .applied = s->applied_index,
                                 .commit = s->commit_index,
                                 .last = s->last_index};
    debug__put_log(j, &log);
}

static void put_rates(struct debug_json *j, const struct node_report *report) {
    const struct node_digest *self = &report->members[0].digest;
    debug__json_open(j, "rates", '{');
    debug__json_u64(j, "window_ms", report->rate_window_ms);
    debug__json_thousandths(j, "writes_per_s", self->writes_per_1000s);
    debug__json_thousandths(j, "reads_per_s", self->reads_per_1000s);
    debug__json_close(j, '}');
    debug__json_open(j, "latency_ms", '{');
    debug__json_u64(j, "window_ms", report->latency_window_ms);
    debug__json_thousandths(j, "commit_p50", report->commit_p50_us);
    debug__json_thousandths(j, "commit_p99", self->commit_p99_us);
    debug__json_thousandths(j, "sync_p99", self->sync_p99_us);
    debug__json_thousandths(j, "apply_p99", report->apply_p99_us);
    debug__json_close(j, '}');
}

void debug__print_status(const struct debug_view *view, struct text_writer *w) {
    struct debug_json j = {.w = w};
    debug__json_open(&j, NULL, '{');
    put_familiar(&j, view);
    put_totals(&j, view);
    debug__json_u64(&j, "as_of_ms", view->report.unix_ms);
    debug__put_cluster(&j, view);
    put_node(&j, view);
    put_raft(&j, view);
    put_store(&j, &view->status);
    put_log(&j, &view->status);
    put_rates(&j, &view->report);
    debug__put_gossip(&j, &view->report);
    debug__put_mesh(&j, view);
    debug__json_bool(&j, "key_browser", view->shows_keys);
    debug__json_close(&j, '}');
    text_put(w, "\n");
}
