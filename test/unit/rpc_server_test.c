/* A real server on a free port of this host, with a holder that answers from another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/health/v1/health.upb.h"
#include "grpc/reflection/v1/reflection.upb.h"
#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "support/raw_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define PUT "/phalanx.v1.KVService/Put"
#define GET "/phalanx.v1.KVService/Get"

/* ---- The holder: takes calls, answers them from its own thread --------------------------------
 */

struct user {
    uint64_t seen; /* must be zero when a call arrives */
    uint64_t padding[3];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct rpc_call *calls[REQUESTS_MAX + 1];
    const struct kv_request *requests[REQUESTS_MAX + 1];
    size_t count;
    bool is_holding; /* keep what came */
    bool is_stopping;
    enum status take;            /* what on_request() returns */
    struct kv_response response; /* for everybody */
    uint64_t wait_ms;            /* of the last request */
    struct kv_request last;      /* its values, not what they point to */
    bool user_was_zero;
    struct rpc_stream *stream; /* taken by on_snapshot() */
} holder = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum status take_request(void *context, struct rpc_call *call,
                                const struct kv_request *request, uint64_t wait_ms) {
    (void)context;
    struct user *user = rpc_call_user(call);
    pthread_mutex_lock(&holder.lock);
    enum status status = holder.take;
    holder.wait_ms = wait_ms;
    holder.last = *request;
    holder.user_was_zero = holder.user_was_zero && user->seen == 0;
    user->seen = 1;
    if (status == STATUS_OK) {
        holder.requests[holder.count] = request;
        holder.calls[holder.count++] = call;
        pthread_cond_broadcast(&holder.changed);
    }
    pthread_mutex_unlock(&holder.lock);
    return status;
}

/* A get echoes its key as the value, so that answers can be told apart. */
static void answer_one(struct rpc_call *call, const struct kv_request *request,
                       struct kv_response response) {
    if (request->operation == KV_GET && response.status == STATUS_OK && response.is_found)
        response.item.value = request->key;
    rpc_reply(call, &response);
}

static void *answer_all(void *argument) {
    (void)argument;
    pthread_mutex_lock(&holder.lock);
    while (!holder.is_stopping || holder.count > 0) {
        if (holder.count == 0 || (holder.is_holding && !holder.is_stopping)) {
            pthread_cond_wait(&holder.changed, &holder.lock);
            continue;
        }
        holder.count--;
        struct rpc_call *call = holder.calls[holder.count];
        const struct kv_request *request = holder.requests[holder.count];
        struct kv_response response = holder.response;
        pthread_mutex_unlock(&holder.lock);
        answer_one(call, request, response);
        pthread_mutex_lock(&holder.lock);
    }
    pthread_mutex_unlock(&holder.lock);
    return NULL;
}

static void hold(bool is_holding) {
    pthread_mutex_lock(&holder.lock);
    holder.is_holding = is_holding;
    pthread_cond_broadcast(&holder.changed);
    pthread_mutex_unlock(&holder.lock);
}

/* What everybody is answered from now on. */
static void respond(struct kv_response response) {
    pthread_mutex_lock(&holder.lock);
    holder.response = response;
    pthread_mutex_unlock(&holder.lock);
}

/* What on_request() returns from now on. */
static void take(enum status status) {
    pthread_mutex_lock(&holder.lock);
    holder.take = status;
    pthread_mutex_unlock(&holder.lock);
}

/* Of the last request; its bytes are gone, their lengths are not. */
static struct kv_request last_request(uint64_t *ret_wait_ms) {
    pthread_mutex_lock(&holder.lock);
    struct kv_request last = holder.last;
    *ret_wait_ms = holder.wait_ms;
    pthread_mutex_unlock(&holder.lock);
    return last;
}

static bool users_were_zero(void) {
    pthread_mutex_lock(&holder.lock);
    bool were_zero = holder.user_was_zero;
    pthread_mutex_unlock(&holder.lock);
    return were_zero;
}

static void wait_until_held(size_t count) {
    pthread_mutex_lock(&holder.lock);
    while (holder.count < count)
        pthread_cond_wait(&holder.changed, &holder.lock);
    pthread_mutex_unlock(&holder.lock);
}

