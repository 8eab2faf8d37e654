/* /metrics: the Prometheus text format, base units, `_total` on counters, HELP on all. */
#include "debug/pages.h"

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
    text_put(w, name);
}

static void put_gauge(struct text_writer *w, const char *name, const char *help, uint64_t value) {
    put_head(w, name, "gauge", help);
    text_put(w, " ");
    text_put_u64(w, value);
    text_put(w, "\n");
}

static void put_counter(struct text_writer *w, const char *name, const char *help, uint64_t value) {
    put_head(w, name, "counter", help);
    text_put(w, " ");
    text_put_u64(w, value);
    text_put(w, "\n");
}

static void put_seconds(struct text_writer *w, const char *name, const char *help, uint64_t ms) {
    put_head(w, name, "gauge", help);
    text_put(w, " ");
    text_put_thousandths(w, ms);
    text_put(w, "\n");
}

static void put_build(struct text_writer *w, const struct debug_view *view) {
    put_head(w, "phalanx_build_info", "gauge", "Always 1; the labels tell what is running.");
    text_put(w, "{version=");
    text_put_quoted(w, bytes_of_text(view->version));
    text_put(w, ",commit=");
    text_put_quoted(w, bytes_of_text(view->commit));
    text_put(w, "} 1\n");
}

static void put_process(struct text_writer *w, const struct debug_view *view) {
    put_build(w, view);
    put_seconds(w, "phalanx_uptime_seconds", "Since the node started.",
                view->status.uptime_ms + view->age_ms);
    put_seconds(w, "phalanx_status_age_seconds", "Since these values were published.",
                view->age_ms);
    put_gauge(w, "phalanx_ready", "1 while the node is ready to serve.", debug__is_ready(view));
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
    put_counter(w, "phalanx_raft_proposals_total", "Writes proposed on this node.",
                s->proposals_total);
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

void debug__print_metrics(const struct debug_view *view, struct text_writer *w) {
    put_process(w, view);
    put_raft(w, &view->status);
    put_store(w, &view->status);
}
