/* Given servers that refuse, break off or hang up, which of them are asked, how often, and under
 * which name. Real servers on loopback, which answer as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "phalanx/caller.h"
#include "support/listener.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 120000

struct node {
    struct rpc_server *server;
    char address[64];
    pthread_mutex_t lock;
    enum status status; /* of what it answers */
    bool is_not_applied;
    size_t times; /* it answers so, and then STATUS_OK */
    size_t asked;
    uint64_t client_id; /* of the newest request; 0: it had no name */
};

static struct node nodes[3];
static struct node *const a = &nodes[0];
static struct node *const b = &nodes[1];
static struct node *const c = &nodes[2];

/* ---- The servers --------------------------------------------------------------------------- */

/* With the lock. */
static enum status next_answer(struct node *node) {
    return node->asked++ < node->times ? node->status : STATUS_OK;
}

static enum status take_request(void *context, struct rpc_call *call,
                                const struct kv_request *request, uint64_t wait_ms) {
    struct node *node = context;
    (void)wait_ms;
    pthread_mutex_lock(&node->lock);
    node->client_id = request->has_request_id ? request->client_id : 0;
    struct kv_response response = {.status = next_answer(node),
                                   .is_not_applied = node->is_not_applied,
                                   .revision = 1 + (node - nodes)};
    pthread_mutex_unlock(&node->lock);
    rpc_reply(call, &response);
    return STATUS_OK;
}

static enum status take_order(void *context, struct rpc_call *call, const struct rpc_order *order,
                              uint64_t wait_ms) {
    struct node *node = context;
    (void)wait_ms, (void)order;
    pthread_mutex_lock(&node->lock);
    enum status status = next_answer(node);
    bool is_not_applied = node->is_not_applied;
    pthread_mutex_unlock(&node->lock);
    rpc_reply_status(call, status, is_not_applied, "as the test says");
    return STATUS_OK;
}

static void node_start(struct node *node) {
    *node = (struct node){.lock = PTHREAD_MUTEX_INITIALIZER};
    struct rpc_server_config config = {.address = "127.0.0.1:0",
                                       .threads = 1,
                                       .handlers = {.context = node,
                                                    .on_request = take_request,
                                                    .on_order = take_order}};
    assert_int_equal(rpc_server_new(&config, &node->server), STATUS_OK);
    rpc_server_start(node->server);
    snprintf(node->address, sizeof node->address, "127.0.0.1:%d", rpc_server_port(node->server));
}

/* Nobody listens at its address any more. */
static void node_stop(struct node *node) {
    if (node->server != NULL)
        rpc_server_free(node->server);
    node->server = NULL;
}

static void answers(struct node *node, enum status status, bool is_not_applied, size_t times) {
    pthread_mutex_lock(&node->lock);
    node->status = status;
    node->is_not_applied = is_not_applied;
    node->times = times;
    pthread_mutex_unlock(&node->lock);
}

static void refuses_once_and_names(struct node *node, const char *leader) {
    answers(node, STATUS_UNAVAILABLE, true, 1);
    rpc_server_set_leader(node->server, leader);
}

static size_t times_asked(struct node *node) {
    pthread_mutex_lock(&node->lock);
    size_t asked = node->asked;
    pthread_mutex_unlock(&node->lock);
    return asked;
}

static uint64_t client_seen_by(struct node *node) {
    pthread_mutex_lock(&node->lock);
    uint64_t client_id = node->client_id;
    pthread_mutex_unlock(&node->lock);
    return client_id;
}

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++)
        node_start(&nodes[i]);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++)
        node_stop(&nodes[i]);
    return 0;
}

/* ---- The caller ---------------------------------------------------------------------------- */

static struct cli_caller *caller_of_addresses(const char *addresses, uint64_t timeout_ms) {
    struct cli_flags flags = {.addresses = addresses,
                              .timeout_ms = timeout_ms,
                              .tls_cert = "",
                              .tls_key = "",
                              .tls_ca = "",
                              .tls_name = ""};
    struct cli_caller *caller = cli_caller_new(&flags);
    assert_non_null(caller);
    return caller;
}