static void take_stream(void *context, struct rpc_stream *stream) {
    (void)context;
    pthread_mutex_lock(&holder.lock);
    holder.stream = stream;
    pthread_cond_broadcast(&holder.changed);
    pthread_mutex_unlock(&holder.lock);
}

static struct rpc_stream *wait_for_stream(void) {
    pthread_mutex_lock(&holder.lock);
    while (holder.stream == NULL)
        pthread_cond_wait(&holder.changed, &holder.lock);
    struct rpc_stream *stream = holder.stream;
    holder.stream = NULL;
    pthread_mutex_unlock(&holder.lock);
    return stream;
}

static void tell_status(void *context, struct node_status *ret_status) {
    (void)context;
    *ret_status = (struct node_status){.name = "n1", .term = 3, .role = NODE_LEADER};
}

/* ---- The server -------------------------------------------------------------------------------
 */

static struct rpc_server *server;
static struct raw_client *client;

static struct rpc_server_config config_of(const char *address) {
    return (struct rpc_server_config){
        .address = address,
        .threads = 2,
        .user_bytes = sizeof(struct user),
        .handlers = {.on_request = take_request,
                     .on_snapshot = take_stream,
                     .on_status = tell_status},
    };
}

static int start(void **state) {
    (void)state;
    holder.count = 0;
    holder.is_holding = false;
    holder.is_stopping = false;
    holder.take = STATUS_OK;
    holder.response = (struct kv_response){0};
    holder.user_was_zero = true;
    holder.stream = NULL;
    struct rpc_server_config config = config_of("127.0.0.1:0");
    if (rpc_server_new(&config, &server) != STATUS_OK)
        return -1;
    rpc_server_start(server);
    client = raw_client_new(rpc_server_port(server));
    return pthread_create(&holder.thread, NULL, answer_all, NULL);
}

static int stop(void **state) {
    (void)state;
    rpc_server_drain(server);
    pthread_mutex_lock(&holder.lock);
    holder.is_stopping = true;
    pthread_cond_broadcast(&holder.changed);
    pthread_mutex_unlock(&holder.lock);
    pthread_join(holder.thread, NULL);
    rpc_server_free(server);
    raw_client_free(client);
    return 0;
}

/* ---- Messages ---------------------------------------------------------------------------------
 */

static struct bytes put_of(size_t key_len, size_t value_len) {
    static uint8_t body[MESSAGE_BYTES_MAX + KIB];
    uint8_t *text = calloc(1, key_len + value_len + 1);
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_PutRequest *put = phalanx_v1_PutRequest_new(arena);
    phalanx_v1_PutRequest_set_key(put, upb_StringView_FromDataAndSize((char *)text, key_len));
    phalanx_v1_PutRequest_set_value(put, upb_StringView_FromDataAndSize((char *)text, value_len));
    size_t len = 0;
    const char *data = phalanx_v1_PutRequest_serialize(put, arena, &len);
    memcpy(body, data, len);
    upb_Arena_Free(arena);
    free(text);
    return bytes_of(body, len);
}

/* A get of the key "k". */
static struct bytes get_k(void) {
    return bytes_of_text("\x0a\x01k");
}

/* A string of up to 127 bytes as field `field`. */
static struct bytes string_field(unsigned field, const char *text) {
    static uint8_t body[130];
    body[0] = (uint8_t)(field << 3 | 2);
    body[1] = (uint8_t)strlen(text);
    memcpy(body + 2, text, strlen(text));
    return bytes_of(body, 2 + strlen(text));
}

static struct raw_outcome call(const char *path, struct bytes body) {
    struct raw_outcome outcome;
    raw_call(client, path, body, &outcome);
    return outcome;
}

static int32_t health_of(const uint8_t *data, size_t len) {
    upb_Arena *arena = upb_Arena_New();
    const grpc_health_v1_HealthCheckResponse *response =
        grpc_health_v1_HealthCheckResponse_parse((const char *)data, len, arena);
    assert_non_null(response);
    int32_t status = grpc_health_v1_HealthCheckResponse_status(response);
    upb_Arena_Free(arena);
    return status;
}

