/* Roles (thesis 3.4), with pre-vote (9.6) and check-quorum (6.2).
 *
 *   follower --timeout--> pre-candidate --quorum would--> candidate --quorum did--> leader
 *      ^                       |                              |                       |
 *      +-----------------------+------ a leader, a higher term, or a loss ------------+
 *
 * follower       hears a leader, or waits for one
 * pre-candidate  asks without a promise: its term has not moved
 * candidate      its term and its vote for itself are in a batch; it asks once they are durable
 * leader         heard by a quorum within the last timeout */
#include "raft/engine.h"

#include "mix.h"

/* After a broken connection a follower waits for the others' silence to end as well, who may have
 * heard the leader a little later: this share of T; and then for its turn among them, of that share
 * each. */
#define LOST_MARGIN_SHARE 32
#define LOST_TURN_SHARE 12

uint64_t raft__random(struct raft *r) {
    return mix_next(&r->random);
}

/* "Raft uses randomized election timeouts" (3.4): from [T, 2T). */
void raft__election_timer_reset(struct raft *r) {
    uint64_t spread_ms = raft__random(r) % r->election_timeout_ms;
    r->election_deadline_ms = r->now_ms + r->election_timeout_ms + spread_ms;
    r->has_lost_leader = false;
}

static void leave_office(struct raft *r, enum raft_leaving_reason reason) {
    if (r->status.role != RAFT_LEADER)
        return;
    r->status.step_downs_total++;
    r->status.leaving_reason = reason;
    r->transferee = 0;
    r->wants_round = false;
    r->question = (struct raft_question){0};
}

/* `hard` has moved: what was known of the old term is no more. */
static void begin_term(struct raft *r) {
    r->is_hard_dirty = true;
    r->has_sent_timeout_now = false;
    r->matched_index = r->status.commit_index;
    r->acked_index = 0;
    r->owes_ack = false;
    raft__deferred_drop(r);
}

static void to_follower(struct raft *r, raft_term term, raft_id leader) {
    CHECK(term >= r->hard.term);
    CHECK(leader != r->self);
    if (r->status.role == RAFT_CANDIDATE)
        raft__deferred_drop(r); /* asks for votes no more: its log may soon be shorter */
    if (PLANTED(forget_vote) && r->status.role != RAFT_FOLLOWER)
        r->hard.vote = 0;
    if (term > r->hard.term) {
        r->hard =
            (struct raft_hard_state){.term = term, .vote = PLANTED(keep_vote) ? r->hard.vote : 0};
        begin_term(r);
    }
    r->status.role = RAFT_FOLLOWER;
    r->status.term = term;
    r->status.leader = leader;
    r->status.is_in_office = false;
    r->vote_count = 0;
    raft__election_timer_reset(r);
}

void raft__leave_office(struct raft *r, enum raft_leaving_reason reason) {
    CHECK(r->status.role == RAFT_LEADER);
    leave_office(r, reason);
    to_follower(r, r->hard.term, 0);
}

void raft__become_follower(struct raft *r, raft_term term, raft_id leader) {
    leave_office(r, r->has_sent_timeout_now ? RAFT_LEAVING_HANDOVER : RAFT_LEAVING_TERM);
    to_follower(r, term, leader);
}

/* How many of the other voters, the lost leader aside, come before this one. */
static uint64_t own_turn(const struct raft *r) {
    uint64_t turn = 0;
    for (size_t i = 0; i < r->configuration.count; i++) {
        const struct raft_member *member = &r->configuration.members[i];
        turn += member->rights != RAFT_LEARNER && member->id != r->status.leader &&
                member->id < r->self;
    }
    return turn;
}

/* A leader whose connection broke has most likely stopped. Voters stay silent until its lease has
 * surely ended, and no longer; and the random part of the wait, which is there for leaders of which
 * nobody knows that they are gone, becomes an order among those who saw it go. */
