#include "founding/world.h"

static struct machine *any_machine(struct world *w) {
    return &w->machines[sim_random_below(&w->random, w->machine_count)];
}

static void wipe(struct world *w, struct machine *m) {
    if (w->wipes_left == 0 || m->is_lost || !check_can_lose(w, m))
        return;
    w->wipes_left--;
    machine_wipe(w, m);
}

static void lose(struct world *w, struct machine *m) {
    if (w->losses_left == 0 || m->is_lost || !check_can_lose(w, m))
        return;
    LOG(w, "%s is lost for ever", m->name);
    w->losses_left--;
    machine_crash(w, m);
    m->is_lost = true;
    machine_identity(w, m)->is_lost = true;
}

static void reset(struct world *w, struct machine *m) {
    if (w->resets_left == 0 || !m->f || !check_can_lose(w, m))
        return;
    w->resets_left--;
    machine_reset(w, m);
}

static void cut_between(struct world *w, uint64_t one_way) {
    bool side[MACHINES_MAX];
    for (size_t i = 0; i < w->machine_count; i++)
        side[i] = sim_random_percent(&w->random, 50);
    for (size_t i = 0; i < w->machine_count; i++)
        for (size_t j = 0; j < w->machine_count; j++)
            w->is_cut[i][j] = side[i] != side[j] && (!one_way || side[i]);
    LOG(w, "a cut");
}

static void cut_some(struct world *w) {
    uint64_t percent = sim_random_between(&w->random, 5, 60);
    for (size_t i = 0; i < w->machine_count; i++)
        for (size_t j = 0; j < w->machine_count; j++)
            w->is_cut[i][j] = sim_random_percent(&w->random, percent);
    LOG(w, "cuts");
}

static void pause(struct world *w, struct machine *m) {
    if (m->paused_until_ms > w->now_ms)
        return; /* what waits for its end must stay in order */
    m->paused_until_ms = w->now_ms + sim_random_below(&w->random, 80 * w->retry_ms);
    LOG(w, "%s is paused", m->name);
}

void faults_next(struct world *w) {
    struct machine *m = any_machine(w);
    w->fault_count++;
    switch (sim_random_below(&w->random, 12)) {
    case 0:
    case 1: machine_crash(w, m); break;
    case 2:
    case 3:
    case 4: wipe(w, m); break;
    case 5: lose(w, m); break;
    case 6: reset(w, m); break;
    case 7: cut_between(w, sim_random_below(&w->random, 2)); break;
    case 8: cut_some(w); break;
    case 9: pause(w, m); break;
    default: memset(w->is_cut, 0, sizeof w->is_cut); break;
    }
    events_add(w,
               sim_random_below(&w->random, (w->faults_end_ms - w->now_ms) / w->pace + w->retry_ms),
               (struct event){.kind = EVENT_FAULT});
}

void faults_end(struct world *w) {
    LOG(w, "no more faults");
    w->has_faults = false;
    memset(w->is_cut, 0, sizeof w->is_cut);
}
