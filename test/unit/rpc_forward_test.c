/* Two servers of one process: one hands on what it is asked, the other answers it. Callers must not
 * be able to tell the difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/rpc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 120000

/* ---- The leader: answers as the script says -------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    struct kv_response response;
    enum status status; /* of orders and lists */
    const char *detail;
    bool is_not_applied;
    struct rpc_order order; /* the newest */
    size_t forwarded_count;
    size_t direct_count;
} leader = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What it answers from now on. */
static void respond(struct kv_response response) {
    pthread_mutex_lock(&leader.lock);
    leader.response = response;
    pthread_mutex_unlock(&leader.lock);
}

static void decide(enum status status, const char *detail, bool is_not_applied) {
    pthread_mutex_lock(&leader.lock);
    leader.status = status;
    leader.detail = detail;
    leader.is_not_applied = is_not_applied;
    pthread_mutex_unlock(&leader.lock);
}

static size_t forwarded(void) {
    pthread_mutex_lock(&leader.lock);
    size_t is = leader.forwarded_count;
    pthread_mutex_unlock(&leader.lock);
    return is;
}

static size_t not_forwarded(void) {
    pthread_mutex_lock(&leader.lock);
    size_t is = leader.direct_count;
    pthread_mutex_unlock(&leader.lock);
    return is;
}

static struct rpc_order newest_order(void) {
    pthread_mutex_lock(&leader.lock);
    struct rpc_order is = leader.order;
    pthread_mutex_unlock(&leader.lock);
    return is;
}

/* With the lock. */
static void count(const struct rpc_call *call) {
    if (rpc_call_is_forwarded(call))
        leader.forwarded_count++;
    else
        leader.direct_count++;
}

static enum status answer_request(void *context, struct rpc_call *call,
                                  const struct kv_request *request, uint64_t wait_ms) {
    (void)context, (void)wait_ms;
    pthread_mutex_lock(&leader.lock);
    count(call);
    struct kv_response response = leader.response;
    pthread_mutex_unlock(&leader.lock);
    if (request->operation == KV_GET) /* a get echoes its key */
        response.item.value = request->key;
    rpc_reply(call, &response);
    return STATUS_OK;
}

static enum status answer_order(void *context, struct rpc_call *call, const struct rpc_order *order,
                                uint64_t wait_ms) {
    (void)context, (void)wait_ms;
    pthread_mutex_lock(&leader.lock);
    count(call);
    leader.order = *order;
    enum status status = leader.status;
    const char *detail = leader.detail;
    bool is_not_applied = leader.is_not_applied;
    pthread_mutex_unlock(&leader.lock);
    rpc_reply_status(call, status, is_not_applied, detail);
    return STATUS_OK;
}

static struct rpc_members some_members(void) {
    return (struct rpc_members){
        .count = 2,
        .members = {{.id = 11,
                     .name = "n1",
                     .role = NODE_LEADER,
                     .is_voter = true,
                     .is_leader = true,
                     .address = "host:9000",
                     .has_gossip = true,
                     .gossip = NODE_SUSPECT,
                     .region = "jnb",
                     .version = "1.0.0"},
                    {.id = 12,
                     .name = "n2",
                     .role = NODE_LEARNER,
                     .has_progress = true,
                     .match_index = 90,
                     .lag = 10,
                     .is_heard = true,
                     .silent_ms = 0}},
        .configuration_index = 55,
        .is_joint = true,
        .term = 6,
        .leader = 11,
    };
}

static enum status answer_members(void *context, struct rpc_call *call, uint64_t wait_ms) {
    (void)context, (void)wait_ms;
    pthread_mutex_lock(&leader.lock);
    count(call);
    enum status status = leader.status;
    pthread_mutex_unlock(&leader.lock);
    struct rpc_members members = some_members();
    if (status == STATUS_OK)
        rpc_reply_members(call, &members);
    else
        rpc_reply_status(call, status, true, NULL);
    return STATUS_OK;
}

/* ---- The follower: hands everything on ------------------------------------------------------- */

static struct {
    struct rpc_queue *queue;
    struct rpc_client *client;
    pthread_t thread;
    atomic_bool is_stopping;
} follower;

static enum status hand_on(struct rpc_call *call, uint64_t wait_ms) {
    return rpc_client_forward(follower.client, call, wait_ms, call);
}

