/* The log's side of the turn: batches to the log writer, cuts, and what a full disk holds up. */
#include "server/parts.h"

static struct turn_batch *free_batch(struct turn *t) {
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++)
        if (!t->batches[i].is_busy)
            return &t->batches[i];
    CHECK(!"the engine hands out no more batches than fit");
    return NULL;
}

void turn__batch_submit(struct turn *t, const struct raft_batch *raft) {
    struct turn_batch *batch = free_batch(t);
    size_t count = 0;
    for (raft_index index = raft->first; index <= raft->last; index++)
        batch->entries[count++] = trail_at(&t->trail, index)->entry;
    batch->raft = *raft;
    batch->log = (struct kv_log_batch){
        .hard = raft->has_hard_state ? &batch->raft.hard : NULL,
        .truncate_from = raft->truncate_from,
        .entries = batch->entries,
        .entry_count = count,
        .is_essential = raft->has_hard_state || raft->has_own || raft->truncate_from != 0,
    };
    batch->is_busy = true;
    batch->void_from = 0;
    if (raft->has_hard_state)
        t->handed_hard = raft->hard;
    t->ports->log_submit(t->ports->context, batch);
}

/* ---- The trail follows the engine ------------------------------------------------------------ */

/* The entries of a batch with the writer are the writer's: what is to be left out of them is only
 * noted, for the case that it comes back unwritten. */
static void note_truncation(struct turn *t, raft_index from) {
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) {
        struct turn_batch *batch = &t->batches[i];
        if (batch->is_busy && !PLANTED(retry_truncated) &&
            (batch->void_from == 0 || from < batch->void_from))
            batch->void_from = from;
    }
}

static void truncate(struct turn *t, raft_index from) {
    while (t->trail.last >= from && trail_holds(&t->trail, t->trail.last)) {
        struct turn_request *request = trail_at(&t->trail, t->trail.last)->request;
        if (request)
            turn__request_lost(t, request);
        trail_drop_last(&t->trail);
    }
    if (t->trail.first > from) { /* what goes was there at the start */
        t->trail.first = from;
        t->trail.last = from - 1;
    }
    retention_truncate(&t->retention, from);
    note_truncation(t, from);
}

static void take(struct turn *t, const struct raft_entry *entry) {
    struct raft_entry copy = *entry;
    if (entry->payload.len > 0) {
        uint8_t *payload = trail_payload_new(entry->payload.len);
        CHECK(payload); /* the engine has it already: no memory ends the process */
        memcpy(payload, entry->payload.data, entry->payload.len);
        copy.payload.data = payload;
    } else {
        copy.payload = (struct bytes){0};
    }
    trail_push(&t->trail, &copy, NULL);
    retention_append(&t->retention, entry->index, entry->payload.len);
}

/* After every step: the caller's copy of the log does what the engine's did. */
void turn__entries_accept(struct turn *t, const struct raft_message *message) {
    const struct raft_accepted *accepted = raft_accepted(t->raft);
    if (accepted->truncate_from != 0)
        truncate(t, accepted->truncate_from);
    for (size_t i = 0; i < accepted->count; i++)
        take(t, &message->append.entries[accepted->skip + i]);
    for (size_t i = 0; i < accepted->own_count; i++)
        take(t, &accepted->own[i]);
}

/* ---- Batches --------------------------------------------------------------------------------- */

bool turn__log_is_idle(const struct turn *t) {
    bool is_idle = true;
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++)
        is_idle = is_idle && !t->batches[i].is_busy;
    return is_idle;
}

void turn__log_done(struct turn *t, struct turn_batch *batch) {
    CHECK(batch->is_busy);
    t->log_has_room = batch->has_room;
    t->status.log_file_bytes = batch->file_bytes;
    batch->is_stuck = batch->status == STATUS_DISK_FULL;
    struct raft_event event = {.now_ms = t->now_ms};
    event.durable.batch = batch->raft.number;
    event.durable.term = batch->raft.term;
    if (batch->is_stuck) {
        t->disk_retry_ms = t->now_ms + DISK_RETRY_MS;
        event.kind = RAFT_EVENT_DELAYED;
        CHECK(turn__step(t, &event) == STATUS_OK);
        return;
    }
    CHECK(batch->status == STATUS_OK);
    batch->is_busy = false;
    if (turn__log_is_idle(t))
        trail_bury(&t->trail);
    event.kind = RAFT_EVENT_DURABLE;
    enum status status = turn__step(t, &event);
    CHECK(status == STATUS_OK || status == STATUS_STALE);
}