static int32_t check(const char *service) {
    struct raw_outcome outcome = call("/grpc.health.v1.Health/Check", string_field(1, service));
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    return health_of(outcome.body, outcome.body_len);
}

/* ---- Unary ------------------------------------------------------------------------------------
 */

static void answers_a_put(void **state) {
    (void)state;
    respond((struct kv_response){.revision = 42});
    struct raw_outcome outcome = call(PUT, put_of(3, 100));
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    assert_memory_equal(outcome.body, "\x08\x2a", 2);
    uint64_t wait_ms;
    struct kv_request last = last_request(&wait_ms);
    assert_int_equal(last.operation, KV_PUT);
    assert_int_equal(last.key.len, 3);
    assert_int_equal(last.value.len, 100);
    assert_false(outcome.is_not_applied);
}

static void answers_a_put_of_the_largest_value(void **state) {
    (void)state;
    assert_int_equal(call(PUT, put_of(KEY_BYTES_MAX, VALUE_BYTES_MAX)).code, GRPC_STATUS_OK);
    uint64_t wait_ms;
    assert_int_equal(last_request(&wait_ms).value.len, VALUE_BYTES_MAX);
}

static void answers_a_get(void **state) {
    (void)state;
    respond((struct kv_response){.is_found = true});
    struct raw_outcome outcome = call(GET, get_k());
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    assert_int_equal(outcome.body_len, 5);
    assert_memory_equal(outcome.body, "\x08\x01\x12\x01k", 5);
}

static void a_missing_key_is_no_error(void **state) {
    (void)state;
    struct raw_outcome outcome = call(GET, get_k());
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    assert_true(outcome.has_body);
    assert_int_equal(outcome.body_len, 0);
}

static void answers_a_thousand_calls_each_its_own(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static struct raw_call *calls[COUNT];
    respond((struct kv_response){.is_found = true});
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        calls[i] = raw_call_start(client, GET, string_field(1, key), 20000);
    }
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key%d", i);
        struct raw_outcome outcome;
        raw_call_finish(calls[i], &outcome);
        assert_int_equal(outcome.code, GRPC_STATUS_OK);
        assert_int_equal(outcome.body_len, 4 + strlen(key));
        assert_memory_equal(outcome.body + 4, key, strlen(key));
    }
    assert_true(users_were_zero());
}

static void tells_who_leads(void **state) {
    (void)state;
    assert_string_equal(call(GET, get_k()).leader, "");
    rpc_server_set_leader(server, "a-rather-long-name.example.internal:9000");
    assert_string_equal(call(GET, get_k()).leader, "a-rather-long-name.example.internal:9000");
    rpc_server_set_leader(server, "10.0.0.1:9000");
    assert_string_equal(call(PUT, put_of(0, 0)).leader, "10.0.0.1:9000");
    rpc_server_set_leader(server, "");
    assert_string_equal(call(GET, get_k()).leader, "");
}