static enum status hand_request_on(void *context, struct rpc_call *call,
                                   const struct kv_request *request, uint64_t wait_ms) {
    (void)context, (void)request;
    return hand_on(call, wait_ms);
}

static enum status hand_order_on(void *context, struct rpc_call *call,
                                 const struct rpc_order *order, uint64_t wait_ms) {
    (void)context, (void)order;
    return hand_on(call, wait_ms);
}

static enum status hand_members_on(void *context, struct rpc_call *call, uint64_t wait_ms) {
    (void)context;
    return hand_on(call, wait_ms);
}

static void *hand_back(void *unused) {
    struct rpc_completion completion;
    while (!atomic_load(&follower.is_stopping)) {
        if (rpc_queue_next(follower.queue, 20, &completion) == STATUS_OK)
            rpc_reply_forwarded(completion.tag, &completion);
    }
    return unused;
}

/* ---- The fixture --------------------------------------------------------------------------- */

static struct rpc_server *leads;
static struct rpc_server *follows;
static struct rpc_client *client; /* of the follower */

static struct rpc_server *server_new(struct rpc_handlers handlers) {
    struct rpc_server_config config = {.address = "127.0.0.1:0",
                                       .threads = 1,
                                       .handlers = handlers};
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_new(&config, &server), STATUS_OK);
    rpc_server_start(server);
    return server;
}

static void address_of(const struct rpc_server *server, char ret_address[64]) {
    snprintf(ret_address, 64, "127.0.0.1:%d", rpc_server_port(server));
}

static int set_up(void **state) {
    (void)state;
    char address[64];
    respond((struct kv_response){.is_found = true, .revision = 5});
    decide(STATUS_OK, NULL, false);
    pthread_mutex_lock(&leader.lock);
    leader.forwarded_count = 0;
    leader.direct_count = 0;
    pthread_mutex_unlock(&leader.lock);
    leads = server_new((struct rpc_handlers){.on_request = answer_request,
                                             .on_order = answer_order,
                                             .on_members = answer_members});
    rpc_server_set_leader(leads, "leader:1");
    address_of(leads, address);
    assert_int_equal(rpc_queue_new(&follower.queue), STATUS_OK);
    assert_int_equal(rpc_client_new_on(follower.queue, address, &follower.client), STATUS_OK);
    follows = server_new((struct rpc_handlers){.on_request = hand_request_on,
                                               .on_order = hand_order_on,
                                               .on_members = hand_members_on});
    rpc_server_set_leader(follows, "leader:2");
    address_of(follows, address);
    assert_int_equal(rpc_client_new(address, &client), STATUS_OK);
    atomic_store(&follower.is_stopping, false);
    return pthread_create(&follower.thread, NULL, hand_back, NULL);
}

static int tear_down(void **state) {
    (void)state;
    rpc_client_free(client);
    rpc_server_free(follows);
    atomic_store(&follower.is_stopping, true);
    assert_int_equal(pthread_join(follower.thread, NULL), 0);
    rpc_client_free(follower.client);
    rpc_queue_free(follower.queue);
    rpc_server_free(leads);
    return 0;
}

static struct rpc_outcome put(size_t value_bytes, struct kv_response *ret_response) {
    static uint8_t value[VALUE_BYTES_MAX];
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("key"),
                                 .value = bytes_of(value, value_bytes)};
    struct rpc_outcome outcome;
    rpc_client_kv(client, &request, PATIENCE_MS, ret_response, &outcome);
    return outcome;
}

static struct rpc_outcome order(struct rpc_order order) {
    struct rpc_outcome outcome;
    rpc_client_order(client, &order, PATIENCE_MS, &outcome);
    return outcome;
}

/* ---- Requests ------------------------------------------------------------------------------ */

static void hands_on_a_put_of_any_size(void **state) {
    (void)state;
    const size_t sizes[] = {0, 5, 100, 20000, VALUE_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct kv_response response;
        struct rpc_outcome outcome = put(sizes[i], &response);
        assert_int_equal(outcome.code, RPC_OK);
        assert_int_equal(response.revision, 5);
        assert_string_equal(outcome.leader, "leader:2"); /* as the asked node knows it */
    }
    assert_int_equal(forwarded(), 5);
    assert_int_equal(not_forwarded(), 0);
}