/* The oldest of the batches that came back unwritten, later than `number`. */
static struct turn_batch *next_stuck(struct turn *t, uint64_t number) {
    struct turn_batch *next = NULL;
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) {
        struct turn_batch *batch = &t->batches[i];
        if (batch->is_busy && batch->is_stuck && batch->raft.number > number &&
            (!next || batch->raft.number < next->raft.number))
            next = batch;
    }
    return next;
}

/* A batch that is tried again may come after later ones, so it writes only what still holds: of its
 * entries those that were not truncated since, no truncation that a later one covers, and the
 * newest vote. */
static void renew(struct turn *t, struct turn_batch *batch) {
    raft_index from = batch->void_from;
    if (from != 0 && batch->log.truncate_from >= from)
        batch->log.truncate_from = 0;
    if (from != 0 && batch->raft.last >= from) {
        batch->log.entry_count = from > batch->raft.first ? (size_t)(from - batch->raft.first) : 0;
        batch->raft.last = from - 1;
    }
    if (batch->log.hard && !PLANTED(retry_old_vote))
        batch->raft.hard = t->handed_hard;
}

static void resubmit_stuck(struct turn *t) {
    struct turn_batch *batch = next_stuck(t, 0);
    while (batch) {
        uint64_t number = batch->raft.number;
        batch->is_stuck = false;
        renew(t, batch);
        t->ports->log_submit(t->ports->context, batch);
        batch = next_stuck(t, number);
    }
}

bool turn__disk_is_full(const struct turn *t) {
    bool is_full = !t->log_has_room || !t->state_has_room || t->is_flush_stuck;
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++)
        is_full = is_full || (t->batches[i].is_busy && t->batches[i].is_stuck);
    return is_full;
}

void turn__disk_retry(struct turn *t) {
    if (t->now_ms < t->disk_retry_ms || !turn__disk_is_full(t))
        return;
    t->disk_retry_ms = t->now_ms + DISK_RETRY_MS;
    resubmit_stuck(t);
    if (t->is_flush_stuck) {
        t->is_flush_stuck = false;
        t->ports->state_flush(t->ports->context, &t->flush);
    }
    if (!t->is_checking_room) {
        t->is_checking_room = true;
        t->ports->room_check(t->ports->context, &t->room);
    }
}

void turn__room(struct turn *t, const struct turn_room *room) {
    t->is_checking_room = false;
    t->log_has_room = room->log_has_room;
    t->state_has_room = room->state_has_room;
}

/* Cut only below what is flushed: what is not on disk as state must stay on disk as log. */
static raft_index cut_through(struct turn *t) {
    raft_index last = raft_status(t->raft)->last_index;
    raft_index through = retention_through(&t->retention, t->flushed_index, last);
    raft_index needed = turn__transfers_need(t);
    return through < needed ? through : needed;
}

void turn__cut(struct turn *t) {
    raft_index through = cut_through(t);
    bool is_held_up = t->is_cutting || t->install || t->now_ms < t->cut_after_ms;
    if (is_held_up || through < t->first_index)
        return;
    t->is_cutting = true;
    t->cut.through = through;
    t->cut.first_index = t->first_index;
    t->ports->log_cut(t->ports->context, &t->cut);
}

void turn__cut_done(struct turn *t, struct turn_cut *cut) {
    t->is_cutting = false;
    if (cut->first_index == t->first_index)
        t->cut_after_ms = t->now_ms + DISK_RETRY_MS;
    t->first_index = cut->first_index;
    struct raft_event event = {.kind = RAFT_EVENT_CUT, .now_ms = t->now_ms};
    event.cut_index = cut->first_index - 1;
    CHECK(turn__step(t, &event) == STATUS_OK);
}

/* ---- The log replaced by a snapshot ---------------------------------------------------------- */

static void forget_first(struct turn *t) {
    struct turn_request *request = trail_at(&t->trail, t->trail.first)->request;
    if (request)
        turn__request_lost(t, request);
    trail_pop(&t->trail);
}

/* What lay at or before the snapshot's end is in the state now, as others applied it: whoever waits
 * for an entry there is told that its fate is open. */
void turn__log_replaced(struct turn *t, raft_index index, bool is_kept) {
    while (is_kept && t->trail.first <= index && trail_holds(&t->trail, t->trail.first))
        forget_first(t);
    if (!is_kept) {
        truncate(t, t->trail.first);
        trail_restart(&t->trail, index);
    }
    t->first_index = index + 1;
}
