/* grpc.reflection.v1.ServerReflection and v1alpha's: a stream of questions, each answered before
 * the next is read. All on one queue's thread. */
#include "rpc/reflection_answer.h"
#include "rpc/server.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

/*   reading -- a question --> sending -- sent --> reading
 *      |                         |
 *      +-- half-close ----> ending, once ----> the call is closed and no batch is under way: freed
 */
struct reflection {
    struct rpc_server *server;
    grpc_call *grpc;
    struct rpc__event received;
    struct rpc__event sent;
    struct rpc__event closed;
    grpc_byte_buffer *question;
    int cancelled; /* written by gRPC */
    bool is_busy;  /* a batch other than `closed` is under way */
    bool is_ended; /* the status was sent */
    bool is_closed;
};

static void end_if_over(struct reflection *r) {
    if (r->is_busy || !r->is_closed)
        return;
    grpc_call_unref(r->grpc);
    atomic_fetch_sub(&r->server->reflections, 1);
    rpc__stream_leave(r->server);
    free(r);
}

static void start(struct reflection *r, grpc_op op, struct rpc__event *event) {
    r->is_busy = true;
    rpc__batch_start(r->grpc, &op, 1, event);
}

static void receive(struct reflection *r) {
    r->question = NULL;
    start(r, (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &r->question},
          &r->received);
}

static void send_answer(struct reflection *r, grpc_slice answer) {
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&answer, 1);
    start(r, (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body},
          &r->sent);
    grpc_byte_buffer_destroy(body); /* its slices have gone into the call */
}

static void send_end(struct reflection *r, grpc_status_code code, const char *detail) {
    struct rpc__ending ending;
    r->is_ended = true;
    start(r,
          rpc__ending_init(&ending, r->server,
                           &(struct rpc__answer){.code = code, .detail = detail}),
          &r->sent);
    rpc__ending_close(&ending);
}

static void answer(struct reflection *r) {
    grpc_byte_buffer_reader reader;
    CHECK(grpc_byte_buffer_reader_init(&reader, r->question) != 0);
    grpc_slice question = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(r->question);
    grpc_slice reply;
    struct bytes body = bytes_of(GRPC_SLICE_START_PTR(question), GRPC_SLICE_LENGTH(question));
    if (rpc__reflection_answer(r->server->index, body, &reply)) {
        send_answer(r, reply);
        grpc_slice_unref(reply);
    } else {
        send_end(r, GRPC_STATUS_INVALID_ARGUMENT, "the body is not a ServerReflectionRequest");
    }
    grpc_slice_unref(question);
}

static void on_received(struct rpc__event *event, bool is_ok) {
    struct reflection *r = CONTAINER_OF(event, struct reflection, received);
    r->is_busy = false;
    if (r->question != NULL)
        answer(r);
    else if (is_ok && !r->is_closed)
        send_end(r, GRPC_STATUS_OK, NULL);
    end_if_over(r);
}

static void on_sent(struct rpc__event *event, bool is_ok) {
    struct reflection *r = CONTAINER_OF(event, struct reflection, sent);
    r->is_busy = false;
    if (is_ok && !r->is_ended && !r->is_closed)
        receive(r);
    end_if_over(r);
}

static void on_closed(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* always */
    struct reflection *r = CONTAINER_OF(event, struct reflection, closed);
    r->is_closed = true;
    end_if_over(r);
}

void rpc__reflection_on_call(struct rpc_call *call) {
    struct rpc_server *server = call->queue->server;
    if (atomic_fetch_add(&server->reflections, 1) >= RPC__REFLECTIONS_MAX) {
        atomic_fetch_sub(&server->reflections, 1);
        rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many reflection streams");
        return;
    }
    struct reflection *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    *r = (struct reflection){
        .server = server,
        .grpc = rpc__call_detach(call),
        .received.run = on_received,
        .sent.run = on_sent,
        .closed.run = on_closed,
    };
    rpc__stream_enter(server);
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &r->cancelled};
    rpc__batch_start(r->grpc, &op, 1, &r->closed);
    /* Clients may wait for it before they ask. */
    start(r, (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA}, &r->sent);
}
