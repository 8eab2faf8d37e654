/* Snapshots from node to node: a copy of the sender's state on disk, on its way, then built on the
 * receiver's disk, then installed or refused; the sender hears of its end, if it lives. */
#ifndef PHALANX_SIM_TRANSFER_H
#define PHALANX_SIM_TRANSFER_H

#include "server/turn.h"
#include "support/memory_base.h"

#include <bsd/sys/queue.h>

struct sim;
struct sim_node;

struct sim_snapshot {
    struct turn_install install;       /* first: the turn gives it back as this */
    LIST_ENTRY(sim_snapshot) link;     /* at the receiver's */
    LIST_ENTRY(sim_snapshot) all_link; /* from its beginning to its end */
    struct sim *sim;
    struct sim_node *from;
    struct sim_node *to;
    raft_id peer;       /* who it is for */
    uint64_t from_life; /* of the sender: nobody is told after its end */
    uint64_t to_life;
    struct turn_transfer *transfer; /* the sender's */
    struct memory_base *base;       /* NULL: the receiver's disk has taken it over */
    uint64_t chain;                 /* of the log up to its index */
};
LIST_HEAD(sim_snapshots, sim_snapshot);

/* The port: send the state on a node's disk. */
void sim_transfer_begin(struct sim_node *node, struct turn_transfer *transfer);

/* The receiver's turn gave it back; the receiver stopped while its turn had it. */
void sim_transfer_end(struct sim_snapshot *snapshot, enum status status);
void sim_transfer_drop(struct sim_snapshot *snapshot);

/* The run is over, the nodes are closed: those on their way still. */
void sim_transfers_close(struct sim *sim);

#endif
