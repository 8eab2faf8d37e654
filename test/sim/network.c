#include "sim/network.h"

#include "sim/sim.h"

#include <stdlib.h>

#define LOSSY_PPM 300000

void sim_network_open(struct sim_network *network, struct sim *sim) {
    *network = (struct sim_network){.sim = sim,
                                    .random = sim_random_of(sim->options.seed, SIM_STREAM_NETWORK)};
}

void sim_network_heal(struct sim_network *network) {
    memset(network->cuts, 0, sizeof network->cuts);
    memset(network->extra_delay_us, 0, sizeof network->extra_delay_us);
    network->losses = 0;
}

void sim_network_cut(struct sim_network *network, size_t from, size_t to, int sign) {
    if (from != to)
        network->cuts[from][to] += (unsigned)sign;
}

void sim_network_cut_node(struct sim_network *network, size_t node, uint64_t directions, int sign) {
    for (size_t i = 0; i < network->sim->weather.node_count; i++) {
        if (directions & SIM_INBOUND)
            sim_network_cut(network, i, node, sign);
        if (directions & SIM_OUTBOUND)
            sim_network_cut(network, node, i, sign);
    }
}

static void arrive(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    struct sim_message *message = data;
    (void)tag;
    struct sim_node *to = sim_node_of(sim, message->turn.message.to);
    if (to->turn && sim_links_let_in(to, message))
        sim_node_post(to, &message->turn.event);
    else
        free(message);
}

static struct sim_message *copy_of(const struct raft_message *message,
                                   const struct raft_entry *entries, size_t count,
                                   const struct sim_stamp *stamp) {
    size_t payload_bytes = 0;
    for (size_t i = 0; i < count; i++)
        payload_bytes += entries[i].payload.len;
    struct sim_message *copy = malloc(sizeof *copy + count * sizeof *entries + payload_bytes);
    CHECK(copy);
    copy->turn = (struct turn_message){.event.kind = TURN_MESSAGE, .message = *message};
    copy->link_number = stamp->link_number;
    copy->start = stamp->start;
    if (message->kind != RAFT_APPEND)
        return copy;
    struct raft_entry *copies = (struct raft_entry *)(copy + 1);
    uint8_t *payload = (uint8_t *)(copies + count);
    for (size_t i = 0; i < count; i++) {
        copies[i] = entries[i];
        copies[i].payload.data = payload;
        if (entries[i].payload.len > 0)
            memcpy(payload, entries[i].payload.data, entries[i].payload.len);
        payload += entries[i].payload.len;
    }
    copy->turn.message.append.entries = copies;
    copy->turn.message.append.count = count;
    return copy;
}

static uint64_t delay_of(struct sim_network *network, size_t from, size_t to) {
    const struct sim_weather *weather = &network->sim->weather;
    uint64_t delay_us = sim_random_latency(&network->random, weather->delay_us);
    if (!network->sim->is_calm && sim_random_ppm(&network->random, weather->straggler_ppm))
        delay_us += sim_random_below(&network->random, 3000 * weather->election_ms);
    return delay_us + network->extra_delay_us[from][to];
}

/* On a fifo link a late message holds up those behind it. */
static uint64_t arrival_of(struct sim_network *network, size_t from, size_t to) {
    uint64_t at_us = network->sim->now_us + delay_of(network, from, to);
    uint64_t *last_us = &network->arrival_us[from][to];
    if (network->sim->weather.is_fifo && at_us < *last_us)
        at_us = *last_us;
    *last_us = at_us;
    return at_us;
}

static bool is_lost(struct sim_network *network, size_t from, size_t to) {
    uint64_t loss_ppm = network->sim->is_calm ? 0 : network->sim->weather.loss_ppm;
    if (network->losses > 0)
        loss_ppm += LOSSY_PPM;
    return network->cuts[from][to] > 0 || sim_random_ppm(&network->random, loss_ppm);
}

void sim_network_send(struct sim_network *network, const struct raft_message *message,
                      const struct raft_entry *entries, size_t count,
                      const struct sim_stamp *stamp) {
    size_t from = sim_node_of(network->sim, message->from)->number;
    size_t to = sim_node_of(network->sim, message->to)->number;
    bool is_double = sim_random_ppm(&network->random, network->sim->weather.double_ppm);
    for (int i = 0; i <= is_double; i++) {
        if (is_lost(network, from, to))
            continue;
        uint64_t delay_us = arrival_of(network, from, to) - network->sim->now_us;
        sim_plan_owned(network->sim, delay_us, arrive, network->sim,
                       copy_of(message, entries, count, stamp), 0);
    }
}
