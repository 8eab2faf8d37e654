#include "sim/losses.h"

#include "sim/image.h"
#include "sim/sim.h"

#include <stdlib.h>

void sim_losses_close(struct sim_losses *losses) {
    for (size_t i = 0; i < losses->count; i++)
        free(losses->graves[i].chains);
}

/* ---- What can be borne ----------------------------------------------------------------------- */

static bool is_well(struct sim *sim, raft_id id) {
    const struct sim_node *node = sim_node_of(sim, id);
    return node->id == id && !node->is_doomed && !node->is_lost;
}

static bool half_bears(struct sim *sim, const struct raft_configuration *configuration,
                       unsigned half, raft_id lost) {
    size_t voters = 0, well = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (!(member->rights & half))
            continue;
        voters++;
        well += member->id != lost && is_well(sim, member->id);
    }
    return voters == 0 || well > voters / 2;
}

static bool bears(struct sim *sim, const struct raft_configuration *configuration, raft_id lost) {
    return half_bears(sim, configuration, RAFT_VOTER_NEW, lost) &&
           (!configuration->is_joint || half_bears(sim, configuration, RAFT_VOTER_OLD, lost));
}

/* Of the configurations on a disk, those before this one count no more: whoever is elected has it.
 */
static raft_index newest_committed(const struct sim *sim) {
    raft_index newest = 0;
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        const struct sim_disk *disk = &sim->nodes[i].disk;
        for (size_t j = 0; j < disk->configuration_count; j++) {
            raft_index index = disk->configurations[j].index;
            if (index > newest && index <= sim->checks->commit_count &&
                sim_disk_chain(disk, index) == sim->checks->commits[index].chain)
                newest = index;
        }
    }
    return newest;
}

static bool orders_bear(struct sim *sim, const struct sim_node *node, raft_id lost) {
    const struct turn_event *event;
    bool is_so = true;
    STAILQ_FOREACH (event, &node->inbox, link)
        if (event->kind == TURN_ORDER)
            is_so = is_so && bears(sim, &((const struct turn_order *)event)->target, lost);
    return is_so;
}

static bool node_bears(struct sim *sim, const struct sim_node *node, raft_index since,
                       raft_id lost) {
    bool is_so = true;
    for (size_t i = 0; i < node->disk.configuration_count; i++)
        if (node->disk.configurations[i].index >= since)
            is_so = is_so && bears(sim, &node->disk.configurations[i], lost);
    if (node->turn)
        is_so = is_so && bears(sim, raft_configuration(node->turn->raft), lost) &&
                orders_bear(sim, node, lost);
    return is_so;
}

bool sim_loss_is_bearable(struct sim *sim, const struct sim_node *node) {
    raft_index since = newest_committed(sim);
    bool is_so = sim->losses.count < SIM_GRAVES_MAX;
    for (size_t i = 0; i < sim->weather.node_count; i++)
        is_so = is_so && node_bears(sim, &sim->nodes[i], since, node->id);
    return is_so;
}

bool sim_target_is_sound(struct sim *sim, const struct raft_configuration *target) {
    return half_bears(sim, target, RAFT_VOTER_NEW, 0);
}

/* ---- Losing, replacing ----------------------------------------------------------------------- */

static const struct sim_grave *find_grave(const struct sim *sim, raft_id id) {
    for (size_t i = 0; i < sim->losses.count; i++)
        if (sim->losses.graves[i].id == id)
            return &sim->losses.graves[i];
    return NULL;
}

static void bury(struct sim *sim, const struct sim_node *node) {
    const struct sim_disk *disk = &node->disk;
    if (find_grave(sim, node->id))
        return;
    CHECK(sim->losses.count < SIM_GRAVES_MAX);
    struct sim_grave *grave = &sim->losses.graves[sim->losses.count++];
    *grave = (struct sim_grave){.id = node->id,
                                .last_index = disk->last_index,
                                .installed_index = disk->installed_index};
    grave->chains = calloc(disk->last_index + 1, sizeof *grave->chains);
    CHECK(grave->chains);
    for (raft_index index = 1; index <= disk->last_index; index++)
        grave->chains[index] = disk->entries[index].chain;
}

static void replace_later(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    (void)data;
    if (!sim->is_calm)
        sim_start_node(sim, tag);
}

void sim_lose(struct sim *sim, struct sim_node *node) {
    CHECK(!node->is_lost);
    sim_trace(sim, "node %zu is lost", node->number);
    sim->result.loss_count++;
    sim_stop_node(sim, node->number);
    bury(sim, node);
    node->is_lost = true;
    uint64_t timeout_us = 1000 * sim->weather.election_ms;
    sim_plan(sim, sim_random_between(&node->random, timeout_us, 6 * timeout_us), replace_later, sim,
             NULL, node->number);
}

void sim_replace(struct sim *sim, struct sim_node *node) {
    CHECK(node->is_lost && !node->turn);
    node->id += SIM_NODES_MAX;
    node->is_lost = false;
    node->is_doomed = false;
    node->is_rolled_back = false;
    sim_image_free(node->image);
    node->image = NULL;
    sim_disk_erase(&node->disk);
    sim_trace(sim, "node %zu is now %llu", node->number, (unsigned long long)node->id);
}

static bool grave_holds(const struct sim *sim, const struct sim_grave *grave, raft_index index) {
    raft_index at = index < grave->installed_index ? grave->installed_index : index;
    return at <= grave->last_index && at <= sim->checks->commit_count &&
           grave->chains[at] == sim->checks->commits[at].chain;
}

bool sim_identity_holds(const struct sim *sim, raft_id id, raft_index index) {
    const struct sim_node *node = &sim->nodes[(id - 1) % SIM_NODES_MAX];
    if (node->id == id && !node->is_rolled_back)
        return sim_disk_holds(&node->disk, index);
    const struct sim_grave *grave = find_grave(sim, id);
    return grave && grave_holds(sim, grave, index);
}

/* The budget is as for a loss: nobody may count on the node any more. */
void sim_roll_back(struct sim *sim, struct sim_node *node) {
    struct sim_disk *image = node->image;
    CHECK(image && !node->turn);
    sim_trace(sim, "node %zu is rolled back from start %llu to %llu", node->number,
              (unsigned long long)node->disk.start_count, (unsigned long long)image->start_count);
    bury(sim, node);
    node->image = NULL;
    node->is_rolled_back = true;
    node->is_doomed = true;
    sim_image_restore(&node->disk, image);
}
