/* SaveSnapshot: a stream of messages, taken one by one so that a slow sink slows the server. */
#include "rpc/client.h"

#include <grpc/byte_buffer.h>

struct transfer {
    struct rpc_queue *queue;
    grpc_call *call;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *message; /* the newest received; NULL: the stream has ended */
    grpc_status_code code;
    grpc_slice detail;
    bool is_receiving; /* a message is asked for */
    bool has_status;   /* the call has ended and its status is known */
};

/* Tags: which of the two batches completed. */
static char message_tag;
static char status_tag;

static void start_call(struct transfer *t) {
    grpc_slice empty = grpc_empty_slice();
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&empty, 1);
    grpc_op ops[5] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &t->initial;
    ops[4].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[4].data.recv_status_on_client.trailing_metadata = &t->trailing;
    ops[4].data.recv_status_on_client.status = &t->code;
    ops[4].data.recv_status_on_client.status_details = &t->detail;
    CHECK(grpc_call_start_batch(t->call, ops, 5, &status_tag, NULL) == GRPC_CALL_OK);
    grpc_byte_buffer_destroy(request);
}

static void ask_for_message(struct transfer *t) {
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &t->message;
    CHECK(grpc_call_start_batch(t->call, &op, 1, &message_tag, NULL) == GRPC_CALL_OK);
    t->is_receiving = true;
}

/* Wait for one of the two batches. False: nothing came in time. */
static bool wait_for_batch(struct transfer *t, gpr_timespec deadline) {
    grpc_event event = grpc_completion_queue_next(t->queue->completions, deadline, NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT)
        return false;
    CHECK(event.type == GRPC_OP_COMPLETE);
    if (event.tag == &status_tag)
        t->has_status = true;
    else
        t->is_receiving = false;
    return true;
}

static void wait_for_message(struct transfer *t, uint64_t timeout_ms) {
    ask_for_message(t);
    gpr_timespec deadline = rpc__deadline_after(timeout_ms);
    while (t->is_receiving) {
        if (wait_for_batch(t, deadline))
            continue;
        (void)grpc_call_cancel_with_status(t->call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                           "nothing came within the timeout", NULL);
        deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC); /* a cancelled call ends at once */
    }
}

/* Hand the newest message over and let go of it. */
static enum status take_message(struct transfer *t, kv_sink *sink, void *context) {
    grpc_slice joined = grpc_empty_slice();
    struct bytes body = rpc__buffer_bytes(t->message, &joined);
    struct bytes chunk;
    enum status status = rpc__decode_chunk(t->queue->memory, body, &chunk);
    if (status == STATUS_OK)
        status = sink(context, chunk);
    grpc_slice_unref(joined);
    grpc_byte_buffer_destroy(t->message);
    t->message = NULL;
    return status;
}

static void run(struct transfer *t, uint64_t timeout_ms, kv_sink *sink, void *context) {
    start_call(t);
    for (;;) {
        wait_for_message(t, timeout_ms);
        if (t->message == NULL)
            break;
        enum status status = take_message(t, sink, context);
        if (status == STATUS_OK)
            continue;
        (void)grpc_call_cancel_with_status(t->call, GRPC_STATUS_CANCELLED, status_text(status),
                                           NULL);
        break;
    }
    while (!t->has_status)
        (void)wait_for_batch(t, gpr_inf_future(GPR_CLOCK_MONOTONIC)); /* no deadline, no timeout */
}

void rpc_client_snapshot(struct rpc_client *client, uint64_t timeout_ms, kv_sink *sink,
                         void *context, struct rpc_outcome *ret_outcome) {
    if (!rpc__client_connect(client, rpc__deadline_after(timeout_ms), ret_outcome))
        return;
    struct transfer t = {.queue = client->queue, .detail = grpc_empty_slice()};
    grpc_metadata_array_init(&t.initial);
    grpc_metadata_array_init(&t.trailing);
    t.call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                      client->queue->completions,
                                      grpc_slice_from_static_string(
                                          "/phalanx.v1.ClusterService/SaveSnapshot"),
                                      NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    CHECK(t.call != NULL);
    run(&t, timeout_ms, sink, context);
    rpc__outcome_fill(t.code, t.detail, &t.trailing, ret_outcome);
    grpc_call_unref(t.call);
    grpc_slice_unref(t.detail);
    grpc_metadata_array_destroy(&t.initial);
    grpc_metadata_array_destroy(&t.trailing);
}