static void each_status_has_its_code(void **state) {
    (void)state;
    static const struct {
        enum status status;
        int code;
    } rows[] = {
        {STATUS_INVALID, GRPC_STATUS_INVALID_ARGUMENT},
        {STATUS_PRECONDITION, GRPC_STATUS_FAILED_PRECONDITION},
        {STATUS_OVERLOAD, GRPC_STATUS_RESOURCE_EXHAUSTED},
        {STATUS_DISK_FULL, GRPC_STATUS_RESOURCE_EXHAUSTED},
        {STATUS_UNAVAILABLE, GRPC_STATUS_UNAVAILABLE},
        {STATUS_NOT_LEADER, GRPC_STATUS_UNAVAILABLE},
        {STATUS_ABORTED, GRPC_STATUS_ABORTED},
        {STATUS_TIMEOUT, GRPC_STATUS_DEADLINE_EXCEEDED},
        {STATUS_CORRUPT, GRPC_STATUS_DATA_LOSS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        respond((struct kv_response){.status = rows[i].status});
        struct raw_outcome outcome = call(PUT, put_of(1, 1));
        assert_int_equal(outcome.code, rows[i].code);
        assert_string_equal(outcome.detail, status_text(rows[i].status));
        assert_false(outcome.is_not_applied);
    }
}

static void passes_the_detail_and_the_mark_on(void **state) {
    (void)state;
    respond((struct kv_response){.status = STATUS_UNAVAILABLE,
                                 .is_not_applied = true,
                                 .detail = "the moon is full"});
    struct raw_outcome outcome = call(PUT, put_of(1, 1));
    assert_string_equal(outcome.detail, "the moon is full");
    assert_true(outcome.is_not_applied);
    assert_false(outcome.has_body);
}

static void tells_how_long_the_caller_waits(void **state) {
    (void)state;
    struct raw_outcome outcome;
    raw_call_finish(raw_call_start(client, GET, get_k(), 2000), &outcome);
    uint64_t wait_ms;
    (void)last_request(&wait_ms);
    assert_in_range(wait_ms, 1, 1950); /* the answer needs some time too */
    raw_call_finish(raw_call_start(client, GET, get_k(), 3600 * 1000), &outcome);
    (void)last_request(&wait_ms);
    assert_int_equal(wait_ms, REQUEST_WAIT_MS_MAX);
}

/* ---- Refused at the door ----------------------------------------------------------------------
 */

static void assert_refused(struct raw_outcome outcome, int code) {
    assert_int_equal(outcome.code, code);
    assert_true(outcome.is_not_applied);
    assert_true(strlen(outcome.detail) > 0);
}

static void unknown_methods_are_unimplemented_at_once(void **state) {
    (void)state;
    assert_refused(call("/phalanx.v1.KVService/Frobnicate", get_k()), GRPC_STATUS_UNIMPLEMENTED);
    assert_refused(call("/no.such.Service/Get", get_k()), GRPC_STATUS_UNIMPLEMENTED);
    assert_refused(call("/", bytes_of(NULL, 0)), GRPC_STATUS_UNIMPLEMENTED);
}

static void a_body_that_is_not_the_message_is_invalid(void **state) {
    (void)state;
    static const char *const paths[] = {PUT,
                                        GET,
                                        "/phalanx.v1.KVService/Delete",
                                        "/phalanx.v1.KVService/Scan",
                                        "/phalanx.v1.ClusterService/Status",
                                        "/phalanx.v1.ClusterService/SaveSnapshot",
                                        "/grpc.health.v1.Health/Check",
                                        "/grpc.health.v1.Health/Watch"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_refused(call(paths[i], bytes_of_text("\xff\xff garbage")),
                       GRPC_STATUS_INVALID_ARGUMENT);
        assert_refused(call(paths[i], bytes_of(NULL, 0)), GRPC_STATUS_INVALID_ARGUMENT);
    }
}

static void what_breaks_a_limit_is_invalid(void **state) {
    (void)state;
    struct raw_outcome outcome = call(PUT, put_of(KEY_BYTES_MAX + 1, 1));
    assert_refused(outcome, GRPC_STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(outcome.detail, "480"));
    assert_refused(call(PUT, put_of(0, 1)), GRPC_STATUS_INVALID_ARGUMENT);
    assert_refused(call(PUT, put_of(1, VALUE_BYTES_MAX + 1)), GRPC_STATUS_INVALID_ARGUMENT);
}

static void a_message_that_is_too_large_is_refused(void **state) {
    (void)state;
    assert_int_equal(call(PUT, put_of(1, MESSAGE_BYTES_MAX)).code, GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(call(PUT, put_of(1, 1)).code, GRPC_STATUS_OK);
}

static void what_the_holder_does_not_take_is_refused(void **state) {
    (void)state;
    take(STATUS_OVERLOAD);
    assert_refused(call(PUT, put_of(1, 1)), GRPC_STATUS_RESOURCE_EXHAUSTED);
    take(STATUS_UNAVAILABLE);
    assert_refused(call(GET, get_k()), GRPC_STATUS_UNAVAILABLE);
}

static void more_than_requests_max_are_refused(void **state) {
    (void)state;
    enum { CLIENTS = 8 };
    static struct raw_call *calls[REQUESTS_MAX];
    struct raw_client *clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = raw_client_new(rpc_server_port(server));
    hold(true);
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        calls[i] = raw_call_start(clients[i % CLIENTS], GET, get_k(), 600 * 1000);
    wait_until_held(REQUESTS_MAX);
    assert_refused(call(GET, get_k()), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_refused(call(PUT, put_of(1, 1)), GRPC_STATUS_RESOURCE_EXHAUSTED);
    hold(false);
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct raw_outcome outcome;
        raw_call_finish(calls[i], &outcome);
        assert_int_equal(outcome.code, GRPC_STATUS_OK);
    }
    assert_int_equal(call(GET, get_k()).code, GRPC_STATUS_OK);
    for (size_t i = 0; i < CLIENTS; i++)
        raw_client_free(clients[i]);
}

/* ---- Callers that go away ---------------------------------------------------------------------
 */

static void a_cancelled_call_is_answered_without_harm(void **state) {
    (void)state;
    enum { COUNT = 50 };
    struct raw_call *calls[COUNT];
    hold(true);
    for (size_t i = 0; i < COUNT; i++)
        calls[i] = raw_call_start(client, PUT, put_of(1, 100), 20000);
    wait_until_held(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct raw_outcome outcome;
        raw_call_cancel(calls[i]);
        raw_call_finish(calls[i], &outcome);
        assert_int_equal(outcome.code, GRPC_STATUS_CANCELLED);
    }
    hold(false);
    assert_int_equal(call(GET, get_k()).code, GRPC_STATUS_OK);
}

static void a_call_whose_deadline_has_passed_is_answered_without_harm(void **state) {
    (void)state;
    struct raw_outcome outcome;
    hold(true);
    raw_call_finish(raw_call_start(client, GET, get_k(), 50), &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_DEADLINE_EXCEEDED);
    hold(false);
    assert_int_equal(call(GET, get_k()).code, GRPC_STATUS_OK);
}

/* ---- Start and stop ---------------------------------------------------------------------------
 */

static void a_port_that_is_taken_is_busy(void **state) {
    (void)state;
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(server));
    struct rpc_server_config config = config_of(address);
    struct rpc_server *second;
    assert_int_equal(rpc_server_new(&config, &second), STATUS_BUSY);
    (void)snprintf(address, sizeof address, "0.0.0.0:%d", rpc_server_port(server));
    assert_int_equal(rpc_server_new(&config, &second), STATUS_BUSY);
}

static void an_address_that_cannot_be_is_invalid(void **state) {
    (void)state;
    static const char *const addresses[] = {"",
                                            ":",
                                            "nowhere",
                                            "127.0.0.1",
                                            "127.0.0.1:",
                                            "127.0.0.1:70000",
                                            "192.0.2.1:0",
                                            "::1:0",
                                            "[::1:0",
                                            "127.0.0.1:http-x"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct rpc_server_config config = config_of(addresses[i]);
        struct rpc_server *second;
        assert_int_equal(rpc_server_new(&config, &second), STATUS_INVALID);
    }
}

static void a_server_that_never_started_can_be_freed(void **state) {
    (void)state;
    struct rpc_server_config config = config_of("127.0.0.1:0");
    struct rpc_server *second;
    assert_int_equal(rpc_server_new(&config, &second), STATUS_OK);
    assert_true(rpc_server_port(second) > 0);
    rpc_server_free(second);
    rpc_server_free(NULL);
}

static void a_drained_server_finishes_what_it_has_and_takes_nothing_new(void **state) {
    (void)state;
    hold(true);
    struct raw_call *held = raw_call_start(client, GET, get_k(), 20000);
    wait_until_held(1);
    rpc_server_drain(server);
    assert_refused(call(GET, get_k()), GRPC_STATUS_UNAVAILABLE);
    assert_refused(call(PUT, put_of(1, 1)), GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(check(""), grpc_health_v1_HealthCheckResponse_NOT_SERVING);
    hold(false);
    struct raw_outcome outcome;
    raw_call_finish(held, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
}

/* ---- Cluster ----------------------------------------------------------------------------------
 */

static void tells_its_status(void **state) {
    (void)state;
    struct raw_outcome outcome = call("/phalanx.v1.ClusterService/Status", bytes_of_text(""));
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    upb_Arena *arena = upb_Arena_New();
    const phalanx_v1_StatusResponse *status =
        phalanx_v1_StatusResponse_parse((const char *)outcome.body, outcome.body_len, arena);
    assert_non_null(status);
    assert_int_equal(phalanx_v1_StatusResponse_role(status), phalanx_v1_ROLE_LEADER);
    upb_Arena_Free(arena);
}

static struct raw_stream *open_snapshot(void) {
    struct raw_stream *stream = raw_stream_open(client, "/phalanx.v1.ClusterService/SaveSnapshot");
    raw_stream_write(stream, bytes_of_text(""));
    raw_stream_close_writes(stream);
    return stream;
}

struct writer {
    struct rpc_stream *stream;
    size_t chunks;
    enum status status; /* of the last write */
};

static void *write_chunks(void *argument) {
    static const uint8_t chunk[65536];
    struct writer *writer = argument;
    for (size_t i = 0; i < writer->chunks && writer->status == STATUS_OK; i++)
        writer->status = rpc_stream_write(writer->stream, bytes_of(chunk, sizeof chunk));
    rpc_stream_finish(writer->stream, writer->status, NULL);
    return NULL;
}

static void streams_a_snapshot(void **state) {
    (void)state;
    struct raw_stream *stream = open_snapshot();
    struct writer writer = {.stream = wait_for_stream(), .chunks = 100};
    pthread_t thread;
    pthread_create(&thread, NULL, write_chunks, &writer);
    static uint8_t data[65536 + 16];
    size_t len = 0;
    size_t count = 0;
    while (raw_stream_read(stream, data, sizeof data, &len)) {
        assert_int_equal(len, 65536 + 4);
        count++;
    }
    pthread_join(thread, NULL);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    assert_int_equal(count, 100);
    assert_int_equal(writer.status, STATUS_OK);
}

/* The writer waits for a reader that never reads. */
static void a_snapshot_ends_when_its_caller_goes(void **state) {
    (void)state;
    struct raw_stream *stream = open_snapshot();
    struct writer writer = {.stream = wait_for_stream(), .chunks = SIZE_MAX};
    pthread_t thread;
    pthread_create(&thread, NULL, write_chunks, &writer);
    raw_stream_cancel(stream);
    pthread_join(thread, NULL);
    assert_int_equal(writer.status, STATUS_ABORTED);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_CANCELLED);
}

static void a_snapshot_ends_when_the_server_drains(void **state) {
    (void)state;
    struct raw_stream *stream = open_snapshot();
    struct writer writer = {.stream = wait_for_stream(), .chunks = SIZE_MAX};
    pthread_t thread;
    pthread_create(&thread, NULL, write_chunks, &writer);
    rpc_server_drain(server);
    pthread_join(thread, NULL);
    assert_int_equal(writer.status, STATUS_ABORTED);
    raw_stream_cancel(stream);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_not_equal(outcome.code, GRPC_STATUS_OK);
}

static void a_snapshot_can_fail(void **state) {
    (void)state;
    struct raw_stream *stream = open_snapshot();
    rpc_stream_finish(wait_for_stream(), STATUS_CORRUPT, "a record is damaged");
    uint8_t data[1];
    size_t len = 0;
    assert_false(raw_stream_read(stream, data, sizeof data, &len));
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_DATA_LOSS);
    assert_string_equal(outcome.detail, "a record is damaged");
}

static void only_so_many_snapshots_at_a_time(void **state) {
    (void)state;
    struct raw_stream *open[RPC__SNAPSHOTS_MAX];
    struct rpc_stream *taken[RPC__SNAPSHOTS_MAX];
    for (size_t i = 0; i < RPC__SNAPSHOTS_MAX; i++) {
        open[i] = open_snapshot();
        taken[i] = wait_for_stream();
    }
    struct raw_outcome outcome;
    raw_stream_finish(open_snapshot(), &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < RPC__SNAPSHOTS_MAX; i++) {
        rpc_stream_finish(taken[i], STATUS_OK, NULL);
        raw_stream_finish(open[i], &outcome);
        assert_int_equal(outcome.code, GRPC_STATUS_OK);
    }
}

/* ---- Health -----------------------------------------------------------------------------------
 */

static void health_follows_what_was_set(void **state) {
    (void)state;
    assert_int_equal(check(""), grpc_health_v1_HealthCheckResponse_NOT_SERVING);
    rpc_server_set_serving(server, true);
    assert_int_equal(check(""), grpc_health_v1_HealthCheckResponse_SERVING);
    assert_int_equal(check("phalanx.v1.KVService"), grpc_health_v1_HealthCheckResponse_SERVING);
    assert_int_equal(check("phalanx.v1.ClusterService"),
                     grpc_health_v1_HealthCheckResponse_SERVING);
    struct raw_outcome outcome = call("/grpc.health.v1.Health/Check", string_field(1, "nobody"));
    assert_int_equal(outcome.code, GRPC_STATUS_NOT_FOUND);
}

static struct raw_stream *open_watch(const char *service) {
    struct raw_stream *stream = raw_stream_open(client, "/grpc.health.v1.Health/Watch");
    raw_stream_write(stream, string_field(1, service));
    raw_stream_close_writes(stream);
    return stream;
}

static int32_t read_watch(struct raw_stream *stream) {
    uint8_t data[16];
    size_t len = 0;
    assert_true(raw_stream_read(stream, data, sizeof data, &len));
    return health_of(data, len);
}

static void close_watch(struct raw_stream *stream) {
    struct raw_outcome outcome;
    raw_stream_cancel(stream);
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_CANCELLED);
}

