#include "sim/plots.h"

#include "sim/orders.h"
#include "sim/sim.h"

/* ---- Steps, each undone by the end ----------------------------------------------------------- */

static void deafen(struct sim *sim) {
    if (!sim->plot.is_deaf)
        sim_network_cut_node(&sim->network, sim->plot.leader, SIM_INBOUND, +1);
    sim->plot.is_deaf = true;
}

static void silence(struct sim *sim) {
    if (!sim->plot.is_mute)
        sim_network_cut_node(&sim->network, sim->plot.leader, SIM_OUTBOUND, +1);
    sim->plot.is_mute = true;
}

static void cut_off(struct sim *sim, int sign) {
    sim_network_cut(&sim->network, sim->plot.leader, sim->plot.cut_off, sign);
    sim_network_cut(&sim->network, sim->plot.cut_off, sim->plot.leader, sign);
}

static void delay_ears(struct sim *sim, int sign) {
    for (size_t from = 0; from < sim->weather.node_count; from++)
        sim->network.extra_delay_us[from][sim->plot.leader] += (uint64_t)sign * sim->plot.echo_us;
}

/* ---- The plots ------------------------------------------------------------------------------- */

static bool is_on(const struct sim *sim, uint64_t fault) {
    return !sim->is_calm && sim->plot.fault == &sim->faults.faults[fault];
}

static void deafen_later(void *context, void *data, uint64_t tag) {
    (void)data;
    if (is_on(context, tag))
        deafen(context);
}

static void silence_later(void *context, void *data, uint64_t tag) {
    (void)data;
    if (is_on(context, tag))
        silence(context);
}

static void restart(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    struct sim_node *node = &sim->nodes[tag];
    (void)data;
    if (!node->turn || sim->is_calm || !sim->plot.fault)
        return;
    sim_node_crash(node);
    sim_node_boot(node);
}

/* A transfer, of whose success the old leader does not hear. */
static void usurp(struct sim *sim, const struct sim_fault *fault) {
    uint64_t delay_us = (fault->pick >> 24) % (4 * sim->weather.delay_us + 1);
    sim_order_transfer(sim, &sim->nodes[sim->plot.leader], fault->pick);
    sim_plan(sim, delay_us, deafen_later, sim, NULL, (uint64_t)(fault - sim->faults.faults));
}

/* One node cannot hear the leader and wants to be elected; at times the others restart over and
 * over, and may forget whom they follow. */
static void ambush(struct sim *sim, const struct sim_fault *fault) {
    size_t count = sim->weather.node_count;
    uint64_t percent = 15 + (fault->pick >> 24) % 50;
    uint64_t gap_us = 1000 * sim->weather.election_ms * percent / 100;
    if (count < 2)
        return;
    sim->plot.cut_off = (sim->plot.leader + 1 + (fault->pick >> 8) % (count - 1)) % count;
    cut_off(sim, +1);
    bool has_restarts = fault->pick >> 60 & 1;
    for (uint64_t us = gap_us; us < fault->lasts_us && has_restarts; us += gap_us)
        for (size_t i = 0; i < count; i++)
            if (i != sim->plot.leader && i != sim->plot.cut_off)
                sim_plan(sim, us, restart, sim, NULL, i);
}

/* What the leader hears is late; then nobody hears it, and it still hears of better times. */
static void echo(struct sim *sim, const struct sim_fault *fault) {
    uint64_t timeout_us = 1000 * sim->weather.election_ms;
    sim->plot.echo_us = timeout_us / 2 + (fault->pick >> 24) % (2 * timeout_us);
    delay_ears(sim, +1);
    sim_plan(sim, sim->plot.echo_us, silence_later, sim, NULL,
             (uint64_t)(fault - sim->faults.faults));
}

static void fill(struct sim *sim, bool is_full) {
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        struct sim_disk *disk = &sim->nodes[i].disk;
        if (!(sim->plot.is_filled >> i & 1))
            continue;
        disk->is_full = is_full;
        disk->is_exhausted = is_full && sim->plot.is_exhausted;
    }
}

static void fill_later(void *context, void *data, uint64_t tag) {
    (void)data;
    if (is_on(context, tag))
        fill(context, true);
}

/* No room for the leader, for some, or for all. Mostly nobody hears the leader any more, before or
 * after: what waits for room is of an older term by the time there is some. */
static void glut(struct sim *sim, const struct sim_fault *fault) {
    uint64_t leader = UINT64_C(1) << sim->plot.leader, some = fault->pick >> 32;
    const uint64_t choice[] = {leader, leader | some, some, UINT64_MAX};
    sim->plot.is_filled = choice[fault->pick >> 8 & 3];
    sim->plot.is_exhausted = fault->pick >> 10 & 1;
    uint64_t number = (uint64_t)(fault - sim->faults.faults);
    uint64_t delay_us = (fault->pick >> 24) % (1000 * sim->weather.election_ms);
    bool is_first = fault->pick >> 11 & 1, is_alone = (fault->pick >> 12 & 3) == 0;
    sim_plan(sim, is_first ? 0 : delay_us + 1, fill_later, sim, NULL, number);
    if (is_alone)
        return;
    sim_plan(sim, delay_us, silence_later, sim, NULL, number);
    sim_plan(sim, delay_us, deafen_later, sim, NULL, number);
}

void sim_plot_begin(struct sim *sim, const struct sim_fault *fault) {
    struct sim_node *leader = sim_leader(sim);
    if (!leader || sim->plot.fault)
        return;
    sim->plot =
        (struct sim_plot){.fault = fault, .leader = leader->number, .cut_off = SIM_NODES_MAX};
    if (fault->kind == SIM_USURP) {
        usurp(sim, fault);
    } else if (fault->kind == SIM_AMBUSH) {
        ambush(sim, fault);
    } else if (fault->kind == SIM_ECHO) {
        echo(sim, fault);
    } else if (fault->kind == SIM_GLUT) {
        glut(sim, fault);
    } else {
        deafen(sim);
        silence(sim);
    }
}

void sim_plot_end(struct sim *sim, const struct sim_fault *fault) {
    if (sim->plot.fault != fault)
        return;
    if (sim->plot.is_deaf)
        sim_network_cut_node(&sim->network, sim->plot.leader, SIM_INBOUND, -1);
    if (sim->plot.is_mute)
        sim_network_cut_node(&sim->network, sim->plot.leader, SIM_OUTBOUND, -1);
    if (sim->plot.cut_off < SIM_NODES_MAX)
        cut_off(sim, -1);
    delay_ears(sim, -1);
    fill(sim, false);
    sim->plot = (struct sim_plot){0};
}

void sim_plot_watch(struct sim *sim) {
    struct sim_node *leader = sim->plot.fault ? sim_leader(sim) : NULL;
    if (leader && leader->number != sim->plot.leader)
        deafen(sim);
}

bool sim_plot_is_lull(struct sim *sim) {
    bool may_lull = sim->plot.fault && sim->plot.fault->kind != SIM_GLUT;
    struct sim_node *leader = may_lull ? sim_leader(sim) : NULL;
    return leader && leader->number == sim->plot.leader;
}
