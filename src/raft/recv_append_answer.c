#include "raft/engine.h"

static void refused(struct raft *r, struct raft_progress *peer, const struct raft_message *m) {
    bool is_late = peer->state == RAFT_SNAPSHOT || m->append_answer.index <= peer->match_index ||
                   (peer->state == RAFT_PROBE && m->append_answer.index != peer->next_index - 1);
    if (is_late)
        return;
    /* Skip a term at a time: where our log has no later term than theirs there (3.5). */
    raft_index index =
        raft__trail_find_term(&r->trail, m->append_answer.hint_index, m->append_answer.hint_term);
    if (index > m->append_answer.hint_index)
        index = m->append_answer.hint_index;
    else if (raft__trail_term(&r->trail, index) > m->append_answer.hint_term)
        index--; /* they part in what was cut: only the state helps */
    raft__progress_to_probe(peer, index + 1);
}

enum status raft__recv_append_answer(struct raft *r, const struct raft_message *m) {
    struct raft_progress *peer = raft__peer(r, m->from);
    if (r->status.role != RAFT_LEADER || !peer)
        return STATUS_STALE;
    peer->acked_ms = r->now_ms;
    if (!m->append_answer.is_match) {
        refused(r, peer, m);
        return STATUS_OK;
    }
    if (m->append_answer.index > r->trail.last_index)
        return STATUS_INVALID;
    if (peer->state == RAFT_SNAPSHOT && m->append_answer.index < r->trail.cut_index)
        return STATUS_OK; /* still too far behind */
    if (peer->state == RAFT_SNAPSHOT)
        raft__progress_to_probe(peer, m->append_answer.index + 1);
    raft__progress_matched(peer, m->append_answer.index);
    raft__commit_advance(r);
    return STATUS_OK;
}
