/* The mesh over this host's loopback: what it believes of those that connect, what it remembers of
 * them. The test is the other node, and this node's loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/digest.h"
#include "server/loop_event.h"
#include "server/mesh.h"
#include "server/mesh_parts.h"
#include "support/log_fixture.h"
#include "support/peer.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

#define SELF 1
#define OTHER 2
#define CLUSTER 7

/* Only a broken mesh reaches this. */
#define PATIENCE_MS 60000

struct node {
    struct log_fixture log;
    struct inbox inbox;
    struct log_writer *writer;
    struct kv_identity identity;
    struct mesh *mesh;
    struct rpc_server *server;
    char address[64];
    size_t sighted_count;
    size_t silent_count;
    size_t met_count;
    bool is_rolled_back;
};

/* ---- What the mesh tells --------------------------------------------------------------------- */

static void on_sighted(void *context, raft_id id, const char *name, uint64_t cluster_id) {
    (void)id, (void)name, (void)cluster_id;
    ((struct node *)context)->sighted_count++;
}

static void on_silent(void *context, raft_id id) {
    (void)id;
    ((struct node *)context)->silent_count++;
}

static void on_met(void *context, const char *name) {
    (void)name;
    ((struct node *)context)->met_count++;
}

static void on_founding(void *context, raft_id from, struct bytes bytes) {
    (void)context, (void)from, (void)bytes;
}

static void on_invited(void *context, uint64_t cluster_id) {
    (void)context, (void)cluster_id;
}

static void on_outside(void *context, raft_index index) {
    (void)context, (void)index;
}

static void on_rolled_back(void *context) {
    ((struct node *)context)->is_rolled_back = true;
}

/* ---- This node ------------------------------------------------------------------------------- */

static enum status make_mesh(struct node *n) {
    struct mesh_config config = {
        .identity = &n->identity,
        .label = "test",
        .address = n->address,
        .http_address = "",
        .region = "",
        .election_ms = 1000,
        .log = n->log.log,
        .inbox = &n->inbox,
        .writer = n->writer,
        .handlers = {.context = n,
                     .on_sighted = on_sighted,
                     .on_met = on_met,
                     .on_silent = on_silent,
                     .on_founding = on_founding,
                     .on_invited = on_invited,
                     .on_outside = on_outside,
                     .on_rolled_back = on_rolled_back},
    };
    return mesh_new(&config, &n->mesh);
}

static void link_up(void *context, struct rpc_link *link) {
    mesh_link_up(((struct node *)context)->mesh, link);
}

static void link_hello(void *context, struct rpc_link *link, const struct rpc_hello *hello) {
    mesh_link_hello(((struct node *)context)->mesh, link, hello);
}

static void link_message(void *context, struct rpc_link *link, struct rpc_peer_message *message) {
    mesh_link_message(((struct node *)context)->mesh, link, message);
}

static void link_bytes(void *context, struct rpc_link *link, enum rpc_bytes_kind kind,
                       struct bytes bytes) {
    mesh_link_bytes(((struct node *)context)->mesh, link, kind, bytes);
}

static void link_down(void *context, struct rpc_link *link) {
    mesh_link_down(((struct node *)context)->mesh, link);
}

static void on_pause(void *context) {
    inbox_run_or_wake(&((struct node *)context)->inbox);
}

static void start_server(struct node *n) {
    struct rpc_server_config config = {
        .address = "127.0.0.1:0",
        .threads = 1,
        .message_user_bytes = mesh_message_bytes(),
        .handlers = {.context = n,
                     .on_pause = on_pause,
                     .links = {.on_link_up = link_up,
                               .on_link_hello = link_hello,
                               .on_link_message = link_message,
                               .on_link_bytes = link_bytes,
                               .on_link_down = link_down}},
    };
    assert_int_equal(rpc_server_new(&config, &n->server), STATUS_OK);
    snprintf(n->address, sizeof n->address, "127.0.0.1:%d", rpc_server_port(n->server));
    rpc_server_start(n->server);
    mesh_start(n->mesh, n->server);
}

