/* The client against a server of ours on a free port of this host: what callers learn of a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/rpc.h"
#include "support/listener.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* ---- The server ---------------------------------------------------------------------------- */

/* What it does with each request. */
static struct {
    pthread_mutex_t lock;
    struct kv_response response;
    enum status take;
    bool is_holding; /* keep the call in `held` instead of answering */
    struct rpc_call *held;
    pthread_t writer; /* of the snapshot */
    bool has_writer;
} script = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What it does from now on. */
static void follow(enum status take, bool is_holding, struct kv_response response) {
    pthread_mutex_lock(&script.lock);
    script.take = take;
    script.is_holding = is_holding;
    script.response = response;
    pthread_mutex_unlock(&script.lock);
}

static const struct kv_response fine = {.is_found = true, .revision = 5};

static enum status on_request(void *context, struct rpc_call *call,
                              const struct kv_request *request, uint64_t wait_ms) {
    (void)context;
    (void)wait_ms;
    pthread_mutex_lock(&script.lock);
    enum status status = script.take;
    struct kv_response response = script.response;
    bool is_holding = script.is_holding;
    if (is_holding)
        script.held = call;
    pthread_mutex_unlock(&script.lock);
    if (status != STATUS_OK || is_holding)
        return status;
    if (request->operation == KV_GET) /* a get echoes its key */
        response.item.value = request->key;
    rpc_reply(call, &response);
    return STATUS_OK;
}

static void on_snapshot(void *context, struct rpc_stream *stream) {
    (void)context;
    enum status status = rpc_stream_write(stream, bytes_of_text("piece"));
    if (status == STATUS_OK)
        status = rpc_stream_write(stream, bytes_of_text("s"));
    rpc_stream_finish(stream, status, NULL);
}

/* The stream's writer may wait, which a thread of the server must not. */
static void *write_snapshot(void *stream) {
    on_snapshot(NULL, stream);
    return NULL;
}

static void hand_over_snapshot(void *context, struct rpc_stream *stream) {
    (void)context;
    pthread_mutex_lock(&script.lock);
    assert_int_equal(pthread_create(&script.writer, NULL, write_snapshot, stream), 0);
    script.has_writer = true;
    pthread_mutex_unlock(&script.lock);
}

static void on_status(void *context, struct node_status *ret_status) {
    (void)context;
    *ret_status = (struct node_status){.name = "n1", .role = NODE_LEADER, .term = 7};
}

struct fixture {
    struct rpc_server *server;
    struct rpc_client *client;
    char address[64];
};

static void serve(struct fixture *f, const char *address) {
    struct rpc_server_config config = {
        .address = address,
        .threads = 1,
        .handlers = {.on_request = on_request,
                     .on_snapshot = hand_over_snapshot,
                     .on_status = on_status},
    };
    assert_int_equal(rpc_server_new(&config, &f->server), STATUS_OK);
    rpc_server_start(f->server);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d", rpc_server_port(f->server));
}

