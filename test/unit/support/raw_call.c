#include "support/raw_call.h"

#include "check.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>

struct raw_client {
    grpc_channel *channel;
};

struct raw_client *raw_client_new(int port) {
    struct raw_client *client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", port);
    grpc_arg list[] = {
        /* A connection of its own for each client. */
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)(uintptr_t)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
         .value.integer = 1},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_RETRIES,
         .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = -1},
    };
    grpc_channel_args args = {.num_args = sizeof list / sizeof list[0], .args = list};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    client->channel = grpc_channel_create(address, plain, &args);
    grpc_channel_credentials_release(plain);
    return client;
}

void raw_client_free(struct raw_client *client) {
    grpc_channel_destroy(client->channel);
    free(client);
}

/* ---- What calls and streams share ----------------------------------------------------------- */

/* The end of a call, as gRPC writes it. */
struct ending {
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice detail;
};

static grpc_op ending_op(struct ending *ending) {
    grpc_metadata_array_init(&ending->trailing);
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &ending->trailing;
    op.data.recv_status_on_client.status = &ending->code;
    op.data.recv_status_on_client.status_details = &ending->detail;
    return op;
}

static void copy_text(grpc_slice slice, char *text, size_t size) {
    size_t len = GRPC_SLICE_LENGTH(slice) < size ? GRPC_SLICE_LENGTH(slice) : size - 1;
    memcpy(text, GRPC_SLICE_START_PTR(slice), len);
    text[len] = '\0';
}

static void ending_take(struct ending *ending, struct raw_outcome *outcome) {
    *outcome = (struct raw_outcome){.code = (int)ending->code};
    copy_text(ending->detail, outcome->detail, sizeof outcome->detail);
    for (size_t i = 0; i < ending->trailing.count; i++) {
        const grpc_metadata *entry = &ending->trailing.metadata[i];
        if (grpc_slice_str_cmp(entry->key, "phalanx-leader") == 0)
            copy_text(entry->value, outcome->leader, sizeof outcome->leader);
        if (grpc_slice_str_cmp(entry->key, "phalanx-outcome") == 0)
            outcome->is_not_applied = grpc_slice_str_cmp(entry->value, "not-applied") == 0;
    }
    grpc_metadata_array_destroy(&ending->trailing);
    grpc_slice_unref(ending->detail);
}

static grpc_byte_buffer *to_buffer(struct bytes body) {
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)body.data, body.len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

/* The message's length; its bytes as far as they fit. Takes the buffer over. */
static size_t from_buffer(grpc_byte_buffer *buffer, void *data, size_t size) {
    grpc_byte_buffer_reader reader;
    CHECK(grpc_byte_buffer_reader_init(&reader, buffer) != 0);
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    size_t len = GRPC_SLICE_LENGTH(slice);
    memcpy(data, GRPC_SLICE_START_PTR(slice), len < size ? len : size);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    return len;
}

static grpc_call *call_create(struct raw_client *client, const char *path, uint64_t timeout_ms,
                              grpc_completion_queue *queue) {
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                         gpr_time_from_millis((int64_t)timeout_ms, GPR_TIMESPAN));
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    return call;
}

