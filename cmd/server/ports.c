#include "log.h"
#include "server/wiring.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Ports: what the turn asks of the world -------------------------------------------------- */

static void port_send(void *context, const struct raft_message *message,
                      const struct raft_entry *entries, size_t count) {
    struct server *s = context;
    mesh_send(s->mesh, message, entries, count);
}

static void port_message_done(void *context, struct turn_message *message) {
    (void)context; /* the message knows its link */
    mesh_message_done(message);
}

static void port_order_done(void *context, struct turn_order *order) {
    if (!steward_order_done(context, order))
        server__order_done(order);
}

static void port_forward(void *context, struct turn_request *request, raft_id leader) {
    struct server *s = context;
    forwarder_send(s->forwarder, request, mesh_address(s->mesh, leader));
}

static enum status write_member_note(struct log_job *job, struct kv_log *log) {
    (void)job;
    return kv_log_note_write(log, bytes_of_text(MEMBER_KEY), bytes_of_text("1"));
}

/* On a full disk it is not kept: the node would idle after a start, rather than stop. */
static void member_noted(struct loop_event *event) {
    (void)event;
}

static void note_membership(struct server *s) {
    struct member_note *note = &s->member_note;
    s->has_been_member = true;
    note->job.write = write_member_note;
    note->job.done = loop_event_of(&note->done, member_noted);
    log_writer_do(s->log_writer, &note->job);
}

static void leave(struct server *s, raft_index index) {
    if (s->is_leaving)
        return;
    log_info("this node was removed from its cluster, and stops", log_u64("index", index));
    s->is_leaving = true;
    CHECK(kill(getpid(), SIGTERM) == 0); /* stops as by anybody else's */
}

/* The newest one of all: what it replays from its log may be older than its own admission. */
static void follow_membership(struct server *s, const struct raft_configuration *members) {
    bool is_member = raft_configuration_find(members, s->summary.identity.id) != NULL;
    bool is_newest = turn_configuration(s->turn)->index == members->index;
    if (is_member && !s->has_been_member)
        note_membership(s);
    if (!is_member && s->has_been_member && is_newest)
        leave(s, members->index);
}

static void port_members(void *context, const struct raft_configuration *configuration) {
    struct server *s = context;
    server__chronicle_members(s, configuration);
    mesh_set_configuration(s->mesh, configuration);
    founder_committed(s);
    steward_set_members(s, configuration);
    follow_membership(s, configuration);
}

static void port_transfer(void *context, struct turn_transfer *transfer) {
    struct server *s = context;
    const char *name = mesh_name(s->mesh, transfer->peer);
    server__tell(s, DEBUG_INFO, "snapshot",
                 "%s is sent a snapshot up to index %" PRIu64 ": the log no longer reaches it",
                 name ? name : "a member", transfer->index);
    transfers_send(s->transfers, transfer, s->status.term, mesh_address(s->mesh, transfer->peer));
}

static void port_install(void *context, struct turn_install *install) {
    struct server *s = context;
    transfers_install(s->transfers, install);
}

static void port_install_done(void *context, struct turn_install *install, enum status status) {
    struct server *s = context;
    if (status == STATUS_OK) {
        state_release(s->states, s->turn_state);
        s->turn_state = state_hold(s->states);
        server__tell(s, DEBUG_INFO, "snapshot", "a snapshot up to index %" PRIu64 " was installed",
                     install->index);
    }
    transfers_done(s->transfers, install, status);
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
    server__reply(request, response);
}

static void port_snapshot(void *context, struct turn_snapshot *snapshot) {
    struct server *s = context;
    snapshots_start(s->snapshots, snapshot);
}

static void port_publish(void *context, const struct node_status *status) {
    struct server *s = context;
    struct node_status is = *status;
    const char *leader = mesh_address(s->mesh, status->leader);
    is.refused_messages_total += mesh_refused_total(s->mesh); /* at the gates */
    if (is.leader_address[0] == '\0' && leader)
        snprintf(is.leader_address, sizeof is.leader_address, "%s", leader);
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    struct node_status was = s->status;
    s->status = is;
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
    server__chronicle(s, &was, &is);
    if (was.leader != is.leader || was.role != is.role)
        s->reporter.due_ms = 0;
    s->leader_changes_total += is.leader != 0 && is.leader != s->last_leader;
    if (is.leader != 0)
        s->last_leader = is.leader;
    if (strcmp(was.leader_address, is.leader_address) != 0)
        rpc_server_set_leader(s->rpc, is.leader_address);
    if (was.leader != is.leader && leader)
        forwarder_warm(s->forwarder, leader);
    if (was.is_ready != is.is_ready)
        rpc_server_set_serving(s->rpc, is.is_ready);
}

