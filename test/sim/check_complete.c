#include "sim/sim.h"

/* The last entry that was certainly committed before the leader's term, and with it, by its chain,
 * all before it. A leader's log was durable when it asked for votes. */
void sim_check_complete(struct sim_checks *checks, const struct sim_node *node) {
    raft_term term = raft_status(node->turn->raft)->term;
    raft_index index = checks->commit_count;
    while (index > 0 && checks->commits[index].seen_term >= term)
        index--;
    if (index > 0 && !sim_disk_holds(&node->disk, index))
        sim_fail(checks->sim, "node %zu leads term %llu without the committed entry %llu",
                 node->number, (unsigned long long)term, (unsigned long long)index);
}
