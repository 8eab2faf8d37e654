#include "server/server.h"

#include "log.h"
#include "server/wiring.h"
#include "version.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The loop runs a turn at least this often, and is sick when it has not for so long. */
#define IDLE_TURN_MS 1000
#define STALL_MS 10000

/* ---- Start ----------------------------------------------------------------------------------- */

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

static enum status bind_rpc(struct server *s) {
    struct rpc_server_config config = {
        .address = s->settings->grpc_address,
        .threads = (unsigned)s->settings->grpc_threads,
        .user_bytes = sizeof(struct server_call),
        .handlers = server__handlers(s),
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
        .read_status = server__read_status,
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
    enum status status = server__open_stores(s);
    if (status == STATUS_OK)
        status = bind_rpc(s);
    if (status == STATUS_OK)
        status = bind_debug(s);
    if (status != STATUS_OK)
        return status;
    find_address(s);
    status = start_writers(s);
    if (status == STATUS_OK)
        status = server__make_turn(s);
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
