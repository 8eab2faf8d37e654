#include "server/turn.h"

#include "deadline.h"
#include "server/parts.h"

#include <stdio.h>
#include <stdlib.h>

static enum status take_memory(struct turn *t) {
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) {
        struct turn_batch *batch = &t->batches[i];
        batch->event.kind = TURN_LOG_DONE;
        batch->entries = calloc(BATCH_ENTRIES_MAX, sizeof *batch->entries);
        if (!batch->entries)
            return STATUS_NO_MEMORY;
    }
    return trail_init(&t->trail, t->config.raft.last_index);
}

static void init_fields(struct turn *t, const struct turn_config *config) {
    t->config = *config;
    t->ports = &t->config.ports;
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->pending);
    TAILQ_INIT(&t->asking);
    TAILQ_INIT(&t->reading);
    TAILQ_INIT(&t->snapshots);
    retention_init(&t->retention, config->keep_entries, config->keep_bytes);
    t->now_ms = config->raft.now_ms;
    t->started_ms = config->raft.now_ms;
    t->earliest_deadline_ms = UINT64_MAX;
    t->retry_ms = UINT64_MAX;
    t->office_since_ms = config->raft.now_ms;
    t->logged_base_ms = config->machine.meta.logged_ms;
    t->first_index = config->raft.cut_index + 1;
    t->flushed_index = config->machine.meta.applied_index;
    t->cut.event.kind = TURN_CUT_DONE;
    t->flush.event.kind = TURN_FLUSH_DONE;
    t->room.event.kind = TURN_ROOM;
    t->log_has_room = true;
    t->state_has_room = true;
    t->status.identity = config->identity.id;
    t->status.cluster_id = config->identity.cluster_id;
    t->status.log_file_bytes = config->log_file_bytes;
    t->status.state_file_bytes = config->state_file_bytes;
    snprintf(t->status.name, sizeof t->status.name, "%s", config->identity.name);
}

enum status turn_new(const struct turn_config *config, struct turn **ret_turn) {
    struct turn *t = calloc(1, sizeof *t);
    if (!t)
        return STATUS_NO_MEMORY;
    init_fields(t, config);
    enum status status = take_memory(t);
    if (status == STATUS_OK)
        status = raft_new(&t->config.raft, &t->raft);
    if (status == STATUS_OK)
        status = kv_machine_new(&t->config.machine, &t->machine);
    if (status != STATUS_OK) {
        turn_free(t);
        return status;
    }
    *ret_turn = t;
    return STATUS_OK;
}

void turn_free(struct turn *t) {
    if (!t)
        return;
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++)
        free(t->batches[i].entries);
    free(t->outgoing.payloads);
    trail_close(&t->trail);
    raft_free(t->raft);
    kv_machine_free(t->machine);
    free(t);
}

static void stop(struct turn *t) {
    if (t->is_stopping)
        return;
    t->is_stopping = true;
    t->stop_deadline_ms = t->now_ms + t->config.stop_ms;
    t->handover_deadline_ms = t->now_ms + 2 * t->config.raft.election_timeout_ms;
    turn__snapshots_serve(t);
}

/* Each kind of event lies at the start of the struct that it announces. */
static void step(struct turn *t, struct turn_event *event) {
    switch (event->kind) {
    case TURN_REQUEST: turn__request(t, (struct turn_request *)event); return;
    case TURN_MESSAGE: turn__message(t, (struct turn_message *)event); return;
    case TURN_ORDER: turn__order(t, (struct turn_order *)event); return;
    case TURN_LOG_DONE: turn__log_done(t, (struct turn_batch *)event); return;
    case TURN_CUT_DONE: turn__cut_done(t, (struct turn_cut *)event); return;
    case TURN_FLUSH_DONE: turn__flush_done(t, (struct turn_flush *)event); return;
    case TURN_ROOM: turn__room(t, (struct turn_room *)event); return;
    case TURN_SNAPSHOT: turn__snapshot(t, (struct turn_snapshot *)event); return;
    case TURN_TRANSFERRED: turn__transferred(t, (struct turn_transfer *)event); return;
    case TURN_INSTALL: turn__install(t, (struct turn_install *)event); return;
    case TURN_INSTALLED: turn__installed(t, (struct turn_install *)event); return;
    case TURN_STOP: stop(t); return;
    case TURN_EVENT_KINDS: break;
    }
    CHECK(!"an event for the turn");
}

static void step_all(struct turn *t, struct turn_events *events) {
    while (!STAILQ_EMPTY(events)) {
        struct turn_event *event = STAILQ_FIRST(events);
        STAILQ_REMOVE_HEAD(events, link);
        step(t, event);
    }
}

/* While its log is being replaced, the engine stands still. */
static uint64_t raft_deadline(const struct turn *t) {
    return t->is_installing ? UINT64_MAX : raft_deadline_ms(t->raft);
}

/* Timers fire once every event that was there when the clock was read has been stepped: a paused
 * process must not believe that nobody spoke. */
static void fire_timers(struct turn *t) {
    struct raft_event event = {.kind = RAFT_EVENT_TIMEOUT, .now_ms = t->now_ms};
    if (raft_deadline(t) <= t->now_ms)
        CHECK(turn__step(t, &event) == STATUS_OK);
    turn__requests_expire(t);
    turn__disk_retry(t);
}