static void open_stores(struct node *n, const struct temporary *t) {
    *n = (struct node){.identity = {.id = SELF,
                                    .cluster_id = CLUSTER,
                                    .name = "self",
                                    .start_counter = 1,
                                    .start_nonce = 11}};
    fixture_open(&n->log, t);
    inbox_init(&n->inbox);
    assert_int_equal(log_writer_new(n->log.log, n->log.summary.last_index + 1, &n->inbox,
                                    &n->writer),
                     STATUS_OK);
}

static void start(struct node *n, const struct temporary *t) {
    open_stores(n, t);
    assert_int_equal(make_mesh(n), STATUS_OK);
    start_server(n);
}

/* One round of the loop; false: nothing came within the patience. */
static bool run(struct node *n, uint64_t deadline_ms) {
    struct turn_events events;
    inbox_take(&n->inbox, deadline_ms, &events);
    bool has_any = !STAILQ_EMPTY(&events);
    while (!STAILQ_EMPTY(&events)) {
        struct turn_event *event = STAILQ_FIRST(&events);
        STAILQ_REMOVE_HEAD(&events, link);
        if (event->kind == LOOP_EVENT)
            ((struct loop_event *)event)->run((struct loop_event *)event);
        else if (event->kind == TURN_MESSAGE && mesh_lets_in(n->mesh, (struct turn_message *)event))
            mesh_message_done((struct turn_message *)event);
    }
    return has_any;
}

