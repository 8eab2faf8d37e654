#include "sim/sim.h"

void sim_check_state(struct sim_checks *checks, const struct sim_node *node) {
    const struct kv_meta *meta = kv_machine_meta(node->turn->machine);
    if (meta->applied_index == 0)
        return;
    uint64_t state = sim_mix(meta->hash, (uint64_t)meta->revision);
    if (sim_table_settle(&checks->hashes, meta->applied_index, state) != state)
        sim_fail(checks->sim, "node %zu has another state at %llu", node->number,
                 (unsigned long long)meta->applied_index);
}
