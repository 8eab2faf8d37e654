/* RaftService.InstallSnapshot, sent: message by message, by a thread that may wait. */
#include "rpc/channel.h"
#include "rpc/client.h"
#include "rpc/codec_install.h"

#include <grpc/byte_buffer.h>
#include <grpc/support/time.h>
#include <stdlib.h>

/* Chunks are cut so that the receiver, who holds two messages, holds little. */
#define CHUNK_BYTES_MAX (256 * KIB)

/* An answer is one number. */
#define ANSWER_BYTES_MAX (64 * KIB)

#define KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000

struct rpc_upload {
    grpc_completion_queue *completions;
    grpc_channel *channel;
    grpc_call *call;
    uint64_t stall_ms;
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    gpr_timespec start;
    uint64_t sent_bytes;
    bool is_sending;
    bool has_failed; /* what was sent did not get through: the status is on its way */
    bool has_ended;  /* the other side's status is here */

    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *answer;
    grpc_status_code code;
    grpc_slice detail;
};

/* Tags: which of the two batches completed. */
static char sent_tag;
static char ended_tag;

/* ---- Batches ------------------------------------------------------------------------------- */

static void batch(struct rpc_upload *upload, const grpc_op *ops, size_t count, void *tag) {
    CHECK(grpc_call_start_batch(upload->call, ops, count, tag, NULL) == GRPC_CALL_OK);
}

/* Everything that the other side may ever say. */
static void await_end(struct rpc_upload *upload) {
    grpc_op ops[3] = {{.op = GRPC_OP_RECV_INITIAL_METADATA}};
    ops[0].data.recv_initial_metadata.recv_initial_metadata = &upload->initial;
    ops[1].op = GRPC_OP_RECV_MESSAGE;
    ops[1].data.recv_message.recv_message = &upload->answer;
    ops[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[2].data.recv_status_on_client.trailing_metadata = &upload->trailing;
    ops[2].data.recv_status_on_client.status = &upload->code;
    ops[2].data.recv_status_on_client.status_details = &upload->detail;
    batch(upload, ops, 3, &ended_tag);
}

/* False: nothing came in time. */
static bool take_event(struct rpc_upload *upload, gpr_timespec deadline) {
    grpc_event event = grpc_completion_queue_next(upload->completions, deadline, NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT)
        return false;
    CHECK(event.type == GRPC_OP_COMPLETE);
    if (event.tag == &ended_tag)
        upload->has_ended = true;
    if (event.tag == &sent_tag) {
        upload->is_sending = false;
        upload->has_failed = upload->has_failed || event.success == 0;
    }
    return true;
}

/* Until the batch that sends is through; a receiver that takes nothing is given up. */
static void wait_until_sent(struct rpc_upload *upload) {
    gpr_timespec deadline = rpc__deadline_after(upload->stall_ms);
    while (upload->is_sending) {
        if (take_event(upload, deadline))
            continue;
        (void)grpc_call_cancel_with_status(upload->call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                           "the receiver stalls", NULL);
        deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC); /* a cancelled call ends at once */
    }
}

static void wait_until_ended(struct rpc_upload *upload) {
    gpr_timespec deadline = rpc__deadline_after(upload->stall_ms);
    while (!upload->has_ended) {
        if (take_event(upload, deadline))
            continue;
        (void)grpc_call_cancel_with_status(upload->call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                           "no answer in time", NULL);
        deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    }
}

/* There is no use in sending any more. */
static bool is_over(const struct rpc_upload *upload) {
    return upload->has_ended || upload->has_failed;
}

/* Takes `message`; `is_sending` until it is through. */
static void start_to_send(struct rpc_upload *upload, grpc_slice message, bool is_first) {
    grpc_byte_buffer *body = grpc_raw_byte_buffer_create(&message, 1);
    grpc_op ops[2];
    size_t count = 0;
    if (is_first)
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = body};
    upload->is_sending = true;
    batch(upload, ops, count, &sent_tag);
    grpc_byte_buffer_destroy(body); /* its slice has gone into the call */
    grpc_slice_unref(message);
}

/* ---- The door ------------------------------------------------------------------------------ */

