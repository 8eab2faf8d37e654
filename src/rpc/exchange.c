/* RaftService.Exchange: links that other nodes dial. */
#include "rpc/link.h"

void rpc__links_init(struct rpc__links *links) {
    CHECK(pthread_mutex_init(&links->lock, NULL) == 0);
    LIST_INIT(&links->list);
}

void rpc__links_close(struct rpc__links *links) {
    CHECK(LIST_EMPTY(&links->list) && links->dial_count == 0);
    pthread_mutex_destroy(&links->lock);
}

/* The newest first. */
static struct rpc_link *oldest_stranger(struct rpc__links *links) {
    struct rpc_link *oldest = NULL;
    struct rpc_link *link;
    LIST_FOREACH (link, &links->list, place) {
        if (!atomic_load(&link->is_known))
            oldest = link;
    }
    return oldest;
}

/* False: no place is left. Whoever holds one and has not said who it is makes room for the next. */
static bool enter(struct rpc__links *links, struct rpc_link *link) {
    pthread_mutex_lock(&links->lock);
    struct rpc_link *leaving = links->count < RPC__LINKS_MAX ? NULL : oldest_stranger(links);
    bool has_entered = links->count < RPC__LINKS_MAX || leaving != NULL;
    if (leaving != NULL) {
        LIST_REMOVE(leaving, place);
        leaving->has_place = false;
        rpc__link_ref(leaving);
    } else if (has_entered) {
        links->count++;
    }
    if (has_entered) {
        LIST_INSERT_HEAD(&links->list, link, place);
        link->has_place = true;
    }
    pthread_mutex_unlock(&links->lock);
    if (leaving != NULL) {
        rpc_link_cancel(leaving);
        rpc__link_unref(leaving);
    }
    return has_entered;
}

void rpc__exchange_over(struct rpc_link *link) {
    struct rpc__links *links = &link->server->links;
    pthread_mutex_lock(&links->lock);
    if (link->has_place) {
        LIST_REMOVE(link, place);
        links->count--;
    }
    pthread_mutex_unlock(&links->lock);
    rpc__stream_leave(link->server);
}

/* ---- Arrival ------------------------------------------------------------------------------- */

/* Says that the stream was taken, which a bare refusal does not. */
static void start(struct rpc_link *link) {
    grpc_metadata mark = {.key = grpc_slice_from_static_string(RPC__EXCHANGE_MARK),
                          .value = grpc_slice_from_static_string("1")};
    grpc_op end = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                   .data.recv_close_on_server.cancelled = &link->cancelled};
    grpc_op begin = {.op = GRPC_OP_SEND_INITIAL_METADATA,
                     .data.send_initial_metadata = {.count = 1, .metadata = &mark}};
    rpc__batch_start(link->grpc, &end, 1, &link->closed);
    link->is_sending = true; /* nobody else knows it yet */
    rpc__batch_start(link->grpc, &begin, 1, &link->sent);
}

void rpc__exchange_on_call(struct rpc_call *call) {
    struct rpc_server *server = call->queue->server;
    if (server->handlers.links.on_link_up == NULL) {
        rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, "this server has no peers");
        return;
    }
    if (rpc__refuse_if_draining(call) || rpc__refuse_if_no_node(call))
        return;
    struct rpc_link *link = rpc__link_new(call->queue, call->grpc);
    if (!enter(&server->links, link)) {
        rpc__link_forget(link);
        rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many streams of peers");
        return;
    }
    (void)rpc__call_detach(call); /* link->grpc */
    rpc__stream_enter(server);
    start(link);
    rpc__link_up(link);
    rpc__link_go_on(link);
}
