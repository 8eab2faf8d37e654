/* What a start finds: the directory is opened, checked, and handed to a new turn. */
#include "log.h"
#include "server/wiring.h"

#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A note: the largest election timeout declared, u64 milliseconds. */
#define DECLARED_KEY "declared_timeout"

/* How stale a follower's own state may be for want of the newest commit index, on top of the way
 * there. Two messages a write are saved for it, whenever the next write is no further away. */
#define COMMIT_TELL_MS 4

static bool open_failed(struct server *s, const char *what, enum status status) {
    if (status == STATUS_OK)
        return false;
    log_error(what, log_status("status", status), log_text("data_dir", s->settings->data_dir),
              log_text("problem", s->directory ? kv_directory_problem(s->directory) : ""));
    return true;
}

static enum status open_directory(struct server *s) {
    enum status status = kv_directory_open(s->settings->data_dir, &s->directory);
    if (status == STATUS_BUSY)
        log_error("the data directory is in use by another server",
                  log_text("data_dir", s->settings->data_dir));
    else if (status != STATUS_OK)
        log_error("cannot open the data directory", log_text("data_dir", s->settings->data_dir),
                  log_errno("error", errno));
    return status;
}

static enum status set_aside(struct server *s) {
    char name[KV_ASIDE_NAME_BYTES] = "";
    if (!s->settings->is_rejoining)
        return STATUS_OK;
    enum status status = kv_directory_set_aside(s->directory, name);
    if (!open_failed(s, "cannot set aside what the data directory holds", status) && *name)
        log_warn("set aside what the data directory held: start without --rejoin from now on",
                 log_text("data_dir", s->settings->data_dir), log_text("folder", name));
    return status;
}

/* What only the operator can know: whether another copy of the directory is around. */
static void log_other_name(const struct server *s) {
    log_error("NODE_ID differs from the name in the data directory",
              log_text("node_id", s->settings->node_id),
              log_text("directory_name", s->summary.identity.name),
              log_text("if_moved", "there is no other copy: start once with --adopt"),
              log_text("if_copied", "or restored: start once with --rejoin, which sets identity, "
                                    "log and state aside and joins as new"));
}

static enum status open_log(struct server *s) {
    struct kv_log_options options = {
        .name = s->settings->has_node_id ? s->settings->node_id : NULL,
        .default_name = s->settings->node_id,
        .adopts_name = s->settings->is_adopting,
        .is_sole_voter = settings_is_alone(s->settings),
        .reserve_bytes = (size_t)s->settings->log_reserve_bytes,
    };
    enum status status = kv_log_open(s->directory, &options, &s->log, &s->summary);
    if (status == STATUS_INVALID)
        log_other_name(s);
    else if (status == STATUS_BUSY)
        (void)open_failed(s, "--rejoin was cut short: start with --rejoin again", status);
    else
        (void)open_failed(s, "cannot open the log", status);
    return status;
}

/* The largest journal: of a table at its budget, and the entry that brought it there. */
struct kv_state_options server__state_options(const struct settings *settings) {
    return (struct kv_state_options){
        .reserve_bytes = (size_t)settings->state_reserve_bytes,
        .journal_bytes = (size_t)settings->state_overlay_bytes + 2 * ENTRY_BYTES_MAX,
        .slice_bytes = (size_t)settings->state_dirty_bytes,
    };
}

static enum status open_both(struct server *s) {
    struct kv_state_options options = server__state_options(s->settings);
    enum status status = open_directory(s);
    if (status == STATUS_OK)
        status = set_aside(s);
    if (status == STATUS_OK)
        status = open_log(s);
    if (status != STATUS_OK)
        return status;
    struct kv_state *state;
    status = kv_state_open(s->directory, s->summary.state_generation, &options, &state, &s->meta);
    if (open_failed(s, "cannot open the state", status))
        return status;
    s->states = state_holder_new(state, s->summary.state_generation);
    if (s->states)
        return STATUS_OK;
    kv_state_close(state);
    return STATUS_NO_MEMORY;
}

/* The log must reach at least as far as the state, or entries were lost. */
static enum status check_stores(const struct server *s) {
    bool is_sound = s->meta.applied_index <= s->summary.last_index &&
                    s->meta.applied_index + 1 >= s->summary.first_index;
    if (is_sound)
        return STATUS_OK;
    log_error("the log and the state do not belong together",
              log_u64("applied_index", s->meta.applied_index),
              log_u64("first_index", s->summary.first_index),
              log_u64("last_index", s->summary.last_index));
    return STATUS_CORRUPT;
}

/* Others' leases may count on this node's silence for as long as any timeout that it ever declared:
 * the largest one is durable before it is declared. */
