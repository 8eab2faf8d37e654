/* From proposal to commitment: entries are appended, handed out in batches, become durable, and
 * are committed. */
#include "raft/engine.h"

enum status raft__propose(struct raft *r, const struct raft_event *event) {
    CHECK(event->propose.payload_bytes <= ENTRY_BYTES_MAX);
    if (r->status.role != RAFT_LEADER)
        return STATUS_NOT_LEADER;
    r->status.last_index++;
    return STATUS_OK;
}

bool raft__next_batch(const struct raft *r, struct raft_batch *ret_batch) {
    bool has_entries = r->status.last_index > r->handed_index;
    if (r->in_flight_count == BATCHES_IN_FLIGHT_MAX || !(has_entries || r->is_hard_dirty))
        return false;
    raft_index first = r->handed_index + 1;
    raft_index last = r->status.last_index;
    if (last - r->handed_index > BATCH_ENTRIES_MAX)
        last = r->handed_index + BATCH_ENTRIES_MAX;
    bool has_noop = r->noop_index >= first && r->noop_index <= last;
    *ret_batch = (struct raft_batch){
        .number = r->batch_number + 1,
        .term = r->hard.term,
        .has_hard_state = r->is_hard_dirty,
        .hard = r->hard,
        .first = first,
        .last = last,
        .noop_index = has_noop ? r->noop_index : 0,
    };
    return true;
}

void raft__batch_handed(struct raft *r, const struct raft_batch *batch) {
    CHECK(r->in_flight_count < BATCHES_IN_FLIGHT_MAX);
    r->in_flight[r->in_flight_count++] = *batch;
    r->batch_number = batch->number;
    r->handed_index = batch->last;
    r->is_hard_dirty = false;
}

static struct raft_batch pop_oldest(struct raft *r) {
    struct raft_batch oldest = r->in_flight[0];
    r->in_flight_count--;
    for (size_t i = 0; i < r->in_flight_count; i++)
        r->in_flight[i] = r->in_flight[i + 1];
    return oldest;
}

/* "Only log entries from the leader's current term are committed by counting replicas" (thesis
 * 3.6.2): the first of them is the no-op. A leader counts itself only when durable (10.2.1). */
static void advance_commit(struct raft *r) {
    if (r->status.role != RAFT_LEADER || r->status.durable_index < r->noop_index)
        return;
    CHECK(r->status.durable_index >= r->status.commit_index);
    r->status.commit_index = r->status.durable_index;
}

/* A completion is believed by batch and term, never by an index alone: index 16 rewritten is not
 * index 16. Batches complete in the order in which they were handed out. */
enum status raft__batch_durable(struct raft *r, const struct raft_event *event) {
    if (r->in_flight_count == 0 || r->in_flight[0].number != event->durable.batch ||
        r->in_flight[0].term != event->durable.term)
        return STATUS_STALE;
    struct raft_batch batch = pop_oldest(r);
    if (batch.last > r->status.durable_index)
        r->status.durable_index = batch.last;
    bool is_own_vote = batch.has_hard_state && batch.hard.term == r->hard.term;
    if (is_own_vote && r->status.role == RAFT_CANDIDATE)
        raft__become_leader(r);
    advance_commit(r);
    return STATUS_OK;
}
