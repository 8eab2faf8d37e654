#include "sim/sim.h"

/* An entry's chain is a digest of the log up to it, so one comparison does for all before it. */
void sim_check_match(struct sim_checks *checks, const struct sim_node *node,
                     const struct sim_entry *entry) {
    uint64_t place = sim_mix(sim_mix(1, entry->entry.index), entry->entry.term) | 1;
    if (sim_table_settle(&checks->chains, place, entry->chain) != entry->chain)
        sim_fail(checks->sim, "node %zu has another log up to %llu of term %llu", node->number,
                 (unsigned long long)entry->entry.index, (unsigned long long)entry->entry.term);
}