/* As many of the servers as -addr has, in order. */
static struct cli_caller *caller_of(size_t count, uint64_t timeout_ms) {
    char addresses[256] = "";
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(addresses + len, sizeof addresses - len, "%s%s", i == 0 ? "" : ",",
                                nodes[i].address);
    return caller_of_addresses(addresses, timeout_ms);
}

/* How it ends, and (on CLI_EXIT_OK) which server did it. */
static enum cli_exit put(size_t count, uint64_t timeout_ms, uint64_t client_id,
                         const struct node **ret_node) {
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of_text("v"),
                                 .has_request_id = client_id != 0,
                                 .client_id = client_id,
                                 .sequence = 1};
    struct cli_caller *caller = caller_of(count, timeout_ms);
    struct kv_response response = {0};
    enum cli_exit end = cli_caller_kv(caller, "put", &request, false, &response);
    *ret_node = end == CLI_EXIT_OK ? &nodes[response.revision - 1] : NULL;
    cli_caller_free(caller);
    return end;
}

static void attempt_promote(void *context, struct rpc_client *client, uint64_t timeout_ms,
                            struct rpc_outcome *ret_outcome) {
    (void)context;
    struct rpc_order order = {.kind = RPC_ORDER_PROMOTE, .member = {.name = "n4"}};
    rpc_client_order(client, &order, timeout_ms, ret_outcome);
}

static enum cli_exit promote(size_t count) {
    struct cli_caller *caller = caller_of(count, PATIENCE_MS);
    enum cli_exit end = cli_caller_order(caller, "member promote", attempt_promote, NULL);
    cli_caller_free(caller);
    return end;
}

/* ---- Writes -------------------------------------------------------------------------------- */

static void a_refused_write_goes_to_the_leader_that_the_refusal_names(void **state) {
    (void)state;
    const struct node *done;
    refuses_once_and_names(a, c->address);
    assert_int_equal(put(2, PATIENCE_MS, 0, &done), CLI_EXIT_OK);
    assert_ptr_equal(done, c); /* which -addr does not name */
    assert_int_equal(times_asked(a), 1);
    assert_int_equal(times_asked(b), 0);
}

static void without_a_hint_the_next_server_is_asked(void **state) {
    (void)state;
    const struct node *done;
    answers(a, STATUS_UNAVAILABLE, true, 1);
    assert_int_equal(put(2, PATIENCE_MS, 0, &done), CLI_EXIT_OK);
    assert_ptr_equal(done, b);
    assert_int_equal(times_asked(a), 1);
}

static void a_hint_leads_only_once_to_a_server_that_cannot_help(void **state) {
    (void)state;
    const struct node *done;
    refuses_once_and_names(a, b->address);
    answers(b, STATUS_UNAVAILABLE, true, 1);
    refuses_once_and_names(c, b->address);
    assert_int_equal(put(3, PATIENCE_MS, 0, &done), CLI_EXIT_OK);
    assert_ptr_equal(done, a);
    assert_int_equal(times_asked(b), 1);
    assert_int_equal(times_asked(c), 1);
}

static void a_write_whose_fate_is_open_is_not_repeated_without_a_name(void **state) {
    (void)state;
    const struct node *done;
    answers(a, STATUS_ABORTED, false, 1);
    assert_int_equal(put(3, PATIENCE_MS, 0, &done), CLI_EXIT_UNKNOWN);
    assert_int_equal(times_asked(a), 1);
    assert_int_equal(times_asked(b) + times_asked(c), 0);
}

static void a_named_write_is_repeated_elsewhere_under_the_same_name(void **state) {
    (void)state;
    const struct node *done;
    answers(a, STATUS_ABORTED, false, 1);
    assert_int_equal(put(2, PATIENCE_MS, 77, &done), CLI_EXIT_OK);
    assert_ptr_equal(done, b);
    assert_true(client_seen_by(a) == 77 && client_seen_by(b) == 77);
    assert_int_equal(times_asked(b), 1);
}

