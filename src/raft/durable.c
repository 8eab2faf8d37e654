/* Durability: entries and hard state go out in batches; what depends on them waits.
 *
 * A completion is believed by batch number and term, never by an index alone: entry 16 rewritten is
 * not entry 16. Truncation lowers what the batches in flight count for. */
#include "raft/engine.h"

bool raft__entry_append(struct raft *r, raft_term term, size_t payload_bytes) {
    CHECK(term >= raft__trail_last_term(&r->trail));
    return raft__trail_append(&r->trail, term, payload_bytes);
}

void raft__entries_truncate(struct raft *r, raft_index from) {
    CHECK(from > r->status.commit_index);
    raft__trail_truncate(&r->trail, from);
    raft__configuration_undo(r, from);
    for (size_t i = 0; i < r->handed_count; i++)
        if (r->handed[i].counts_to >= from)
            r->handed[i].counts_to = from - 1;
    if (r->status.durable_index >= from)
        r->status.durable_index = from - 1;
    if (r->matched_index >= from)
        r->matched_index = from - 1;
    if (r->handed_index < from)
        return; /* no batch has seen what goes */
    r->handed_index = from - 1;
    if (r->truncate_from == 0 || from < r->truncate_from)
        r->truncate_from = from;
}

/* The last entry of the engine's own goes with the reserve: see raft_batch.has_own. */
static bool has_own_entry(const struct raft *r, raft_index first, raft_index last) {
    bool has_noop = r->noop_index >= first && r->noop_index <= last;
    bool has_configuration = r->configuration.index >= first && r->configuration.index <= last;
    return has_noop || has_configuration;
}

bool raft__next_batch(const struct raft *r, struct raft_batch *ret_batch) {
    bool has_entries = r->trail.last_index > r->handed_index;
    bool has_work = has_entries || r->is_hard_dirty || r->truncate_from != 0;
    if (r->handed_count == BATCHES_IN_FLIGHT_MAX || !has_work)
        return false;
    raft_index first = r->handed_index + 1;
    raft_index last = r->trail.last_index;
    if (last - r->handed_index > BATCH_ENTRIES_MAX)
        last = r->handed_index + BATCH_ENTRIES_MAX;
    *ret_batch = (struct raft_batch){
        .number = r->batch_number + 1,
        .term = r->hard.term,
        .has_hard_state = r->is_hard_dirty,
        .hard = r->hard,
        .truncate_from = r->truncate_from,
        .first = first,
        .last = last,
        .has_own = has_own_entry(r, first, last),
    };
    return true;
}

void raft__batch_handed(struct raft *r, const struct raft_batch *batch) {
    CHECK(r->handed_count < BATCHES_IN_FLIGHT_MAX);
    r->handed[r->handed_count++] =
        (struct raft_handed){.batch = *batch, .counts_to = batch->last, .handed_ms = r->now_ms};
    r->batch_number = batch->number;
    r->handed_index = batch->last;
    r->is_hard_dirty = false;
    r->truncate_from = 0;
}

bool raft__log_hangs(const struct raft *r) {
    return r->handed_count > 0 && r->now_ms > r->handed[0].handed_ms + r->election_timeout_ms;
}

/* A full disk answers: the batch waits for room, and whoever leads goes on serving reads. */
void raft__batch_delayed(struct raft *r, const struct raft_event *event) {
    for (size_t i = 0; i < r->handed_count; i++)
        if (r->handed[i].batch.number == event->durable.batch)
            r->handed[i].handed_ms = r->now_ms;
}

/* ---- Completions ----------------------------------------------------------------------------- */

static struct raft_handed pop_oldest(struct raft *r) {
    struct raft_handed oldest = r->handed[0];
    r->handed_count--;
    for (size_t i = 0; i < r->handed_count; i++)
        r->handed[i] = r->handed[i + 1];
    return oldest;
}

static void send_deferred(struct raft *r, uint64_t batch) {
    size_t kept = 0;
    for (size_t i = 0; i < r->deferred_count; i++) {
        if (r->deferred[i].batch <= batch)
            raft__send(r, &r->deferred[i].message);
        else
            r->deferred[kept++] = r->deferred[i];
    }
    r->deferred_count = kept;
}

/* What was promised in an older term is no longer of use to anybody. */
void raft__deferred_drop(struct raft *r) {
    r->deferred_count = 0;
}

/* A vote needs nothing but itself: it goes though an older batch still waits for room on the disk.
 */
static void send_deferred_votes(struct raft *r, uint64_t batch) {
    size_t kept = 0;
    for (size_t i = 0; i < r->deferred_count; i++) {
        const struct raft_deferred *deferred = &r->deferred[i];
        if (deferred->batch == batch && deferred->message.kind == RAFT_VOTE_ANSWER)
            raft__send(r, &deferred->message);
        else
            r->deferred[kept++] = *deferred;
    }
    r->deferred_count = kept;
}

static void count_own_vote(struct raft *r, const struct raft_batch *batch) {
    bool is_own_vote =
        batch->has_hard_state && batch->hard.term == r->hard.term && batch->hard.vote == r->self;
    if (!is_own_vote || r->status.role != RAFT_CANDIDATE)
        return;
    raft__vote_record(r, r->self, true);
    raft__votes_count(r);
}

/* What is durable together with everything before it. */
static void settle(struct raft *r) {
    while (r->handed_count > 0 && r->handed[0].is_durable) {
        struct raft_handed oldest = pop_oldest(r);
        if (PLANTED(durable_by_index) && oldest.batch.last <= r->handed_index)
            oldest.counts_to = oldest.batch.last;
        if (oldest.counts_to > r->status.durable_index)
            r->status.durable_index = oldest.counts_to;
        send_deferred(r, oldest.batch.number);
        count_own_vote(r, &oldest.batch);
    }
}

enum status raft__batch_durable(struct raft *r, const struct raft_event *event) {
    size_t at = 0;
    while (at < r->handed_count && r->handed[at].batch.number != event->durable.batch)
        at++;
    if (at == r->handed_count || r->handed[at].batch.term != event->durable.term ||
        r->handed[at].is_durable)
        return STATUS_STALE;
    const struct raft_batch *batch = &r->handed[at].batch;
    r->handed[at].is_durable = true;
    if (batch->has_hard_state) {
        if (batch->hard.term > r->durable_term)
            r->durable_term = batch->hard.term;
        send_deferred_votes(r, batch->number);
    }
    settle(r);
    raft__ack(r, false);
    raft__commit_advance(r);
    return STATUS_OK;
}
