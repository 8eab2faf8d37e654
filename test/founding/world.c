#include "founding/world.h"

#include <stdarg.h>
#include <stdlib.h>

void world_fail(struct world *w, const char *format, ...) {
    if (w->has_failed)
        return;
    w->has_failed = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->failure, sizeof w->failure, format, args); /* cut is good enough */
    va_end(args);
    LOG(w, "FAILED: %s", w->failure);
}

static uint64_t between(struct world *w, uint64_t low, uint64_t high) {
    return sim_random_between(&w->random, low, high);
}

static uint64_t one_in(struct world *w, uint64_t n, uint64_t value) {
    return sim_random_below(&w->random, n) == 0 ? value : 0;
}

/* How many machines, and how many of them may be lost or wiped: what the door promises. With many
 * spares the number of blank starts is bounded; with few, wipes are not. */
static void choose_size(struct world *w) {
    w->expect = between(w, 1, 7);
    w->has_names = one_in(w, 2, 1);
    size_t spares = w->has_names ? 0 : between(w, 0, w->expect - 1);
    w->machine_count = w->expect + spares;
    w->wipes_left = between(w, 0, 10);
    if (2 * spares > w->expect)
        w->wipes_left = between(w, 0, w->expect - 1 - spares);
    size_t minority = (w->expect - 1) / 2;
    if (spares > 0 && minority > 0 && one_in(w, 3, 1)) {
        w->losses_left = between(w, 1, minority < spares ? minority : spares);
        size_t starts_left = 2 * w->expect - 1 - w->machine_count;
        w->wipes_left = minority - w->losses_left;
        w->wipes_left = w->wipes_left < starts_left ? w->wipes_left : starts_left;
    } else if (2 * spares <= w->expect) {
        w->resets_left = one_in(w, 3, between(w, 1, 4));
    }
}

static void choose_weather(struct world *w) {
    w->retry_ms = between(w, 20, 300);
    w->latency_ms = between(w, 1, w->retry_ms / 4);
    w->sync_ms = between(w, 1, one_in(w, 4, 1) ? 4 * w->retry_ms : w->retry_ms / 4);
    w->loss = one_in(w, 2, between(w, 1, 60));
    w->duplication = one_in(w, 2, between(w, 1, 40));
    w->lateness = one_in(w, 2, between(w, 1, 30));
    w->crash_ppm = one_in(w, 2, between(w, 1000, 60000));
    w->ambushed = one_in(w, 4, 1) ? 0 : sim_random_next(&w->random) & sim_random_next(&w->random);
    w->ambush = between(w, 20, 95);
    w->faults_end_ms = 1 + between(w, 5, one_in(w, 2, 1) ? 60 : 600) * w->retry_ms;
    w->is_careless = one_in(w, 10, 1);
    w->pace = between(w, 1, 12);
    w->has_faults = true;
}

static void prepare(struct world *w) {
    for (size_t i = 0; i < w->machine_count; i++) {
        struct machine *m = &w->machines[i];
        (void)snprintf(m->name, sizeof m->name, "%c", (char)('a' + i));
        w->names[i] = m->name;
        m->identity = w->identity_count++;
        w->identities[i] = (struct identity){.id = sim_random_next(&w->random) | 1, .machine = i};
        m->is_due = true;
        uint64_t delay_ms = one_in(w, 3, between(w, 0, w->faults_end_ms));
        events_add(w, delay_ms, (struct event){.kind = EVENT_START, .machine = i});
    }
    events_add(w, between(w, 1, 20 * w->retry_ms), (struct event){.kind = EVENT_FAULT});
    events_add(w, between(w, 1, 5 * w->retry_ms), (struct event){.kind = EVENT_RAFT});
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
    while (!w->has_failed && events_take(w, &event)) {
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
            world_fail(w, "no cluster of all within %d retries", TIME_LIMIT_RETRIES);
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