/* Steps 1 and 2, and what the engine says may be applied and read. */
static void take_ready(struct turn *t) {
    struct raft_ready ready;
    raft_ready(t->raft, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        turn__send(t, &ready.messages[i]);
    if (ready.has_batch)
        turn__batch_submit(t, &ready.batch);
    t->commit_to = ready.apply_to;
    for (size_t i = 0; i < ready.read_count; i++)
        turn__read_confirmed(t, &ready.reads[i]);
    raft_id lagging[MEMBERS_MAX];
    size_t lagging_count = ready.snapshot_count;
    memcpy(lagging, ready.snapshots, lagging_count * sizeof *lagging);
    raft_advance(t->raft);
    for (size_t i = 0; i < lagging_count; i++)
        turn__transfer_begin(t, lagging[i]);
    t->has_asked = false;
}

static bool is_caught_up(const struct turn *t) {
    return kv_machine_meta(t->machine)->applied_index >= t->commit_to;
}

/* The office's clock goes on from the last logged time, which is known once everything logged
 * before this term has been applied. */
static void enter_office(struct turn *t) {
    const struct raft_status *raft = raft_status(t->raft);
    if (!raft->is_in_office || raft->term == t->office_term || !is_caught_up(t))
        return;
    t->office_term = raft->term;
    t->logged_base_ms = kv_machine_meta(t->machine)->logged_ms;
    t->office_since_ms = t->now_ms;
}

/* Whether requests can get on: this node is in office, or knows who is. */
static bool has_leader(const struct turn *t) {
    const struct raft_status *raft = raft_status(t->raft);
    return raft->role == RAFT_LEADER ? raft->is_in_office : raft->leader != 0;
}

static void watch_leader(struct turn *t) {
    enter_office(t);
    bool is_led = has_leader(t);
    if (is_led)
        turn__requests_resume(t);
    else
        t->retry_ms = UINT64_MAX; /* a new leader is asked as soon as there is one */
    t->status.is_ready = is_led && is_caught_up(t);
}

/* Whoever leads next begins at once, not after an election timeout (thesis 3.10). */
static bool hands_over(struct turn *t) {
    bool leads = raft_status(t->raft)->role == RAFT_LEADER;
    raft_id heir = leads ? turn__heir(t) : 0;
    struct raft_event event = {.kind = RAFT_EVENT_TRANSFER, .now_ms = t->now_ms};
    event.transferee = heir;
    if (heir == 0 || t->now_ms >= t->handover_deadline_ms)
        return false;
    enum status status = turn__step(t, &event);
    CHECK(status == STATUS_OK || status == STATUS_BUSY); /* busy: it is under way, or a change is */
    return true;
}

/* Answer what was accepted, hand leadership over, then flush for the last time, so that the next
 * start replays nothing. */
static void approach_end(struct turn *t) {
    if (!t->is_stopping || t->has_final_flush)
        return;
    turn__order_abandon(t);
    if (t->now_ms >= t->stop_deadline_ms)
        turn__requests_abandon(t);
    if (!turn__requests_is_idle(t) || hands_over(t))
        return;
    t->has_final_flush = true;
    turn__flush(t);
}

void turn_run(struct turn *t, uint64_t now_ms, struct turn_events *events) {
    CHECK(now_ms >= t->now_ms);
    t->now_ms = now_ms;
    if (!t->has_told_members)
        turn__tell_members(t);
    t->has_told_members = true;
    step_all(t, events);
    turn__peers_look(t);
    fire_timers(t);
    take_ready(t);
    turn__apply(t);
    watch_leader(t);
    turn__reads_answer(t);
    turn__flush(t);
    turn__cut(t);
    turn__install_begin(t);
    turn__order_watch(t);
    approach_end(t);
    turn__publish(t);
}

/* A step after the last raft_ready(), such as a request resumed, may have left something to do. */
static bool has_work_at_once(const struct turn *t) {
    return raft_has_work(t->raft) || turn__has_more_to_apply(t) || t->lost_count > 0 ||
           t->has_found;
}

uint64_t turn_deadline_ms(const struct turn *t) {
    if (has_work_at_once(t))
        return 0;
    uint64_t deadline = earliest(raft_deadline(t), t->earliest_deadline_ms);
    deadline = earliest(deadline, turn__flush_deadline_ms(t));
    deadline = earliest(deadline, earliest(t->retry_ms, turn__order_deadline_ms(t)));
    if (turn__disk_is_full(t))
        deadline = earliest(deadline, t->disk_retry_ms);
    if (t->is_status_dirty)
        deadline = earliest(deadline, t->published_ms + PUBLISH_MS);
    if (t->is_stopping)
        deadline = earliest(deadline, t->stop_deadline_ms);
    if (t->is_stopping && t->now_ms < t->handover_deadline_ms)
        deadline = earliest(deadline, t->handover_deadline_ms);
    return deadline;
}

bool turn_was_member_before(const struct turn *t, raft_index index) {
    const struct raft_configuration *newest = raft_configuration(t->raft);
    return newest->index < index && raft_configuration_find(newest, t->config.identity.id);
}

bool turn_is_stopped(const struct turn *t) {
    bool is_clean = !t->is_flushing && !kv_machine_is_dirty(t->machine);
    return t->has_final_flush && (is_clean || t->now_ms >= t->stop_deadline_ms);
}
