#include "founding/world.h"

#include <stdlib.h>

/* How many machines, and how many of them may be lost or wiped: what the door promises. With many
 * spares the number of blank starts is bounded; with few, wipes are not. */
static void choose_size(struct world *w) {
    struct sim_random *r = &w->random;
    w->expect = sim_random_between(r, 1, 7);
    w->has_names = sim_random_one_in(r, 2, 1);
    size_t spares = w->has_names ? 0 : sim_random_between(r, 0, w->expect - 1);
    w->machine_count = w->expect + spares;
    w->wipes_left = sim_random_between(r, 0, 10);
    if (2 * spares > w->expect)
        w->wipes_left = sim_random_between(r, 0, w->expect - 1 - spares);
    size_t minority = (w->expect - 1) / 2;
    if (spares > 0 && minority > 0 && sim_random_one_in(r, 3, 1)) {
        w->losses_left = sim_random_between(r, 1, minority < spares ? minority : spares);
        size_t starts_left = 2 * w->expect - 1 - w->machine_count;
        w->wipes_left = minority - w->losses_left;
        w->wipes_left = w->wipes_left < starts_left ? w->wipes_left : starts_left;
    } else if (2 * spares <= w->expect) {
        w->resets_left = sim_random_one_in(r, 3, sim_random_between(r, 1, 4));
    }
}

static void choose_weather(struct world *w) {
    struct sim_random *r = &w->random;
    w->retry_ms = sim_random_between(r, 20, 300);
    w->latency_ms = sim_random_between(r, 1, w->retry_ms / 4);
    w->sync_ms =
        sim_random_between(r, 1, sim_random_one_in(r, 4, 1) ? 4 * w->retry_ms : w->retry_ms / 4);
    w->loss = sim_random_one_in(r, 2, sim_random_between(r, 1, 60));
    w->duplication = sim_random_one_in(r, 2, sim_random_between(r, 1, 40));
    w->lateness = sim_random_one_in(r, 2, sim_random_between(r, 1, 30));
    w->crash_ppm = sim_random_one_in(r, 2, sim_random_between(r, 1000, 60000));
    w->ambushed = sim_random_one_in(r, 4, 1) ? 0 : sim_random_next(r) & sim_random_next(r);
    w->ambush = sim_random_between(r, 20, 95);
    w->faults_end_ms =
        1 + sim_random_between(r, 5, sim_random_one_in(r, 2, 1) ? 60 : 600) * w->retry_ms;
    w->is_careless = sim_random_one_in(r, 10, 1);
    w->pace = sim_random_between(r, 1, 12);
    w->has_faults = true;
}

static void prepare(struct world *w) {
    struct sim_random *r = &w->random;
    for (size_t i = 0; i < w->machine_count; i++) {
        struct machine *m = &w->machines[i];
        (void)snprintf(m->name, sizeof m->name, "%c", (char)('a' + i));
        w->names[i] = m->name;
        m->identity = w->identity_count++;
        w->identities[i] = (struct identity){.id = sim_random_next(&w->random) | 1, .machine = i};
        m->is_due = true;
        uint64_t delay_ms = sim_random_one_in(r, 3, sim_random_between(r, 0, w->faults_end_ms));
        events_add(w, delay_ms, (struct event){.kind = EVENT_START, .machine = i});
    }
    events_add(w, sim_random_between(r, 1, 20 * w->retry_ms), (struct event){.kind = EVENT_FAULT});
    events_add(w, sim_random_between(r, 1, 5 * w->retry_ms), (struct event){.kind = EVENT_RAFT});
}

static struct machine *receiver(struct world *w, const struct event *event) {
    if (event->kind != EVENT_MESSAGE)
        return w->machines[event->machine].life == event->life ? &w->machines[event->machine]
                                                               : NULL;
    struct machine *to = machine_of(w, event->to), *from = machine_of(w, event->from);
    if (from && to && w->is_cut[from - w->machines][to - w->machines])
        return NULL;
    return to;
}

/* A paused machine takes it later, and a message at a machine that is down is lost. */
static bool deliver(struct world *w, struct event *event) {
    struct machine *m = receiver(w, event);
    if (!m || (!m->f && event->kind != EVENT_START))
        return false;
    if (m->paused_until_ms > w->now_ms) {
        events_add(w, m->paused_until_ms - w->now_ms, *event);
        return true;
    }
    machine_handle(w, m, event);
    return false;
}

static void handle(struct world *w, struct event *event) {
    bool is_kept = false;
    if (event->kind == EVENT_FAULT) {
        if (w->has_faults)
            faults_next(w);
    } else if (event->kind == EVENT_RAFT) {
        raft_round(w);
    } else {
        is_kept = deliver(w, event);
    }
    if (!is_kept)
        free(event->bytes);
}

static void tell_who_waits(struct world *w) {
    char text[FOUNDING_TEXT_BYTES_MAX];
    for (size_t i = 0; i < w->machine_count; i++)
        if (w->machines[i].f) {
            (void)founding_waiting(w->machines[i].f, text);
            LOG(w, "%s (%016llx): %s", w->machines[i].name,
                (unsigned long long)machine_identity(w, &w->machines[i])->id, text);
        }
}

static void run(struct world *w) {
    struct event event;
    while (!w->verdict.has_failed && events_take(w, &event)) {
        w->now_ms = event.at_ms;
        if (w->has_faults && w->now_ms >= w->faults_end_ms)
            faults_end(w);
        handle(w, &event);
        if (w->has_faults)
            continue;
        if (w->is_careless && w->now_ms > w->faults_end_ms + 150 * w->retry_ms)
            return;
        if (check_is_settled(w)) {
            w->settled_ms = w->now_ms;
            return;
        }
        if (w->now_ms > w->faults_end_ms + TIME_LIMIT_RETRIES * w->retry_ms) {
            tell_who_waits(w);
            verdict_fail(&w->verdict, "no cluster of all within %d retries", TIME_LIMIT_RETRIES);
        }
    }
}

void world_run(struct world *w, uint64_t seed, bool is_verbose) {
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->is_verbose = is_verbose;
    w->random = sim_random_of(seed, SIM_STREAM_NODES);
    w->now_ms = 1;
    choose_size(w);
    choose_weather(w);
    LOG(w, "%zu machines, %zu expected%s, retry %llu ms", w->machine_count, w->expect,
        w->has_names ? " by name" : "", (unsigned long long)w->retry_ms);
    prepare(w);
    run(w);
    events_clear(w);
    for (size_t i = 0; i < w->machine_count; i++)
        founding_free(w->machines[i].f);
}
