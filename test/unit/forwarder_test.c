/* Requests passed on, with real servers on this host's loopback: the test is the loop of a
 * follower, and the leader does as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/forwarder.h"

#include <stdio.h>
#include <string.h>

/* Only a broken forwarder reaches this. */
#define PATIENCE_MS 60000

/* ---- The leader ------------------------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct kv_response response;
    bool is_holding;
    struct rpc_call *held;
    size_t asked_count;
    size_t forwarded_count;
} leader = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static enum status leader_asked(void *context, struct rpc_call *call,
                                const struct kv_request *request, uint64_t wait_ms) {
    (void)context, (void)request, (void)wait_ms;
    pthread_mutex_lock(&leader.lock);
    struct kv_response response = leader.response;
    bool is_held = leader.is_holding;
    leader.asked_count++;
    leader.forwarded_count += rpc_call_is_forwarded(call);
    if (is_held)
        leader.held = call;
    pthread_cond_broadcast(&leader.changed);
    pthread_mutex_unlock(&leader.lock);
    if (!is_held)
        rpc_reply(call, &response);
    return STATUS_OK;
}

static void leader_says(struct kv_response response) {
    pthread_mutex_lock(&leader.lock);
    leader.response = response;
    pthread_mutex_unlock(&leader.lock);
}

static void leader_holds(void) {
    pthread_mutex_lock(&leader.lock);
    leader.is_holding = true;
    pthread_mutex_unlock(&leader.lock);
}

static void wait_until_held(void) {
    pthread_mutex_lock(&leader.lock);
    while (!leader.held)
        pthread_cond_wait(&leader.changed, &leader.lock);
    pthread_mutex_unlock(&leader.lock);
}

static void leader_lets_go(void) {
    pthread_mutex_lock(&leader.lock);
    struct rpc_call *held = leader.held;
    struct kv_response response = leader.response;
    leader.held = NULL;
    leader.is_holding = false;
    pthread_mutex_unlock(&leader.lock);
    rpc_reply(held, &response);
}

static size_t read_count(const size_t *count) {
    pthread_mutex_lock(&leader.lock);
    size_t is = *count;
    pthread_mutex_unlock(&leader.lock);
    return is;
}

static size_t asked_count(void) {
    return read_count(&leader.asked_count);
}

/* ---- The follower ---------------------------------------------------------------------------- */

struct call {
    struct turn_request request; /* first: it comes back as this */
    struct rpc_call *rpc;
};

static struct {
    struct inbox inbox;
    struct forwarder *forwarder;
    struct rpc_server *leads;
    struct rpc_server *follows;
    char leader_address[64];
    struct rpc_queue *queue;
    struct rpc_client *client; /* of the follower */
    struct turn_events arrived;
} world;

static struct rpc_call *call_of(struct turn_request *request) {
    return ((struct call *)request)->rpc;
}

static enum status follower_asked(void *context, struct rpc_call *rpc,
                                  const struct kv_request *request, uint64_t wait_ms) {
    (void)context, (void)wait_ms;
    struct call *call = rpc_call_user(rpc);
    call->rpc = rpc;
    call->request.event.kind = TURN_REQUEST;
    call->request.request = request;
    call->request.deadline_ms = clock_ms() + PATIENCE_MS;
    return inbox_post_request(&world.inbox, &call->request.event);
}

static struct rpc_server *server_new(struct rpc_handlers handlers, char ret_address[64]) {
    struct rpc_server_config config = {.address = "127.0.0.1:0",
                                       .threads = 1,
                                       .user_bytes = sizeof(struct call),
                                       .handlers = handlers};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_new(&config, &server), STATUS_OK);
    rpc_server_start(server);
    snprintf(ret_address, 64, "127.0.0.1:%d", rpc_server_port(server));
    return server;
}

