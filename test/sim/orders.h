/* What an operator orders of a leader: other members, another leader. */
#ifndef PHALANX_SIM_ORDERS_H
#define PHALANX_SIM_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct sim_node;

/* Some change of the members; some other leader. */
void sim_order_configure(struct sim *sim, struct sim_node *leader, uint64_t pick);
void sim_order_transfer(struct sim *sim, struct sim_node *leader, uint64_t pick);

/* Every node a member, the first ones voters, in the end. */
void sim_order_admit_all(struct sim *sim, struct sim_node *leader);
bool sim_all_are_admitted(const struct sim *sim, const struct sim_node *leader);

#endif