static void a_watch_sees_every_change(void **state) {
    (void)state;
    struct raw_stream *watch = open_watch("phalanx.v1.KVService");
    assert_int_equal(read_watch(watch), grpc_health_v1_HealthCheckResponse_NOT_SERVING);
    rpc_server_set_serving(server, true);
    assert_int_equal(read_watch(watch), grpc_health_v1_HealthCheckResponse_SERVING);
    rpc_server_set_serving(server, false);
    assert_int_equal(read_watch(watch), grpc_health_v1_HealthCheckResponse_NOT_SERVING);
    close_watch(watch);
}

static void a_watch_of_nobody_says_so(void **state) {
    (void)state;
    struct raw_stream *watch = open_watch("nobody");
    assert_int_equal(read_watch(watch), grpc_health_v1_HealthCheckResponse_SERVICE_UNKNOWN);
    close_watch(watch);
}

static void only_so_many_watches_at_a_time(void **state) {
    (void)state;
    struct raw_stream *watches[RPC__WATCHES_MAX];
    for (size_t i = 0; i < RPC__WATCHES_MAX; i++) {
        watches[i] = open_watch("");
        (void)read_watch(watches[i]);
    }
    struct raw_outcome outcome;
    raw_stream_finish(open_watch(""), &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < RPC__WATCHES_MAX; i++)
        close_watch(watches[i]);
}

