#include "gossip/world.h"

/* ---- Time ------------------------------------------------------------------------------------ */

static uint64_t next_ms(const struct world *w) {
    uint64_t next = network_next_ms(w);
    for (size_t i = 0; i < w->node_count; i++) {
        const struct node *n = &w->nodes[i];
        uint64_t due_ms = n->due_ms > n->paused_until_ms ? n->due_ms : n->paused_until_ms;
        if (n->g && due_ms < next)
            next = due_ms;
    }
    return w->has_faults && w->next_fault_ms < next ? w->next_fault_ms : next;
}

/* What had arrived is taken before the timers, as in a turn. */
static void wake_nodes(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++) {
        struct node *n = &w->nodes[i];
        if (node_is_paused(w, n))
            n->was_unwell_ms = n->paused_until_ms;
        else if (n->g && n->due_ms <= w->now_ms)
            node_step(w, n, (struct gossip_event){.kind = GOSSIP_EVENT_TIMEOUT});
    }
}

void world_run(struct world *w, uint64_t end_ms, bool (*is_done)(struct world *w)) {
    while (!w->verdict.has_failed && w->now_ms < end_ms && (!is_done || !is_done(w))) {
        uint64_t next = next_ms(w);
        next = next < end_ms ? next : end_ms;
        w->now_ms = next > w->now_ms ? next : w->now_ms;
        if (w->has_faults && w->now_ms >= w->next_fault_ms)
            faults_next(w);
        network_deliver(w);
        wake_nodes(w);
    }
}

/* ---- Making one ------------------------------------------------------------------------------ */

static void clear(struct world *w, uint64_t seed, bool is_verbose) {
    memset(w, 0, offsetof(struct world, mails));
    w->seed = seed;
    w->is_verbose = is_verbose;
    w->random = sim_random_of(seed, SIM_STREAM_NETWORK);
    w->faults = sim_random_of(seed, SIM_STREAM_FAULTS);
    w->now_ms = 1;
    w->next_port = 7946;
}

static void make_nodes(struct world *w, bool counts_starts, uint64_t drift_ppm) {
    struct sim_random *r = &w->faults;
    for (size_t i = 0; i < w->node_count; i++) {
        struct node *n = &w->nodes[i];
        *n = (struct node){.place = i,
                           .counts_starts = counts_starts,
                           .due_ms = UINT64_MAX,
                           .rate_ppm =
                               sim_random_between(r, 1000000 - drift_ppm, 1000000 + drift_ppm)};
        node_wipe(w, n);
        node_move(w, n);
    }
}

static void make_links(struct world *w, uint64_t latency_max_ms) {
    struct sim_random *r = &w->faults;
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t j = 0; j <= i; j++)
            w->latency_ms[i][j] = w->latency_ms[j][i] = sim_random_between(r, 1, latency_max_ms);
}

static void end(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++)
        gossip_free(w->nodes[i].g);
}

/* ---- A storm --------------------------------------------------------------------------------- */

static void choose_storm(struct world *w) {
    struct sim_random *r = &w->faults;
    w->node_count = sim_random_between(r, 2, 9);
    w->tick_ms = sim_random_one_in(r, 2, 1) ? 100 : 200;
    w->loss = sim_random_one_in(r, 2, sim_random_between(r, 1, 30));
    w->duplication = sim_random_one_in(r, 2, sim_random_between(r, 1, 20));
    w->replays = sim_random_one_in(r, 2, sim_random_between(r, 1, 20));
    w->has_dns = sim_random_one_in(r, 2, 1);
    w->has_restarts = sim_random_one_in(r, 3, 1) == 0;
    w->has_faults = true;
    w->pace_ms = sim_random_between(r, 200, sim_random_one_in(r, 2, 1) ? 5000 : 60000);
    w->next_fault_ms = w->pace_ms;
    bool counts_starts = sim_random_one_in(r, 2, 1);
    if (!counts_starts) /* else what a former life said is newer than what this one says */
        w->replays = 0;
    make_nodes(w, counts_starts, sim_random_one_in(r, 2, 50000));
    make_links(w, w->tick_ms == 100 ? 30 : 150);
}

