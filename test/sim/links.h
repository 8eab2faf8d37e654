/* The connections between nodes, one for each two, and the gates at their ends (server/gate.h).
 * Hellos keep their order and are not lost: they wait while a link is cut or a process is frozen.
 * What passes an open gate goes over the network as it is, late, twice or never. */
#ifndef PHALANX_SIM_LINKS_H
#define PHALANX_SIM_LINKS_H

#include "server/gate.h"
#include "sim/weather.h"

struct sim;
struct sim_node;
struct sim_message;

#define SIM_HELLOS_MAX ((size_t)32)

/* One end. */
struct sim_end {
    struct gate gate;
    struct gate_hello hellos[SIM_HELLOS_MAX]; /* arrived, not yet taken; a ring */
    size_t first;
    size_t count;
    uint64_t arrival_us; /* of the last hello on its way here */
    bool is_waiting;     /* to look again whether they can be taken */
};

struct sim_link {
    uint64_t number; /* of the connection; those of an earlier one are void */
    bool is_up;
    struct sim_end ends[2]; /* of the node with the lower number, of the other */
};

struct sim_links {
    struct sim_link links[SIM_NODES_MAX][SIM_NODES_MAX]; /* from the lower to the higher number */
};

/* A node has started, and connects to all; has stopped. */
void sim_links_up(struct sim_node *node);
void sim_links_down(struct sim_node *node);

/* Two nodes lose their connection, and connect again. */
void sim_links_break(struct sim *sim, size_t a, size_t b);

/* A note is on the node's disk. */
void sim_links_noted(struct sim_node *node, raft_id id, struct gate_pair pair);

/* The number of the connection over which a message may go; 0: it may not. Whether one that
 * arrives may come in. */
uint64_t sim_links_let_out(struct sim_node *node, raft_id to);
bool sim_links_let_in(struct sim_node *node, const struct sim_message *message);

#endif
