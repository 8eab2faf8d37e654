/* What a leader sends: appends as far as each peer's window allows, and heartbeat rounds. */
#include "raft/engine.h"

struct raft_message raft__message(const struct raft *r, enum raft_message_kind kind, raft_id to) {
    return (struct raft_message){.kind = kind, .from = r->self, .to = to, .term = r->hard.term};
}

void raft__send(struct raft *r, const struct raft_message *m) {
    CHECK(m->to != r->self && m->to != 0);
    if (r->out_count < OUT_MAX)
        r->out[r->out_count++] = *m;
}

void raft__send_when_durable(struct raft *r, const struct raft_message *m, uint64_t batch) {
    bool is_durable =
        r->handed_count == 0 ? batch <= r->batch_number : batch < r->handed[0].batch.number;
    if (is_durable || (PLANTED(skip_vote_sync) && m->kind == RAFT_VOTE_ANSWER))
        raft__send(r, m);
    else if (r->deferred_count < DEFERRED_MAX)
        r->deferred[r->deferred_count++] = (struct raft_deferred){.message = *m, .batch = batch};
}

struct raft_progress *raft__peer(struct raft *r, raft_id id) {
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == id)
            return &r->peers[i];
    return NULL;
}

/* ---- Heartbeats ------------------------------------------------------------------------------ */

void raft__round_send(struct raft *r) {
    CHECK(r->status.role == RAFT_LEADER);
    r->wants_round = false;
    r->round++;
    r->rounds_sent_ms[r->round % ROUNDS_MAX] = r->now_ms;
    raft__reads_round_sent(r);
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_progress *peer = &r->peers[i];
        struct raft_message m = raft__message(r, RAFT_HEARTBEAT, peer->id);
        raft_index commit = r->status.commit_index;
        m.heartbeat.round = r->round;
        bool may_name = commit < peer->match_index || PLANTED(commit_unmatched);
        m.heartbeat.commit_index = may_name ? commit : peer->match_index;
        raft__send(r, &m);
    }
    raft__reads_round_answered(r); /* a sole voter answers itself */
}

/* ---- Appends --------------------------------------------------------------------------------- */

/* The last entry that goes into one message from `first` on, and their bytes. */
static raft_index message_end(const struct raft *r, raft_index first, size_t *ret_bytes) {
    raft_index last = first - 1;
    size_t bytes = 0;
    while (last < r->trail.last_index && last + 1 - first < RAFT_APPEND_ENTRIES_MAX) {
        size_t size = raft__trail_size(&r->trail, last + 1);
        if (last >= first && bytes + size > APPEND_BYTES_MAX)
            break;
        bytes += size;
        last++;
    }
    *ret_bytes = bytes;
    return last;
}

static void send_append(struct raft *r, struct raft_progress *peer) {
    size_t bytes;
    struct raft_message m = raft__message(r, RAFT_APPEND, peer->id);
    m.append.prev_index = peer->next_index - 1;
    m.append.prev_term = raft__trail_term(&r->trail, m.append.prev_index);
    m.append.commit_index = r->status.commit_index;
    m.append.last_index = message_end(r, peer->next_index, &bytes);
    if (m.append.last_index >= peer->next_index || peer->state == RAFT_PROBE)
        raft__progress_sent(peer, m.append.last_index, bytes);
    r->told_commit_index[peer - r->peers] = m.append.commit_index;
    raft__send(r, &m);
}

static void ask_for_snapshot(struct raft *r, struct raft_progress *peer) {
    raft__progress_to_snapshot(peer);
    if (r->snapshot_count < MEMBERS_MAX)
        r->snapshots[r->snapshot_count++] = peer->id;
}

static bool lacks_commit(const struct raft *r, const struct raft_progress *peer) {
    return r->told_commit_index[peer - r->peers] < r->status.commit_index;
}

static bool has_news(const struct raft *r, const struct raft_progress *peer) {
    bool has_entries = peer->next_index <= r->trail.last_index;
    bool has_commit = lacks_commit(r, peer) && r->now_ms >= r->tell_commit_ms;
    return peer->state == RAFT_PROBE || has_entries || has_commit;
}

static void replicate_to(struct raft *r, struct raft_progress *peer) {
    while (raft__progress_may_send(peer) && has_news(r, peer) && r->out_count < OUT_MAX) {
        if (peer->next_index <= r->trail.cut_index) {
            ask_for_snapshot(r, peer);
            return;
        }
        send_append(r, peer);
    }
}

void raft__replicate(struct raft *r) {
    if (r->status.role != RAFT_LEADER)
        return;
    for (size_t i = 0; i < r->peer_count; i++)
        replicate_to(r, &r->peers[i]);
}

bool raft__replication_is_due(const struct raft *r) {
    bool is_due = false;
    for (size_t i = 0; i < r->peer_count && r->status.role == RAFT_LEADER; i++)
        is_due = is_due || (raft__progress_may_send(&r->peers[i]) && has_news(r, &r->peers[i]));
    return is_due;
}

uint64_t raft__tell_deadline_ms(const struct raft *r) {
    bool is_owed = false;
    for (size_t i = 0; i < r->peer_count && r->status.role == RAFT_LEADER; i++)
        is_owed =
            is_owed || (raft__progress_may_send(&r->peers[i]) && lacks_commit(r, &r->peers[i]));
    return is_owed ? r->tell_commit_ms : UINT64_MAX;
}
