#include "raft/engine.h"

/* Answered at once: it vouches for this node's silence, and promises nothing about its disk. */
enum status raft__recv_heartbeat(struct raft *r, const struct raft_message *m) {
    if (r->status.role == RAFT_LEADER)
        return STATUS_INVALID;
    raft__follow(r, m->from);
    struct raft_message answer = raft__message(r, RAFT_HEARTBEAT_ANSWER, m->from);
    answer.heartbeat_answer.round = m->heartbeat.round;
    answer.heartbeat_answer.election_timeout_ms = r->election_timeout_ms;
    raft__send(r, &answer);
    /* The leader names no more than this node acknowledged to it in this term: durable then and
     * kept since, even if a restart made it forget that it matches. */
    raft_index committed = m->heartbeat.commit_index;
    if (committed > r->trail.last_index)
        return STATUS_INVALID;
    if (committed > r->matched_index)
        r->matched_index = committed;
    raft__commit_to(r, committed);
    return STATUS_OK;
}

/* A heartbeat's time without progress while something is on its way: it was lost. Rounds may come
 * much closer together, for reads. */
static void notice_loss(struct raft *r, struct raft_progress *peer) {
    size_t at = (size_t)(peer - r->peers);
    if (r->now_ms < r->loss_sought_ms[at] + r->heartbeat_ms)
        return;
    r->loss_sought_ms[at] = r->now_ms;
    bool is_stuck = peer->match_index == r->match_at_heartbeat[at];
    r->match_at_heartbeat[at] = peer->match_index;
    if (peer->state == RAFT_PROBE)
        peer->is_probing = false;
    else if (peer->state == RAFT_REPLICATE && is_stuck && peer->window_count > 0)
        raft__progress_to_probe(peer, peer->match_index + 1);
}

enum status raft__recv_heartbeat_answer(struct raft *r, const struct raft_message *m) {
    struct raft_progress *peer = raft__peer(r, m->from);
    if (r->status.role != RAFT_LEADER || !peer)
        return STATUS_STALE;
    uint64_t round = m->heartbeat_answer.round;
    if (round > r->round)
        return STATUS_INVALID;
    peer->acked_ms = r->now_ms;
    bool is_remembered = r->round - round < ROUNDS_MAX;
    if (round <= peer->acked_round || !is_remembered)
        return STATUS_STALE; /* a late answer to an older round proves nothing new */
    if (PLANTED(any_round_counts))
        round = r->round;
    peer->acked_round = round;
    peer->round_sent_ms = r->rounds_sent_ms[round % ROUNDS_MAX];
    peer->election_timeout_ms = m->heartbeat_answer.election_timeout_ms;
    notice_loss(r, peer);
    raft__reads_round_answered(r);
    return STATUS_OK;
}
