/* Clients: one operation at a time each, retried under the same request id at other nodes until it
 * has an answer or the client loses patience. */
#ifndef PHALANX_SIM_CLIENT_H
#define PHALANX_SIM_CLIENT_H

#include "server/turn.h"
#include "sim/history.h"
#include "sim/random.h"
#include "sim/weather.h"

#include <bsd/sys/queue.h>

struct sim;
struct sim_node;
struct sim_client;

/* One try of one operation, on its way to a node or inside it. */
struct sim_call {
    struct turn_request turn; /* first: the turn gives it back as this */
    LIST_ENTRY(sim_call) link;
    struct kv_request request;
    struct sim_client *client;
    uint64_t try; /* of the client, counted over all its operations */
    size_t node;
    uint64_t wait_ms;
    uint8_t key[16];
    uint8_t value[];
};

struct sim_client {
    struct sim *sim;
    size_t number;
    uint64_t id; /* of its session */
    uint64_t sequence;
    struct sim_random random;
    size_t leader; /* the node that it believes leads */
    int64_t known_revisions[SIM_KEYS_MAX + SIM_CLIENTS_MAX];

    bool is_busy; /* has an operation under way */
    size_t op;    /* in the history */
    bool has_request_id;
    bool is_doubtful; /* some try of it may have happened */
    uint64_t try;
    uint64_t patience_us; /* the time when it gives up */

    bool is_finishing; /* does its last operations, with endless patience */
    size_t last_ops;   /* still to do of them */
    bool is_idle;      /* nothing more to come */
};

void sim_client_open(struct sim_client *client, struct sim *sim, size_t number);
void sim_client_start(struct sim_client *client);

/* From now on only the last operations, which must succeed. */
void sim_client_finish(struct sim_client *client);

/* The node answers a call, or its connection breaks; both take the call over. */
void sim_client_answer(struct sim_call *call, struct sim_node *node,
                       const struct kv_response *response);
void sim_client_broken(struct sim_call *call, struct sim_node *node);

#endif
