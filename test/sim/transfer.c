#include "sim/transfer.h"

#include "plant.h"
#include "sim/sim.h"
#include "wire.h"

#include <inttypes.h>
#include <stdlib.h>

/* A state takes longer than a message; building it takes more than a sync. */
#define DELAY_FACTOR 20
#define BUILD_FACTOR 10

static void forget(struct sim_snapshot *snapshot) {
    LIST_REMOVE(snapshot, all_link);
    memory_base_free(snapshot->base);
    free(snapshot);
}

/* ---- The sender hears how it went ------------------------------------------------------------ */

static void tell(void *context, void *data, uint64_t tag) {
    struct sim_snapshot *snapshot = data;
    struct sim_node *from = snapshot->from;
    (void)context;
    if (from->turn && from->disk.life == snapshot->from_life) {
        snapshot->transfer->is_installed = tag != 0;
        snapshot->transfer->index = snapshot->install.index;
        sim_node_post(from, &snapshot->transfer->event);
    }
    forget(snapshot);
}

static void report(struct sim_snapshot *snapshot, bool is_installed) {
    struct sim *sim = snapshot->sim;
    uint64_t delay_us = sim_random_latency(&sim->network.random, 2 * sim->weather.delay_us);
    sim_trace(sim, "snapshot %" PRIu64 " from node %zu to %zu: %s", snapshot->install.index,
              snapshot->from->number, snapshot->to->number, is_installed ? "there" : "failed");
    sim_plan(sim, delay_us, tell, NULL, snapshot, is_installed);
}

/* ---- On its way ------------------------------------------------------------------------------ */

static void build(void *context, void *data, uint64_t tag) {
    struct sim_snapshot *snapshot = data;
    struct sim_node *to = snapshot->to;
    (void)context, (void)tag;
    if (!to->turn || to->disk.life != snapshot->to_life || to->disk.is_full) {
        report(snapshot, false);
        return;
    }
    LIST_INSERT_HEAD(&to->snapshots, snapshot, link);
    sim_node_post(to, &snapshot->install.event);
}

static bool is_cut(const struct sim_snapshot *snapshot) {
    const struct sim_network *network = &snapshot->sim->network;
    size_t from = snapshot->from->number;
    size_t to = snapshot->to->number;
    return network->cuts[from][to] > 0 || network->cuts[to][from] > 0;
}

static void arrive(void *context, void *data, uint64_t tag) {
    struct sim_snapshot *snapshot = data;
    struct sim_node *to = snapshot->to;
    (void)context, (void)tag;
    bool is_there = to->turn && to->id == snapshot->peer;
    if (!is_there || !snapshot->from->turn || is_cut(snapshot)) {
        report(snapshot, false);
        return;
    }
    snapshot->to_life = to->disk.life;
    uint64_t sync_us = BUILD_FACTOR * snapshot->sim->weather.sync_us * to->disk.slow_factor;
    sim_plan(snapshot->sim, sim_random_latency(&to->disk.random, sync_us), build, NULL, snapshot,
             0);
}

/* Who the members were, as the state itself has it. */
static struct raft_configuration configuration_of(struct memory_base *base) {
    static const uint8_t key[] = {4}; /* the table of its one record */
    struct raft_configuration configuration;
    struct kv_base view = memory_base_view(base);
    struct bytes record;
    CHECK(view.ops->get(view.context, bytes_of(key, sizeof key), &record) == STATUS_OK);
    struct wire_reader r = wire_reader_of(record);
    (void)wire_get(&r, 4); /* its seal */
    raft_index index = wire_get_u64(&r);
    CHECK(raft_configuration_decode(bytes_of(r.data, r.len), &configuration) == STATUS_OK);
    configuration.index = index;
    return configuration;
}

static struct sim_snapshot *take(struct sim_node *node, struct turn_transfer *transfer) {
    struct sim_snapshot *snapshot = calloc(1, sizeof *snapshot);
    CHECK(snapshot);
    snapshot->base = memory_base_copy(node->disk.base);
    if (PLANTED(snapshot_forgets))
        sim_disk_forget_answers(snapshot->base);
    struct kv_meta meta = memory_base_reopen(snapshot->base);
    CHECK(meta.applied_index >= transfer->index);
    LIST_INSERT_HEAD(&node->sim->all_snapshots, snapshot, all_link);
    snapshot->sim = node->sim;
    snapshot->from = node;
    snapshot->to = sim_node_of(node->sim, transfer->peer);
    snapshot->peer = transfer->peer;
    snapshot->from_life = node->disk.life;
    snapshot->transfer = transfer;
    snapshot->chain = sim_disk_chain(&node->disk, meta.applied_index);
    snapshot->install = (struct turn_install){.event.kind = TURN_INSTALL,
                                              .index = meta.applied_index,
                                              .term = meta.applied_term,
                                              .configuration = configuration_of(snapshot->base),
                                              .base = memory_base_view(snapshot->base),
                                              .meta = meta};
    return snapshot;
}

static void refuse(void *context, void *data, uint64_t tag) {
    struct sim_node *node = context;
    struct turn_transfer *transfer = data;
    if (node->turn && node->disk.life == tag)
        sim_node_post(node, &transfer->event);
}

void sim_transfer_begin(struct sim_node *node, struct turn_transfer *transfer) {
    struct sim *sim = node->sim;
    if (!memory_base_is_sound(node->disk.base)) { /* its reader checks what it sends */
        sim_plan(sim, sim->weather.sync_us, refuse, node, transfer, node->disk.life);
        return;
    }
    struct sim_snapshot *snapshot = take(node, transfer);
    uint64_t delay_us =
        sim_random_latency(&sim->network.random, DELAY_FACTOR * sim->weather.delay_us);
    snapshot->install.generation = 2 + sim->snapshots++;
    sim_trace(sim, "snapshot %" PRIu64 " from node %zu to %zu", snapshot->install.index,
              node->number, snapshot->to->number);
    sim_plan(sim, delay_us, arrive, NULL, snapshot, 0);
}

/* ---- At the receiver's ----------------------------------------------------------------------- */

/* One that came too late is as good as installed: the node has come as far. */
void sim_transfer_end(struct sim_snapshot *snapshot, enum status status) {
    LIST_REMOVE(snapshot, link);
    report(snapshot, status == STATUS_OK || status == STATUS_STALE);
}

void sim_transfer_drop(struct sim_snapshot *snapshot) {
    LIST_REMOVE(snapshot, link);
    report(snapshot, false);
}

void sim_transfers_close(struct sim *sim) {
    while (!LIST_EMPTY(&sim->all_snapshots))
        forget(LIST_FIRST(&sim->all_snapshots));
}
