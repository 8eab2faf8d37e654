#include "server/server.h"

#include "debug/debug.h"
#include "kv/kv.h"
#include "log.h"
#include "rpc/rpc.h"
#include "server/inbox.h"
#include "server/log_writer.h"
#include "server/scrubber.h"
#include "server/snapshots.h"
#include "server/state_writer.h"
#include "server/turn.h"
#include "version.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Finishing what was accepted takes one sync; this is for a disk that is slow or full. */
#define STOP_MS 10000

/* The loop runs a turn at least this often, and is sick when it has not for so long. */
#define IDLE_TURN_MS 1000
#define STALL_MS 10000

struct server {
    const struct settings *settings;
    struct kv_directory *directory;
    struct kv_log *log;
    struct kv_state *state;
    struct kv_log_summary summary;
    struct kv_meta meta;
    struct inbox inbox;
    struct log_writer *log_writer;
    struct state_writer *state_writer;
    struct scrubber *scrubber;
    struct snapshots *snapshots;
    struct rpc_server *rpc;
    struct debug_server *debug;
    struct turn *turn;
    struct turn_event stop;
    pthread_t signal_thread;
    char address[ADDRESS_BYTES_MAX]; /* where clients reach this node */
    uint64_t started_ms;
    pthread_mutex_t status_mutex;
    struct node_status status; /* as last published */
};

/* A call's memory for its holder. */
struct call {
    struct turn_request request; /* first: the turn gives it back as this */
    struct rpc_call *rpc;
};

/* ---- Ports: what the turn asks of the world -------------------------------------------------- */

/* A sole voter has nobody to talk to. */
static void port_send(void *context, const struct raft_message *message,
                      const struct raft_entry *entries, size_t count) {
    (void)context, (void)message, (void)entries, (void)count;
    CHECK(!"a sole voter sends nothing");
}

static void port_message_done(void *context, struct turn_message *message) {
    (void)context, (void)message;
    CHECK(!"a sole voter hears nothing");
}

static void port_order_done(void *context, struct turn_order *order) {
    (void)context, (void)order;
    CHECK(!"nobody gives orders to a sole voter");
}

static void port_log_submit(void *context, struct turn_batch *batch) {
    struct server *s = context;
    log_writer_submit(s->log_writer, batch);
}

static void port_log_cut(void *context, struct turn_cut *cut) {
    struct server *s = context;
    log_writer_cut(s->log_writer, cut);
}

static enum status port_log_read(void *context, raft_index first, raft_index last,
                                 kv_entry_visit *visit, void *visitor) {
    struct server *s = context;
    return kv_log_read(s->log, first, last, visit, visitor);
}

static void port_state_flush(void *context, struct turn_flush *flush) {
    struct server *s = context;
    state_writer_flush(s->state_writer, flush);
}

static void port_room_check(void *context, struct turn_room *room) {
    struct server *s = context;
    state_writer_check_room(s->state_writer, room);
}

static void port_reply(void *context, struct turn_request *request,
                       const struct kv_response *response) {
    (void)context; /* the call knows its server */
    rpc_reply(((struct call *)request)->rpc, response);
}

static void port_snapshot(void *context, struct turn_snapshot *snapshot) {
    struct server *s = context;
    snapshots_start(s->snapshots, snapshot);
}

static void log_changes(const struct node_status *was, const struct node_status *is) {
    if (is->role != was->role && is->role == NODE_LEADER)
        log_info("became leader", log_u64("term", is->term), log_u64("index", is->last_index));
    if (is->disk_is_full && !was->disk_is_full)
        log_warn("the disk is nearly full: writes are refused", log_u64("term", is->term),
                 log_u64("index", is->last_index));
    if (!is->disk_is_full && was->disk_is_full)
        log_info("the disk has room again", log_u64("index", is->last_index));
    if (is->damaged_records > was->damaged_records)
        log_error("a damaged record was read", log_u64("damaged", is->damaged_records),
                  log_u64("applied_index", is->applied_index));
}

