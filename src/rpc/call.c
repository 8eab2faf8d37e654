#include "rpc/server.h"

#include "rpc/credentials.h"

#include <grpc/byte_buffer_reader.h>
#include <string.h>

/* A call's life:
 *
 *   FREE -- rpc__call_arm --> ARMED -- on_arrival --> OPEN -- rpc__call_answer --> ANSWERED
 *     ^                         |                     |  |                          ^   |
 *     |                         |                     |  +- rpc__call_return        |   |
 *     |                         |                     |        --> RETURNED --------+   |
 *     +--- shutdown ------------+-- rpc__call_detach -+------------------- on_away -----+
 *
 * Another thread's answer is sent by the queue's thread: gRPC would otherwise do its own work,
 * sending and receiving for everybody, on the loop. It is faster too, as the queue is woken once
 * for many answers.
 *
 * gRPC's own hand-over between threads would do; the phase also catches a call that is answered
 * twice, and lets the race detector see the hand-over. */
static void to_phase(struct rpc_call *call, enum rpc__phase from, enum rpc__phase to) {
    enum rpc__phase was = atomic_exchange_explicit(&call->phase, to, memory_order_acq_rel);
    CHECK(was == from);
}

void rpc__batch_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc__event *event) {
    CHECK(grpc_call_start_batch(call, ops, count, event, NULL) == GRPC_CALL_OK);
}

/* ---- Arrival ------------------------------------------------------------------------------- */

static void on_arrival(struct rpc__event *event, bool is_ok) {
    struct rpc_call *call = CONTAINER_OF(event, struct rpc_call, event);
    to_phase(call, RPC__PHASE_ARMED, RPC__PHASE_OPEN);
    if (!is_ok) { /* the server is shutting down */
        rpc__queue_give_back(call->queue, call);
        return;
    }
    /* First the next one: calls must never wait inside gRPC for somebody to take them. */
    rpc__call_arm(call->queue, call->method);
    rpc__use_begin(call);
    rpc__method(call->method)->on_call(call);
}

static grpc_call_error request(struct rpc_call *call) {
    struct rpc__queue *queue = call->queue;
    struct rpc_server *server = queue->server;
    if (call->method == RPC__UNKNOWN)
        return grpc_server_request_call(server->grpc, &call->grpc, &call->details, &call->metadata,
                                        queue->cq, queue->cq, &call->event);
    bool has_body = rpc__method(call->method)->has_body;
    return grpc_server_request_registered_call(server->grpc, server->registered[call->method],
                                               &call->grpc, &call->deadline, &call->metadata,
                                               has_body ? &call->payload : NULL, queue->cq,
                                               queue->cq, &call->event);
}

void rpc__call_arm(struct rpc__queue *queue, enum rpc__method_id method) {
    struct rpc_call *call = rpc__queue_take(queue);
    call->method = method;
    call->event.run = on_arrival;
    to_phase(call, RPC__PHASE_FREE, RPC__PHASE_ARMED);
    CHECK(request(call) == GRPC_CALL_OK);
}

bool rpc__call_body(struct rpc_call *call, struct bytes *ret_body) {
    if (call->payload == NULL)
        return false;
    const grpc_slice_buffer *slices = &call->payload->data.raw.slice_buffer;
    const grpc_slice *body = &call->flat;
    if (slices->count == 1) {
        body = &slices->slices[0];
    } else {
        grpc_byte_buffer_reader reader;
        CHECK(grpc_byte_buffer_reader_init(&reader, call->payload) != 0);
        call->flat = grpc_byte_buffer_reader_readall(&reader);
        call->has_flat = true;
        grpc_byte_buffer_reader_destroy(&reader);
    }
    *ret_body = bytes_of(GRPC_SLICE_START_PTR(*body), GRPC_SLICE_LENGTH(*body));
    return true;
}

/* Of the caller's time, kept for the answer to get there: whether nothing was applied is told by it
 * only, not by the caller's own clock. */
#define RETURN_MS_MAX 100

uint64_t rpc__call_wait_ms(const struct rpc_call *call) {
    gpr_timespec now = gpr_convert_clock_type(call->begun, call->deadline.clock_type);
    int32_t left_ms = gpr_time_to_millis(gpr_time_sub(call->deadline, now));
    if (left_ms <= 0)
        return 0;
    left_ms -= left_ms / 8 < RETURN_MS_MAX ? left_ms / 8 : RETURN_MS_MAX;
    return left_ms < REQUEST_WAIT_MS_MAX ? (uint64_t)left_ms : REQUEST_WAIT_MS_MAX;
}

grpc_call *rpc__call_detach(struct rpc_call *call) {
    grpc_call *grpc = call->grpc;
    call->grpc = NULL;
    rpc__queue_give_back(call->queue, call);
    return grpc;
}

/* ---- Answer -------------------------------------------------------------------------------- */