static void rounds_go_on_until_somebody_can(void **state) {
    (void)state;
    const struct node *done;
    node_stop(a);
    answers(b, STATUS_UNAVAILABLE, true, 4);
    assert_int_equal(put(2, PATIENCE_MS, 0, &done), CLI_EXIT_OK);
    assert_int_equal(times_asked(b), 5);
}

/* ---- Hanging up ---------------------------------------------------------------------------- */

struct greeter {
    int listener;
    size_t greeted;
};

/* Says what makes a connection of HTTP/2, hears something, says goodbye, and is gone. */
static void *greet_and_hang_up(void *context) {
    static const unsigned char settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
    static const unsigned char goaway[] = {0,    0,    8,    7,    0, 0, 0, 0, 0,
                                           0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct greeter *greeter = context;
    int connection;
    while ((connection = accept(greeter->listener, NULL, NULL)) >= 0) {
        char heard[256];
        (void)!send(connection, settings, sizeof settings, MSG_NOSIGNAL);
        (void)!recv(connection, heard, sizeof heard, 0); /* whatever */
        (void)!send(connection, goaway, sizeof goaway, MSG_NOSIGNAL);
        usleep(2000);
        close(connection);
        greeter->greeted++;
    }
    return NULL;
}

static void a_server_that_hangs_up_is_left_alone_for_a_while(void **state) {
    (void)state;
    char address[64];
    struct greeter greeter = {.listener = listener_open(address, sizeof address)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, greet_and_hang_up, &greeter), 0);
    struct cli_caller *caller = caller_of_addresses(address, 1500);
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text("k")};
    struct kv_response response = {0};
    assert_int_equal(cli_caller_kv(caller, "get", &request, true, &response), CLI_EXIT_UNAVAILABLE);
    cli_caller_free(caller);
    shutdown(greeter.listener, SHUT_RDWR); /* accept() ends */
    pthread_join(thread, NULL);
    close(greeter.listener);
    assert_in_range(greeter.greeted, 2, 100); /* in pauses alone some 25, without them hundreds */
}

/* ---- Orders -------------------------------------------------------------------------------- */

static void an_order_that_was_not_begun_is_given_again(void **state) {
    (void)state;
    refuses_once_and_names(a, c->address);
    assert_int_equal(promote(2), CLI_EXIT_OK);
    assert_int_equal(times_asked(a), 1);
    assert_int_equal(times_asked(c), 1);
}

static void an_order_that_may_have_begun_is_not_given_again(void **state) {
    (void)state;
    answers(a, STATUS_TIMEOUT, false, 1);
    assert_int_equal(promote(2), CLI_EXIT_UNKNOWN);
    assert_int_equal(times_asked(a), 1);
    assert_int_equal(times_asked(b), 0);
}

static void a_refusal_ends_it_and_tells_what_kind_it_is(void **state) {
    (void)state;
    answers(a, STATUS_PRECONDITION, true, 1);
    assert_int_equal(promote(2), CLI_EXIT_PRECONDITION);
    answers(a, STATUS_NOT_FOUND, true, 2);
    assert_int_equal(promote(2), CLI_EXIT_NOT_FOUND);
    assert_int_equal(times_asked(b), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_refused_write_goes_to_the_leader_that_the_refusal_names),
        CASE(without_a_hint_the_next_server_is_asked),
        CASE(a_hint_leads_only_once_to_a_server_that_cannot_help),
        CASE(a_write_whose_fate_is_open_is_not_repeated_without_a_name),
        CASE(a_named_write_is_repeated_elsewhere_under_the_same_name),
        CASE(rounds_go_on_until_somebody_can),
        CASE(a_server_that_hangs_up_is_left_alone_for_a_while),
        CASE(an_order_that_was_not_begun_is_given_again),
        CASE(an_order_that_may_have_begun_is_not_given_again),
        CASE(a_refusal_ends_it_and_tells_what_kind_it_is),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
