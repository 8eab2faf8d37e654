/* The links between nodes: each message takes its own time, or is lost, or comes twice. */
#ifndef PHALANX_SIM_NETWORK_H
#define PHALANX_SIM_NETWORK_H

#include "raft/raft.h"
#include "server/gate_memory.h"
#include "server/turn.h"
#include "sim/random.h"
#include "sim/weather.h"

struct sim;

/* Over which connection a message was sent, and in which life of its sender. */
struct sim_stamp {
    uint64_t link_number;
    struct gate_pair start;
};

/* A message on its way, in one piece of memory with its entries and their payloads. */
struct sim_message {
    struct turn_message turn; /* first: the turn gives it back as this */
    uint64_t link_number;
    struct gate_pair start;
};

struct sim_network {
    struct sim *sim;
    struct sim_random random;
    unsigned cuts[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to: how many faults cut this direction */
    uint64_t arrival_us[SIM_NODES_MAX][SIM_NODES_MAX]; /* of the last message; of a fifo link */
    uint64_t extra_delay_us[SIM_NODES_MAX][SIM_NODES_MAX];
    unsigned losses; /* how many faults lose messages now */
};

void sim_network_open(struct sim_network *network, struct sim *sim);

/* Borrows all for the call. */
void sim_network_send(struct sim_network *network, const struct raft_message *message,
                      const struct raft_entry *entries, size_t count,
                      const struct sim_stamp *stamp);

/* Cut a direction, or with a `sign` of -1 undo that; all directions from or to a node. */
enum { SIM_INBOUND = 1, SIM_OUTBOUND = 2 };
void sim_network_cut(struct sim_network *network, size_t from, size_t to, int sign);
void sim_network_cut_node(struct sim_network *network, size_t node, uint64_t directions, int sign);

/* Undo every cut and every loss that a fault made. */
void sim_network_heal(struct sim_network *network);

#endif
