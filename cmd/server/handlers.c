/* What clients and nodes ask of this one. On gRPC's threads: hand over and return. */
#include "server/wiring.h"

#include <stdio.h>
#include <string.h>

/* ---- Requests -------------------------------------------------------------------------------- */

struct rpc_call *server__call_of(struct turn_request *request) {
    return ((struct server_call *)request)->rpc;
}

void server__reply(struct turn_request *request, const struct kv_response *response) {
    struct server_call *call = (struct server_call *)request;
    if (call->rpc)
        rpc_reply(call->rpc, response);
    else
        server__browsed(call, response);
}

static enum status on_request(void *context, struct rpc_call *rpc, const struct kv_request *request,
                              uint64_t wait_ms) {
    struct server *s = context;
    struct server_call *call = rpc_call_user(rpc);
    call->rpc = rpc;
    call->request.event.kind = TURN_REQUEST;
    call->request.request = request;
    call->request.deadline_ms = clock_ms() + wait_ms;
    call->request.is_forwarded = rpc_call_is_forwarded(rpc);
    return inbox_put_request(&s->inbox, &call->request.event);
}

void server__refuse_requests(struct turn_events *requests, const char *detail) {
    while (!STAILQ_EMPTY(requests)) {
        struct turn_request *request = (struct turn_request *)STAILQ_FIRST(requests);
        STAILQ_REMOVE_HEAD(requests, link);
        server__reply(request, &(struct kv_response){
                                   .status = STATUS_UNAVAILABLE,
                                   .is_not_applied = kv_request_is_write(request->request),
                                   .detail = detail,
                               });
    }
}

static void on_snapshot(void *context, struct rpc_stream *stream) {
    struct server *s = context;
    snapshots_ask(s->snapshots, stream);
}

void server__read_status(void *context, struct node_status *ret_status) {
    struct server *s = context;
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    *ret_status = s->status;
    memcpy(ret_status->waiting, s->waiting, sizeof ret_status->waiting);
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
    ret_status->damaged_records += scrubber_damaged(s->scrubber);
}

void server__read_report(void *context, struct node_report *ret_report) {
    reporter_read(&((struct server *)context)->reporter, ret_report);
}

_Static_assert(sizeof((struct server *)0)->waiting == sizeof((struct node_status *)0)->waiting,
               "one text");

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void on_link_up(void *context, struct rpc_link *link) {
    mesh_link_up(((struct server *)context)->mesh, link);
}

static void on_link_hello(void *context, struct rpc_link *link, const struct rpc_hello *hello) {
    mesh_link_hello(((struct server *)context)->mesh, link, hello);
}

static void on_link_message(void *context, struct rpc_link *link,
                            struct rpc_peer_message *message) {
    mesh_link_message(((struct server *)context)->mesh, link, message);
}

static void on_link_bytes(void *context, struct rpc_link *link, enum rpc_bytes_kind kind,
                          struct bytes bytes) {
    mesh_link_bytes(((struct server *)context)->mesh, link, kind, bytes);
}

static void on_link_down(void *context, struct rpc_link *link) {
    mesh_link_down(((struct server *)context)->mesh, link);
}

static void on_install(void *context, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head) {
    transfers_receive(((struct server *)context)->transfers, incoming, head);
}

static void on_pause(void *context) {
    inbox_run_or_wake(&((struct server *)context)->inbox);
}

struct rpc_handlers server__handlers(struct server *s) {
    return (struct rpc_handlers){.context = s,
                                 .on_request = on_request,
                                 .on_snapshot = on_snapshot,
                                 .on_status = server__read_status,
                                 .on_report = server__read_report,
                                 .on_order = server__on_order,
                                 .on_members = server__on_members,
                                 .on_install = on_install,
                                 .on_pause = on_pause,
                                 .links = {.on_link_up = on_link_up,
                                           .on_link_hello = on_link_hello,
                                           .on_link_message = on_link_message,
                                           .on_link_bytes = on_link_bytes,
                                           .on_link_down = on_link_down}};
}