static void hands_back_a_value(void **state) {
    (void)state;
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text("echoed key")};
    struct kv_response response;
    struct rpc_outcome outcome;
    rpc_client_kv(client, &request, PATIENCE_MS, &response, &outcome);
    assert_int_equal(outcome.code, RPC_OK);
    assert_true(response.is_found);
    assert_true(bytes_equal(response.item.value, request.key));
}

static void hands_back_each_status_with_its_mark(void **state) {
    (void)state;
    static const struct {
        enum status status;
        enum rpc_code code;
        bool is_not_applied;
    } cases[] = {
        {STATUS_PRECONDITION, RPC_FAILED_PRECONDITION, true},
        {STATUS_ABORTED, RPC_ABORTED, false},
        {STATUS_TIMEOUT, RPC_DEADLINE_EXCEEDED, false},
        {STATUS_DISK_FULL, RPC_RESOURCE_EXHAUSTED, true},
        {STATUS_UNAVAILABLE, RPC_UNAVAILABLE, true},
        {STATUS_IO, RPC_INTERNAL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        respond((struct kv_response){.status = cases[i].status,
                                     .is_not_applied = cases[i].is_not_applied,
                                     .detail = "the leader's words"});
        struct kv_response response;
        struct rpc_outcome outcome = put(1, &response);
        assert_int_equal(outcome.code, cases[i].code);
        assert_int_equal(outcome.is_not_applied, cases[i].is_not_applied);
        assert_string_equal(outcome.detail, "the leader's words");
    }
}

/* Open, unless no connection to it could be made any more. */
static void a_leader_that_is_gone_is_unavailable(void **state) {
    (void)state;
    struct kv_response response;
    assert_int_equal(put(1, &response).code, RPC_OK);
    rpc_server_free(leads);
    struct rpc_outcome outcome = put(1, &response);
    leads = server_new((struct rpc_handlers){.on_request = answer_request});
    assert_int_equal(outcome.code, RPC_UNAVAILABLE);
    bool was_never_sent = strstr(outcome.detail, "failed to connect") != NULL;
    assert_int_equal(outcome.is_not_applied, was_never_sent);
}

static void a_client_s_own_request_carries_no_mark(void **state) {
    (void)state;
    char address[64];
    struct rpc_client *direct = NULL;
    address_of(leads, address);
    assert_int_equal(rpc_client_new(address, &direct), STATUS_OK);
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text("key")};
    struct kv_response response;
    struct rpc_outcome outcome;
    rpc_client_kv(direct, &request, PATIENCE_MS, &response, &outcome);
    assert_int_equal(outcome.code, RPC_OK);
    assert_int_equal(not_forwarded(), 1);
    assert_int_equal(forwarded(), 0);
    rpc_client_free(direct);
}

/* ---- Members ------------------------------------------------------------------------------- */

static void carries_each_order(void **state) {
    (void)state;
    static const struct rpc_order orders[] = {
        {.kind = RPC_ORDER_ADD, .member = {.name = "n4"}, .address = "host:9000"},
        {.kind = RPC_ORDER_ADD, .member = {.id = UINT64_MAX}},
        {.kind = RPC_ORDER_PROMOTE, .member = {.id = 4, .name = "n4"}},
        {.kind = RPC_ORDER_REMOVE, .member = {.name = "n4"}},
        {.kind = RPC_ORDER_REPLACE, .member = {.name = "n3"}, .next = {.id = 4}},
        {.kind = RPC_ORDER_TRANSFER, .member = {.name = "n2"}},
        {.kind = RPC_ORDER_TRANSFER},
    };
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        assert_int_equal(order(orders[i]).code, RPC_OK);
        struct rpc_order arrived = newest_order();
        assert_memory_equal(&arrived, &orders[i], sizeof orders[i]);
    }
}

static void tells_why_an_order_is_refused(void **state) {
    (void)state;
    decide(STATUS_PRECONDITION, "would leave 1 of 2 voters reachable", true);
    struct rpc_outcome outcome =
        order((struct rpc_order){.kind = RPC_ORDER_REMOVE, .member = {.name = "n2"}});
    assert_int_equal(outcome.code, RPC_FAILED_PRECONDITION);
    assert_string_equal(outcome.detail, "would leave 1 of 2 voters reachable");
    assert_true(outcome.is_not_applied);
    decide(STATUS_TIMEOUT, NULL, false);
    outcome = order((struct rpc_order){.kind = RPC_ORDER_TRANSFER});
    assert_int_equal(outcome.code, RPC_DEADLINE_EXCEEDED);
    assert_string_equal(outcome.detail, status_text(STATUS_TIMEOUT));
    assert_false(outcome.is_not_applied);
}

