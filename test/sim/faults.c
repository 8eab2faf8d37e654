#include "sim/faults.h"

#include "sim/image.h"
#include "sim/orders.h"
#include "sim/plots.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOW_FACTOR 30

/* ---- The list -------------------------------------------------------------------------------- */

static void add(struct sim_faults *faults, const struct sim_fault *fault) {
    if (faults->count == faults->capacity) {
        faults->capacity = faults->capacity == 0 ? 64 : 2 * faults->capacity;
        faults->faults = realloc(faults->faults, faults->capacity * sizeof *faults->faults);
        CHECK(faults->faults);
    }
    faults->faults[faults->count++] = *fault;
}

/* Most are over within a few election timeouts; some last. */
static uint64_t duration_us(const struct sim *sim, struct sim_random *random,
                            enum sim_fault_kind kind) {
    uint64_t timeout_us = sim->weather.election_ms * 1000;
    if (kind == SIM_BLINK || kind == SIM_BLACKOUT)
        return sim_random_between(random, 1, 20) * 1000;
    if (kind >= SIM_USURP)
        return sim_random_between(random, timeout_us, 6 * timeout_us);
    if (sim_random_percent(random, 20))
        return sim_random_between(random, 5 * timeout_us, 20 * timeout_us);
    if (sim_random_percent(random, 40))
        return sim_random_between(random, timeout_us / 10, timeout_us);
    return sim_random_between(random, timeout_us, 5 * timeout_us);
}

/* Plots need luck: they are tried more often. */
static enum sim_fault_kind kind_of(const struct sim_weather *weather, struct sim_random *random) {
    enum sim_fault_kind kind;
    do {
        kind = (enum sim_fault_kind)sim_random_below(random, SIM_FAULT_KINDS);
        if (sim_random_percent(random, 35))
            kind = (enum sim_fault_kind)sim_random_between(random, SIM_USURP, SIM_GLUT);
    } while (!(weather->fault_kinds >> kind & 1));
    return kind;
}

void sim_faults_open(struct sim_faults *faults, struct sim *sim) {
    struct sim_random random = sim_random_of(sim->options.seed, SIM_STREAM_FAULTS);
    const struct sim_weather *weather = &sim->weather;
    faults->sim = sim;
    uint64_t at_us = 2000 * weather->election_ms;
    while (at_us < weather->storm_us && weather->fault_kinds != 0) {
        struct sim_fault fault = {.at_us = at_us, .pick = sim_random_next(&random)};
        fault.kind = kind_of(weather, &random);
        fault.lasts_us = duration_us(sim, &random, fault.kind);
        add(faults, &fault);
        at_us += sim_random_between(&random, 1, 2 * weather->fault_gap_us);
    }
}

void sim_faults_close(struct sim_faults *faults) {
    free(faults->faults);
}

static const char *kind_name(enum sim_fault_kind kind) {
    static const char *const names[SIM_FAULT_KINDS] = {
        "crash",       "blink", "blackout", "pause",     "isolate",   "split",
        "partial",     "loss",  "late",     "slow disk", "hung disk", "full disk",
        "broken disk", "rot",   "wipe",     "roll back", "clock",     "configure",
        "transfer",    "usurp", "ambush",   "exile",     "echo",      "glut",
    };
    return names[kind];
}

void sim_fault_print(const struct sim_fault *fault, char *text, size_t capacity) {
    snprintf(text, capacity, "%s at %.3f ms for %.3f ms, pick %" PRIu64, kind_name(fault->kind),
             (double)fault->at_us / 1000, (double)fault->lasts_us / 1000, fault->pick);
}

/* ---- Whom it hits ---------------------------------------------------------------------------- */

static size_t any_node(const struct sim *sim, uint64_t pick) {
    return (size_t)(pick >> 8) % sim->weather.node_count;
}

