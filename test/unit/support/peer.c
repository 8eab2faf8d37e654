#include "support/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- What links bring ------------------------------------------------------------------------ */

/* With the lock. */
static struct peer_link *find(struct peer *peer, const struct rpc_link *link) {
    for (size_t i = 0; i < peer->up_count; i++) {
        if (peer->links[i]->link == link)
            return peer->links[i];
    }
    CHECK(!"a link that came up");
    return NULL;
}

static void on_up(void *context, struct rpc_link *link) {
    struct peer *peer = context;
    pthread_mutex_lock(&peer->lock);
    CHECK(peer->up_count < PEER_LINKS_MAX);
    struct peer_link *entry = calloc(1, sizeof *entry);
    CHECK(entry);
    entry->link = link;
    entry->is_up = true;
    entry->is_in_order = true;
    peer->links[peer->up_count++] = entry;
    bool says_hello = peer->says_hello;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
    struct rpc_hello hello = peer_hello(peer);
    enum status status = says_hello ? rpc_link_send_hello(link, &hello) : STATUS_OK;
    CHECK(status == STATUS_OK || status == STATUS_UNAVAILABLE); /* the test may have ended it */
}

static void on_hello(void *context, struct rpc_link *link, const struct rpc_hello *hello) {
    struct peer *peer = context;
    pthread_mutex_lock(&peer->lock);
    struct peer_link *entry = find(peer, link);
    entry->hello = *hello;
    entry->hello_count++;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

static void note_append(struct peer *peer, struct peer_link *entry, const struct raft_message *m) {
    entry->is_in_order = entry->is_in_order && m->append.prev_index == entry->last_index + 1;
    entry->last_index = m->append.prev_index;
    for (size_t i = 0; i < m->append.count; i++)
        peer->payload_bytes += m->append.entries[i].payload.len;
}

static void on_message(void *context, struct rpc_link *link, struct rpc_peer_message *message) {
    struct peer *peer = context;
    const struct raft_message *m = rpc_peer_message_raft(message);
    uint64_t *user = rpc_peer_message_user(message);
    CHECK(*user == 0);
    *user = 1;
    pthread_mutex_lock(&peer->lock);
    struct peer_link *entry = find(peer, link);
    entry->message_count++;
    if (m->kind == RAFT_APPEND)
        note_append(peer, entry, m);
    bool is_kept = peer->is_holding;
    if (is_kept) {
        CHECK(entry->held_count < sizeof entry->held / sizeof entry->held[0]);
        entry->held[entry->held_count++] = message;
    }
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
    if (!is_kept)
        rpc_peer_message_free(message);
}

static void on_bytes(void *context, struct rpc_link *link, enum rpc_bytes_kind kind,
                     struct bytes bytes) {
    struct peer *peer = context;
    pthread_mutex_lock(&peer->lock);
    find(peer, link)->bytes_count++;
    memset(peer->raw, 0, sizeof peer->raw);
    memcpy(peer->raw, bytes.data, bytes.len < sizeof peer->raw ? bytes.len : sizeof peer->raw);
    snprintf(peer->bytes, sizeof peer->bytes, "%d:%.*s", (int)kind,
             (int)(bytes.len < 200 ? bytes.len : 200), (const char *)bytes.data);
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

static void on_down(void *context, struct rpc_link *link) {
    struct peer *peer = context;
    pthread_mutex_lock(&peer->lock);
    find(peer, link)->is_up = false;
    peer->down_count++;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

/* ---- What a server must have beside --------------------------------------------------------- */

static enum status on_request(void *context, struct rpc_call *call,
                              const struct kv_request *request, uint64_t wait_ms) {
    (void)context, (void)call, (void)request, (void)wait_ms;
    return STATUS_UNAVAILABLE;
}

static void on_snapshot(void *context, struct rpc_stream *stream) {
    (void)context;
    rpc_stream_finish(stream, STATUS_UNAVAILABLE, NULL);
}

static void on_status(void *context, struct node_status *ret_status) {
    (void)context;
    *ret_status = (struct node_status){0};
}

/* ---- Start and stop -------------------------------------------------------------------------- */

void peer_start(struct peer *peer, raft_id id, int port, bool has_links) {
    *peer = (struct peer){.id = id, .says_hello = true};
    pthread_mutex_init(&peer->lock, NULL);
    pthread_cond_init(&peer->changed, NULL);
    snprintf(peer->address, sizeof peer->address, "127.0.0.1:%d", port);
    struct rpc_server_config config = {
        .address = peer->address,
        .threads = 2,
        .message_user_bytes = sizeof(uint64_t),
        .handlers = {.context = peer,
                     .on_request = on_request,
                     .on_snapshot = on_snapshot,
                     .on_status = on_status},
    };
    if (has_links)
        config.handlers.links = (struct rpc_link_handlers){.on_link_up = on_up,
                                                           .on_link_hello = on_hello,
                                                           .on_link_message = on_message,
                                                           .on_link_bytes = on_bytes,
                                                           .on_link_down = on_down};
    assert_int_equal(rpc_server_new(&config, &peer->server), STATUS_OK);
    rpc_server_start(peer->server);
    peer->port = rpc_server_port(peer->server);
    snprintf(peer->address, sizeof peer->address, "127.0.0.1:%d", peer->port);
}

void peer_stop(struct peer *peer) {
    rpc_server_free(peer->server);
    assert_int_equal(peer->up_count, peer->down_count);
    for (size_t i = 0; i < peer->up_count; i++) {
        struct peer_link *entry = peer->links[i];
        for (size_t j = 0; j < entry->held_count; j++)
            rpc_peer_message_free(entry->held[j]);
        rpc_link_release(entry->link);
        free(entry);
    }
    pthread_cond_destroy(&peer->changed);
    pthread_mutex_destroy(&peer->lock);
}

struct rpc_dial *peer_dial(struct peer *peer, const char *address) {
    struct rpc_dial_config config = {.address = address,
                                     .user = peer,
                                     .keepalive_ms = 10000,
                                     .keepalive_timeout_ms = 10000};
    struct rpc_dial *dial = NULL;
    assert_int_equal(rpc_dial_new(peer->server, &config, &dial), STATUS_OK);
    return dial;
}

struct rpc_hello peer_hello(const struct peer *peer) {
    struct rpc_hello hello = {
        .software_version = "1.2.3",
        .cluster_label = "test",
        .cluster_id = 7,
        .sender = peer->id,
        .start = {.counter = 3, .nonce = 33},
    };
    snprintf(hello.name, sizeof hello.name, "n%llu", (unsigned long long)peer->id);
    return hello;
}

void peer_be_silent(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    peer->says_hello = false;
    pthread_mutex_unlock(&peer->lock);
}

void peer_hold(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    peer->is_holding = true;
    pthread_mutex_unlock(&peer->lock);
}

void peer_let_go(struct peer *peer) {
    pthread_mutex_lock(&peer->lock);
    peer->is_holding = false;
    for (size_t i = 0; i < peer->up_count; i++) {
        struct peer_link *entry = peer->links[i];
        for (size_t j = 0; j < entry->held_count; j++)
            rpc_peer_message_free(entry->held[j]);
        entry->held_count = 0;
    }
    pthread_mutex_unlock(&peer->lock);
}

struct timespec peer_limit(void) {
    struct timespec until;
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_sec += 120;
    return until;
}

struct peer_link *peer_link(struct peer *peer, size_t index) {
    PEER_WAIT(peer, peer->up_count > index);
    return peer->links[index];
}