enum status rpc_upload_new(const struct rpc_upload_config *config, struct rpc_upload **ret_upload) {
    static const struct rpc__channel_config channel = {
        .keepalive_ms = KEEPALIVE_MS,
        .keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS,
        .receive_bytes_max = ANSWER_BYTES_MAX,
    };
    if (!rpc__address_is_valid(config->address))
        return STATUS_INVALID;
    struct rpc_upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL)
        return STATUS_NO_MEMORY;
    upload->stall_ms = config->stall_ms;
    upload->bytes_per_second = config->bytes_per_second;
    upload->detail = grpc_empty_slice();
    grpc_metadata_array_init(&upload->initial);
    grpc_metadata_array_init(&upload->trailing);
    upload->completions = grpc_completion_queue_create_for_next(NULL);
    upload->channel = rpc__channel_new(config->address, &channel);
    upload->call = grpc_channel_create_call(upload->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                            upload->completions,
                                            grpc_slice_from_static_string(
                                                "/phalanx.v1.RaftService/InstallSnapshot"),
                                            NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    CHECK(upload->call != NULL);
    await_end(upload);
    upload->start = gpr_now(GPR_CLOCK_MONOTONIC);
    start_to_send(upload, rpc__install_head_encode(&config->head), true);
    *ret_upload = upload;
    return STATUS_OK;
}

/* Wait until what was sent is what may have been sent by now. */
static void keep_pace(struct rpc_upload *upload) {
    if (upload->bytes_per_second == 0)
        return;
    double due_s = (double)upload->sent_bytes / (double)upload->bytes_per_second;
    gpr_timespec due =
        gpr_time_add(upload->start, gpr_time_from_micros((int64_t)(due_s * 1e6), GPR_TIMESPAN));
    while (!upload->has_ended && take_event(upload, due))
        ;
}

static enum status write_piece(struct rpc_upload *upload, struct bytes piece) {
    wait_until_sent(upload); /* the head */
    keep_pace(upload);
    if (is_over(upload))
        return STATUS_ABORTED;
    upload->sent_bytes += piece.len;
    start_to_send(upload, rpc__install_chunk_encode(piece), false);
    wait_until_sent(upload);
    return is_over(upload) ? STATUS_ABORTED : STATUS_OK;
}

enum status rpc_upload_write(struct rpc_upload *upload, struct bytes chunk) {
    for (size_t at = 0; at < chunk.len; at += CHUNK_BYTES_MAX) {
        size_t left = chunk.len - at;
        size_t len = left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;
        enum status status = write_piece(upload, bytes_of(chunk.data + at, len));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void rpc_upload_cancel(struct rpc_upload *upload) {
    (void)grpc_call_cancel(upload->call, NULL); /* one that has ended is left as it is */
}

static void upload_free(struct rpc_upload *upload) {
    grpc_call_unref(upload->call);
    grpc_channel_destroy(upload->channel);
    rpc__completions_close(upload->completions);
    grpc_byte_buffer_destroy(upload->answer);
    grpc_slice_unref(upload->detail);
    grpc_metadata_array_destroy(&upload->initial);
    grpc_metadata_array_destroy(&upload->trailing);
    free(upload);
}

/* OK only with an answer that can be read. */
static void conclude(struct rpc_upload *upload, struct rpc_outcome *ret_outcome,
                     raft_index *ret_index) {
    rpc__outcome_fill(upload->code, upload->detail, &upload->trailing, ret_outcome);
    if (ret_outcome->code != RPC_OK)
        return;
    grpc_slice joined = grpc_empty_slice();
    enum status status = STATUS_CORRUPT;
    if (upload->answer != NULL)
        status = rpc__install_answer_decode(rpc__buffer_bytes(upload->answer, &joined), ret_index);
    grpc_slice_unref(joined);
    if (status != STATUS_OK)
        rpc__outcome_set(ret_outcome, RPC_INTERNAL, false,
                         "the answer is not the expected message");
}

void rpc_upload_finish(struct rpc_upload *upload, bool is_whole, struct rpc_outcome *ret_outcome,
                       raft_index *ret_index) {
    if (is_whole)
        wait_until_sent(upload); /* the head, when nothing was written */
    if (is_whole && !is_over(upload)) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        upload->is_sending = true;
        batch(upload, &op, 1, &sent_tag);
        wait_until_sent(upload);
    } else if (!is_over(upload)) {
        rpc_upload_cancel(upload);
    }
    wait_until_ended(upload);
    conclude(upload, ret_outcome, ret_index);
    upload_free(upload);
}