static enum status declare_timeout(struct server *s) {
    uint8_t memory[8];
    size_t len = 0;
    struct bytes key = bytes_of_text(DECLARED_KEY);
    uint64_t timeout_ms = settings_election_ms(s->settings);
    enum status status = kv_log_note_read(s->log, key, memory, sizeof memory, &len);
    struct wire_reader r = wire_reader_of(bytes_of(memory, len));
    if (status == STATUS_OK)
        s->silence_ms = wire_get_u64(&r);
    else if (status != STATUS_NOT_FOUND)
        return status;
    if (timeout_ms <= s->silence_ms)
        return STATUS_OK;
    struct wire_writer w = wire_writer_of(memory, sizeof memory);
    wire_put_u64(&w, timeout_ms);
    return kv_log_note_write(s->log, key, bytes_of(memory, w.len));
}

/* A founded node keeps its label, whatever its settings say by now. */
static enum status find_label(struct server *s) {
    uint8_t memory[sizeof s->label];
    size_t len = 0;
    enum status status =
        kv_log_note_read(s->log, bytes_of_text(LABEL_KEY), memory, sizeof memory - 1, &len);
    bool is_kept = status == STATUS_OK && s->summary.identity.cluster_id != 0;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    memory[is_kept ? len : 0] = '\0';
    snprintf(s->label, sizeof s->label, "%s",
             is_kept ? (const char *)memory : s->settings->cluster);
    if (s->settings->has_cluster && strcmp(s->label, s->settings->cluster) != 0)
        log_warn("this node keeps the label of the cluster it belongs to",
                 log_text("label", s->label), log_text("cluster", s->settings->cluster));
    return STATUS_OK;
}

static enum status find_membership(struct server *s) {
    uint8_t memory[1];
    size_t len;
    enum status status =
        kv_log_note_read(s->log, bytes_of_text(MEMBER_KEY), memory, sizeof memory, &len);
    s->has_been_member = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status server__open_stores(struct server *s) {
    enum status status = open_both(s);
    if (status == STATUS_OK)
        status = check_stores(s);
    if (status != STATUS_OK)
        return status;
    status = declare_timeout(s);
    if (status == STATUS_OK)
        status = find_label(s);
    if (status == STATUS_OK)
        status = find_membership(s);
    (void)open_failed(s, "cannot read or write the notes", status);
    return status;
}

/* ---- The turn -------------------------------------------------------------------------------- */

static struct raft_config engine_config(const struct server *s, const struct raft_term_run *runs,
                                        size_t run_count) {
    const struct settings *settings = s->settings;
    return (struct raft_config){
        .self = s->summary.identity.id,
        .hard = s->summary.hard,
        .cut_index = s->summary.first_index - 1,
        .cut_term = s->summary.cut_term,
        .runs = runs,
        .run_count = run_count,
        .last_index = s->summary.last_index,
        .applied_index = s->meta.applied_index,
        .configuration = s->summary.configuration,
        .configuration_before = s->summary.configuration_before,
        .configuration_term = s->summary.configuration_term,
        .election_timeout_ms = settings_election_ms(settings),
        .heartbeat_ms = settings_heartbeat_ms(settings),
        .commit_tell_ms = COMMIT_TELL_MS,
        /* A founding entry's term has no leader: it has answered nobody, no lease counts on it. */
        .silence_ms = s->summary.hard.term <= 1 ? 0 : s->silence_ms,
        .has_lease_reads = settings->uses_lease_reads,
        .seed = s->summary.identity.start_nonce,
        .now_ms = clock_ms(),
    };
}

static struct turn_config turn_config(struct server *s, const struct raft_term_run *runs,
                                      size_t run_count) {
    const struct settings *settings = s->settings;
    return (struct turn_config){
        .ports = server__ports(s),
        .raft = engine_config(s, runs, run_count),
        .machine = {.base = kv_state_base(s->turn_state->store),
                    .meta = s->meta,
                    .generation = s->summary.state_generation,
                    .overlay_bytes = (size_t)settings->state_overlay_bytes},
        .identity = s->summary.identity,
        .address = s->address,
        .flush_ms = settings->state_flush_ms,
        .keep_entries = settings->log_keep_entries,
        .keep_bytes = settings->log_keep_bytes,
        .hold_bytes = settings->log_hold_bytes,
        .stop_ms = STOP_MS,
        .log_file_bytes = kv_log_file_bytes(s->log),
        .state_file_bytes = kv_state_file_bytes(s->turn_state->store),
        .applies = &s->applies,
    };
}

enum status server__make_turn(struct server *s) {
    struct raft_term_run *runs = calloc(RAFT_RUNS_MAX, sizeof *runs);
    size_t count = 0;
    if (!runs)
        return STATUS_NO_MEMORY;
    s->turn_state = state_hold(s->states);
    enum status status = kv_log_runs(s->log, s->summary.first_index, s->summary.last_index, runs,
                                     RAFT_RUNS_MAX - 1, &count);
    if (status == STATUS_OK) {
        struct turn_config config = turn_config(s, runs, count);
        status = turn_new(&config, &s->turn);
    }
    free(runs);
    return status;
}
