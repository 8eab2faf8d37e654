/* One node: a turn with ports of the simulation's, a disk that outlives it, and a clock of its
 * own. */
#ifndef PHALANX_SIM_NODE_H
#define PHALANX_SIM_NODE_H

#include "server/gate.h"
#include "server/parts.h"
#include "sim/disk.h"
#include "sim/transfer.h"

#include <bsd/sys/queue.h>
#include <setjmp.h>

struct sim_call;
LIST_HEAD(sim_calls, sim_call);

/* An operator's order; the turn has it until it is done. */
struct sim_order {
    struct turn_order turn; /* first: the turn gives it back as this */
    LIST_ENTRY(sim_order) link;
};
LIST_HEAD(sim_orders, sim_order);

struct sim_node {
    struct sim *sim;
    size_t number;
    raft_id id;        /* number + 1; once lost, SIM_NODES_MAX more */
    struct turn *turn; /* NULL: down */
    struct sim_disk disk;
    struct turn_events inbox;
    struct sim_calls calls;         /* requests that the turn has */
    struct sim_snapshots snapshots; /* likewise */
    struct sim_orders orders;       /* likewise */
    struct sim_random random;

    /* Its clock runs at rate_ppm of true time; the process may be frozen while it goes on. */
    uint64_t clock_true_us;
    uint64_t clock_local_us;
    uint64_t clock_rate_ppm;
    unsigned pauses;        /* how many faults freeze it */
    unsigned downs;         /* how many faults keep it down */
    bool is_doomed;         /* its disk is damaged, and that may be found */
    bool is_lost;           /* it was: down, until it is replaced */
    bool has_met_rot;       /* its log was read where it is damaged */
    bool is_rolled_back;    /* its disk was set back to an earlier start */
    struct sim_disk *image; /* what it will be set back to; or NULL */
    struct gate_self self;
    struct gate_memory memory;
    uint64_t started_ms; /* on its own clock */
    jmp_buf escape;      /* from a turn that cannot go on */

    uint64_t wake_us; /* of the next turn planned; UINT64_MAX: none */
    uint64_t wake_number;
    raft_index seen_applied; /* by the checkers */
};

void sim_node_open(struct sim_node *node, struct sim *sim, size_t number,
                   const struct raft_configuration *founding);
void sim_node_close(struct sim_node *node);

void sim_node_boot(struct sim_node *node);
void sim_node_crash(struct sim_node *node);
void sim_node_give_up(struct sim_node *node); /* it cannot go on */
void sim_node_pause(struct sim_node *node);
void sim_node_resume(struct sim_node *node);
void sim_node_set_clock(struct sim_node *node, uint64_t rate_ppm);

/* An event for its next turn; the node is up. */
void sim_node_post(struct sim_node *node, struct turn_event *event);

/* Its connection to a peer has broken, and it notices if it runs. */
void sim_node_lose(struct sim_node *node, raft_id peer);

/* A client's call arrives. */
void sim_node_call(struct sim_node *node, struct sim_call *call);

/* An operator's order arrives; from malloc. */
void sim_node_order(struct sim_node *node, struct sim_order *order);

bool sim_node_leads(const struct sim_node *node);
raft_index sim_node_applied(const struct sim_node *node);

#endif