static int set_up(void **state) {
    char address[64];
    (void)state;
    leader.response = (struct kv_response){.revision = 5};
    leader.asked_count = leader.forwarded_count = 0;
    inbox_init(&world.inbox);
    STAILQ_INIT(&world.arrived);
    world.leads =
        server_new((struct rpc_handlers){.on_request = leader_asked}, world.leader_address);
    world.follows = server_new((struct rpc_handlers){.on_request = follower_asked}, address);
    assert_int_equal(forwarder_new(&world.inbox, call_of, &world.forwarder), STATUS_OK);
    assert_int_equal(rpc_queue_new(&world.queue), STATUS_OK);
    return rpc_client_new_on(world.queue, address, &world.client);
}

static int tear_down(void **state) {
    (void)state;
    forwarder_free(world.forwarder);
    rpc_client_free(world.client);
    rpc_queue_free(world.queue);
    rpc_server_free(world.follows);
    rpc_server_free(world.leads);
    inbox_close(&world.inbox);
    return 0;
}

/* ---- Verbs ----------------------------------------------------------------------------------- */

static void client_asks(enum kv_operation operation) {
    struct kv_request request = {.operation = operation,
                                 .key = bytes_of_text("k"),
                                 .value = bytes_of_text("v")};
    assert_int_equal(rpc_client_start(world.client, &request, PATIENCE_MS, NULL), STATUS_OK);
}

/* The next request on the loop. */
static struct turn_request *arrival(void) {
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (STAILQ_EMPTY(&world.arrived) && clock_ms() < end_ms)
        inbox_take(&world.inbox, end_ms, &world.arrived);
    struct turn_event *event = STAILQ_FIRST(&world.arrived);
    assert_non_null(event);
    STAILQ_REMOVE_HEAD(&world.arrived, link);
    return (struct turn_request *)event;
}

/* Passed on until the leader has it: without a connection it comes back at once. */
static void passes_on(struct turn_request *request) {
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    size_t asked = asked_count();
    forwarder_send(world.forwarder, request, world.leader_address);
    while (asked_count() == asked && clock_ms() < end_ms) {
        inbox_take(&world.inbox, clock_ms() + 10, &world.arrived);
        if (STAILQ_EMPTY(&world.arrived) || asked_count() > asked)
            continue;
        forwarder_send(world.forwarder, arrival(), world.leader_address);
    }
    assert_true(asked_count() > asked);
}

static struct rpc_outcome answer(void) {
    struct rpc_completion completion;
    assert_int_equal(rpc_queue_next(world.queue, PATIENCE_MS, &completion), STATUS_OK);
    return completion.outcome;
}

/* ---- Stories --------------------------------------------------------------------------------- */

static void brings_the_leader_s_answer(void **state) {
    (void)state;
    struct rpc_completion completion;
    struct kv_response response;
    client_asks(KV_PUT);
    passes_on(arrival());
    assert_int_equal(rpc_queue_next(world.queue, PATIENCE_MS, &completion), STATUS_OK);
    assert_int_equal(completion.outcome.code, RPC_OK);
    assert_int_equal(rpc_queue_decode(world.queue, &completion, KV_PUT, &response), STATUS_OK);
    assert_int_equal(response.revision, 5);
    assert_int_equal(read_count(&leader.forwarded_count), 1);
}

static void brings_the_leader_s_refusal_unchanged(void **state) {
    (void)state;
    leader_says((struct kv_response){.status = STATUS_PRECONDITION,
                                     .is_not_applied = true,
                                     .detail = "it has moved on"});
    client_asks(KV_PUT);
    passes_on(arrival());
    struct rpc_outcome outcome = answer();
    assert_int_equal(outcome.code, RPC_FAILED_PRECONDITION);
    assert_true(outcome.is_not_applied);
    assert_string_equal(outcome.detail, "it has moved on");
}