void raft__peer_lost(struct raft *r, raft_id peer) {
    if (r->status.role != RAFT_FOLLOWER || peer != r->status.leader || peer == 0 ||
        r->has_lost_leader)
        return;
    uint64_t timeout_ms = r->election_timeout_ms;
    r->sticky_until_ms -= timeout_ms - RAFT_LEASE_ROOM * raft__lease_ms(timeout_ms);
    uint64_t deadline_ms = r->sticky_until_ms + timeout_ms / LOST_MARGIN_SHARE +
                           own_turn(r) * timeout_ms / LOST_TURN_SHARE;
    if (deadline_ms < r->election_deadline_ms)
        r->election_deadline_ms = deadline_ms;
    r->has_lost_leader = true;
}

/* Who has just started learns who leads, and how far it is behind. */
void raft__peer_found(struct raft *r) {
    r->wants_round = r->wants_round || r->status.role == RAFT_LEADER;
}

/* "If a server receives a RequestVote request within the minimum election timeout of hearing from a
 * current leader, it does not update its term or grant its vote." (4.2.3) A leader hears itself.
 * Its term may move by other ways, and the leader's lease counts on its silence all the same. */
bool raft__is_sticky(const struct raft *r) {
    if (r->status.role == RAFT_LEADER)
        return true;
    if (PLANTED(no_stickiness))
        return false;
    return r->now_ms < r->sticky_until_ms;
}

/* "A server that is not part of its own latest configuration should still start new elections, as
 * it might still be needed until the Cnew entry is committed." (4.2.2) It does not count itself. */
static bool is_needed(const struct raft *r) {
    return raft__is_voter(&r->configuration, r->self) ||
           (r->configuration.index > r->status.commit_index &&
            raft__is_voter(&r->configuration_before, r->self));
}

/* A node whose own log hangs could not lead, nor one without room for its term's no-op. */
bool raft__can_campaign(const struct raft *r) {
    return r->trail.run_count < RAFT_RUNS_MAX && is_needed(r) && r->now_ms >= r->silent_until_ms &&
           !raft__log_hangs(r);
}

/* ---- Votes --------------------------------------------------------------------------------- */

void raft__vote_record(struct raft *r, raft_id id, bool is_granted) {
    for (size_t i = 0; i < r->vote_count; i++)
        if (r->votes[i].id == id)
            return (void)(r->votes[i].vote += PLANTED(count_vote_twice)); /* said twice */
    if (r->vote_count < MEMBERS_MAX)
        r->votes[r->vote_count++] =
            (struct raft_vote_record){.id = id, .vote = is_granted ? 1 : -1};
}

static int vote_of(const void *context, raft_id id) {
    const struct raft *r = context;
    for (size_t i = 0; i < r->vote_count; i++)
        if (r->votes[i].id == id)
            return r->votes[i].vote;
    return 0;
}

static void ask_for_votes(struct raft *r, enum raft_message_kind kind, raft_term term,
                          uint64_t batch) {
    for (size_t i = 0; i < r->configuration.count; i++) {
        const struct raft_member *member = &r->configuration.members[i];
        if (member->id == r->self || member->rights == RAFT_LEARNER)
            continue;
        struct raft_message m = raft__message(r, kind, member->id);
        m.term = term;
        m.vote.last_index = r->trail.last_index;
        m.vote.last_term = raft__trail_last_term(&r->trail);
        m.vote.is_transfer = r->is_transfer;
        if (batch == 0)
            raft__send(r, &m);
        else
            raft__send_when_durable(r, &m, batch);
    }
}

static void pre_campaign(struct raft *r) {
    if (r->status.role == RAFT_CANDIDATE)
        raft__deferred_drop(r); /* what did not leave yet asks for a term that is given up */
    r->status.role = RAFT_PRE_CANDIDATE;
    r->status.leader = 0;
    r->is_transfer = false;
    r->vote_count = 0;
    raft__vote_record(r, r->self, true);
    ask_for_votes(r, RAFT_PRE_VOTE, r->hard.term + 1, 0);
    raft__votes_count(r);
}

