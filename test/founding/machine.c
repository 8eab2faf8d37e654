/* One machine: its process, its disk, and a caller such as the server's. */
#include "founding/world.h"

#include <stdlib.h>

struct identity *machine_identity(struct world *w, const struct machine *m) {
    return &w->identities[m->identity];
}

struct machine *machine_of(struct world *w, raft_id id) {
    for (size_t i = 0; i < w->machine_count; i++)
        if (machine_identity(w, &w->machines[i])->id == id)
            return &w->machines[i];
    return NULL;
}

static size_t index_of(const struct world *w, const struct machine *m) {
    return (size_t)(m - w->machines);
}

static void later(struct world *w, struct machine *m, enum event_kind kind, uint64_t delay_ms,
                  uint64_t number) {
    events_add(
        w, delay_ms,
        (struct event){.kind = kind, .machine = index_of(w, m), .life = m->life, .number = number});
}

static bool crashes_here(struct world *w) {
    return w->has_faults && sim_random_ppm(&w->random, w->crash_ppm);
}

static void go_down(struct world *w, struct machine *m) {
    founding_free(m->f);
    m->f = NULL;
    m->life++;
    w->fault_count++;
}

void machine_crash(struct world *w, struct machine *m) {
    if (!m->f)
        return;
    LOG(w, "%s crashes", m->name);
    if (m->writing_record && sim_random_percent(&w->random, 50)) {
        memcpy(m->disk.record, m->written.record, sizeof m->disk.record);
        m->disk.record_bytes = m->written.record_bytes;
    }
    if (m->is_writing_store && sim_random_percent(&w->random, 50))
        m->disk.cluster_id = m->cluster_id;
    go_down(w, m);
    m->is_due = true;
    later(w, m, EVENT_START, sim_random_between(&w->random, 1, 60 * w->retry_ms), 0);
}

static void take_identity(struct world *w, struct machine *m) {
    CHECK(w->identity_count < IDENTITIES_MAX);
    m->identity = w->identity_count++;
    struct identity *identity = machine_identity(w, m);
    *identity = (struct identity){.id = sim_random_next(&w->random) | 1, .machine = index_of(w, m)};
}

void machine_wipe(struct world *w, struct machine *m) {
    LOG(w, "%s is wiped", m->name);
    if (m->f)
        go_down(w, m);
    machine_identity(w, m)->is_wiped = true;
    m->disk = (struct disk){0};
    take_identity(w, m);
    m->life++;
    m->is_due = true;
    later(w, m, EVENT_START, sim_random_between(&w->random, 1, 60 * w->retry_ms), 0);
}

static void write_store(struct world *w, struct machine *m, uint64_t cluster_id) {
    m->cluster_id = cluster_id;
    m->is_writing_store = true;
    uint64_t begin_ms = m->stored_ms > w->now_ms ? m->stored_ms : w->now_ms;
    m->stored_ms = begin_ms + sim_random_latency(&w->random, w->sync_ms);
    later(w, m, EVENT_STORE, m->stored_ms - w->now_ms, cluster_id);
}

static void obey(struct world *w, struct machine *m, const struct founding_decision *decision) {
    static const char *const kinds[] = {"wait", "join", "found", "drop"};
    LOG(w, "%s: %s %016llx", m->name, kinds[decision->kind],
        (unsigned long long)decision->cluster_id);
    w->digest = sim_mix(w->digest, decision->cluster_id + decision->kind);
    m->joinable = 0;
    switch (decision->kind) {
    case FOUNDING_WAIT: break;
    case FOUNDING_JOIN: m->joinable = decision->cluster_id; break;
    case FOUNDING_FOUND:
        m->was_stopped = false;
        check_found(w, m, decision);
        write_store(w, m, decision->cluster_id);
        break;
    case FOUNDING_DROP:
        check_drop(w, m, decision->cluster_id);
        m->disk.has_committed = false;
        m->disk.cluster_id = m->cluster_id = 0;
        m->is_writing_store = false;
        break;
    }
}

static void write_record(struct world *w, struct machine *m, const struct founding_record *record) {
    CHECK(m->writing_record == 0);
    m->writing_record = record->number;
    memcpy(m->written.record, record->bytes.data, record->bytes.len);
    m->written.record_bytes = record->bytes.len;
    later(w, m, EVENT_RECORD, sim_random_latency(&w->random, w->sync_ms), record->number);
}

/* The process may end at each of the places between. */
static void take_ready(struct world *w, struct machine *m) {
    struct founding_ready ready;
    founding_ready(m->f, &ready);
    for (size_t i = 0; i < ready.message_count; i++) {
        if (crashes_here(w)) {
            machine_crash(w, m);
            return;
        }
        network_send(w, m, &ready.messages[i]);
    }
    if (ready.has_decision)
        obey(w, m, &ready.decision);
    if (ready.has_decision && crashes_here(w)) {
        machine_crash(w, m);
        return;
    }
    if (ready.has_record)
        write_record(w, m, &ready.record);
    if (ready.has_record && crashes_here(w)) {
        machine_crash(w, m);
        return;
    }
    founding_advance(m->f);
}