static int set_up(void **state) {
    static struct fixture f;
    follow(STATUS_OK, false, fine);
    serve(&f, "127.0.0.1:0");
    assert_int_equal(rpc_client_new(f.address, &f.client), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    rpc_client_free(f->client);
    pthread_mutex_lock(&script.lock);
    if (script.has_writer)
        assert_int_equal(pthread_join(script.writer, NULL), 0);
    script.has_writer = false;
    pthread_mutex_unlock(&script.lock);
    if (f->server != NULL)
        rpc_server_drain(f->server);
    rpc_server_free(f->server);
    return 0;
}

static struct rpc_outcome ask(struct fixture *f, enum kv_operation operation, uint64_t timeout_ms,
                              struct kv_response *ret_response) {
    struct kv_request request = {
        .operation = operation,
        .key = bytes_of_text("key"),
        .value = bytes_of_text("value"),
    };
    struct rpc_outcome outcome;
    memset(&outcome, 0xaa, sizeof outcome); /* nothing of it may be left as it was */
    rpc_client_kv(f->client, &request, timeout_ms, ret_response, &outcome);
    return outcome;
}

/* ---- Blocking ------------------------------------------------------------------------------ */

static void an_answer_is_filled_in(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    assert_int_equal(ask(f, KV_PUT, 5000, &response).code, RPC_OK);
    assert_int_equal(response.revision, 5);
    struct rpc_outcome outcome = ask(f, KV_GET, 5000, &response);
    assert_int_equal(outcome.code, RPC_OK);
    assert_string_equal(outcome.detail, "");
    assert_true(response.is_found);
    assert_true(bytes_equal(response.item.value, bytes_of_text("key")));
}

static void the_servers_mark_and_leader_are_read(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    rpc_server_set_leader(f->server, "leader:9000");
    follow(STATUS_UNAVAILABLE, false, fine);
    struct rpc_outcome outcome = ask(f, KV_PUT, 5000, &response);
    assert_int_equal(outcome.code, RPC_UNAVAILABLE);
    assert_true(outcome.is_not_applied);
    assert_string_equal(outcome.leader, "leader:9000");
    follow(STATUS_OK, false, fine);
    assert_false(ask(f, KV_PUT, 5000, &response).is_not_applied);
}

static void a_failure_without_the_mark_may_have_been_applied(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    struct kv_response lost = {.status = STATUS_ABORTED, .detail = "leader lost"};
    follow(STATUS_OK, false, lost);
    struct rpc_outcome outcome = ask(f, KV_PUT, 5000, &response);
    assert_int_equal(outcome.code, RPC_ABORTED);
    assert_false(outcome.is_not_applied);
    assert_string_equal(outcome.detail, "leader lost");
}

static void a_request_that_was_sent_and_not_answered_may_have_been_applied(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    follow(STATUS_OK, true, fine);
    struct rpc_outcome outcome = ask(f, KV_PUT, 200, &response);
    assert_int_equal(outcome.code, RPC_DEADLINE_EXCEEDED);
    assert_false(outcome.is_not_applied);
    pthread_mutex_lock(&script.lock);
    struct rpc_call *held = script.held;
    pthread_mutex_unlock(&script.lock);
    rpc_reply(held, &(struct kv_response){.status = STATUS_TIMEOUT});
}

static void without_a_connection_nothing_was_applied(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    rpc_server_free(f->server);
    f->server = NULL;
    for (int times = 0; times < 2; times++) {
        struct rpc_outcome outcome = ask(f, KV_PUT, 5000, &response);
        assert_int_equal(outcome.code, RPC_UNAVAILABLE);
        assert_true(outcome.is_not_applied);
        assert_non_null(strstr(outcome.detail, "cannot connect"));
        assert_string_equal(outcome.leader, "");
    }
}

static void a_connection_that_failed_comes_about_while_somebody_waits(void **state) {
    struct fixture *f = *state;
    struct kv_response response;
    char address[sizeof f->address];
    snprintf(address, sizeof address, "%s", f->address);
    rpc_server_drain(f->server);
    rpc_server_free(f->server);
    f->server = NULL;
    assert_int_equal(ask(f, KV_GET, 1000, &response).code, RPC_UNAVAILABLE);
    assert_false(rpc_client_connects(f->client, 50));
    serve(f, address);
    assert_true(rpc_client_connects(f->client, 60000));
    assert_false(rpc_client_connects(f->client, 60000)); /* it is there already */
    assert_int_equal(ask(f, KV_GET, 60000, &response).code, RPC_OK);
}

static void a_status_arrives(void **state) {
    struct fixture *f = *state;
    struct node_status status;
    char version[32];
    struct rpc_outcome outcome;
    rpc_client_status(f->client, 5000, &status, version, sizeof version, &outcome);
    assert_int_equal(outcome.code, RPC_OK);
    assert_string_equal(status.name, "n1");
    assert_int_equal(status.term, 7);
    assert_true(strlen(version) > 0);
}

struct heard {
    char text[32];
    size_t len;
    enum status answer;
};

static enum status hear(void *context, struct bytes chunk) {
    struct heard *heard = context;
    assert_true(heard->len + chunk.len <= sizeof heard->text);
    memcpy(heard->text + heard->len, chunk.data, chunk.len);
    heard->len += chunk.len;
    return heard->answer;
}

static void a_snapshot_arrives_in_order_to_its_end(void **state) {
    struct fixture *f = *state;
    struct heard heard = {.answer = STATUS_OK};
    struct rpc_outcome outcome;
    rpc_client_snapshot(f->client, 5000, hear, &heard, &outcome);
    assert_int_equal(outcome.code, RPC_OK);
    assert_true(bytes_equal(bytes_of(heard.text, heard.len), bytes_of_text("pieces")));
}

static void a_sink_that_refuses_ends_the_snapshot(void **state) {
    struct fixture *f = *state;
    struct heard heard = {.answer = STATUS_DISK_FULL};
    struct rpc_outcome outcome;
    rpc_client_snapshot(f->client, 5000, hear, &heard, &outcome);
    assert_int_equal(heard.len, 5);
    assert_true(outcome.code == RPC_CANCELLED || outcome.code == RPC_OK); /* it may have ended */
}

static void an_address_is_a_host_and_a_port(void **state) {
    (void)state;
    const char *const wrong[] = {"",        "host",           "host:",      ":9000",
                                 "h:65536", "h:-1",           "::1:9000",   "[::1]",
                                 "h:9000x", "ipv4:1.2.3.4:5", "dns:///h:1", "h%00:1"};
    struct rpc_client *client = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rpc_client_new(wrong[i], &client), STATUS_INVALID);
    const char *const right[] = {"h:1", "127.0.0.1:65535", "[::1]:9000", "[fe80::1%lo]:9000"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_int_equal(rpc_client_new(right[i], &client), STATUS_OK);
        rpc_client_free(client);
    }
}

