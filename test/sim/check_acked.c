#include "sim/sim.h"

/* Whether a majority of one half of the voters hold the entry on their disks. */
static bool half_holds(const struct sim *sim, const struct raft_configuration *configuration,
                       unsigned half, raft_index index) {
    size_t voters = 0, holders = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (!(member->rights & half))
            continue;
        voters++;
        holders += sim_identity_holds(sim, member->id, index);
    }
    return holders > voters / 2;
}

static bool quorum_holds(const struct sim *sim, const struct raft_configuration *configuration,
                         raft_index index) {
    return half_holds(sim, configuration, RAFT_VOTER_NEW, index) &&
           (!configuration->is_joint || half_holds(sim, configuration, RAFT_VOTER_OLD, index));
}

/* A turn that commits an entry may also append a configuration: either may be the one that counts.
 * One that is committed but not yet on the leader's disk has the one before it there. */
static bool is_safe(const struct sim *sim, const struct sim_node *node, raft_index index) {
    const struct sim_disk *disk = &node->disk;
    bool is_safe = quorum_holds(sim, raft_configuration(node->turn->raft), index);
    for (size_t i = 1; i <= 2 && i <= disk->configuration_count; i++)
        is_safe = is_safe ||
                  quorum_holds(sim, &disk->configurations[disk->configuration_count - i], index);
    return is_safe;
}

void sim_check_acked(struct sim_checks *checks, const struct sim_node *node) {
    raft_index index = checks->acked_index;
    CHECK(checks->acked_by == node);
    if (index > checks->commit_count)
        sim_fail(checks->sim, "node %zu acknowledged %llu before it was applied", node->number,
                 (unsigned long long)index);
    if (!checks->sim->options.is_blind && !is_safe(checks->sim, node, index))
        sim_fail(checks->sim, "node %zu acknowledged %llu, which no quorum's disks hold",
                 node->number, (unsigned long long)index);
    checks->acked_index = 0;
    if (index > checks->acked_most)
        checks->acked_most = index;
}

/* All nodes are level when this is asked; what was acknowledged must be below. */
void sim_check_acked_stay(struct sim_checks *checks) {
    struct sim *sim = checks->sim;
    raft_index last = checks->commit_count;
    for (size_t i = 0; i < sim->weather.node_count; i++)
        if (sim->nodes[i].disk.last_index < last || !sim_disk_holds(&sim->nodes[i].disk, last))
            sim_fail(sim, "node %zu lost what was committed up to %llu", i,
                     (unsigned long long)last);
    CHECK(checks->acked_most <= last);
}