/* Left open on purpose: stop() cancels what is left. */
static void a_server_can_be_freed_under_its_watches(void **state) {
    struct raw_stream *watch = open_watch("");
    (void)read_watch(watch);
    stop(state);
    struct raw_outcome outcome;
    raw_stream_finish(watch, &outcome);
    assert_int_not_equal(outcome.code, GRPC_STATUS_OK);
    start(state);
}

/* ---- Reflection -------------------------------------------------------------------------------
 */

static uint8_t reflected[65536];

static const grpc_reflection_v1_ServerReflectionResponse *
ask(struct raw_stream *stream, struct bytes question, upb_Arena *arena) {
    size_t len = 0;
    raw_stream_write(stream, question);
    assert_true(raw_stream_read(stream, reflected, sizeof reflected, &len));
    const grpc_reflection_v1_ServerReflectionResponse *response =
        grpc_reflection_v1_ServerReflectionResponse_parse((const char *)reflected, len, arena);
    assert_non_null(response);
    return response;
}

static void reflect(const char *path) {
    upb_Arena *arena = upb_Arena_New();
    struct raw_stream *stream = raw_stream_open(client, path);
    size_t count = 0;
    (void)grpc_reflection_v1_ListServiceResponse_service(
        grpc_reflection_v1_ServerReflectionResponse_list_services_response(
            ask(stream, string_field(7, ""), arena)),
        &count);
    assert_true(count >= 5);
    static const char *const known[] = {"phalanx.v1.KVService",
                                        "phalanx.v1.KVService.Put",
                                        "phalanx.v1.PutRequest.key",
                                        "phalanx.v1.Consistency",
                                        "phalanx.v1.CONSISTENCY_STALE",
                                        "grpc.health.v1.HealthCheckResponse.ServingStatus"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(grpc_reflection_v1_ServerReflectionResponse_has_file_descriptor_response(
            ask(stream, string_field(4, known[i]), arena)));
    static const char *const unknown[] = {"",
                                          ".",
                                          "phalanx",
                                          "phalanx.v1",
                                          "phalanx.v1.",
                                          "phalanx.v1.KVService.",
                                          "phalanx.v1.KVServic",
                                          "phalanx.v1.KVService.Put.x"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(grpc_reflection_v1_ErrorResponse_error_code(
                             grpc_reflection_v1_ServerReflectionResponse_error_response(
                                 ask(stream, string_field(4, unknown[i]), arena))),
                         GRPC_STATUS_NOT_FOUND);
    assert_true(grpc_reflection_v1_ServerReflectionResponse_has_file_descriptor_response(
        ask(stream, string_field(3, "phalanx/v1/kv.proto"), arena)));
    assert_true(grpc_reflection_v1_ServerReflectionResponse_has_error_response(
        ask(stream, string_field(3, "phalanx/v9/kv.proto"), arena)));
    assert_true(grpc_reflection_v1_ServerReflectionResponse_has_error_response(
        ask(stream, string_field(6, "phalanx.v1.PutRequest"), arena)));
    raw_stream_close_writes(stream);
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_OK);
    upb_Arena_Free(arena);
}

static void describes_itself_in_both_versions(void **state) {
    (void)state;
    reflect("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    reflect("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
}

static void a_reflection_stream_of_garbage_ends(void **state) {
    (void)state;
    struct raw_stream *stream =
        raw_stream_open(client, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    raw_stream_write(stream, bytes_of_text("\xff\xff"));
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_INVALID_ARGUMENT);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVER_TEST(answers_a_put),
        SERVER_TEST(answers_a_put_of_the_largest_value),
        SERVER_TEST(answers_a_get),
        SERVER_TEST(a_missing_key_is_no_error),
        SERVER_TEST(answers_a_thousand_calls_each_its_own),
        SERVER_TEST(tells_who_leads),
        SERVER_TEST(each_status_has_its_code),
        SERVER_TEST(passes_the_detail_and_the_mark_on),
        SERVER_TEST(tells_how_long_the_caller_waits),
        SERVER_TEST(unknown_methods_are_unimplemented_at_once),
        SERVER_TEST(a_body_that_is_not_the_message_is_invalid),
        SERVER_TEST(what_breaks_a_limit_is_invalid),
        SERVER_TEST(a_message_that_is_too_large_is_refused),
        SERVER_TEST(what_the_holder_does_not_take_is_refused),
        SERVER_TEST(more_than_requests_max_are_refused),
        SERVER_TEST(a_cancelled_call_is_answered_without_harm),
        SERVER_TEST(a_call_whose_deadline_has_passed_is_answered_without_harm),
        SERVER_TEST(a_port_that_is_taken_is_busy),
        SERVER_TEST(an_address_that_cannot_be_is_invalid),
        SERVER_TEST(a_server_that_never_started_can_be_freed),
        SERVER_TEST(a_drained_server_finishes_what_it_has_and_takes_nothing_new),
        SERVER_TEST(tells_its_status),
        SERVER_TEST(streams_a_snapshot),
        SERVER_TEST(a_snapshot_ends_when_its_caller_goes),
        SERVER_TEST(a_snapshot_ends_when_the_server_drains),
        SERVER_TEST(a_snapshot_can_fail),
        SERVER_TEST(only_so_many_snapshots_at_a_time),
        SERVER_TEST(health_follows_what_was_set),
        SERVER_TEST(a_watch_sees_every_change),
        SERVER_TEST(a_watch_of_nobody_says_so),
        SERVER_TEST(only_so_many_watches_at_a_time),
        SERVER_TEST(a_server_can_be_freed_under_its_watches),
        SERVER_TEST(describes_itself_in_both_versions),
        SERVER_TEST(a_reflection_stream_of_garbage_ends),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
