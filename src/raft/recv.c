/* What every message goes through first: is it for us, and of which term (thesis 3.3: "if one
 * server's current term is smaller than the other's, then it updates its current term"). */
#include "raft/engine.h"

/* Votes and pre-votes decide for themselves whether a higher term moves ours: stickiness. */
static bool moves_term(const struct raft_message *m) {
    switch (m->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE: return false;
    case RAFT_PRE_VOTE_ANSWER:
        return !m->vote_answer.is_granted; /* granted: the term that would be */
    case RAFT_VOTE_ANSWER:
    case RAFT_APPEND:
    case RAFT_APPEND_ANSWER:
    case RAFT_HEARTBEAT:
    case RAFT_HEARTBEAT_ANSWER:
    case RAFT_TIMEOUT_NOW:
    case RAFT_READ:
    case RAFT_READ_ANSWER: return true;
    }
    return false;
}

/* A leader of an older term hears that it is one. */
static void answer_stale(struct raft *r, const struct raft_message *m) {
    struct raft_message answer;
    if (m->kind == RAFT_APPEND) {
        answer = raft__message(r, RAFT_APPEND_ANSWER, m->from);
        answer.append_answer.index = m->append.prev_index;
        raft__send(r, &answer);
    } else if (m->kind == RAFT_HEARTBEAT) {
        answer = raft__message(r, RAFT_HEARTBEAT_ANSWER, m->from);
        answer.heartbeat_answer.round = m->heartbeat.round;
        answer.heartbeat_answer.election_timeout_ms = r->election_timeout_ms;
        raft__send(r, &answer);
    } else if (m->kind == RAFT_VOTE) {
        answer = raft__message(r, RAFT_VOTE_ANSWER, m->from);
        raft__send(r, &answer);
    }
}

/* "The target server starts a new election (as if its election timer elapsed)" (3.10), but does
 * not ask whether it may. */
static void recv_timeout_now(struct raft *r, const struct raft_message *m) {
    if (m->from == r->status.leader && r->status.role == RAFT_FOLLOWER && raft__can_campaign(r))
        raft__campaign(r, true);
}

static enum status dispatch(struct raft *r, const struct raft_message *m) {
    switch (m->kind) {
    case RAFT_PRE_VOTE: raft__recv_pre_vote(r, m); return STATUS_OK;
    case RAFT_PRE_VOTE_ANSWER: raft__recv_pre_vote_answer(r, m); return STATUS_OK;
    case RAFT_VOTE: raft__recv_vote(r, m); return STATUS_OK;
    case RAFT_VOTE_ANSWER: raft__recv_vote_answer(r, m); return STATUS_OK;
    case RAFT_APPEND: return raft__recv_append(r, m);
    case RAFT_APPEND_ANSWER: return raft__recv_append_answer(r, m);
    case RAFT_HEARTBEAT: return raft__recv_heartbeat(r, m);
    case RAFT_HEARTBEAT_ANSWER: return raft__recv_heartbeat_answer(r, m);
    case RAFT_TIMEOUT_NOW: recv_timeout_now(r, m); return STATUS_OK;
    case RAFT_READ: raft__recv_read(r, m); return STATUS_OK;
    case RAFT_READ_ANSWER: raft__recv_read_answer(r, m); return STATUS_OK;
    }
    return STATUS_INVALID;
}

enum status raft__receive(struct raft *r, const struct raft_message *m) {
    if (m->to != r->self || m->from == 0 || m->from == r->self)
        return STATUS_INVALID;
    if (m->term > r->hard.term && moves_term(m))
        raft__become_follower(r, m->term, 0);
    bool is_stale = m->term < r->hard.term && m->kind != RAFT_PRE_VOTE;
    if (is_stale) {
        answer_stale(r, m);
        return STATUS_STALE;
    }
    return dispatch(r, m);
}