static void heal(struct world *w) {
    uint64_t end_ms = w->now_ms;
    faults_end(w);
    world_run(w, end_ms + HEAL_MS_MAX, check_is_healed);
    w->heal_ms = w->now_ms - end_ms;
    if (w->verdict.has_failed || check_is_healed(w))
        return;
    check_tell(w);
    verdict_fail(&w->verdict, "not all see all %d s after the faults", HEAL_MS_MAX / 1000);
}

/* Without loss, as the bound is for a network that loses little; ten minutes are for who has doubts
 * about itself, and for those who left no more than their identity. */
static void rest(struct world *w) {
    w->loss = 0;
    world_run(w, w->now_ms + 600000, check_is_rested);
    if (w->verdict.has_failed || check_is_rested(w))
        return;
    check_tell(w);
    verdict_fail(&w->verdict, "ghosts or doubts ten minutes after the faults");
}

static void kill_one(struct world *w) {
    struct gossip_timing timing = gossip_timing_of(w->tick_ms);
    struct node *n = &w->nodes[sim_random_below(&w->faults, w->node_count)];
    uint64_t start_ms = w->now_ms;
    uint64_t bound_ms = gossip_bound_ms(&timing, w->node_count) * 100 / 95; /* by a slow clock */
    w->old_count = 0; /* whose directories are gone could seem to be back */
    w->killed = n->id;
    w->must_live = true;
    node_stop(w, n);
    world_run(w, start_ms + bound_ms, check_is_dead_everywhere);
    w->death_percent = (w->now_ms - start_ms) * 100 / bound_ms;
    if (!w->verdict.has_failed && !check_is_dead_everywhere(w))
        verdict_fail(&w->verdict, "a killed member is not dead everywhere after %llu ms",
                     (unsigned long long)bound_ms);
    world_run(w, w->now_ms + 60000, NULL);
}

void world_storm(struct world *w, uint64_t seed, bool is_verbose) {
    clear(w, seed, is_verbose);
    choose_storm(w);
    LOG(w, "%zu nodes, tick %llu ms, loss %llu %%", w->node_count, (unsigned long long)w->tick_ms,
        (unsigned long long)w->loss);
    for (size_t i = 0; i < w->node_count; i++)
        node_start(w, &w->nodes[i]);
    world_run(w, sim_random_between(&w->faults, 1, 30) * w->pace_ms, NULL);
    if (!w->verdict.has_failed)
        heal(w);
    if (!w->verdict.has_failed)
        rest(w);
    if (!w->verdict.has_failed)
        kill_one(w);
    end(w);
}

/* ---- A calm ---------------------------------------------------------------------------------- */

void world_calm(struct world *w, uint64_t seed, uint64_t hours, bool is_verbose) {
    clear(w, seed, is_verbose);
    w->is_calm = true;
    w->node_count = 5;
    w->tick_ms = seed % 2 == 0 ? 100 : 200;
    w->loss = 5;
    w->replays = w->duplication = 2;
    w->forgeries = sim_random_one_in(&w->faults, 2, 1);
    make_nodes(w, true, 50000);
    make_links(w, w->tick_ms == 100 ? 20 : 150);
    for (size_t i = 0; i < w->node_count; i++)
        node_start(w, &w->nodes[i]);
    w->is_cut[0][1] = w->is_cut[1][0] = w->forgeries == 0;
    world_run(w, w->now_ms + 60000, check_is_healed);
    w->heal_ms = w->now_ms;
    w->must_live = w->has_faults = true;
    w->pace_ms = 300000;
    w->next_fault_ms = w->now_ms + w->pace_ms;
    world_run(w, w->now_ms + hours * 3600000, NULL);
    check_cost(w, w->now_ms);
    check_suspicions(w, hours);
    end(w);
}
