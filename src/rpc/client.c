/* Channels and queues: calls that start, and completions that come back. */
#include "rpc/client.h"
#include "rpc/channel.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/time.h>
#include <stdlib.h>

/* An answer that a client takes: a scan of 1 MiB with its wrapping, and room for later ones. */
#define ANSWER_BYTES_MAX (16 * MIB)

#define KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000

/* Far enough to mean "no limit", near enough that no sum overflows: a year. */
#define TIMEOUT_MS_MAX ((uint64_t)365 * 24 * 3600 * 1000)

/* ---- Clients ------------------------------------------------------------------------------- */

enum status rpc_client_new_on(struct rpc_queue *queue, const char *address,
                              struct rpc_client **ret_client) {
    static const struct rpc__channel_config config = {
        .keepalive_ms = KEEPALIVE_MS,
        .keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS,
        .receive_bytes_max = ANSWER_BYTES_MAX,
    };
    if (!rpc__address_is_valid(address))
        return STATUS_INVALID;
    struct rpc_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return STATUS_NO_MEMORY;
    client->queue = queue;
    client->channel = rpc__channel_new(address, &config);
    LIST_INIT(&client->underway);
    pthread_mutex_lock(&queue->lock);
    queue->client_count++;
    pthread_mutex_unlock(&queue->lock);
    *ret_client = client;
    return STATUS_OK;
}

enum status rpc_client_new(const char *address, struct rpc_client **ret_client) {
    struct rpc_queue *queue = NULL;
    enum status status = rpc_queue_new(&queue);
    if (status != STATUS_OK)
        return status;
    status = rpc_client_new_on(queue, address, ret_client);
    if (status != STATUS_OK)
        rpc_queue_free(queue);
    else
        (*ret_client)->owns_queue = true;
    return status;
}

void rpc_client_free(struct rpc_client *client) {
    if (client == NULL)
        return;
    struct rpc_queue *queue = client->queue;
    pthread_mutex_lock(&queue->lock);
    CHECK(LIST_EMPTY(&client->underway));
    queue->client_count--;
    pthread_mutex_unlock(&queue->lock);
    grpc_channel_destroy(client->channel);
    if (client->owns_queue)
        rpc_queue_free(queue);
    free(client);
}

bool rpc_client_is_connected(struct rpc_client *client) {
    return grpc_channel_check_connectivity_state(client->channel, 1) == GRPC_CHANNEL_READY;
}

/* ---- Attempts ------------------------------------------------------------------------------ */

static struct rpc__attempt *attempt_new(void) {
    struct rpc__attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL)
        return NULL;
    grpc_metadata_array_init(&attempt->initial);
    grpc_metadata_array_init(&attempt->trailing);
    attempt->joined = grpc_empty_slice();
    attempt->detail = grpc_empty_slice();
    return attempt;
}

static void attempt_free(struct rpc__attempt *attempt) {
    grpc_metadata_array_destroy(&attempt->initial);
    grpc_metadata_array_destroy(&attempt->trailing);
    free(attempt);
}

/* One under way at `client`: an idle one, or a new one. */
static struct rpc__attempt *attempt_take(struct rpc_client *client) {
    struct rpc_queue *queue = client->queue;
    pthread_mutex_lock(&queue->lock);
    struct rpc__attempt *attempt = LIST_FIRST(&queue->idle);
    if (attempt != NULL)
        LIST_REMOVE(attempt, link);
    pthread_mutex_unlock(&queue->lock);
    return attempt != NULL ? attempt : attempt_new();
}

/* Let go of what the core gave us, and keep the rest for the next call. */
static void attempt_release(struct rpc_queue *queue, struct rpc__attempt *attempt) {
    grpc_call_unref(attempt->call);
    grpc_byte_buffer_destroy(attempt->answer);
    grpc_slice_unref(attempt->joined);
    grpc_slice_unref(attempt->detail);
    attempt->call = NULL;
    attempt->answer = NULL;
    attempt->initial.count = 0; /* the core appends */
    attempt->trailing.count = 0;
    attempt->joined = grpc_empty_slice();
    attempt->detail = grpc_empty_slice();
    pthread_mutex_lock(&queue->lock);
    LIST_INSERT_HEAD(&queue->idle, attempt, link);
    pthread_mutex_unlock(&queue->lock);
}

