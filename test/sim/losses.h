/* Identities that are lost for good: their disk was found damaged, wiped, or set back. Such a node
 * never speaks again as who it was; the operator makes it a new one, under the same name, with an
 * empty disk. No more are lost at a time than the quorums can bear. */
#ifndef PHALANX_SIM_LOSSES_H
#define PHALANX_SIM_LOSSES_H

#include "raft/raft.h"

#include <stdbool.h>

struct sim;
struct sim_node;

#define SIM_GRAVES_MAX ((size_t)256)

/* What a lost identity had on its disk, for the checkers. */
struct sim_grave {
    raft_id id;
    raft_index last_index;
    raft_index installed_index; /* of the disk */
    uint64_t *chains;           /* by index */
};

struct sim_losses {
    struct sim_grave graves[SIM_GRAVES_MAX];
    size_t count;
};

void sim_losses_close(struct sim_losses *losses);

/* Whether all quorums that may count can do without the node. */
bool sim_loss_is_bearable(struct sim *sim, const struct sim_node *node);

/* Whether the target's voters have a majority of nodes that are well, whoever else is lost. */
bool sim_target_is_sound(struct sim *sim, const struct raft_configuration *target);

/* The identity is gone; the node is down until it is replaced. */
void sim_lose(struct sim *sim, struct sim_node *node);

/* The disk goes back to node->image, of an earlier start; the node is down. */
void sim_roll_back(struct sim *sim, struct sim_node *node);

/* A new identity, an empty disk; not yet started. */
void sim_replace(struct sim *sim, struct sim_node *node);

/* Whether an identity has, or had when it was lost, what was committed up to `index` on its disk.
 */
bool sim_identity_holds(const struct sim *sim, raft_id id, raft_index index);

#endif