/* Often the leader: that is where it hurts. */
static size_t victim(struct sim *sim, uint64_t pick) {
    struct sim_node *leader = pick % 3 != 0 ? sim_leader(sim) : NULL;
    return leader ? leader->number : any_node(sim, pick);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

void sim_stop_node(struct sim *sim, size_t number) {
    struct sim_node *node = &sim->nodes[number];
    node->downs++;
    if (node->turn)
        sim_node_crash(node);
}

void sim_start_node(struct sim *sim, size_t number) {
    struct sim_node *node = &sim->nodes[number];
    CHECK(node->downs > 0);
    if (--node->downs > 0)
        return;
    if (node->is_lost)
        sim_replace(sim, node);
    sim_node_boot(node);
}

static void start_later(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    (void)data;
    if (!sim->is_calm)
        sim_start_node(sim, tag);
}

void sim_end_process(struct sim *sim, struct sim_node *node) {
    uint64_t timeout_us = 1000 * sim->weather.election_ms;
    sim_stop_node(sim, node->number);
    sim_plan(sim, sim_random_between(&node->random, 1000, 3 * timeout_us), start_later, sim, NULL,
             node->number);
}

/* A node that is doomed already is left alone, lest the quorums bear more than they can. */
static void rot(struct sim *sim, const struct sim_fault *fault) {
    struct sim_node *node = &sim->nodes[fault->mark];
    if (node->is_lost || node->is_doomed || !sim_loss_is_bearable(sim, node))
        return;
    node->is_doomed = true;
    sim_disk_rot(&node->disk, fault->pick >> 8);
}

static void stop_all(struct sim *sim) {
    for (size_t i = 0; i < sim->weather.node_count; i++)
        sim_stop_node(sim, i);
}

static void start_all(struct sim *sim) {
    for (size_t i = 0; i < sim->weather.node_count; i++)
        sim_start_node(sim, i);
}

static void wipe(struct sim *sim, size_t number) {
    struct sim_node *node = &sim->nodes[number];
    if (!node->is_lost && !node->is_doomed && sim_loss_is_bearable(sim, node))
        sim_lose(sim, node);
}

/* What the disk is set back to; then a start that the copy does not know of. */
static void copy_disk(struct sim *sim, size_t number) {
    struct sim_node *node = &sim->nodes[number];
    if (!node->turn || node->image || node->is_doomed)
        return;
    sim_node_crash(node);
    node->image = sim_image_take(&node->disk);
    sim_node_boot(node);
}

static void roll_back(struct sim *sim, size_t number) {
    struct sim_node *node = &sim->nodes[number];
    bool is_possible = node->image && !node->is_lost && !node->is_doomed;
    if (!is_possible || !sim_loss_is_bearable(sim, node)) {
        sim_image_free(node->image);
        node->image = NULL;
        return;
    }
    sim_stop_node(sim, number);
    sim_roll_back(sim, node);
    sim_start_node(sim, number);
}

static void change_clock(struct sim *sim, const struct sim_fault *fault) {
    uint64_t range_ppm = sim->weather.drift_percent * 10000;
    uint64_t rate_ppm = 1000000 - range_ppm + (fault->pick >> 16) % (2 * range_ppm + 1);
    sim_node_set_clock(&sim->nodes[any_node(sim, fault->pick)], rate_ppm);
}

/* ---- Links ----------------------------------------------------------------------------------- */

/* Every direction is cut for which `is_cut` has a bit. */
static void cut_some(struct sim *sim, uint64_t is_cut, int sign) {
    for (size_t from = 0; from < sim->weather.node_count; from++)
        for (size_t to = 0; to < sim->weather.node_count; to++)
            if (is_cut >> (from * SIM_NODES_MAX + to) & 1)
                sim_network_cut(&sim->network, from, to, sign);
}

static uint64_t split_of(const struct sim *sim, uint64_t pick) {
    uint64_t is_cut = 0;
    for (size_t from = 0; from < sim->weather.node_count; from++)
        for (size_t to = 0; to < sim->weather.node_count; to++)
            if ((pick >> from & 1) != (pick >> to & 1))
                is_cut |= UINT64_C(1) << (from * SIM_NODES_MAX + to);
    return is_cut;
}

static void delay(struct sim *sim, const struct sim_fault *fault, int sign) {
    uint64_t extra_us = (fault->pick >> 16) % (2000 * sim->weather.election_ms);
    uint64_t to_whom = fault->pick >> 40;
    for (size_t to = 0; to < sim->weather.node_count; to++)
        if (to_whom >> to & 1)
            sim->network.extra_delay_us[fault->mark][to] += (uint64_t)sign * extra_us;
}

/* ---- Begin and end --------------------------------------------------------------------------- */

static void begin(struct sim *sim, struct sim_fault *fault) {
    uint64_t pick = fault->pick;
    switch (fault->kind) {
    case SIM_CRASH:
    case SIM_BLINK: sim_stop_node(sim, fault->mark = victim(sim, pick)); return;
    case SIM_BLACKOUT: stop_all(sim); return;
    case SIM_PAUSE: sim_node_pause(&sim->nodes[fault->mark = victim(sim, pick)]); return;
    case SIM_ISOLATE:
        fault->mark = victim(sim, pick);
        sim_network_cut_node(&sim->network, fault->mark, 1 + (pick >> 16) % 3, +1);
        return;
    case SIM_SPLIT: cut_some(sim, split_of(sim, pick), +1); return;
    case SIM_PARTIAL: cut_some(sim, pick & pick >> 8, +1); return;
    case SIM_LOSS: sim->network.losses++; return;
    case SIM_LATE:
        fault->mark = victim(sim, pick);
        delay(sim, fault, +1);
        return;
    case SIM_SLOW_DISK:
        fault->mark = victim(sim, pick);
        sim->nodes[fault->mark].disk.slow_factor = SLOW_FACTOR;
        return;
    case SIM_HUNG_DISK:
        fault->mark = victim(sim, pick);
        sim_disk_hang(&sim->nodes[fault->mark].disk, true);
        return;
    case SIM_FULL_DISK:
        fault->mark = victim(sim, pick);
        sim->nodes[fault->mark].disk.is_full = true;
        return;
    case SIM_BROKEN_DISK:
        fault->mark = victim(sim, pick);
        sim->nodes[fault->mark].disk.is_broken = true;
        return;
    case SIM_ROT:
        fault->mark = victim(sim, pick);
        rot(sim, fault);
        return;
    case SIM_WIPE: wipe(sim, fault->mark = victim(sim, pick)); return;
    case SIM_ROLL_BACK: copy_disk(sim, fault->mark = victim(sim, pick)); return;
    case SIM_CLOCK: change_clock(sim, fault); return;
    case SIM_CONFIGURE:
        if (sim_leader(sim))
            sim_order_configure(sim, sim_leader(sim), pick);
        return;
    case SIM_TRANSFER:
        if (sim_leader(sim))
            sim_order_transfer(sim, sim_leader(sim), pick);
        return;
    case SIM_USURP:
    case SIM_AMBUSH:
    case SIM_EXILE:
    case SIM_ECHO:
    case SIM_GLUT: sim_plot_begin(sim, fault); return;
    case SIM_FAULT_KINDS: return;
    }
}

static void end(struct sim *sim, struct sim_fault *fault) {
    struct sim_node *node = &sim->nodes[fault->mark % SIM_NODES_MAX];
    switch (fault->kind) {
    case SIM_CRASH:
    case SIM_BLINK: sim_start_node(sim, fault->mark); return;
    case SIM_BLACKOUT: start_all(sim); return;
    case SIM_PAUSE: sim_node_resume(node); return;
    case SIM_ISOLATE:
        sim_network_cut_node(&sim->network, fault->mark, 1 + (fault->pick >> 16) % 3, -1);
        return;
    case SIM_SPLIT: cut_some(sim, split_of(sim, fault->pick), -1); return;
    case SIM_PARTIAL: cut_some(sim, fault->pick & fault->pick >> 8, -1); return;
    case SIM_LOSS: sim->network.losses--; return;
    case SIM_LATE: delay(sim, fault, -1); return;
    case SIM_SLOW_DISK: node->disk.slow_factor = 1; return;
    case SIM_HUNG_DISK: sim_disk_hang(&node->disk, false); return;
    case SIM_FULL_DISK: node->disk.is_full = false; return;
    case SIM_BROKEN_DISK: node->disk.is_broken = false; return;
    case SIM_USURP:
    case SIM_AMBUSH:
    case SIM_EXILE:
    case SIM_ECHO:
    case SIM_GLUT: sim_plot_end(sim, fault); return;
    case SIM_ROLL_BACK: roll_back(sim, fault->mark); return;
    case SIM_ROT:
    case SIM_WIPE:
    case SIM_CLOCK:
    case SIM_CONFIGURE:
    case SIM_TRANSFER:
    case SIM_FAULT_KINDS: return;
    }
}

static void fault_ends(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    (void)data;
    if (sim->is_calm)
        return;
    sim_trace(sim, "fault %" PRIu64 " ends", tag);
    end(sim, &sim->faults.faults[tag]);
}

static void fault_begins(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    struct sim_fault *fault = &sim->faults.faults[tag];
    (void)data;
    char text[128];
    sim_fault_print(fault, text, sizeof text);
    sim_trace(sim, "fault %" PRIu64 ": %s", tag, text);
    begin(sim, fault);
    sim_plan(sim, fault->lasts_us, fault_ends, sim, NULL, tag);
}

void sim_faults_plan(struct sim_faults *faults) {
    const bool *is_spared = faults->sim->options.is_spared;
    for (size_t i = 0; i < faults->count; i++)
        if (!is_spared || !is_spared[i])
            sim_plan(faults->sim, faults->faults[i].at_us, fault_begins, faults->sim, NULL, i);
}

/* What is damaged and was not met yet is found by the scrub. */
static void heal_damage(struct sim_node *node) {
    if (node->is_doomed && !node->is_lost)
        sim_lose(node->sim, node);
    if (node->is_lost)
        sim_replace(node->sim, node);
}

static void heal_node(struct sim_node *node) {
    node->disk.slow_factor = 1;
    node->disk.is_full = false;
    node->disk.is_exhausted = false;
    node->disk.is_broken = false;
    heal_damage(node);
    sim_disk_hang(&node->disk, false);
    if (node->pauses > 0) {
        node->pauses = 1;
        sim_node_resume(node);
    }
    node->downs = 0;
    if (!node->turn)
        sim_node_boot(node);
}

void sim_faults_heal(struct sim_faults *faults) {
    struct sim *sim = faults->sim;
    sim_network_heal(&sim->network);
    sim->plot = (struct sim_plot){0};
    for (size_t i = 0; i < sim->weather.node_count; i++)
        heal_node(&sim->nodes[i]);
}