/* The whole call in one batch, so that one completion ends it. Takes `body`. */
static void attempt_start(struct rpc__attempt *attempt, grpc_slice body, bool is_forwarded) {
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&body, 1);
    grpc_metadata mark = {.key = grpc_slice_from_static_string(RPC__FORWARDED),
                          .value = grpc_slice_from_static_string("1")};
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    ops[0].data.send_initial_metadata.count = is_forwarded ? 1 : 0;
    ops[0].data.send_initial_metadata.metadata = &mark;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &attempt->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &attempt->answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &attempt->trailing;
    ops[5].data.recv_status_on_client.status = &attempt->code;
    ops[5].data.recv_status_on_client.status_details = &attempt->detail;
    grpc_call *call = attempt->call;
    atomic_store_explicit(&attempt->is_handed_over, true, memory_order_release);
    grpc_call_error error = grpc_call_start_batch(call, ops, 6, attempt, NULL);
    CHECK(error == GRPC_CALL_OK);
    grpc_byte_buffer_destroy(message);
    grpc_slice_unref(body);
}

gpr_timespec rpc__deadline_after(uint64_t timeout_ms) {
    uint64_t bounded_ms = timeout_ms < TIMEOUT_MS_MAX ? timeout_ms : TIMEOUT_MS_MAX;
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis((int64_t)bounded_ms, GPR_TIMESPAN));
}

enum status rpc__client_start(struct rpc_client *client, const char *method, grpc_slice body,
                              uint64_t timeout_ms, bool is_forwarded, void *tag) {
    struct rpc__attempt *attempt = attempt_take(client);
    if (attempt == NULL) {
        grpc_slice_unref(body);
        return STATUS_NO_MEMORY;
    }
    struct rpc_queue *queue = client->queue;
    attempt->client = client;
    attempt->tag = tag;
    attempt->call =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue->completions,
                                 grpc_slice_from_static_string(method), NULL,
                                 rpc__deadline_after(timeout_ms), NULL);
    CHECK(attempt->call != NULL);
    /* In the list before the start: the completion may be taken before the start returns. */
    pthread_mutex_lock(&queue->lock);
    LIST_INSERT_HEAD(&client->underway, attempt, link);
    pthread_mutex_unlock(&queue->lock);
    attempt_start(attempt, body, is_forwarded);
    return STATUS_OK;
}

static const char *method_of(enum kv_operation operation) {
    switch (operation) {
    case KV_PUT: return "/phalanx.v1.KVService/Put";
    case KV_DELETE: return "/phalanx.v1.KVService/Delete";
    case KV_GET: return "/phalanx.v1.KVService/Get";
    case KV_SCAN: return "/phalanx.v1.KVService/Scan";
    }
    CHECK(!"a KV operation");
    return NULL;
}

enum status rpc_client_start(struct rpc_client *client, const struct kv_request *request,
                             uint64_t timeout_ms, void *tag) {
    grpc_slice body;
    enum status status = rpc__encode_kv_request(request, &body);
    if (status != STATUS_OK)
        return status;
    return rpc__client_start(client, method_of(request->operation), body, timeout_ms, false, tag);
}

enum status rpc_client_start_method(struct rpc_client *client, const char *method,
                                    struct bytes body, uint64_t timeout_ms, void *tag) {
    grpc_slice copy = grpc_slice_from_copied_buffer((const char *)body.data, body.len);
    return rpc__client_start(client, method, copy, timeout_ms, false, tag);
}

void rpc_client_cancel(struct rpc_client *client) {
    struct rpc_queue *queue = client->queue;
    pthread_mutex_lock(&queue->lock);
    struct rpc__attempt *attempt;
    LIST_FOREACH (attempt, &client->underway, link)
        (void)grpc_call_cancel(attempt->call, NULL); /* one that has ended is left as it is */
    pthread_mutex_unlock(&queue->lock);
}

/* ---- Queues -------------------------------------------------------------------------------- */