static void port_publish(void *context, const struct node_status *status) {
    struct server *s = context;
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    struct node_status was = s->status;
    s->status = *status;
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
    log_changes(&was, status);
    if (strcmp(was.leader_address, status->leader_address) != 0)
        rpc_server_set_leader(s->rpc, status->leader_address);
    if (was.is_ready != status->is_ready)
        rpc_server_set_serving(s->rpc, status->is_ready);
}

static void port_fail(void *context, enum status status, raft_index index) {
    (void)context;
    log_error("the state cannot follow the log; this node stops", log_status("status", status),
              log_u64("index", index));
    _exit(EXIT_FAILURE);
}

/* ---- Handlers: what clients ask, on gRPC's threads ------------------------------------------- */

static enum status on_request(void *context, struct rpc_call *rpc, const struct kv_request *request,
                              uint64_t wait_ms) {
    struct server *s = context;
    struct call *call = rpc_call_user(rpc);
    call->rpc = rpc;
    call->request.event.kind = TURN_REQUEST;
    call->request.request = request;
    call->request.deadline_ms = clock_ms() + wait_ms;
    return inbox_post_request(&s->inbox, &call->request.event);
}

static void on_snapshot(void *context, struct rpc_stream *stream) {
    struct server *s = context;
    snapshots_ask(s->snapshots, stream);
}

static void on_status(void *context, struct node_status *ret_status) {
    struct server *s = context;
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    *ret_status = s->status;
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
    ret_status->uptime_ms = clock_ms() - s->started_ms;
    ret_status->damaged_records += scrubber_damaged(s->scrubber);
}

/* ---- Start ----------------------------------------------------------------------------------- */

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

static enum status open_log(struct server *s) {
    struct kv_log_options options = {
        .name = s->settings->has_node_id ? s->settings->node_id : NULL,
        .default_name = s->settings->node_id,
        .is_sole_voter = true,
        .reserve_bytes = (size_t)s->settings->log_reserve_bytes,
    };
    enum status status = kv_log_open(s->directory, &options, &s->log, &s->summary);
    if (status == STATUS_INVALID)
        log_error("NODE_ID differs from the name in the data directory",
                  log_text("node_id", s->settings->node_id),
                  log_text("directory_name", s->summary.identity.name));
    else
        (void)open_failed(s, "cannot open the log", status);
    return status;
}

static enum status open_stores(struct server *s) {
    struct kv_state_options options = {.reserve_bytes = (size_t)s->settings->state_reserve_bytes};
    enum status status = open_directory(s);
    if (status == STATUS_OK)
        status = open_log(s);
    if (status != STATUS_OK)
        return status;
    status = kv_state_open(s->directory, &options, &s->state, &s->meta);
    (void)open_failed(s, "cannot open the state", status);
    return status;
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

static enum status start_writers(struct server *s) {
    enum status status =
        log_writer_new(s->log, s->summary.last_index + 1, &s->inbox, &s->log_writer);
    if (status == STATUS_OK)
        status = state_writer_new(s->state, &s->inbox, s->log_writer, &s->state_writer);
    if (status == STATUS_OK)
        status = snapshots_new(s->state, s->summary.identity.cluster_id, &s->inbox, &s->snapshots);
    if (status == STATUS_OK && s->settings->scrub_per_second > 0)
        status = scrubber_new(s->log, s->state, s->settings->scrub_per_second, &s->scrubber);
    return status;
}

/* One voter: itself. */
static struct raft_configuration founding_configuration(const struct server *s) {
    struct raft_configuration configuration = {.count = 1};
    configuration.members[0].id = s->summary.identity.id;
    configuration.members[0].rights = RAFT_VOTER_NEW;
    snprintf(configuration.members[0].name, sizeof configuration.members[0].name, "%s",
             s->summary.identity.name);
    return configuration;
}

static struct turn_ports ports(struct server *s) {
    return (struct turn_ports){.context = s,
                               .send = port_send,
                               .message_done = port_message_done,
                               .order_done = port_order_done,
                               .log_submit = port_log_submit,
                               .log_cut = port_log_cut,
                               .log_read = port_log_read,
                               .state_flush = port_state_flush,
                               .room_check = port_room_check,
                               .reply = port_reply,
                               .snapshot = port_snapshot,
                               .publish = port_publish,
                               .fail = port_fail};
}

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
        .configuration = founding_configuration(s),
        .configuration_before = founding_configuration(s),
        .election_timeout_ms = settings_election_ms(settings),
        .heartbeat_ms = settings_heartbeat_ms(settings),
        /* In term 0 it has answered nobody yet: no lease can count on it. */
        .silence_ms = s->summary.hard.term == 0 ? 0 : settings_election_ms(settings),
        .has_lease_reads = settings->uses_lease_reads,
        .seed = s->summary.identity.start_nonce,
        .now_ms = s->started_ms,
    };
}

