#include "sim/sim.h"

void sim_check_one_leader(struct sim_checks *checks, const struct sim_node *node) {
    raft_term term = raft_status(node->turn->raft)->term;
    if (sim_table_get(&checks->leaders, term, 0) == 0)
        sim_trace(checks->sim, "node %zu leads term %llu", node->number, (unsigned long long)term);
    raft_id leader = sim_table_settle(&checks->leaders, term, node->id);
    if (leader != node->id)
        sim_fail(checks->sim, "two leaders in term %llu: nodes %llu and %zu",
                 (unsigned long long)term, (unsigned long long)((leader - 1) % SIM_NODES_MAX),
                 node->number);
}