enum status rpc_queue_new(struct rpc_queue **ret_queue) {
    struct rpc_queue *queue = calloc(1, sizeof *queue);
    struct rpc__memory *memory = rpc__memory_new();
    if (queue == NULL || memory == NULL) {
        free(queue);
        rpc__memory_free(memory);
        return STATUS_NO_MEMORY;
    }
    queue->memory = memory;
    queue->completions = grpc_completion_queue_create_for_next(NULL);
    CHECK(pthread_mutex_init(&queue->lock, NULL) == 0);
    LIST_INIT(&queue->idle);
    *ret_queue = queue;
    return STATUS_OK;
}

void rpc__completions_close(grpc_completion_queue *completions) {
    grpc_completion_queue_shutdown(completions);
    grpc_event event;
    do
        event = grpc_completion_queue_next(completions, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    while (event.type != GRPC_QUEUE_SHUTDOWN);
    grpc_completion_queue_destroy(completions);
}

void rpc_queue_free(struct rpc_queue *queue) {
    if (queue == NULL)
        return;
    CHECK(queue->client_count == 0);
    if (queue->finished != NULL)
        attempt_release(queue, queue->finished);
    struct rpc__attempt *attempt;
    while ((attempt = LIST_FIRST(&queue->idle)) != NULL) {
        LIST_REMOVE(attempt, link);
        attempt_free(attempt);
    }
    rpc__completions_close(queue->completions);
    pthread_mutex_destroy(&queue->lock);
    rpc__memory_free(queue->memory);
    free(queue);
}

struct bytes rpc__buffer_bytes(grpc_byte_buffer *buffer, grpc_slice *joined) {
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return bytes_of(NULL, 0);
    grpc_slice *piece = NULL;
    bool is_whole = !grpc_byte_buffer_reader_peek(&reader, &piece) ||
                    GRPC_SLICE_LENGTH(*piece) == grpc_byte_buffer_length(buffer);
    grpc_byte_buffer_reader_destroy(&reader);
    if (is_whole)
        return piece == NULL ? bytes_of(NULL, 0)
                             : bytes_of(GRPC_SLICE_START_PTR(*piece), GRPC_SLICE_LENGTH(*piece));
    CHECK(grpc_byte_buffer_reader_init(&reader, buffer));
    *joined = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return bytes_of(GRPC_SLICE_START_PTR(*joined), GRPC_SLICE_LENGTH(*joined));
}

static void complete(struct rpc__attempt *attempt, struct rpc_completion *ret_completion) {
    ret_completion->tag = attempt->tag;
    ret_completion->body = bytes_of(NULL, 0);
    rpc__outcome_fill(attempt->code, attempt->detail, &attempt->trailing, &ret_completion->outcome);
    if (attempt->code != GRPC_STATUS_OK)
        return;
    if (attempt->answer == NULL)
        rpc__outcome_set(&ret_completion->outcome, RPC_INTERNAL, false, "OK without an answer");
    else
        ret_completion->body = rpc__buffer_bytes(attempt->answer, &attempt->joined);
}

enum status rpc_queue_next(struct rpc_queue *queue, uint64_t timeout_ms,
                           struct rpc_completion *ret_completion) {
    if (queue->finished != NULL)
        attempt_release(queue, queue->finished);
    queue->finished = NULL;
    /* gRPC rounds up to whole milliseconds: "now" would wait for the next one. */
    gpr_timespec until =
        timeout_ms > 0 ? rpc__deadline_after(timeout_ms) : gpr_inf_past(GPR_CLOCK_MONOTONIC);
    grpc_event event = grpc_completion_queue_next(queue->completions, until, NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT)
        return STATUS_TIMEOUT;
    CHECK(event.type == GRPC_OP_COMPLETE);
    struct rpc__attempt *attempt = event.tag;
    CHECK(atomic_exchange_explicit(&attempt->is_handed_over, false, memory_order_acquire));
    pthread_mutex_lock(&queue->lock);
    LIST_REMOVE(attempt, link);
    pthread_mutex_unlock(&queue->lock);
    queue->finished = attempt;
    complete(attempt, ret_completion);
    return STATUS_OK;
}

enum status rpc_queue_decode(struct rpc_queue *queue, const struct rpc_completion *completion,
                             enum kv_operation operation, struct kv_response *ret_response) {
    CHECK(completion->outcome.code == RPC_OK);
    return rpc__decode_kv_response(queue->memory, completion->body, operation, ret_response);
}
