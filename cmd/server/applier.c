/* The state's side of the turn: apply, flush, snapshots. */
#include "server/parts.h"

void turn__tell_members(struct turn *t) {
    struct raft_configuration configuration;
    enum status status = kv_machine_configuration(t->machine, &configuration);
    if (status == STATUS_OK)
        t->ports->members(t->ports->context, &configuration);
    else if (status != STATUS_NOT_FOUND)
        t->ports->fail(t->ports->context, status, kv_machine_meta(t->machine)->applied_index);
}

static void apply_entry(struct turn *t, const struct raft_entry *entry,
                        struct turn_request *request) {
    struct kv_response response;
    bool was_dirty = kv_machine_is_dirty(t->machine);
    enum status status = kv_machine_apply(t->machine, entry, &response);
    if (status != STATUS_OK) {
        t->ports->fail(t->ports->context, status, entry->index);
        CHECK(!"fail does not return");
    }
    if (!was_dirty)
        t->dirty_since_ms = t->now_ms;
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        turn__tell_members(t);
    if (request)
        turn__request_done(t, request, &response);
}

static void apply_trail(struct turn *t) {
    struct trail_entry *next = trail_at(&t->trail, t->trail.first);
    apply_entry(t, &next->entry, next->request);
    trail_pop(&t->trail);
}

/* An entry from before the start, read back from the log. */
static enum status apply_replayed(void *context, const struct raft_entry *entry) {
    struct turn *t = context;
    if (!kv_machine_has_room(t->machine))
        return STATUS_OVERLOAD;
    apply_entry(t, entry, NULL);
    return STATUS_OK;
}

static void apply_from_log(struct turn *t, raft_index first, raft_index last) {
    enum status status = t->ports->log_read(t->ports->context, first, last, apply_replayed, t);
    if (status != STATUS_OK && status != STATUS_OVERLOAD)
        t->ports->fail(t->ports->context, status, first);
}

static raft_index applied_index(const struct turn *t) {
    return kv_machine_meta(t->machine)->applied_index;
}

static raft_index least(raft_index a, raft_index b) {
    return a < b ? a : b;
}

static void apply(struct turn *t) {
    raft_index next = applied_index(t) + 1;
    raft_index last = least(t->commit_to, next - 1 + APPLY_ENTRIES_PER_TURN);
    if (next <= last && next < t->trail.first)
        apply_from_log(t, next, least(last, t->trail.first - 1));
    while (applied_index(t) < last && kv_machine_has_room(t->machine) &&
           trail_holds(&t->trail, applied_index(t) + 1))
        apply_trail(t);
}

/* Before the end, what others go on writing is left for the next start. */
void turn__apply(struct turn *t) {
    if (!turn__has_more_to_apply(t))
        return;
    if (!t->ports->stopwatch_us) {
        apply(t);
        return;
    }
    uint64_t begun_us = t->ports->stopwatch_us(t->ports->context);
    apply(t);
    durations_add(t->config.applies, t->ports->stopwatch_us(t->ports->context) - begun_us);
}

bool turn__has_more_to_apply(const struct turn *t) {
    return applied_index(t) < t->commit_to && kv_machine_has_room(t->machine) &&
           !t->has_final_flush;
}

/* ---- Flushes ------------------------------------------------------------------------------- */

uint64_t turn__flush_deadline_ms(const struct turn *t) {
    if (t->is_flushing || t->install || !kv_machine_is_dirty(t->machine))
        return UINT64_MAX;
    bool is_asked_for = !TAILQ_EMPTY(&t->snapshots) || t->has_final_flush;
    return is_asked_for ? 0 : t->dirty_since_ms + t->config.flush_ms;
}

void turn__flush(struct turn *t) {
    bool is_due = turn__flush_deadline_ms(t) <= t->now_ms;
    if (t->is_flushing || t->install || !(is_due || kv_machine_wants_flush(t->machine)))
        return;
    t->flush.flush = kv_machine_freeze(t->machine);
    if (!t->flush.flush) {
        t->dirty_since_ms = t->now_ms; /* no memory now: once more after the usual time */
        return;
    }
    t->is_flushing = true;
    t->ports->state_flush(t->ports->context, &t->flush);
}

/* A server that stops cuts its streams off, so they need not wait for a flush that may not come. */
void turn__snapshots_serve(struct turn *t) {
    struct turn_snapshot *snapshot = TAILQ_FIRST(&t->snapshots);
    while (snapshot) {
        struct turn_snapshot *next = TAILQ_NEXT(snapshot, link);
        if (snapshot->index <= t->flushed_index || t->is_stopping) {
            TAILQ_REMOVE(&t->snapshots, snapshot, link);
            t->ports->snapshot(t->ports->context, snapshot);
        }
        snapshot = next;
    }
}

void turn__flush_done(struct turn *t, struct turn_flush *flush) {
    t->state_has_room = flush->has_room;
    t->status.state_file_bytes = flush->file_bytes;
    if (flush->status == STATUS_DISK_FULL) {
        t->is_flush_stuck = true;
        t->disk_retry_ms = t->now_ms + DISK_RETRY_MS;
        return;
    }
    CHECK(flush->status == STATUS_OK);
    raft_index index = flush->flush->meta.applied_index;
    enum status status =
        flush->is_done
            ? kv_machine_flushed(t->machine, flush->flush->generation, flush->flush->number)
            : kv_machine_flush_renew(t->machine, flush->flush->generation, flush->flush->number);
    if (status == STATUS_STALE)
        return;
    if (status != STATUS_OK)
        t->ports->fail(t->ports->context, status, index);
    if (!flush->is_done) {
        t->ports->state_flush(t->ports->context, flush);
        return;
    }
    t->is_flushing = false;
    t->flushed_index = index;
    turn__snapshots_serve(t);
}

void turn__snapshot(struct turn *t, struct turn_snapshot *snapshot) {
    snapshot->index = applied_index(t);
    TAILQ_INSERT_TAIL(&t->snapshots, snapshot, link);
    turn__snapshots_serve(t);
}