static bool wait_for(grpc_completion_queue *queue, void *tag) {
    grpc_event event =
        grpc_completion_queue_pluck(queue, tag, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    CHECK(event.type == GRPC_OP_COMPLETE);
    return event.success != 0;
}

static void queue_destroy(grpc_completion_queue *queue) {
    grpc_completion_queue_shutdown(queue);
    while (
        grpc_completion_queue_pluck(queue, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
        GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(queue);
}

/* ---- Unary ---------------------------------------------------------------------------------- */

struct raw_call {
    grpc_completion_queue *queue;
    grpc_call *grpc;
    grpc_metadata_array initial;
    grpc_byte_buffer *answer;
    struct ending ending;
};

struct raw_call *raw_call_start(struct raw_client *client, const char *path, struct bytes body,
                                uint64_t timeout_ms) {
    struct raw_call *call = calloc(1, sizeof *call);
    CHECK(call != NULL);
    call->queue = grpc_completion_queue_create_for_pluck(NULL);
    call->grpc = call_create(client, path, timeout_ms, call->queue);
    grpc_metadata_array_init(&call->initial);
    grpc_byte_buffer *message = body.data != NULL ? to_buffer(body) : NULL;
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->answer},
        ending_op(&call->ending),
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
    };
    size_t count = message != NULL ? 6 : 5;
    CHECK(grpc_call_start_batch(call->grpc, ops, count, call, NULL) == GRPC_CALL_OK);
    if (message != NULL)
        grpc_byte_buffer_destroy(message);
    return call;
}

void raw_call_cancel(struct raw_call *call) {
    CHECK(grpc_call_cancel(call->grpc, NULL) == GRPC_CALL_OK);
}

void raw_call_finish(struct raw_call *call, struct raw_outcome *ret_outcome) {
    (void)wait_for(call->queue, call); /* the status says it all */
    ending_take(&call->ending, ret_outcome);
    if (call->answer != NULL) {
        ret_outcome->has_body = true;
        ret_outcome->body_len =
            from_buffer(call->answer, ret_outcome->body, sizeof ret_outcome->body);
    }
    grpc_metadata_array_destroy(&call->initial);
    grpc_call_unref(call->grpc);
    queue_destroy(call->queue);
    free(call);
}

void raw_call(struct raw_client *client, const char *path, struct bytes body,
              struct raw_outcome *ret_outcome) {
    raw_call_finish(raw_call_start(client, path, body, 20000), ret_outcome);
}

/* ---- Streams -------------------------------------------------------------------------------- */

struct raw_stream {
    grpc_completion_queue *queue;
    grpc_call *grpc;
    grpc_metadata_array initial;
    struct ending ending;
};

static bool run(struct raw_stream *stream, const grpc_op *ops, size_t count) {
    CHECK(grpc_call_start_batch(stream->grpc, ops, count, (void *)(uintptr_t)ops, NULL) ==
          GRPC_CALL_OK);
    return wait_for(stream->queue, (void *)(uintptr_t)ops);
}

struct raw_stream *raw_stream_open(struct raw_client *client, const char *path) {
    struct raw_stream *stream = calloc(1, sizeof *stream);
    CHECK(stream != NULL);
    stream->queue = grpc_completion_queue_create_for_pluck(NULL);
    stream->grpc = call_create(client, path, 20000, stream->queue);
    grpc_metadata_array_init(&stream->initial);
    grpc_op end = ending_op(&stream->ending);
    CHECK(grpc_call_start_batch(stream->grpc, &end, 1, &stream->ending, NULL) == GRPC_CALL_OK);
    grpc_op start[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &stream->initial},
    };
    CHECK(grpc_call_start_batch(stream->grpc, &start[1], 1, &stream->initial, NULL) ==
          GRPC_CALL_OK);
    (void)run(stream, start, 1); /* the status says it all */
    return stream;
}

void raw_stream_write(struct raw_stream *stream, struct bytes body) {
    grpc_byte_buffer *message = to_buffer(body);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
    (void)run(stream, &op, 1); /* the status says it all */
    grpc_byte_buffer_destroy(message);
}

void raw_stream_close_writes(struct raw_stream *stream) {
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    (void)run(stream, &op, 1); /* the status says it all */
}

bool raw_stream_read(struct raw_stream *stream, void *data, size_t size, size_t *ret_len) {
    grpc_byte_buffer *message = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &message};
    (void)run(stream, &op, 1); /* the status says it all */
    if (message == NULL)
        return false;
    *ret_len = from_buffer(message, data, size);
    return true;
}

void raw_stream_cancel(struct raw_stream *stream) {
    CHECK(grpc_call_cancel(stream->grpc, NULL) == GRPC_CALL_OK);
}

void raw_stream_finish(struct raw_stream *stream, struct raw_outcome *ret_outcome) {
    (void)wait_for(stream->queue, &stream->initial);
    (void)wait_for(stream->queue, &stream->ending);
    ending_take(&stream->ending, ret_outcome);
    grpc_metadata_array_destroy(&stream->initial);
    grpc_call_unref(stream->grpc);
    queue_destroy(stream->queue);
    free(stream);
}