static void wake_in_time(struct world *w, struct machine *m) {
    uint64_t deadline_ms = founding_deadline_ms(m->f);
    if (deadline_ms == UINT64_MAX || (m->waking_ms > w->now_ms && m->waking_ms <= deadline_ms))
        return;
    m->waking_ms = deadline_ms > w->now_ms ? deadline_ms : w->now_ms + 1;
    later(w, m, EVENT_WAKE, m->waking_ms - w->now_ms, 0);
}

void machine_step(struct world *w, struct machine *m, struct founding_event event) {
    char text[FOUNDING_TEXT_BYTES_MAX];
    event.now_ms = w->now_ms;
    enum status status = founding_step(m->f, &event);
    w->digest = sim_mix(w->digest, status); /* refusals are part of the game */
    take_ready(w, m);
    if (!m->f)
        return;
    CHECK(founding_waiting(m->f, text) < sizeof text);
    wake_in_time(w, m);
}

void machine_reset(struct world *w, struct machine *m) {
    struct founding_event event = {.kind = FOUNDING_EVENT_RESET, .now_ms = w->now_ms};
    if (founding_step(m->f, &event) != STATUS_OK)
        return;
    LOG(w, "%s is reset", m->name);
    m->was_stopped = true;
    machine_identity(w, m)->was_reset = true;
    machine_identity(w, m)->found = 0;
    w->fault_count++;
    take_ready(w, m);
    if (m->f)
        wake_in_time(w, m);
}

static void forget(struct machine *m) {
    m->waking_ms = m->stored_ms = m->paused_until_ms = m->writing_record = m->joinable = 0;
    m->is_due = m->is_writing_store = m->was_stopped = false;
    m->cluster_id = m->disk.cluster_id;
    memset(m->in_sight, 0, sizeof m->in_sight);
}

void machine_start(struct world *w, struct machine *m) {
    if (m->f || m->is_lost)
        return;
    forget(m);
    struct founding_config config = {
        .self = machine_identity(w, m)->id,
        .name = m->name,
        .names = w->has_names ? w->names : NULL,
        .name_count = w->machine_count,
        .expect = w->expect,
        .record = bytes_of(m->disk.record, m->disk.record_bytes),
        .cluster_id = m->disk.cluster_id,
        .has_committed = m->disk.has_committed,
        .retry_ms = w->retry_ms,
        .seed = sim_random_next(&w->random),
        .now_ms = w->now_ms,
    };
    enum status status = founding_new(&config, &m->f);
    if (status != STATUS_OK) {
        verdict_fail(&w->verdict, "%s cannot start: %s", m->name, status_name(status));
        return;
    }
    LOG(w, "%s starts as %016llx", m->name, (unsigned long long)config.self);
    take_ready(w, m);
    if (!m->f)
        return;
    wake_in_time(w, m);
    later(w, m, EVENT_LOOK, sim_random_below(&w->random, w->retry_ms), 0);
}

static void record_is_durable(struct world *w, struct machine *m, uint64_t number) {
    CHECK(m->writing_record == number);
    m->writing_record = 0;
    memcpy(m->disk.record, m->written.record, sizeof m->disk.record);
    m->disk.record_bytes = m->written.record_bytes;
    machine_step(w, m, (struct founding_event){.kind = FOUNDING_EVENT_DURABLE, .durable = number});
}

static void join(struct world *w, struct machine *m, uint64_t cluster_id) {
    struct founding_event event = {.kind = FOUNDING_EVENT_JOINED,
                                   .cluster_id = cluster_id,
                                   .now_ms = w->now_ms};
    if (founding_step(m->f, &event) != STATUS_OK)
        return;
    LOG(w, "%s has joined", m->name);
    check_join(w, m, cluster_id);
    write_store(w, m, cluster_id);
}

void machine_handle(struct world *w, struct machine *m, const struct event *event) {
    switch (event->kind) {
    case EVENT_START: machine_start(w, m); break;
    case EVENT_WAKE:
        m->waking_ms = 0;
        machine_step(w, m, (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
        break;
    case EVENT_LOOK: network_look(w, m); break;
    case EVENT_MESSAGE:
        machine_step(w, m,
                     (struct founding_event){.kind = FOUNDING_EVENT_RECEIVE,
                                             .receive = {event->from,
                                                         bytes_of(event->bytes, event->len)}});
        break;
    case EVENT_RECORD: record_is_durable(w, m, event->number); break;
    case EVENT_STORE:
        if (m->cluster_id != event->number)
            break; /* dropped meanwhile */
        m->disk.cluster_id = event->number;
        m->is_writing_store = false;
        break;
    case EVENT_JOIN: join(w, m, event->number); break;
    case EVENT_FAULT:
    case EVENT_RAFT: CHECK(false);
    }
}
