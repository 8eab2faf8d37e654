#include "log.h"
#include "server/wiring.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    rpc_reply(((struct server_call *)request)->rpc, response);
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
                               .snapshot = port_snapshot,
                               .publish = port_publish,
                               .fail = port_fail};
}

/* ---- Handlers: what clients ask, on gRPC's threads ------------------------------------------- */

static enum status on_request(void *context, struct rpc_call *rpc, const struct kv_request *request,
                              uint64_t wait_ms) {
    struct server *s = context;
    struct server_call *call = rpc_call_user(rpc);
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

void server__read_status(void *context, struct node_status *ret_status) {
    struct server *s = context;
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    *ret_status = s->status;
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
    ret_status->uptime_ms = clock_ms() - s->started_ms;
    ret_status->damaged_records += scrubber_damaged(s->scrubber);
}

struct rpc_handlers server__handlers(struct server *s) {
    return (struct rpc_handlers){.context = s,
                                 .on_request = on_request,
                                 .on_snapshot = on_snapshot,
                                 .on_status = server__read_status};
}
