#include "server/server.h"

#include "deadline.h"
#include "log.h"
#include "server/wiring.h"
#include "version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The loop runs a turn at least this often. */
#define TEND_MS 1000

/* How long a stop waits for its goodbye to be heard. */
#define LEAVE_MS 1000

/* How often a stop looks whether the last snapshot has been cut off. */
#define DRAIN_MS 10

/* ---- Start ----------------------------------------------------------------------------------- */

static enum status start_writers(struct server *s) {
    enum status status =
        log_writer_new(s->log, s->summary.last_index + 1, &s->inbox, &s->log_writer);
    if (status == STATUS_OK)
        status = state_writer_new(s->states, &s->inbox, s->log_writer, &s->state_writer);
    if (status == STATUS_OK)
        status = snapshots_new(s->states, &s->summary.identity, &s->inbox, &s->snapshots);
    if (status == STATUS_OK && s->settings->scrub_per_second > 0)
        status = scrubber_new(s->log, s->states, s->settings->scrub_per_second, &s->scrubber);
    return status;
}

static enum status start_transfers(struct server *s) {
    struct transfers_config config = {
        .identity = &s->summary.identity,
        .directory = s->directory,
        .states = s->states,
        .state = server__state_options(s->settings),
        .log_writer = s->log_writer,
        .inbox = &s->inbox,
    };
    return transfers_new(&config, &s->transfers);
}

/* Every node that PEERS names, but for this one. */
static size_t find_targets(const struct server *s, struct mesh_target *targets) {
    size_t count = 0;
    for (size_t i = 0; i < s->settings->peer_count; i++) {
        const struct settings_peer *peer = &s->settings->peers_list[i];
        if (strcmp(peer->name, s->summary.identity.name) == 0 || peer->address[0] == '\0')
            continue;
        snprintf(targets[count].name, sizeof targets[count].name, "%s", peer->name);
        snprintf(targets[count].address, sizeof targets[count].address, "%s", peer->address);
        count++;
    }
    return count;
}

static enum status start_mesh(struct server *s) {
    struct mesh_target targets[MEMBERS_MAX];
    struct mesh_config config = {
        .identity = &s->summary.identity,
        .label = s->label,
        .may_adopt_label = !s->settings->has_cluster,
        .address = s->address,
        .http_address = s->http_address,
        .region = s->settings->node_region,
        .targets = targets,
        .target_count = find_targets(s, targets),
        .members = s->summary.configuration,
        .election_ms = settings_election_ms(s->settings),
        .log = s->log,
        .inbox = &s->inbox,
        .writer = s->log_writer,
        .handlers = server__mesh_handlers(s),
    };
    return mesh_new(&config, &s->mesh);
}

static enum status start_gossiper(struct server *s) {
    struct gossiper_config config = {
        .settings = s->settings,
        .identity = &s->summary.identity,
        .label = s->label,
        .raft_address = s->address,
        .http_address = s->http_address,
        .inbox = &s->inbox,
        .handlers = server__gossiper_handlers(s),
    };
    return settings_has_gossip(s->settings) ? gossiper_new(&config, &s->gossiper) : STATUS_OK;
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
        status = server__listen(s);
    if (status != STATUS_OK)
        return status;
    status = start_writers(s);
    if (status == STATUS_OK)
        status = start_transfers(s);
    if (status == STATUS_OK)
        status = forwarder_new(&s->inbox, server__call_of, &s->forwarder);
    if (status == STATUS_OK)
        status = start_mesh(s);
    if (status == STATUS_OK)
        status = start_gossiper(s);
    if (status == STATUS_OK)
        status = founder_new(s);
    if (status == STATUS_OK)
        status = steward_init(s);
    /* What is being given up is not run. */
    bool is_founded = s->summary.identity.cluster_id != 0 && !s->settings->is_resetting_founding;
    if (status == STATUS_OK && is_founded)
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
    server__tell(s, DEBUG_INFO, "start", "%s started, version %s", identity->name, PHALANX_VERSION);
}

/* ---- Without a turn -------------------------------------------------------------------------- */