static void a_write_that_the_leader_did_not_take_comes_back(void **state) {
    (void)state;
    leader_says((struct kv_response){.status = STATUS_NOT_LEADER, .is_not_applied = true});
    client_asks(KV_PUT);
    passes_on(arrival());
    struct turn_request *request = arrival();
    assert_true(request->not_before_ms != 0);
    leader_says((struct kv_response){.revision = 6});
    passes_on(request);
    assert_int_equal(answer().code, RPC_OK);
}

static void a_write_that_the_leader_may_have_taken_does_not(void **state) {
    (void)state;
    leader_says((struct kv_response){.status = STATUS_UNAVAILABLE});
    client_asks(KV_PUT);
    passes_on(arrival());
    struct rpc_outcome outcome = answer();
    assert_int_equal(outcome.code, RPC_UNAVAILABLE);
    assert_false(outcome.is_not_applied);
    assert_int_equal(asked_count(), 1);
}

static void a_read_comes_back_in_any_case(void **state) {
    (void)state;
    leader_says((struct kv_response){.status = STATUS_UNAVAILABLE});
    client_asks(KV_GET);
    passes_on(arrival());
    struct turn_request *request = arrival();
    leader_says((struct kv_response){0});
    passes_on(request);
    assert_int_equal(answer().code, RPC_OK);
}

static void comes_back_when_the_leader_s_address_is_not_known(void **state) {
    (void)state;
    client_asks(KV_PUT);
    struct turn_request *request = arrival();
    forwarder_send(world.forwarder, request, NULL);
    assert_ptr_equal(arrival(), request);
    assert_false(forwarder_is_busy(world.forwarder));
    passes_on(request);
    assert_int_equal(answer().code, RPC_OK);
}

static void is_busy_while_the_leader_thinks(void **state) {
    (void)state;
    leader_holds();
    client_asks(KV_PUT);
    passes_on(arrival());
    wait_until_held();
    assert_true(forwarder_is_busy(world.forwarder));
    leader_lets_go();
    assert_int_equal(answer().code, RPC_OK);
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (forwarder_is_busy(world.forwarder) && clock_ms() < end_ms)
        inbox_take(&world.inbox, clock_ms() + 1, &world.arrived);
    assert_false(forwarder_is_busy(world.forwarder));
}

static void what_is_under_way_at_its_end_may_have_happened(void **state) {
    (void)state;
    leader_holds();
    client_asks(KV_PUT);
    passes_on(arrival());
    wait_until_held();
    forwarder_free(world.forwarder);
    world.forwarder = NULL;
    struct rpc_outcome outcome = answer();
    assert_int_equal(outcome.code, RPC_ABORTED);
    assert_false(outcome.is_not_applied);
    leader_lets_go();
}

static void what_would_come_back_to_a_closed_inbox_is_refused(void **state) {
    (void)state;
    client_asks(KV_PUT);
    struct turn_request *request = arrival();
    inbox_refuse(&world.inbox);
    forwarder_send(world.forwarder, request, NULL);
    struct rpc_outcome outcome = answer();
    assert_int_equal(outcome.code, RPC_UNAVAILABLE);
    assert_true(outcome.is_not_applied);
}

static int set_up_all(void **state) {
    (void)state;
    rpc_init();
    return 0;
}

static int tear_down_all(void **state) {
    (void)state;
    rpc_shutdown();
    return 0;
}

#define FORWARDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        FORWARDER_TEST(brings_the_leader_s_answer),
        FORWARDER_TEST(brings_the_leader_s_refusal_unchanged),
        FORWARDER_TEST(a_write_that_the_leader_did_not_take_comes_back),
        FORWARDER_TEST(a_write_that_the_leader_may_have_taken_does_not),
        FORWARDER_TEST(a_read_comes_back_in_any_case),
        FORWARDER_TEST(comes_back_when_the_leader_s_address_is_not_known),
        FORWARDER_TEST(is_busy_while_the_leader_thinks),
        FORWARDER_TEST(what_is_under_way_at_its_end_may_have_happened),
        FORWARDER_TEST(what_would_come_back_to_a_closed_inbox_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