static uint64_t port_stopwatch_us(void *context) {
    (void)context;
    return clock_us();
}

static void port_fail(void *context, enum status status, raft_index index) {
    (void)context;
    log_error("the state cannot follow the log; this node stops", log_status("status", status),
              log_u64("index", index));
    _exit(EXIT_FAILURE);
}

struct turn_ports server__ports(struct server *s) {
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
                               .forward = port_forward,
                               .members = port_members,
                               .snapshot = port_snapshot,
                               .transfer = port_transfer,
                               .install = port_install,
                               .install_done = port_install_done,
                               .publish = port_publish,
                               .stopwatch_us = port_stopwatch_us,
                               .fail = port_fail};
}

/* ---- What the mesh tells --------------------------------------------------------------------- */

static void on_sighted(void *context, raft_id id, const char *name, uint64_t cluster_id) {
    struct server *s = context;
    founder_sighted(s, id, name, cluster_id);
    if (s->turn)
        turn_peer_found(s->turn);
}

static void on_met(void *context, const char *name) {
    struct server *s = context;
    server__tell(s, DEBUG_INFO, "peer_found", "%s is in sight", name);
}

static void on_silent(void *context, raft_id id) {
    struct server *s = context;
    server__tell(s, DEBUG_WARN, "peer_lost", "%s is out of sight", mesh_name(s->mesh, id));
    founder_silent(s, id);
    if (s->turn)
        turn_peer_lost(s->turn, id);
}

static void on_founding(void *context, raft_id from, struct bytes bytes) {
    founder_receive(context, from, bytes);
}

static void on_invited(void *context, uint64_t cluster_id) {
    founder_invited(context, cluster_id);
}

/* Removed: it was a member as far as its own log tells, and is none as of a later configuration. */
static void on_outside(void *context, raft_index index) {
    struct server *s = context;
    if (s->turn && turn_was_member_before(s->turn, index))
        leave(s, index);
}

static void on_rolled_back(void *context) {
    (void)context;
    log_error("the data directory is an older copy: this node may have forgotten what it promised, "
              "and can only come back as a new one, with --rejoin");
    _exit(EXIT_FAILURE);
}

struct mesh_handlers server__mesh_handlers(struct server *s) {
    return (struct mesh_handlers){.context = s,
                                  .on_sighted = on_sighted,
                                  .on_met = on_met,
                                  .on_silent = on_silent,
                                  .on_founding = on_founding,
                                  .on_invited = on_invited,
                                  .on_outside = on_outside,
                                  .on_rolled_back = on_rolled_back};
}

/* ---- What gossip tells ----------------------------------------------------------------------- */

static void on_found(void *context, raft_id id, const char *address) {
    struct server *s = context;
    mesh_found(s->mesh, id, address);
}

static void on_lost(void *context, raft_id id) {
    struct server *s = context;
    mesh_lost(s->mesh, id);
}

static void on_forgotten(void *context, raft_id id) {
    struct server *s = context;
    mesh_forget(s->mesh, id);
}

static void on_observed(void *context, const char *address, const char *http_address) {
    struct server *s = context;
    log_info("the others see this node", log_text("address", address));
    snprintf(s->address, sizeof s->address, "%s", address);
    snprintf(s->http_address, sizeof s->http_address, "%s", http_address);
}

static void on_seeds(void *context, size_t count) {
    server__tell(context, DEBUG_INFO, "seeds", "looked up: %zu seeds", count);
}

struct gossiper_handlers server__gossiper_handlers(struct server *s) {
    return (struct gossiper_handlers){.context = s,
                                      .on_found = on_found,
                                      .on_lost = on_lost,
                                      .on_forgotten = on_forgotten,
                                      .on_seeds = on_seeds,
                                      .on_observed = on_observed};
}