static struct turn_config turn_config(struct server *s, const struct raft_term_run *runs,
                                      size_t run_count) {
    const struct settings *settings = s->settings;
    return (struct turn_config){
        .ports = ports(s),
        .raft = engine_config(s, runs, run_count),
        .machine = {.base = kv_state_base(s->state),
                    .meta = s->meta,
                    .generation = 1,
                    .overlay_bytes = (size_t)settings->state_overlay_bytes,
                    .dirty_bytes = (size_t)settings->state_dirty_bytes,
                    .page_count = kv_state_page_count(s->state)},
        .identity = s->summary.identity,
        .address = s->address,
        .flush_ms = settings->state_flush_ms,
        .keep_entries = settings->log_keep_entries,
        .keep_bytes = settings->log_keep_bytes,
        .stop_ms = STOP_MS,
        .log_file_bytes = kv_log_file_bytes(s->log),
        .state_file_bytes = kv_state_file_bytes(s->state),
    };
}

static enum status start_turn(struct server *s) {
    struct raft_term_run *runs = calloc(RAFT_RUNS_MAX, sizeof *runs);
    size_t count = 0;
    if (!runs)
        return STATUS_NO_MEMORY;
    enum status status = kv_log_runs(s->log, s->summary.first_index, s->summary.last_index, runs,
                                     RAFT_RUNS_MAX - 1, &count);
    if (status == STATUS_OK) {
        struct turn_config config = turn_config(s, runs, count);
        status = turn_new(&config, &s->turn);
    }
    free(runs);
    return status;
}

static enum status bind_rpc(struct server *s) {
    struct rpc_server_config config = {
        .address = s->settings->grpc_address,
        .threads = (unsigned)s->settings->grpc_threads,
        .user_bytes = sizeof(struct call),
        .handlers = {.context = s,
                     .on_request = on_request,
                     .on_snapshot = on_snapshot,
                     .on_status = on_status},
    };
    enum status status = rpc_server_new(&config, &s->rpc);
    if (status == STATUS_BUSY)
        log_error("the gRPC port is taken", log_text("grpc_addr", s->settings->grpc_address));
    else if (status != STATUS_OK)
        log_error("cannot listen for gRPC", log_text("grpc_addr", s->settings->grpc_address),
                  log_status("status", status));
    return status;
}

static enum status bind_debug(struct server *s) {
    struct debug_server_config config = {
        .address = s->settings->debug_address,
        .region = s->settings->node_region,
        .stall_ms = STALL_MS,
        .context = s,
        .read_status = on_status,
    };
    return debug_server_new(&config, &s->debug); /* it logs why not */
}

/* ADVERTISE_ADDR, else GRPC_ADDR with the port that was bound; for a wildcard, this host's name
 * stands for the host. */
static void find_address(struct server *s) {
    const char *configured = s->settings->grpc_address;
    if (s->settings->advertise_address[0] != '\0') {
        snprintf(s->address, sizeof s->address, "%s", s->settings->advertise_address);
        return;
    }
    const char *colon = strrchr(configured, ':');
    CHECK(colon);
    int host_len = (int)(colon - configured);
    bool is_wildcard = strncmp(configured, "[::]:", 5) == 0 ||
                       strncmp(configured, "0.0.0.0:", 8) == 0 || host_len == 0;
    char host[NAME_BYTES_MAX] = "localhost";
    if (is_wildcard && gethostname(host, sizeof host - 1) != 0)
        log_warn("no host name", log_errno("error", errno));
    if (is_wildcard)
        snprintf(s->address, sizeof s->address, "%s:%d", host, rpc_server_port(s->rpc));
    else
        snprintf(s->address, sizeof s->address, "%.*s:%d", host_len, configured,
                 rpc_server_port(s->rpc));
}

