#include "sim/sim.h"

#include <stdlib.h>

static void add(struct sim_checks *checks, const struct sim_entry *entry, raft_term seen_term) {
    if (checks->commit_count + 1 >= checks->commit_capacity) {
        checks->commit_capacity = checks->commit_capacity == 0 ? 256 : 2 * checks->commit_capacity;
        checks->commits =
            realloc(checks->commits, checks->commit_capacity * sizeof *checks->commits);
        CHECK(checks->commits);
    }
    checks->commits[++checks->commit_count] = (struct sim_commit){.term = entry->entry.term,
                                                                  .chain = entry->chain,
                                                                  .seen_term = seen_term};
}

static void see(struct sim_checks *checks, struct sim_node *node, raft_index index) {
    const struct sim_entry *entry = sim_disk_entry(&node->disk, index);
    if (!entry)
        sim_fail(checks->sim, "node %zu applied %llu, which its disk does not hold", node->number,
                 (unsigned long long)index);
    if (index > checks->commit_count)
        add(checks, entry, raft_status(node->turn->raft)->term);
    if (checks->commits[index].chain != entry->chain)
        sim_fail(checks->sim, "node %zu applied another entry at %llu: of term %llu, not %llu",
                 node->number, (unsigned long long)index, (unsigned long long)entry->entry.term,
                 (unsigned long long)checks->commits[index].term);
}

void sim_check_commit(struct sim_checks *checks, struct sim_node *node) {
    raft_index applied = sim_node_applied(node);
    while (node->seen_applied < applied)
        see(checks, node, ++node->seen_applied);
}

void sim_check_not_committed(struct sim_checks *checks, const struct sim_node *node,
                             raft_index from) {
    bool is_committed = from <= checks->commit_count &&
                        sim_disk_chain(&node->disk, from) == checks->commits[from].chain;
    if (is_committed)
        sim_fail(checks->sim, "node %zu deletes the committed entry %llu", node->number,
                 (unsigned long long)from);
}