grpc_op rpc__ending_init(struct rpc__ending *ending, struct rpc_server *server,
                         const struct rpc__answer *answer) {
    *ending = (struct rpc__ending){.detail = grpc_empty_slice()};
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op.data.send_status_from_server.status = answer->code;
    op.data.send_status_from_server.trailing_metadata = ending->trailer;
    size_t count = 0;
    grpc_slice leader = rpc__leader_ref(server);
    if (!GRPC_SLICE_IS_EMPTY(leader))
        ending->trailer[count++] =
            (grpc_metadata){.key = grpc_slice_from_static_string("phalanx-leader"),
                            .value = leader};
    if (answer->is_not_applied)
        ending->trailer[count++] =
            (grpc_metadata){.key = grpc_slice_from_static_string("phalanx-outcome"),
                            .value = grpc_slice_from_static_string("not-applied")};
    op.data.send_status_from_server.trailing_metadata_count = count;
    if (answer->detail != NULL) {
        ending->detail = grpc_slice_from_copied_string(answer->detail);
        op.data.send_status_from_server.status_details = &ending->detail;
    }
    return op;
}

void rpc__ending_close(struct rpc__ending *ending) {
    for (size_t i = 0; i < sizeof ending->trailer / sizeof ending->trailer[0]; i++)
        grpc_slice_unref(ending->trailer[i].value);
    grpc_slice_unref(ending->detail);
}

/* The answer is away, or its caller is gone: nobody needs the call any more. */
static void on_away(struct rpc__event *event, bool is_ok) {
    (void)is_ok; /* a caller that is gone gets no other treatment */
    struct rpc_call *call = CONTAINER_OF(event, struct rpc_call, event);
    struct rpc_server *server = call->queue->server;
    to_phase(call, RPC__PHASE_ANSWERED, RPC__PHASE_OPEN);
    if (call->is_counted)
        atomic_fetch_sub_explicit(&server->in_flight, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->reply_bytes, call->reply_bytes, memory_order_relaxed);
    rpc__queue_give_back(call->queue, call);
}

static size_t answer_ops(struct rpc_call *call, const struct rpc__answer *answer, grpc_op *ops) {
    size_t count = 0;
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    if (answer->has_body) {
        grpc_slice_buffer_add(&call->reply.data.raw.slice_buffer, answer->body);
        ops[count++] =
            (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = &call->reply};
    }
    ops[count++] = (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                             .data.recv_close_on_server.cancelled = &call->cancelled};
    return count;
}

/* All in one batch; when it has started, the call may be in use again. */
static void send(struct rpc_call *call, const struct rpc__answer *answer) {
    rpc__use_end(call, answer->code);
    grpc_op ops[4];
    struct rpc__ending ending;
    size_t count = answer_ops(call, answer, ops);
    ops[count++] = rpc__ending_init(&ending, call->queue->server, answer);
    call->event.run = on_away;
    rpc__batch_start(call->grpc, ops, count, &call->event);
    rpc__ending_close(&ending);
}

void rpc__call_answer(struct rpc_call *call, const struct rpc__answer *answer) {
    to_phase(call, RPC__PHASE_OPEN, RPC__PHASE_ANSWERED);
    send(call, answer);
}

void rpc__call_return(struct rpc_call *call, const struct rpc__answer *answer) {
    if (rpc__queue_is_own(call->queue)) {
        rpc__call_answer(call, answer);
        return;
    }
    call->answer = *answer;
    to_phase(call, RPC__PHASE_OPEN, RPC__PHASE_RETURNED);
    rpc__queue_return(call->queue, call);
}

void rpc__call_answer_returned(struct rpc_call *call) {
    to_phase(call, RPC__PHASE_RETURNED, RPC__PHASE_ANSWERED);
    send(call, &call->answer);
}

const char *rpc__call_keep_detail(struct rpc_call *call, const char *detail) {
    CHECK(call->detail == NULL);
    call->detail = strdup(detail);
    CHECK(call->detail != NULL);
    return call->detail;
}

void rpc__call_refuse(struct rpc_call *call, grpc_status_code code, const char *detail) {
    rpc__call_answer(call,
                     &(struct rpc__answer){.code = code, .detail = detail, .is_not_applied = true});
}

bool rpc__refuse_if_draining(struct rpc_call *call) {
    if (!atomic_load_explicit(&call->queue->server->is_draining, memory_order_relaxed))
        return false;
    rpc__call_refuse(call, GRPC_STATUS_UNAVAILABLE, "the server is stopping");
    return true;
}

bool rpc__refuse_if_no_node(struct rpc_call *call) {
    if (rpc__credentials_is_node(call->grpc))
        return false;
    rpc__call_refuse(call, GRPC_STATUS_PERMISSION_DENIED, "its certificate does not name a node");
    return true;
}