/* "To begin an election, a follower increments its current term and transitions to candidate
 * state." (3.4) Neither its vote counts nor does it claim its log to others before both are
 * durable: a request that claimed more than survives a crash could win a vote it must not. */
void raft__campaign(struct raft *r, bool is_transfer) {
    CHECK(r->status.role != RAFT_LEADER);
    r->hard = (struct raft_hard_state){.term = r->hard.term + 1, .vote = r->self};
    begin_term(r);
    r->status.role = RAFT_CANDIDATE;
    r->status.term = r->hard.term;
    r->status.leader = 0;
    r->status.elections_total++;
    if (is_transfer)
        r->status.campaign_reason = RAFT_CAMPAIGN_ASKED;
    r->is_transfer = is_transfer;
    r->vote_count = 0;
    raft__election_timer_reset(r);
    ask_for_votes(r, RAFT_VOTE, r->hard.term, r->batch_number + 1);
}

/* "It does so by having each leader commit a blank no-op entry into the log at the start of its
 * term." (6.4) */
static void become_leader(struct raft *r) {
    CHECK(r->status.role == RAFT_CANDIDATE);
    CHECK(r->hard.vote == r->self && !r->is_hard_dirty);
    r->status.role = RAFT_LEADER;
    r->status.leader = r->self;
    r->status.is_in_office = false;
    r->elected_ms = r->now_ms;
    r->lease_floor_round = r->round;
    r->transferee = 0;
    r->question = (struct raft_question){0};
    r->peer_count = 0;
    raft__peers_sync(r);
    raft__own_append(r, RAFT_ENTRY_NOOP, 0);
    r->noop_index = r->trail.last_index;
    r->heartbeat_deadline_ms = r->now_ms + r->heartbeat_ms;
    r->wants_round = true;
    raft__commit_advance(r);
}

void raft__votes_count(struct raft *r) {
    switch (raft__quorum_tally(&r->configuration, vote_of, r)) {
    case RAFT_TALLY_OPEN: return;
    case RAFT_TALLY_LOST: raft__become_follower(r, r->hard.term, 0); return;
    case RAFT_TALLY_WON:
        if (r->status.role == RAFT_PRE_CANDIDATE)
            raft__campaign(r, false);
        else
            become_leader(r);
        return;
    }
}

/* ---- Timers -------------------------------------------------------------------------------- */

/* "A leader steps down if an election timeout elapses without a successful round of heartbeats to a
 * majority of its cluster." (6.2) And one whose own log hangs makes room for one that can write. */
static enum raft_leaving_reason reason_to_leave(const struct raft *r) {
    if (raft__log_hangs(r))
        return RAFT_LEAVING_LOG;
    bool is_unheard = r->now_ms > raft__quorum_heard_ms(r) + r->election_timeout_ms;
    return is_unheard ? RAFT_LEAVING_NO_QUORUM : RAFT_LEAVING_NONE;
}

static void leader_timeout(struct raft *r) {
    enum raft_leaving_reason reason = reason_to_leave(r);
    if (reason != RAFT_LEAVING_NONE) {
        raft__leave_office(r, reason);
        return;
    }
    if (r->transferee != 0 && r->now_ms >= r->transfer_deadline_ms)
        r->transferee = 0;
    if (r->now_ms < r->heartbeat_deadline_ms)
        return;
    r->heartbeat_deadline_ms = r->now_ms + r->heartbeat_ms;
    r->wants_round = true;
}

static void other_timeout(struct raft *r) {
    if (r->now_ms < r->election_deadline_ms)
        return;
    r->status.campaign_reason = r->has_lost_leader ? RAFT_CAMPAIGN_LOST : RAFT_CAMPAIGN_SILENCE;
    raft__election_timer_reset(r);
    if (raft__can_campaign(r))
        pre_campaign(r);
    else
        r->status.leader = 0;
}

void raft__timeout(struct raft *r) {
    if (r->status.role == RAFT_LEADER)
        leader_timeout(r);
    else
        other_timeout(r);
}
