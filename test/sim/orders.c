#include "sim/orders.h"

#include "sim/sim.h"

#include <stdlib.h>

static void send_order(struct sim_node *node, const struct turn_order *order) {
    struct turn_order *copy = malloc(sizeof *copy);
    CHECK(copy);
    *copy = *order;
    copy->event.kind = TURN_ORDER;
    sim_node_post(node, &copy->event);
}

void sim_order_transfer(struct sim *sim, struct sim_node *leader, uint64_t pick) {
    struct turn_order order = {.kind = TURN_ORDER_TRANSFER};
    order.transferee = 1 + (pick >> 32) % sim->weather.node_count;
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

/* Voter, learner or stranger. */
static void place(struct raft_configuration *target, raft_id id, uint64_t pick) {
    if (pick % 4 == 0)
        remove_member(target, id);
    else
        set_rights(target, id, pick % 4 == 1 ? RAFT_LEARNER : RAFT_VOTER_NEW);
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
        place(&order.target, 1 + (pick >> 8) % sim->weather.node_count, pick >> 16);
    for (size_t i = 0; i < sim->weather.node_count && pick % 2 == 1; i++)
        place(&order.target, i + 1, pick >> (8 + 2 * i));
    send_order(leader, &order);
}

static unsigned final_rights(const struct sim *sim, raft_id id) {
    return id <= sim->weather.voter_count ? RAFT_VOTER_NEW : RAFT_LEARNER;
}

void sim_order_admit_all(struct sim *sim, struct sim_node *leader) {
    struct turn_order order = {.kind = TURN_ORDER_CONFIGURE};
    for (raft_id id = 1; id <= sim->weather.node_count; id++)
        set_rights(&order.target, id, final_rights(sim, id));
    send_order(leader, &order);
}

bool sim_all_are_admitted(const struct sim *sim, const struct sim_node *leader) {
    const struct raft_configuration *now = raft_configuration(leader->turn->raft);
    bool is_so = !now->is_joint && now->index <= raft_status(leader->turn->raft)->commit_index;
    for (raft_id id = 1; id <= sim->weather.node_count; id++) {
        const struct raft_member *member = raft_configuration_find(now, id);
        is_so = is_so && member && member->rights == final_rights(sim, id);
    }
    return is_so;
}
