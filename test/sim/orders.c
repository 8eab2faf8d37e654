#include "sim/orders.h"

#include "sim/sim.h"

#include <stdlib.h>

static void send_order(struct sim_node *node, const struct turn_order *order) {
    struct sim_order *copy = malloc(sizeof *copy);
    CHECK(copy);
    copy->turn = *order;
    copy->turn.event.kind = TURN_ORDER;
    sim_node_order(node, copy);
}

void sim_order_transfer(struct sim *sim, struct sim_node *leader, uint64_t pick) {
    struct turn_order order = {.kind = TURN_ORDER_TRANSFER};
    order.member = sim->nodes[(pick >> 32) % sim->weather.node_count].id;
    send_order(leader, &order);
}

static void set_rights(struct raft_configuration *target, raft_id id, unsigned rights) {
    for (size_t i = 0; i < target->count; i++)
        if (target->members[i].id == id) {
            target->members[i].rights = rights;
            return;
        }
    target->members[target->count++] = (struct raft_member){.id = id, .rights = rights};
}

static void remove_member(struct raft_configuration *target, raft_id id) {
    for (size_t i = 0; i < target->count; i++)
        if (target->members[i].id == id) {
            target->members[i] = target->members[--target->count];
            return;
        }
}

/* Who is promoted takes the place of who it was before. */
static void remove_former(const struct sim_node *node, struct raft_configuration *target) {
    for (raft_id id = node->number + 1; id < node->id; id += SIM_NODES_MAX)
        remove_member(target, id);
}

/* Voter, learner or stranger; who is lost can only go. */
static void place(const struct sim_node *node, struct raft_configuration *target, uint64_t pick) {
    if (pick % 4 == 0 || node->is_lost) {
        remove_member(target, node->id);
        return;
    }
    set_rights(target, node->id, pick % 4 == 1 ? RAFT_LEARNER : RAFT_VOTER_NEW);
    if (pick % 4 != 1)
        remove_former(node, target);
}

/* One node's place changes, or everybody's. */
void sim_order_configure(struct sim *sim, struct sim_node *leader, uint64_t pick) {
    struct turn_order order = {.kind = TURN_ORDER_CONFIGURE};
    const struct raft_configuration *now = raft_configuration(leader->turn->raft);
    order.target = *now;
    order.target.is_joint = false;
    for (size_t i = 0; i < order.target.count; i++)
        order.target.members[i].rights &= RAFT_VOTER_NEW;
    if (pick % 2 == 0)
        place(&sim->nodes[(pick >> 8) % sim->weather.node_count], &order.target, pick >> 16);
    for (size_t i = 0; i < sim->weather.node_count && pick % 2 == 1; i++)
        place(&sim->nodes[i], &order.target, pick >> (8 + 2 * i));
    if (sim_target_is_sound(sim, &order.target))
        send_order(leader, &order);
}

static unsigned final_rights(const struct sim *sim, size_t number) {
    return number < sim->weather.voter_count ? RAFT_VOTER_NEW : RAFT_LEARNER;
}

void sim_order_admit_all(struct sim *sim, struct sim_node *leader) {
    struct turn_order order = {.kind = TURN_ORDER_CONFIGURE};
    for (size_t i = 0; i < sim->weather.node_count; i++)
        set_rights(&order.target, sim->nodes[i].id, final_rights(sim, i));
    send_order(leader, &order);
}

bool sim_all_are_admitted(const struct sim *sim, const struct sim_node *leader) {
    const struct raft_configuration *now = raft_configuration(leader->turn->raft);
    bool is_so = !now->is_joint && now->index <= raft_status(leader->turn->raft)->commit_index;
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        const struct raft_member *member = raft_configuration_find(now, sim->nodes[i].id);
        is_so = is_so && member && member->rights == final_rights(sim, i);
    }
    return is_so;
}
