/* Linearizable reads (thesis 6.4). The caller asks with a token for everything that arrived in a
 * turn; a confirmed token covers the older ones. At any time one question is open: those that come
 * meanwhile share the next. A read never joins a round that was sent before it arrived.
 *
 *     leader      lease -> confirmed at once; else the next round, answered by a quorum
 *     follower    one question to the leader, which treats it like its own */
#include "raft/engine.h"

static void confirm(struct raft *r, uint64_t token, raft_index index) {
    if (r->read_count == READS_MAX) /* the newest covers the others */
        r->read_count--;
    r->reads[r->read_count++] = (struct raft_read){.token = token, .index = index};
    if (token >= r->wanted_token)
        r->wanted_token = 0;
}

enum status raft__read(struct raft *r, uint64_t token) {
    bool is_leader = r->status.role == RAFT_LEADER;
    if (r->status.leader == 0 || (is_leader && !r->status.is_in_office))
        return STATUS_NOT_LEADER;
    CHECK(token > r->wanted_token);
    r->wanted_token = token;
    return STATUS_OK;
}

/* ---- Leader ---------------------------------------------------------------------------------- */

static void stamp(struct raft *r, struct raft_question *question) {
    if (question->token == 0 || question->round != 0)
        return;
    question->round = r->round;
    question->index = r->status.commit_index;
}

static void pump_leader(struct raft *r) {
    if (r->wanted_token == 0 || r->question.token != 0 || !r->status.is_in_office)
        return;
    if (raft_has_lease(r, r->now_ms)) {
        confirm(r, r->wanted_token, r->status.commit_index);
        return;
    }
    r->question = (struct raft_question){.token = r->wanted_token};
    if (PLANTED(read_joins_round))
        stamp(r, &r->question);
    r->wants_round = true;
}

/* Whatever arrived before this round was sent is confirmed by it. */
void raft__reads_round_sent(struct raft *r) {
    if (!r->status.is_in_office)
        return;
    stamp(r, &r->question);
    for (size_t i = 0; i < r->peer_count; i++)
        stamp(r, &r->peer_questions[i]);
}

static uint64_t round_of(const void *context, raft_id id) {
    const struct raft *r = context;
    if (id == r->self)
        return r->round;
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == id)
            return r->peers[i].acked_round;
    return 0;
}

static void answer_peer(struct raft *r, size_t at) {
    struct raft_message m = raft__message(r, RAFT_READ_ANSWER, r->peers[at].id);
    m.read.token = r->peer_questions[at].token;
    m.read.index = r->peer_questions[at].index;
    r->peer_questions[at] = (struct raft_question){0};
    raft__send(r, &m);
}

void raft__reads_round_answered(struct raft *r) {
    uint64_t confirmed = raft__quorum_value(&r->configuration, round_of, r);
    if (r->question.round != 0 && r->question.round <= confirmed) {
        confirm(r, r->question.token, r->question.index);
        r->question = (struct raft_question){0};
    }
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peer_questions[i].round != 0 && r->peer_questions[i].round <= confirmed)
            answer_peer(r, i);
}

void raft__recv_read(struct raft *r, const struct raft_message *m) {
    struct raft_progress *peer = raft__peer(r, m->from);
    if (r->status.role != RAFT_LEADER || !r->status.is_in_office || !peer)
        return; /* it will ask again */
    size_t at = (size_t)(peer - r->peers);
    if (r->peer_questions[at].token == m->read.token)
        return; /* asked twice: the first is under way */
    r->peer_questions[at] = (struct raft_question){.token = m->read.token};
    if (raft_has_lease(r, r->now_ms)) {
        r->peer_questions[at].index = r->status.commit_index;
        answer_peer(r, at);
        return;
    }
    r->wants_round = true;
}

/* ---- Follower -------------------------------------------------------------------------------- */

/* Out they go with a random part that differs from start to start: an answer to a question of this
 * node's former life, in the same term, fits none of this one. */
static void ask(struct raft *r) {
    r->question_deadline_ms = r->now_ms + r->heartbeat_ms;
    struct raft_message m = raft__message(r, RAFT_READ, r->status.leader);
    m.read.token = r->question.token ^ r->read_salt;
    raft__send(r, &m);
}

/* A question that stays open is put again as it was, since the answer may only be slow. */
static void pump_follower(struct raft *r) {
    if (r->question.asked != r->status.leader)
        r->question = (struct raft_question){0};
    if (r->status.leader == 0)
        return;
    if (r->question.token == 0 && r->wanted_token != 0) {
        r->question = (struct raft_question){.token = r->wanted_token, .asked = r->status.leader};
        ask(r);
    } else if (r->question.token != 0 && r->now_ms >= r->question_deadline_ms) {
        ask(r);
    }
}

/* A late answer to an earlier question has another token. */
void raft__recv_read_answer(struct raft *r, const struct raft_message *m) {
    if (r->status.role == RAFT_LEADER || r->question.token == 0 || m->from != r->question.asked ||
        m->read.token != (r->question.token ^ r->read_salt))
        return;
    raft_index index = m->read.index;
    uint64_t token = r->question.token;
    r->question = (struct raft_question){0};
    if (m->from == r->status.leader) /* it was committed when the leader named it */
        raft__commit_to(r, index < r->matched_index ? index : r->matched_index);
    confirm(r, token, index);
}

void raft__reads_pump(struct raft *r) {
    if (r->status.role == RAFT_LEADER)
        pump_leader(r);
    else
        pump_follower(r);
}

bool raft__read_is_due(const struct raft *r) {
    bool is_new = r->wanted_token != 0 && r->question.token == 0;
    if (r->status.role == RAFT_LEADER)
        return is_new && r->status.is_in_office;
    bool is_again = r->question.token != 0 &&
                    (r->question.asked != r->status.leader || r->now_ms >= r->question_deadline_ms);
    return r->status.leader != 0 && (is_new || is_again);
}