#define RUN_UNTIL(n, condition) \
    do { \
        while (!(condition)) \
            if (!run((n), clock_ms() + PATIENCE_MS)) \
                fail_msg("nothing comes, and not: %s", #condition); \
    } while (0)

/* What the other node sees by and by, while this one's loop goes on. */
#define RUN_UNTIL_SEEN(n, peer, condition) \
    do { \
        uint64_t end_ms = clock_ms() + PATIENCE_MS; \
        bool is_seen = false; \
        while (!is_seen && clock_ms() < end_ms) { \
            (void)run((n), clock_ms() + 10); \
            pthread_mutex_lock(&(peer)->lock); \
            is_seen = (condition); \
            pthread_mutex_unlock(&(peer)->lock); \
        } \
        assert_true(is_seen); \
    } while (0)

static void close_stores(struct node *n) {
    log_writer_free(n->writer);
    (void)run(n, 0);
    mesh_free(n->mesh);
    inbox_close(&n->inbox);
    fixture_close(&n->log);
}

static void stop(struct node *n) {
    mesh_stop(n->mesh);
    rpc_server_free(n->server);
    (void)run(n, 0);
    close_stores(n);
}

/* ---- The other node -------------------------------------------------------------------------- */

struct other {
    struct peer peer;
    struct rpc_dial *dial;
};

static struct peer_link *connects(struct other *other, const struct node *n) {
    peer_start(&other->peer, OTHER, 0, true);
    peer_be_silent(&other->peer);
    other->dial = peer_dial(&other->peer, n->address);
    return peer_link(&other->peer, 0);
}

/* It says who it is, by that start and address; and that it remembers this node or not. */
static void says(struct other *other, struct peer_link *link, uint64_t counter, const char *address,
                 bool remembers) {
    struct rpc_hello hello = peer_hello(&other->peer);
    hello.start = (struct rpc_start){.counter = counter, .nonce = 100 + counter};
    snprintf(hello.name, sizeof hello.name, "other");
    snprintf(hello.address, sizeof hello.address, "%s", address);
    if (remembers) {
        hello.receiver = SELF;
        hello.remembered = (struct rpc_start){.counter = 1, .nonce = 11};
    }
    assert_int_equal(rpc_link_send_hello(link->link, &hello), STATUS_OK);
}

static void leaves(struct other *other) {
    rpc_dial_free(other->dial);
    peer_stop(&other->peer);
}

/* ---- Believed -------------------------------------------------------------------------------- */

static void is_open_once_each_remembers_the_other(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", false);
    RUN_UNTIL(&n, gate_memory_find(&n.mesh->memory, OTHER) &&
                      gate_memory_find(&n.mesh->memory, OTHER)->durable.counter == 3);
    assert_false(mesh_is_open(n.mesh, OTHER)); /* it does not yet remember this node */
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    assert_int_equal(n.sighted_count, 1);
    assert_int_equal(n.met_count, 1);
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:1");
    assert_int_equal(mesh_find(n.mesh, "other"), OTHER);
    leaves(&other);
    RUN_UNTIL(&n, n.silent_count == 1);
    assert_int_equal(mesh_find(n.mesh, "other"), 0);
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:1"); /* it may come back */
    stop(&n);
}

static void remembers_who_it_met_over_a_restart(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    leaves(&other);
    stop(&n);
    open_stores(&n, *state);
    assert_int_equal(make_mesh(&n), STATUS_OK);
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:1");
    assert_string_equal(mesh_name(n.mesh, OTHER), "other");
    assert_int_equal(gate_memory_find(&n.mesh->memory, OTHER)->durable.counter, 3);
    assert_int_equal(gate_memory_find(&n.mesh->memory, OTHER)->durable.nonce, 103);
    close_stores(&n);
}

/* It listens on all its addresses: the connection shows which one it comes from. */
static void a_port_alone_is_completed_by_the_connection(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, ":9000", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    assert_string_equal(mesh_address(n.mesh, OTHER), "127.0.0.1:9000");
    leaves(&other);
    stop(&n);
}

static void tells_what_a_node_told_of_itself(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    struct rpc_hello hello = peer_hello(&other.peer);
    hello.receiver = SELF;
    hello.remembered = (struct rpc_start){.counter = 1, .nonce = 11};
    snprintf(hello.region, sizeof hello.region, "jnb");
    snprintf(hello.software_version, sizeof hello.software_version, "7.8.9");
    assert_string_equal(mesh_region(n.mesh, OTHER), "");
    assert_int_equal(rpc_link_send_hello(link->link, &hello), STATUS_OK);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    assert_string_equal(mesh_region(n.mesh, OTHER), "jnb");
    assert_string_equal(mesh_version(n.mesh, OTHER), "7.8.9");
    leaves(&other);
    stop(&n);
}

/* A copy of its disk runs elsewhere: this node's requests must not go there. */
static void a_refused_copy_does_not_move_a_node_s_address(void **state) {
    struct node n;
    struct other other, copy;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    struct peer_link *copied = connects(&copy, &n);
    says(&copy, copied, 2, "copy:1", true);
    RUN_UNTIL(&n, n.mesh->memory.refused_connections_total == 1);
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:1");
    RUN_UNTIL_SEEN(&n, &copy.peer, copied->hello.refusal == RPC_REFUSAL_ROLLED_BACK);
    leaves(&copy);
    leaves(&other);
    stop(&n);
}

static void a_later_start_is_believed_only_with_its_proof(void **state) {
    struct node n;
    struct other other, later;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    leaves(&other);
    struct peer_link *again = connects(&later, &n);
    says(&later, again, 4, "other:2", true);
    RUN_UNTIL_SEEN(&n, &later.peer,
                   again->hello.remembered.counter == 3); /* it is asked about that start */
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:1");
    struct rpc_hello hello = peer_hello(&later.peer);
    hello.start = (struct rpc_start){.counter = 4, .nonce = 104};
    hello.receiver = SELF;
    hello.remembered = (struct rpc_start){.counter = 1, .nonce = 11};
    hello.proof = (struct rpc_start){.counter = 3, .nonce = 103};
    snprintf(hello.address, sizeof hello.address, "other:2");
    assert_int_equal(rpc_link_send_hello(again->link, &hello), STATUS_OK);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    assert_string_equal(mesh_address(n.mesh, OTHER), "other:2");
    leaves(&later);
    stop(&n);
}

static void learns_that_its_own_disk_was_rolled_back(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    struct rpc_hello hello = peer_hello(&other.peer);
    hello.receiver = SELF;
    hello.remembered = (struct rpc_start){.counter = 9, .nonce = 99};
    assert_int_equal(rpc_link_send_hello(link->link, &hello), STATUS_OK);
    RUN_UNTIL(&n, n.is_rolled_back);
    assert_false(mesh_is_open(n.mesh, OTHER));
    leaves(&other);
    stop(&n);
}

static void a_node_of_another_cluster_leaves_no_trace(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    struct rpc_hello hello = peer_hello(&other.peer);
    hello.cluster_id = CLUSTER + 1;
    snprintf(hello.address, sizeof hello.address, "other:1");
    assert_int_equal(rpc_link_send_hello(link->link, &hello), STATUS_OK);
    RUN_UNTIL(&n, n.mesh->memory.refused_connections_total == 1);
    assert_null(mesh_address(n.mesh, OTHER));
    assert_int_equal(n.mesh->peer_count, 0);
    leaves(&other);
    stop(&n);
}

static void a_node_of_another_label_leaves_no_trace(void **state) {
    struct node n;
    struct other other;
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    struct rpc_hello hello = peer_hello(&other.peer);
    snprintf(hello.cluster_label, sizeof hello.cluster_label, "elsewhere");
    assert_int_equal(rpc_link_send_hello(link->link, &hello), STATUS_OK);
    RUN_UNTIL_SEEN(&n, &other.peer, other.peer.down_count > 0);
    assert_int_equal(n.mesh->peer_count, 0);
    leaves(&other);
    stop(&n);
}

/* ---- Notes ----------------------------------------------------------------------------------- */

struct note {
    uint8_t bytes[512];
    size_t len;
};

static struct note note_of(unsigned version, uint64_t counter, size_t name_len,
                           size_t address_len) {
    struct note note;
    uint8_t text[256];
    struct wire_writer w = wire_writer_of(note.bytes, sizeof note.bytes);
    memset(text, 'x', sizeof text);
    wire_put_u8(&w, (uint8_t)version);
    wire_put_u64(&w, counter);
    wire_put_u64(&w, 5);
    wire_put_u8(&w, (uint8_t)name_len);
    wire_put(&w, text, name_len);
    wire_put_u8(&w, (uint8_t)address_len);
    wire_put(&w, text, address_len);
    note.len = w.len;
    return note;
}

static enum status loaded(const struct temporary *t, const char *key, const struct note *note) {
    struct node n;
    open_stores(&n, t);
    assert_int_equal(kv_log_note_write(n.log.log, bytes_of_text(key),
                                       bytes_of(note->bytes, note->len)),
                     STATUS_OK);
    enum status status = make_mesh(&n);
    assert_int_equal(kv_log_note_write(n.log.log, bytes_of_text(key), (struct bytes){0}),
                     STATUS_OK);
    close_stores(&n);
    return status;
}

#define GOOD_KEY "peer/00000000000000ab"

static void notes_that_make_no_sense_are_damage(void **state) {
    struct note good = note_of(1, 3, 4, 8), note = note_of(1, 3, NAME_BYTES_MAX - 1, 255);
    assert_int_equal(loaded(*state, GOOD_KEY, &good), STATUS_OK);
    assert_int_equal(loaded(*state, GOOD_KEY, &note), STATUS_OK);
    assert_int_equal(loaded(*state, "peer/ab", &good), STATUS_CORRUPT);
    assert_int_equal(loaded(*state, "peer/0000000000000000", &good), STATUS_CORRUPT);
    note = note_of(2, 3, 4, 4);
    assert_int_equal(loaded(*state, GOOD_KEY, &note), STATUS_CORRUPT);
    note = note_of(1, 0, 4, 4);
    assert_int_equal(loaded(*state, GOOD_KEY, &note), STATUS_CORRUPT);
    note = note_of(1, 3, NAME_BYTES_MAX, 4);
    assert_int_equal(loaded(*state, GOOD_KEY, &note), STATUS_CORRUPT);
    for (size_t len = 1; len < good.len; len++) {
        note = good;
        note.len = len;
        assert_int_equal(loaded(*state, GOOD_KEY, &note), STATUS_CORRUPT);
    }
}

/* ---- Talk ------------------------------------------------------------------------------------ */

static void send_note(const struct peer_link *link, const void *data, size_t len) {
    assert_int_equal(rpc_link_send_bytes(link->link, RPC_BYTES_NOTE, bytes_of(data, len)),
                     STATUS_OK);
}

static void learns_what_a_node_says_of_itself(void **state) {
    struct node n;
    struct other other;
    struct node_member member = {0};
    struct node_digest digest = {.region = "lhr", .role = NODE_FOLLOWER, .term = 9};
    uint8_t note[1 + DIGEST_BYTES_MAX] = {MESH_DIGEST};
    size_t len = 1 + digest_encode(&digest, note + 1, DIGEST_BYTES_MAX);
    start(&n, *state);
    mesh_describe(n.mesh, OTHER, &member);
    assert_true(member.digest_age_ms == NODE_UNKNOWN && member.silent_ms == NODE_UNKNOWN);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    send_note(link, note, len - 1); /* cut off */
    note[0] = 200;                  /* of a later version */
    send_note(link, note, len);
    note[0] = MESH_DIGEST;
    send_note(link, note, len);
    RUN_UNTIL(&n, (mesh_describe(n.mesh, OTHER, &member), member.digest_age_ms != NODE_UNKNOWN));
    assert_string_equal(member.digest.region, "lhr");
    assert_int_equal(member.digest.term, 9);
    assert_true(member.is_connected);
    assert_true(member.silent_ms != NODE_UNKNOWN);
    leaves(&other);
    RUN_UNTIL(&n, n.silent_count == 1);
    mesh_describe(n.mesh, OTHER, &member);
    assert_false(member.is_connected);
    assert_int_equal(member.digest.term, 9); /* the last that was heard */
    stop(&n);
}

static void measures_the_way_to_a_node_and_back(void **state) {
    struct node n;
    struct other other;
    struct node_member member = {0};
    struct node_digest digest = {0};
    start(&n, *state);
    struct peer_link *link = connects(&other, &n);
    says(&other, link, 3, "other:1", true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    uint8_t ping[9] = {MESH_PING, 1, 2, 3};
    send_note(link, ping, sizeof ping);
    RUN_UNTIL_SEEN(&n, &other.peer, other.peer.raw[0] == MESH_PONG);
    assert_memory_equal(other.peer.raw + 1, ping + 1, 8);
    mesh_tell(n.mesh, &digest);
    RUN_UNTIL_SEEN(&n, &other.peer, other.peer.raw[0] == MESH_PING);
    mesh_describe(n.mesh, OTHER, &member);
    assert_true(member.trip_us == NODE_UNKNOWN);
    uint8_t pong[9] = {MESH_PONG, 255, 255, 255, 255, 255, 255, 255, 255}; /* not yet sent */
    send_note(link, pong, sizeof pong);
    memcpy(pong + 1, other.peer.raw + 1, 8);
    send_note(link, pong, sizeof pong);
    RUN_UNTIL(&n, (mesh_describe(n.mesh, OTHER, &member), member.trip_us != NODE_UNKNOWN));
    assert_in_range(member.trip_us, 1, (uint64_t)PATIENCE_MS * 1000);
    leaves(&other);
    RUN_UNTIL(&n, n.silent_count == 1);
    mesh_describe(n.mesh, OTHER, &member);
    assert_true(member.trip_us == NODE_UNKNOWN);
    stop(&n);
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

#define MESH_TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

/* ---- Found ----------------------------------------------------------------------------------- */

static void listens(struct other *other) {
    peer_start(&other->peer, OTHER, 0, true);
    peer_be_silent(&other->peer);
    other->dial = NULL;
}

/* Until the node has dialled it, or once more. */
static void run_until_dialled(struct node *n, struct other *other, size_t times) {
    RUN_UNTIL_SEEN(n, &other->peer, other->peer.up_count >= times);
}

static void who_is_found_is_dialled_at_once(void **state) {
    struct node n;
    struct other other;
    listens(&other);
    start(&n, *state);
    mesh_found(n.mesh, OTHER, other.peer.address);
    run_until_dialled(&n, &other, 1);
    assert_null(mesh_address(n.mesh, OTHER)); /* it has not shown who it is */
    mesh_forget(n.mesh, OTHER);
    assert_int_equal(n.mesh->found_count, 0);
    leaves(&other);
    stop(&n);
}

static void who_was_found_before_the_start_is_dialled_then(void **state) {
    struct node n;
    struct other other;
    listens(&other);
    open_stores(&n, *state);
    assert_int_equal(make_mesh(&n), STATUS_OK);
    mesh_found(n.mesh, OTHER, other.peer.address);
    start_server(&n);
    run_until_dialled(&n, &other, 1);
    leaves(&other);
    stop(&n);
}

static void who_moves_is_dialled_elsewhere_at_once(void **state) {
    struct node n;
    struct other here, there;
    listens(&here);
    listens(&there);
    start(&n, *state);
    mesh_found(n.mesh, OTHER, here.peer.address);
    run_until_dialled(&n, &here, 1);
    mesh_found(n.mesh, OTHER, there.peer.address);
    run_until_dialled(&n, &there, 1);
    leaves(&here);
    leaves(&there);
    stop(&n);
}

static void who_is_lost_is_not_dialled_until_it_is_found_again(void **state) {
    struct node n;
    struct other other;
    struct raft_configuration members = {.index = 1, .count = 1, .members = {{.id = OTHER}}};
    listens(&other);
    start(&n, *state);
    mesh_set_configuration(n.mesh, &members);
    mesh_found(n.mesh, OTHER, other.peer.address);
    run_until_dialled(&n, &other, 1);
    mesh_lost(n.mesh, OTHER);
    mesh_tend(n.mesh);
    assert_non_null(n.mesh->found[0].dial); /* a member may come back at any time */
    members.count = 0;
    mesh_set_configuration(n.mesh, &members);
    mesh_tend(n.mesh);
    assert_null(n.mesh->found[0].dial);
    mesh_found(n.mesh, OTHER, other.peer.address);
    run_until_dialled(&n, &other, 2);
    leaves(&other);
    stop(&n);
}

static void a_member_that_gossip_forgot_is_dialled_on(void **state) {
    struct node n;
    struct other other;
    struct raft_configuration members = {.index = 1, .count = 1, .members = {{.id = OTHER}}};
    listens(&other);
    start(&n, *state);
    mesh_set_configuration(n.mesh, &members);
    struct other met;
    struct peer_link *link = connects(&met, &n);
    says(&met, link, 3, other.peer.address, true);
    RUN_UNTIL(&n, mesh_is_open(n.mesh, OTHER));
    mesh_found(n.mesh, OTHER, other.peer.address);
    mesh_forget(n.mesh, OTHER);
    assert_non_null(mesh__peer_find(n.mesh, OTHER)->dial);
    run_until_dialled(&n, &other, 1);
    leaves(&met);
    leaves(&other);
    stop(&n);
}

static void no_more_are_found_than_there_is_room_for(void **state) {
    struct node n;
    start(&n, *state);
    for (raft_id id = 100; id < 100 + MESH_FOUND_MAX + 5; id++)
        mesh_found(n.mesh, id, "127.0.0.1:1");
    assert_int_equal(n.mesh->found_count, MESH_FOUND_MAX);
    stop(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MESH_TEST(is_open_once_each_remembers_the_other),
        MESH_TEST(remembers_who_it_met_over_a_restart),
        MESH_TEST(a_refused_copy_does_not_move_a_node_s_address),
        MESH_TEST(a_later_start_is_believed_only_with_its_proof),
        MESH_TEST(learns_that_its_own_disk_was_rolled_back),
        MESH_TEST(a_node_of_another_cluster_leaves_no_trace),
        MESH_TEST(a_node_of_another_label_leaves_no_trace),
        MESH_TEST(notes_that_make_no_sense_are_damage),
        MESH_TEST(a_port_alone_is_completed_by_the_connection),
        MESH_TEST(tells_what_a_node_told_of_itself),
        MESH_TEST(who_is_found_is_dialled_at_once),
        MESH_TEST(who_was_found_before_the_start_is_dialled_then),
        MESH_TEST(who_moves_is_dialled_elsewhere_at_once),
        MESH_TEST(who_is_lost_is_not_dialled_until_it_is_found_again),
        MESH_TEST(a_member_that_gossip_forgot_is_dialled_on),
        MESH_TEST(no_more_are_found_than_there_is_room_for),
        MESH_TEST(learns_what_a_node_says_of_itself),
        MESH_TEST(measures_the_way_to_a_node_and_back),
    };
    return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