static void refuses_orders_about_nobody(void **state) {
    (void)state;
    const enum rpc_order_kind kinds[] = {RPC_ORDER_ADD, RPC_ORDER_PROMOTE, RPC_ORDER_REMOVE,
                                         RPC_ORDER_REPLACE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct rpc_outcome outcome = order((struct rpc_order){.kind = kinds[i]});
        assert_int_equal(outcome.code, RPC_INVALID_ARGUMENT);
        assert_non_null(strstr(outcome.detail, "member: an id or a name is needed"));
        assert_true(outcome.is_not_applied);
    }
    struct rpc_outcome outcome =
        order((struct rpc_order){.kind = RPC_ORDER_REPLACE, .member = {.id = 1}});
    assert_string_equal(outcome.detail, "new_member: an id or a name is needed");
    outcome =
        order((struct rpc_order){.kind = RPC_ORDER_ADD, .member = {.id = 1}, .address = "nowhere"});
    assert_string_equal(outcome.detail, "address: host:port, or empty");
    assert_int_equal(forwarded(), 0);
}

static void lists_the_members(void **state) {
    (void)state;
    struct rpc_members expected = some_members();
    static struct rpc_members members;
    struct rpc_outcome outcome;
    rpc_client_members(client, PATIENCE_MS, &members, &outcome);
    assert_int_equal(outcome.code, RPC_OK);
    assert_int_equal(members.count, expected.count);
    assert_int_equal(members.configuration_index, 55);
    assert_true(members.is_joint);
    assert_int_equal(members.term, 6);
    assert_int_equal(members.leader, 11);
    for (size_t i = 0; i < expected.count; i++) {
        const struct rpc_member *is = &members.members[i];
        const struct rpc_member *should_be = &expected.members[i];
        assert_int_equal(is->id, should_be->id);
        assert_string_equal(is->name, should_be->name);
        assert_int_equal(is->role, should_be->role);
        assert_int_equal(is->is_voter, should_be->is_voter);
        assert_int_equal(is->is_leader, should_be->is_leader);
        assert_string_equal(is->address, should_be->address);
        assert_int_equal(is->has_progress, should_be->has_progress);
        assert_int_equal(is->match_index, should_be->match_index);
        assert_int_equal(is->lag, should_be->lag);
        assert_int_equal(is->is_heard, should_be->is_heard);
        assert_int_equal(is->silent_ms, should_be->silent_ms);
        assert_int_equal(is->has_gossip, should_be->has_gossip);
        assert_int_equal(is->gossip, should_be->gossip);
        assert_string_equal(is->region, should_be->region);
        assert_string_equal(is->version, should_be->version);
    }
    decide(STATUS_UNAVAILABLE, NULL, true);
    rpc_client_members(client, PATIENCE_MS, &members, &outcome);
    assert_int_equal(outcome.code, RPC_UNAVAILABLE);
}

static void without_handlers_there_are_no_members(void **state) {
    (void)state;
    struct rpc_server *plain = server_new((struct rpc_handlers){.on_request = answer_request});
    char address[64];
    struct rpc_client *other = NULL;
    address_of(plain, address);
    assert_int_equal(rpc_client_new(address, &other), STATUS_OK);
    static struct rpc_members members;
    struct rpc_order transfer = {.kind = RPC_ORDER_TRANSFER};
    struct rpc_outcome outcome;
    rpc_client_members(other, PATIENCE_MS, &members, &outcome);
    assert_int_equal(outcome.code, RPC_UNIMPLEMENTED);
    rpc_client_order(other, &transfer, PATIENCE_MS, &outcome);
    assert_int_equal(outcome.code, RPC_UNIMPLEMENTED);
    rpc_client_free(other);
    rpc_server_free(plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hands_on_a_put_of_any_size),
        TEST(hands_back_a_value),
        TEST(hands_back_each_status_with_its_mark),
        TEST(a_leader_that_is_gone_is_unavailable),
        TEST(a_client_s_own_request_carries_no_mark),
        TEST(carries_each_order),
        TEST(tells_why_an_order_is_refused),
        TEST(refuses_orders_about_nobody),
        TEST(lists_the_members),
        TEST(without_handlers_there_are_no_members),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