static void *wait_for_signal(void *context) {
    struct server *s = context;
    sigset_t signals;
    int number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    CHECK(sigwait(&signals, &number) == 0);
    log_info("stopping", log_text("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    rpc_server_set_serving(s->rpc, false);
    rpc_server_drain(s->rpc);
    inbox_post(&s->inbox, &s->stop);
    return NULL;
}

/* All threads are made with these signals blocked, so that only the one that waits sees them. */
static void block_signals(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

static enum status start(struct server *s) {
    enum status status = open_stores(s);
    if (status == STATUS_OK)
        status = check_stores(s);
    if (status == STATUS_OK)
        status = bind_rpc(s);
    if (status == STATUS_OK)
        status = bind_debug(s);
    if (status != STATUS_OK)
        return status;
    find_address(s);
    status = start_writers(s);
    if (status == STATUS_OK)
        status = start_turn(s);
    if (status != STATUS_OK)
        log_error("cannot start", log_status("status", status));
    return status;
}

static void log_start(const struct server *s) {
    const struct kv_identity *identity = &s->summary.identity;
    log_info("serving", log_text("version", PHALANX_VERSION), log_text("node", identity->name),
             log_hex("identity", identity->id), log_hex("cluster_id", identity->cluster_id),
             log_u64("start", identity->start_counter), log_u64("term", s->summary.hard.term),
             log_u64("first_index", s->summary.first_index),
             log_u64("last_index", s->summary.last_index),
             log_u64("applied_index", s->meta.applied_index), log_text("address", s->address),
             log_u64("debug_port", (uint64_t)debug_server_port(s->debug)),
             log_text("data_dir", s->settings->data_dir));
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* The clock is read after the last event is taken. */
static void run_one(struct server *s, uint64_t deadline_ms) {
    struct turn_events events;
    uint64_t idle_ms = clock_ms() + IDLE_TURN_MS;
    inbox_take(&s->inbox, deadline_ms < idle_ms ? deadline_ms : idle_ms, &events);
    turn_run(s->turn, clock_ms(), &events);
}

static void loop(struct server *s) {
    while (!turn_is_stopped(s->turn))
        run_one(s, turn_deadline_ms(s->turn));
    inbox_refuse(&s->inbox);
    run_one(s, 0); /* what came in until then is refused by the turn */
}

static void stop(struct server *s) {
    snapshots_free(s->snapshots);
    rpc_server_free(s->rpc);
    debug_server_free(s->debug);
    scrubber_free(s->scrubber);
    state_writer_free(s->state_writer);
    log_writer_free(s->log_writer);
    turn_free(s->turn);
    if (s->state)
        kv_state_close(s->state);
    if (s->log)
        kv_log_close(s->log);
    if (s->directory)
        kv_directory_close(s->directory);
}

static void serve(struct server *s) {
    CHECK(pthread_create(&s->signal_thread, NULL, wait_for_signal, s) == 0);
    rpc_server_start(s->rpc);
    log_start(s);
    loop(s);
    CHECK(pthread_join(s->signal_thread, NULL) == 0);
}

int server_run(const struct settings *settings) {
    struct server s = {.settings = settings, .stop.kind = TURN_STOP, .started_ms = clock_ms()};
    block_signals();
    inbox_init(&s.inbox);
    CHECK(pthread_mutex_init(&s.status_mutex, NULL) == 0);
    rpc_init();
    bool is_started = start(&s) == STATUS_OK;
    if (is_started)
        serve(&s);
    stop(&s);
    rpc_shutdown();
    CHECK(pthread_mutex_destroy(&s.status_mutex) == 0);
    inbox_close(&s.inbox);
    if (is_started)
        log_info("stopped");
    return is_started ? EXIT_SUCCESS : EXIT_FAILURE;
}
