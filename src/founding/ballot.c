/* Start or drop, decided among the members of the held proposal. Lamport, "Paxos Made Simple" 2.2:
 * an acceptor "can accept a proposal numbered n iff it has not responded to a prepare request
 * having a number greater than n", and a new proposal has the value "of the highest-numbered
 * proposal among the responses". Here: a ballot above 0 whose promises name no value drops, since
 * "start" is only ever brought in by ballot 0, and too late now. */
#include "founding/machine.h"

int founding__ballot_compare(struct founding_ballot a, struct founding_ballot b) {
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    return (a.leader > b.leader) - (a.leader < b.leader);
}

static bool is_lower(struct founding_ballot a, struct founding_ballot b) {
    return founding__ballot_compare(a, b) < 0;
}

static uint64_t attempt_limit_ms(struct founding *f) {
    return f->now_ms + founding__random_ms(f, ATTEMPT_RETRIES, 3 * ATTEMPT_RETRIES);
}

static void end(struct founding *f) {
    if (f->value == VALUE_START)
        founding__become_started(f);
    else
        founding__close(f);
}

/* One more member has said yes to the step; whether it was the one that makes a majority. */
static bool count_answer(struct founding *f, raft_id from) {
    size_t place = founding__place(f, from);
    if (place == MEMBERS_MAX)
        return false;
    f->answered |= 1U << place;
    return founding__is_majority(f, f->answered);
}

static void send_step(struct founding *f) {
    struct founding_content c = {.key = f->state.key, .ballot = f->ballot};
    c.kind = f->role == FOUNDING_PREPARING ? FOUNDING_PREPARE : FOUNDING_DECIDE;
    c.value = f->role == FOUNDING_PREPARING ? VALUE_NONE : f->value;
    founding__send_members(f, f->answered, &c);
}

void founding__ballot_again(struct founding *f) {
    f->act_ms = f->now_ms + f->retry_ms;
    send_step(f);
}

static void decide(struct founding *f, struct founding_ballot ballot, enum founding_value value) {
    struct founding_state *s = &f->state;
    CHECK(!is_lower(ballot, s->promised) && value != VALUE_NONE);
    s->promised = s->accepted = ballot;
    s->value = value;
    founding__mark(f);
    f->ballot = ballot;
    f->value = value;
    founding__become(f, FOUNDING_DECIDING, attempt_limit_ms(f));
    if (count_answer(f, s->self))
        end(f);
    else
        founding__ballot_again(f);
}

void founding__start(struct founding *f) {
    CHECK(f->role == FOUNDING_COLLECTING && f->state.value == VALUE_NONE);
    decide(f, (struct founding_ballot){.leader = f->state.self}, VALUE_START);
}

void founding__prepare(struct founding *f) {
    struct founding_state *s = &f->state;
    CHECK(s->is_held && !s->is_started && f->role != FOUNDING_COLLECTING);
    uint32_t above = s->promised.round > f->seen_round ? s->promised.round : f->seen_round;
    f->ballot = (struct founding_ballot){.round = above + 1, .leader = s->self};
    if (f->ballot.round > ROUND_MAX)
        return;
    s->promised = f->ballot;
    founding__mark(f);
    f->best = s->accepted;
    f->value = s->value;
    founding__become(f, FOUNDING_PREPARING, attempt_limit_ms(f));
    (void)count_answer(f, s->self); /* alone it is no majority: alone it would be started */
    founding__ballot_again(f);
    founding__ask_founded(f);
}

static void send_overtaken(struct founding *f, raft_id to) {
    founding__send(f, to,
                   &(struct founding_content){.kind = FOUNDING_OVERTAKEN,
                                              .key = f->state.key,
                                              .ballot = f->state.promised});
}

/* Another's ballot goes on: this node's own does not. */
static void yield(struct founding *f, struct founding_ballot ballot) {
    CHECK(!is_lower(ballot, f->state.promised));
    if (founding__ballot_compare(f->state.promised, ballot) != 0) {
        f->state.promised = ballot;
        founding__mark(f);
    }
    founding__become(f, FOUNDING_HOLDING, attempt_limit_ms(f));
}

void founding__recv_prepare(struct founding *f, raft_id from, const struct founding_content *c) {
    struct founding_state *s = &f->state;
    if (is_lower(c->ballot, s->promised)) {
        send_overtaken(f, from);
        return;
    }
    if (PLANTED(forget_promise))
        founding__become(f, FOUNDING_HOLDING, attempt_limit_ms(f));
    else
        yield(f, c->ballot);
    founding__send(f, from,
                   &(struct founding_content){.kind = FOUNDING_PROMISE,
                                              .key = s->key,
                                              .ballot = c->ballot,
                                              .accepted = s->accepted,
                                              .value = s->value});
}

void founding__recv_promise(struct founding *f, raft_id from, const struct founding_content *c) {
    if (f->role != FOUNDING_PREPARING || founding__ballot_compare(c->ballot, f->ballot) != 0)
        return;
    if (is_lower(f->best, c->accepted) && !PLANTED(ignore_accepted)) {
        f->best = c->accepted;
        f->value = c->value;
    }
    bool is_enough = count_answer(f, from) || PLANTED(drop_without_majority);
    if (is_enough)
        decide(f, f->ballot, f->value == VALUE_NONE ? VALUE_DROP : f->value);
}

void founding__recv_decide(struct founding *f, raft_id from, const struct founding_content *c) {
    struct founding_state *s = &f->state;
    if (is_lower(c->ballot, s->promised) && !PLANTED(start_after_promise)) {
        send_overtaken(f, from);
        return;
    }
    if (!is_lower(c->ballot, s->promised))
        yield(f, c->ballot);
    s->accepted = c->ballot;
    s->value = c->value;
    founding__mark(f);
    founding__send(f, from,
                   &(struct founding_content){.kind = FOUNDING_DECIDED,
                                              .key = s->key,
                                              .ballot = c->ballot});
}

void founding__recv_decided(struct founding *f, raft_id from, const struct founding_content *c) {
    if (f->role == FOUNDING_DECIDING && founding__ballot_compare(c->ballot, f->ballot) == 0 &&
        count_answer(f, from))
        end(f);
}

void founding__recv_overtaken(struct founding *f, const struct founding_content *c) {
    if (c->ballot.round > f->seen_round)
        f->seen_round = c->ballot.round;
    if ((f->role == FOUNDING_PREPARING || f->role == FOUNDING_DECIDING) &&
        is_lower(f->ballot, c->ballot))
        founding__become(f, FOUNDING_HOLDING, attempt_limit_ms(f));
}
