/* A node as far as links are concerned: a server on a free port of this host, and a record of what
 * its links brought. Tests wait for conditions, with a limit that only a broken room reaches. */
#ifndef PHALANX_TEST_PEER_H
#define PHALANX_TEST_PEER_H

#include "rpc/rpc.h"

#include <pthread.h>

#define PEER_LINKS_MAX 128

struct peer_link {
    struct rpc_link *link;
    bool is_up;
    size_t hello_count;
    struct rpc_hello hello; /* the newest */
    size_t message_count;
    size_t bytes_count;
    uint64_t last_index; /* of the newest append's prev_index */
    bool is_in_order;    /* each append's prev_index was one more than the one before */
    struct rpc_peer_message *held[8192];
    size_t held_count;
};

struct peer {
    struct rpc_server *server;
    int port;
    char address[64];
    raft_id id;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool says_hello; /* as soon as a link is up */
    bool is_holding; /* keep messages instead of giving them back */
    size_t up_count; /* links that came up, ever */
    size_t down_count;
    struct peer_link *links[PEER_LINKS_MAX]; /* in the order they came up */
    char bytes[256];                         /* the newest, as a text: kind:bytes */
    uint8_t raw[200];                        /* likewise, as they are, the rest zeros */
    size_t payload_bytes;                    /* of all appends */
};

/* Port 0: a free one. */
void peer_start(struct peer *peer, raft_id id, int port, bool has_links);
/* Its dialers have been freed. */
void peer_stop(struct peer *peer);

struct rpc_dial *peer_dial(struct peer *peer, const char *address);

struct rpc_hello peer_hello(const struct peer *peer);

/* What it does from now on. */
void peer_be_silent(struct peer *peer); /* no hello */
void peer_hold(struct peer *peer);      /* keep messages */

/* Give back all that is held, and hold no more. */
void peer_let_go(struct peer *peer);

/* Wait until `condition` holds, which is looked at under the lock whenever something came. */
#define PEER_WAIT(peer, condition) \
    do { \
        struct timespec until = peer_limit(); \
        pthread_mutex_lock(&(peer)->lock); \
        while (!(condition)) \
            assert_int_equal(pthread_cond_timedwait(&(peer)->changed, &(peer)->lock, &until), 0); \
        pthread_mutex_unlock(&(peer)->lock); \
    } while (0)
struct timespec peer_limit(void);

/* The how manieth that came up, once it has. */
struct peer_link *peer_link(struct peer *peer, size_t index);

#endif