/* ---- Asynchronous -------------------------------------------------------------------------- */

#define CALLS 300

static void every_call_completes_once_with_its_own_answer(void **state) {
    struct fixture *f = *state;
    struct rpc_queue *queue = NULL;
    struct rpc_client *clients[2];
    assert_int_equal(rpc_queue_new(&queue), STATUS_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(rpc_client_new_on(queue, f->address, &clients[i]), STATUS_OK);
    static char keys[CALLS][16];
    for (size_t i = 0; i < CALLS; i++) {
        snprintf(keys[i], sizeof keys[i], "key %zu", i);
        struct kv_request request = {.operation = KV_GET, .key = bytes_of_text(keys[i])};
        assert_int_equal(rpc_client_start(clients[i % 2], &request, 10000, keys[i]), STATUS_OK);
    }
    for (size_t i = 0; i < CALLS; i++) {
        struct rpc_completion completion;
        struct kv_response response;
        assert_int_equal(rpc_queue_next(queue, 10000, &completion), STATUS_OK);
        assert_int_equal(completion.outcome.code, RPC_OK);
        assert_int_equal(rpc_queue_decode(queue, &completion, KV_GET, &response), STATUS_OK);
        char *key = completion.tag;
        assert_true(bytes_equal(response.item.value, bytes_of_text(key)));
        key[0] = '\0'; /* not twice */
    }
    struct rpc_completion none;
    assert_int_equal(rpc_queue_next(queue, 0, &none), STATUS_TIMEOUT);
    for (size_t i = 0; i < 2; i++)
        rpc_client_free(clients[i]);
    rpc_queue_free(queue);
}

static void cancelled_calls_complete(void **state) {
    (void)state;
    char address[32];
    struct rpc_queue *queue = NULL;
    struct rpc_client *client = NULL;
    int listener = listener_open(address, sizeof address); /* no answer is quicker than a cancel */
    assert_int_equal(rpc_queue_new(&queue), STATUS_OK);
    assert_int_equal(rpc_client_new_on(queue, address, &client), STATUS_OK);
    assert_int_equal(rpc_client_start_method(client, "/no.Such/Method", bytes_of("", 0), 10000,
                                             NULL),
                     STATUS_OK);
    rpc_client_cancel(client);
    struct rpc_completion completion;
    assert_int_equal(rpc_queue_next(queue, 10000, &completion), STATUS_OK);
    assert_int_equal(completion.outcome.code, RPC_CANCELLED);
    assert_false(completion.outcome.is_not_applied);
    assert_int_equal(completion.body.len, 0);
    rpc_client_free(client);
    rpc_queue_free(queue);
    close(listener);
}

static int start_library(void **state) {
    (void)state;
    rpc_init();
    return 0;
}

static int stop_library(void **state) {
    (void)state;
    rpc_shutdown();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_filled_in),
        TEST(the_servers_mark_and_leader_are_read),
        TEST(a_failure_without_the_mark_may_have_been_applied),
        TEST(a_request_that_was_sent_and_not_answered_may_have_been_applied),
        TEST(without_a_connection_nothing_was_applied),
        TEST(a_connection_that_failed_comes_about_while_somebody_waits),
        TEST(a_status_arrives),
        TEST(a_snapshot_arrives_in_order_to_its_end),
        TEST(a_sink_that_refuses_ends_the_snapshot),
        cmocka_unit_test(an_address_is_a_host_and_a_port),
        TEST(every_call_completes_once_with_its_own_answer),
        TEST(cancelled_calls_complete),
    };
    return cmocka_run_group_tests(tests, start_library, stop_library);
}
