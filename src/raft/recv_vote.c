#include "raft/engine.h"

/* "Raft determines which of two logs is more up-to-date by comparing the index and term of the last
 * entries in the logs." (thesis 3.6.1) */
static bool is_up_to_date(const struct raft *r, const struct raft_message *m) {
    raft_term last_term = raft__trail_last_term(&r->trail);
    if (PLANTED(vote_for_shorter_log))
        return true;
    if (m->vote.last_term != last_term)
        return m->vote.last_term > last_term;
    return m->vote.last_index >= r->trail.last_index;
}

/* "[A server] would be willing to grant the candidate its vote" (9.6): nothing is promised. */
void raft__recv_pre_vote(struct raft *r, const struct raft_message *m) {
    if (raft__is_sticky(r) || r->now_ms < r->silent_until_ms)
        return;
    struct raft_message answer = raft__message(r, RAFT_PRE_VOTE_ANSWER, m->from);
    answer.vote_answer.is_granted = m->term > r->hard.term && is_up_to_date(r, m);
    if (answer.vote_answer.is_granted)
        answer.term = m->term;
    raft__send(r, &answer);
}

static void grant(struct raft *r, const struct raft_message *m) {
    if (r->hard.vote != m->from) {
        r->hard.vote = m->from;
        r->is_hard_dirty = true;
    }
    if (r->status.role == RAFT_PRE_CANDIDATE)
        raft__become_follower(r, r->hard.term, 0);
    raft__election_timer_reset(r);
    struct raft_message answer = raft__message(r, RAFT_VOTE_ANSWER, m->from);
    answer.vote_answer.is_granted = true;
    /* Behind the next batch when the vote goes into it, else behind the last one: the vote may be
     * on its way in any of those in flight. */
    raft__send_when_durable(r, &answer, r->is_hard_dirty ? r->batch_number + 1 : r->batch_number);
}

/* "Each server will vote for at most one candidate in a given term, on a first-come-first-served
 * basis" (3.4), and not for one whose log lacks what ours has (3.6.1). Stickiness is not bypassed
 * by a higher term: the term does not even move. */
void raft__recv_vote(struct raft *r, const struct raft_message *m) {
    bool is_allowed = m->vote.is_transfer || !raft__is_sticky(r);
    if (!is_allowed || r->now_ms < r->silent_until_ms)
        return;
    if (m->term > r->hard.term)
        raft__become_follower(r, m->term, 0);
    bool is_free = r->hard.vote == 0 || r->hard.vote == m->from;
    bool has_stood = r->status.role == RAFT_CANDIDATE || r->status.role == RAFT_LEADER;
    if (!has_stood && is_free && is_up_to_date(r, m)) {
        grant(r, m);
        return;
    }
    struct raft_message answer = raft__message(r, RAFT_VOTE_ANSWER, m->from);
    raft__send(r, &answer);
}

void raft__recv_pre_vote_answer(struct raft *r, const struct raft_message *m) {
    if (r->status.role != RAFT_PRE_CANDIDATE)
        return;
    bool is_of_this_try = !m->vote_answer.is_granted || m->term == r->hard.term + 1;
    if (!is_of_this_try)
        return;
    raft__vote_record(r, m->from, m->vote_answer.is_granted);
    raft__votes_count(r);
}

void raft__recv_vote_answer(struct raft *r, const struct raft_message *m) {
    if (r->status.role != RAFT_CANDIDATE)
        return;
    raft__vote_record(r, m->from, m->vote_answer.is_granted);
    raft__votes_count(r);
}
