#include "raft/engine.h"

enum status raft__propose(struct raft *r, size_t payload_bytes) {
    CHECK(payload_bytes <= ENTRY_BYTES_MAX);
    if (r->status.role != RAFT_LEADER)
        return STATUS_NOT_LEADER;
    if (r->transferee != 0)
        return STATUS_BUSY;
    return raft__entry_append(r, r->hard.term, payload_bytes) ? STATUS_OK : STATUS_OVERLOAD;
}

/* An entry that no client asked for; a configuration's payload lies in r->own_payload. */
void raft__own_append(struct raft *r, enum raft_entry_type type, size_t payload_bytes) {
    CHECK(r->status.role == RAFT_LEADER);
    CHECK(r->accepted.own_count < sizeof r->own / sizeof r->own[0]);
    CHECK(raft__entry_append(r, r->hard.term, payload_bytes));
    r->own[r->accepted.own_count++] =
        (struct raft_entry){.index = r->trail.last_index,
                            .term = r->hard.term,
                            .type = type,
                            .payload = bytes_of(r->own_payload, payload_bytes)};
}

void raft__commit_to(struct raft *r, raft_index index) {
    CHECK(index <= r->trail.last_index);
    if (index <= r->status.commit_index)
        return;
    r->status.commit_index = index;
    if (r->status.role == RAFT_LEADER && index >= r->noop_index)
        r->status.is_in_office = true;
    raft__configuration_committed(r);
}

/* A leader counts itself only when durable (10.2.1). */
static uint64_t match_of(const void *context, raft_id id) {
    const struct raft *r = context;
    if (id == r->self)
        return PLANTED(count_self_early) ? r->trail.last_index : r->status.durable_index;
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == id)
            return r->peers[i].match_index;
    return 0;
}

/* "Raft never commits log entries from previous terms by counting replicas. Only log entries from
 * the leader's current term are committed by counting replicas." (3.6.2) */
void raft__commit_advance(struct raft *r) {
    if (r->status.role != RAFT_LEADER)
        return;
    raft_index index = raft__quorum_value(&r->configuration, match_of, r);
    bool is_of_term = index >= r->noop_index || PLANTED(commit_old_term);
    if (is_of_term && index > r->status.commit_index) {
        CHECK(PLANTED(commit_old_term) || raft__trail_term(&r->trail, index) == r->hard.term);
        if (r->tell_commit_ms <= r->now_ms)
            r->tell_commit_ms = r->now_ms + r->commit_tell_ms;
        raft__commit_to(r, index);
    }
}