static void give_back_early(struct server *s, struct turn_event *event) {
    switch ((int)event->kind) {
    case TURN_REQUEST: lobby_enter(&s->lobby, (struct turn_request *)event); return;
    case TURN_MESSAGE: mesh_message_done((struct turn_message *)event); return;
    case TURN_SNAPSHOT: snapshots_refuse(s->snapshots, (struct turn_snapshot *)event); return;
    case TURN_ORDER: server__refuse_order((struct turn_order *)event); return;
    case TURN_STOP: s->is_stopping = true; return;
    default: CHECK(!"an event of nobody's");
    }
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* What is to be told of a node that belongs to no cluster: that it lives. */
static void publish_alone(struct server *s) {
    const struct kv_identity *identity = &s->summary.identity;
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    snprintf(s->status.name, sizeof s->status.name, "%s", identity->name);
    s->status.identity = identity->id;
    s->status.uptime_ms = clock_ms() - s->started_ms;
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
}

static void lobby_run(struct server *s) {
    struct turn_events expired;
    publish_alone(s);
    lobby_take_expired(&s->lobby, s->is_stopping ? UINT64_MAX : clock_ms(), &expired);
    server__refuse_requests(&expired, s->is_stopping ? "the server is stopping"
                                                     : "this node belongs to no cluster yet");
}

/* Others are told while what was accepted is finished. */
static void say_goodbye(struct server *s) {
    if (s->leave_ms != 0)
        return;
    s->leave_ms = clock_ms() + LEAVE_MS;
    gossiper_leave(s->gossiper);
}

static void take_event(struct server *s, struct turn_event *event, struct turn_events *ret_events) {
    if (event->kind == TURN_STOP)
        say_goodbye(s);
    if (s->turn)
        STAILQ_INSERT_TAIL(ret_events, event, link);
    else
        give_back_early(s, event);
}

/* What is for the turn goes into `ret_events`; without a turn, requests wait in the lobby. */
static void sort_event(struct server *s, struct turn_event *event, struct turn_events *ret_events) {
    if (event->kind == LOOP_EVENT)
        ((struct loop_event *)event)->run((struct loop_event *)event);
    else if (event->kind == TURN_MESSAGE && !mesh_lets_in(s->mesh, (struct turn_message *)event))
        return;
    else
        take_event(s, event, ret_events);
}

static void sort_events(struct server *s, struct turn_events *from,
                        struct turn_events *ret_events) {
    STAILQ_INIT(ret_events);
    while (!STAILQ_EMPTY(from)) {
        struct turn_event *event = STAILQ_FIRST(from);
        STAILQ_REMOVE_HEAD(from, link);
        sort_event(s, event, ret_events);
    }
    if (s->turn)
        lobby_leave(&s->lobby, ret_events);
}

static void tend(struct server *s) {
    uint64_t now_ms = clock_ms();
    reporter_tend(s, now_ms);
    if (now_ms < s->tend_ms)
        return;
    s->tend_ms = now_ms + TEND_MS;
    mesh_tend(s->mesh);
    gossiper_tell(s->gossiper, mesh_label(s->mesh));
    if (s->turn && turn_leader(s->turn) != s->summary.identity.id)
        forwarder_warm(s->forwarder, mesh_address(s->mesh, turn_leader(s->turn)));
    founder_tend(s);
    steward_tend(s);
}

static uint64_t next_deadline_ms(const struct server *s) {
    uint64_t deadline_ms = s->turn ? turn_deadline_ms(s->turn) : lobby_deadline_ms(&s->lobby);
    deadline_ms = earliest(deadline_ms, founder_deadline_ms(s));
    deadline_ms = earliest(deadline_ms, gossiper_deadline_ms(s->gossiper));
    return earliest(deadline_ms, earliest(s->tend_ms, s->reporter.due_ms));
}

static void run_turn(struct server *s, struct turn_events *events) {
    uint64_t begun_us = clock_us();
    turn_run(s->turn, clock_ms(), events);
    commit_watch_look(&s->commits, turn_raft(s->turn), begun_us);
}

static bool is_over(const struct server *s) {
    return s->turn ? turn_is_stopped(s->turn) : s->is_stopping;
}

/* As the loop would, on the thread of whoever brought the events, while it sleeps. */
static uint64_t run_lent_turn(void *context, struct turn_events *arrived) {
    struct server *s = context;
    struct turn_events events;
    sort_events(s, arrived, &events);
    run_turn(s, &events);
    return is_over(s) ? 0 : next_deadline_ms(s);
}

/* The clock is read after the last event is taken. */
static void run_one(struct server *s, uint64_t deadline_ms) {
    struct turn_events arrived, events;
    inbox_take(&s->inbox, deadline_ms, &arrived);
    sort_events(s, &arrived, &events);
    if (s->turn)
        run_turn(s, &events);
    else
        lobby_run(s);
    founder_tick(s);
    gossiper_tick(s->gossiper);
    tend(s);
}

static bool is_leaving(const struct server *s) {
    return !gossiper_has_left(s->gossiper) && clock_ms() < s->leave_ms;
}

static void loop(struct server *s) {
    while (!s->turn && !is_over(s))
        run_one(s, next_deadline_ms(s));
    inbox_lend(&s->inbox, run_lent_turn, s);
    while (!is_over(s))
        run_one(s, next_deadline_ms(s));
    inbox_lend(&s->inbox, NULL, NULL);
    while (is_leaving(s))
        run_one(s, clock_ms() + DRAIN_MS);
    while (forwarder_is_busy(s->forwarder)) /* as long as their callers wait, at most */
        run_one(s, clock_ms() + DRAIN_MS);
    inbox_refuse(&s->inbox);
    transfers_stop(s->transfers);
    while (transfers_is_busy(s->transfers))
        run_one(s, clock_ms() + DRAIN_MS);
    run_one(s, 0); /* what came in until then is refused by the turn, */
    run_one(s, 0); /* and so is what the loop made of it */
}

/* After the last turn: what the others still report is only put away. */
static void take_last(struct server *s) {
    struct turn_events events;
    inbox_take(&s->inbox, 0, &events);
    while (!STAILQ_EMPTY(&events)) {
        struct turn_event *event = STAILQ_FIRST(&events);
        STAILQ_REMOVE_HEAD(&events, link);
        if (event->kind == LOOP_EVENT)
            ((struct loop_event *)event)->run((struct loop_event *)event); /* may free it */
        else if (event->kind == TURN_MESSAGE)
            mesh_message_done((struct turn_message *)event);
    }
}

static void stop(struct server *s) {
    snapshots_free(s->snapshots);
    founding_free(s->founding);
    s->founding = NULL; /* what comes in from here on is nobody's */
    gossiper_stop(s->gossiper);
    mesh_stop(s->mesh);
    forwarder_free(s->forwarder);
    rpc_server_free(s->rpc);
    take_last(s); /* of every link */
    debug_server_free(s->debug);
    s->debug = NULL; /* what still happens is for the log alone */
    scrubber_free(s->scrubber);
    state_writer_free(s->state_writer);
    log_writer_free(s->log_writer);
    take_last(s); /* of what was written */
    transfers_free(s->transfers);
    turn_free(s->turn);
    mesh_free(s->mesh);
    gossiper_free(s->gossiper);
    if (s->turn_state)
        state_release(s->states, s->turn_state);
    state_holder_free(s->states);
    if (s->log)
        kv_log_close(s->log);
}

static void serve(struct server *s) {
    CHECK(pthread_create(&s->signal_thread, NULL, wait_for_signal, s) == 0);
    rpc_server_start(s->rpc);
    mesh_start(s->mesh, s->rpc);
    gossiper_start(s->gossiper);
    log_start(s);
    loop(s);
    CHECK(pthread_join(s->signal_thread, NULL) == 0);
}

/* What this node held is of a cluster that never lived. */
static bool begin_anew(struct server *s) {
    char name[KV_ASIDE_NAME_BYTES];
    enum status status = kv_directory_set_aside(s->directory, name);
    if (status != STATUS_OK)
        log_error("cannot set aside what the data directory holds", log_status("status", status),
                  log_text("problem", kv_directory_problem(s->directory)));
    else
        log_info("begins anew", log_text("folder", name));
    return status == STATUS_OK;
}

static bool run_once(const struct settings *settings, int *ret_exit_status) {
    struct server s = {.settings = settings, .stop.kind = TURN_STOP, .started_ms = clock_ms()};
    inbox_init(&s.inbox);
    lobby_init(&s.lobby);
    CHECK(pthread_mutex_init(&s.status_mutex, NULL) == 0);
    reporter_init(&s.reporter);
    bool is_started = start(&s) == STATUS_OK;
    if (is_started)
        serve(&s);
    stop(&s);
    bool is_to_repeat = s.is_dropping && begin_anew(&s);
    if (s.directory)
        kv_directory_close(s.directory);
    reporter_close(&s.reporter);
    CHECK(pthread_mutex_destroy(&s.status_mutex) == 0);
    inbox_close(&s.inbox);
    if (is_started)
        log_info("stopped");
    *ret_exit_status = is_started && s.is_dropping == is_to_repeat ? EXIT_SUCCESS : EXIT_FAILURE;
    return is_to_repeat;
}

static enum status use_tls(const struct settings *settings) {
    const struct rpc_tls tls = {
        .certificate_path = settings->tls_certificate,
        .key_path = settings->tls_key,
        .ca_path = settings->tls_ca,
        .server_name = settings->tls_name,
    };
    char problem[RPC_PROBLEM_BYTES_MAX];
    if (!settings_has_tls(settings))
        return STATUS_OK;
    enum status status = rpc_use_tls(&tls, problem);
    if (status != STATUS_OK)
        log_error("cannot use TLS", log_text("problem", problem));
    return status;
}

int server_run(const struct settings *settings) {
    int exit_status = EXIT_FAILURE;
    block_signals();
    rpc_init();
    if (use_tls(settings) == STATUS_OK)
        while (run_once(settings, &exit_status))
            continue;
    rpc_shutdown();
    return exit_status;
}
