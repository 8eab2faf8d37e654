#include "founding/machine.h"

static void answer(struct founding *f, raft_id to, struct founding_key key,
                   enum founding_kind kind) {
    founding__send(f, to,
                   &(struct founding_content){.kind = kind, .key = key, .floor = f->state.floor});
}

/* What this node has started, whatever was asked. */
static void answer_started(struct founding *f, raft_id to) {
    if (f->state.is_held && f->state.is_started)
        founding__send(f, to,
                       &(struct founding_content){.kind = FOUNDING_STARTED,
                                                  .key = f->state.key,
                                                  .configuration = f->state.configuration});
}

/* This node is a member, does not hold it, and never will (again). So it is dead: it never had all
 * acceptances, or this node let go of it when it was dead. Unless an operator made it let go. */
static void answer_dead(struct founding *f, raft_id to, struct founding_key key) {
    CHECK(key.number <= f->state.floor || PLANTED(never_accepted_not_durable));
    if (key.number > f->state.reset_floor)
        answer(f, to, key, FOUNDING_DEAD);
    else
        founding__send(f, to, &(struct founding_content){.kind = FOUNDING_LEFT, .key = key});
}

/* Its holder is out of patience: what was not accepted by now never will be. */
static void decline(struct founding *f, raft_id to, struct founding_key key) {
    answer_started(f, to);
    if (key.number > f->state.floor && !PLANTED(never_accepted_not_durable)) {
        f->state.floor = key.number;
        founding__mark(f);
    }
    answer_dead(f, to, key);
}

static bool is_as_expected(const struct founding *f, const struct raft_configuration *c) {
    if (c->count != f->expect)
        return false;
    for (size_t i = 0; f->has_names && i < c->count; i++) {
        bool is_named = false;
        for (size_t j = 0; j < f->expect; j++)
            is_named |= strcmp(c->members[i].name, f->names[j]) == 0;
        if (!is_named)
            return false;
    }
    return true;
}

static enum founding_reason refusal(const struct founding *f, const struct raft_configuration *c) {
    struct founding_candidates candidates;
    founding__candidates(f, &candidates);
    if (f->state.is_held && !(PLANTED(accept_two) && f->role == FOUNDING_HOLDING))
        return REASON_HOLDS;
    if (f->cluster_id != 0 || founding__founded(f))
        return REASON_FOUNDED;
    if (!is_as_expected(f, c))
        return REASON_MEMBERS;
    return founding__is_crowd(f, &candidates) ? REASON_CROWD : REASON_NONE;
}

static void accept(struct founding *f, const struct founding_content *c) {
    struct founding_state *s = &f->state;
    CHECK(c->key.number > s->floor);
    s->is_held = true;
    s->key = c->key;
    s->floor = c->key.number;
    s->promised = (struct founding_ballot){.leader = c->key.proposer};
    s->accepted = (struct founding_ballot){0};
    s->value = VALUE_NONE;
    s->configuration = c->configuration;
    f->held_ms = f->now_ms;
    founding__mark(f);
    founding__become(f, FOUNDING_HOLDING,
                     f->now_ms + founding__random_ms(f, PATIENCE_RETRIES, 2 * PATIENCE_RETRIES));
    f->act_ms = f->now_ms + ASK_RETRIES * f->retry_ms;
}

static void recv_new_proposal(struct founding *f, raft_id from, const struct founding_content *c) {
    if (c->key.number <= f->state.floor) {
        answer_started(f, from);
        answer_dead(f, from, c->key);
        return;
    }
    enum founding_reason reason = refusal(f, &c->configuration);
    if (reason != REASON_NONE) {
        founding__send(f, from,
                       &(struct founding_content){.kind = FOUNDING_REFUSED,
                                                  .key = c->key,
                                                  .reason = reason,
                                                  .floor = f->state.floor});
        return;
    }
    accept(f, c);
    answer(f, from, c->key, FOUNDING_ACCEPTED);
}

/* A question about the proposal that this node holds. */
static void recv_of_held(struct founding *f, raft_id from, const struct founding_content *c) {
    if (f->state.is_started) {
        answer_started(f, from);
        return;
    }
    bool is_ballot = c->kind == FOUNDING_PREPARE || c->kind == FOUNDING_DECIDE;
    if (is_ballot && f->role == FOUNDING_COLLECTING)
        founding__close(f); /* its holders have waited long enough; they hear it as members */
    else if (c->kind == FOUNDING_PREPARE)
        founding__recv_prepare(f, from, c);
    else if (c->kind == FOUNDING_DECIDE)
        founding__recv_decide(f, from, c);
    else if (c->kind == FOUNDING_PROPOSE)
        answer(f, from, c->key, FOUNDING_ACCEPTED);
}

/* A question about another one, of which this node is a member. */
static void recv_of_other(struct founding *f, raft_id from, const struct founding_content *c) {
    if (c->kind == FOUNDING_PROPOSE) {
        recv_new_proposal(f, from, c);
    } else if (c->kind != FOUNDING_ASK) {
        decline(f, from, c->key);
    } else {
        answer_started(f, from);
        if (c->key.number <= f->state.floor)
            answer_dead(f, from, c->key);
    }
}

static void recv_question(struct founding *f, raft_id from, const struct founding_content *c) {
    if (founding__is_held(f, c->key))
        recv_of_held(f, from, c);
    else
        recv_of_other(f, from, c);
}

static void recv_answer(struct founding *f, raft_id from, const struct founding_content *c) {
    switch (c->kind) {
    case FOUNDING_ACCEPTED: founding__accepted(f, from); break;
    case FOUNDING_REFUSED: founding__refused(f, from, c); break;
    case FOUNDING_PROMISE: founding__recv_promise(f, from, c); break;
    case FOUNDING_DECIDED: founding__recv_decided(f, from, c); break;
    case FOUNDING_OVERTAKEN: founding__recv_overtaken(f, c); break;
    case FOUNDING_DEAD: founding__recv_dead(f, c); break;
    case FOUNDING_LEFT: founding__recv_left(f, from); break;
    case FOUNDING_PROPOSE:
    case FOUNDING_ASK:
    case FOUNDING_WHAT:
    case FOUNDING_PREPARE:
    case FOUNDING_DECIDE:
    case FOUNDING_STARTED:
    case FOUNDING_KIND_COUNT: CHECK(false);
    }
}

/* A proposal comes from its proposer, and names this node. */
static bool proposal_is_for_us(const struct founding *f, raft_id from,
                               const struct founding_content *c) {
    const struct raft_member *self = raft_configuration_find(&c->configuration, f->state.self);
    return c->key.proposer == from && self && strcmp(self->name, f->name) == 0;
}

static bool has_same_members(const struct raft_configuration *a,
                             const struct raft_configuration *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->members[i].id != b->members[i].id ||
            strcmp(a->members[i].name, b->members[i].name) != 0)
            return false;
    return true;
}

/* Two proposals of one key are none of ours. */
static bool contradicts_held(const struct founding *f, const struct founding_content *c) {
    return c->configuration.count > 0 && founding__is_held(f, c->key) &&
           !has_same_members(&c->configuration, &f->state.configuration);
}

static void note_number(struct founding *f, const struct founding_content *c) {
    uint64_t number = c->floor > c->key.number ? c->floor : c->key.number;
    if (number > f->seen_number)
        f->seen_number = number;
}

enum status founding__receive(struct founding *f, raft_id from, const struct founding_content *c) {
    if (contradicts_held(f, c) || (c->kind == FOUNDING_PROPOSE && !proposal_is_for_us(f, from, c)))
        return STATUS_INVALID;
    note_number(f, c);
    size_t place = founding__place(f, from);
    if (place < MEMBERS_MAX)
        f->heard_ms[place] = f->now_ms;
    switch (c->kind) {
    case FOUNDING_PROPOSE:
    case FOUNDING_ASK:
    case FOUNDING_PREPARE:
    case FOUNDING_DECIDE: recv_question(f, from, c); break;
    case FOUNDING_WHAT: answer_started(f, from); break;
    case FOUNDING_STARTED: founding__recv_started(f, c); break;
    case FOUNDING_ACCEPTED:
    case FOUNDING_REFUSED:
    case FOUNDING_PROMISE:
    case FOUNDING_DECIDED:
    case FOUNDING_OVERTAKEN:
    case FOUNDING_DEAD:
    case FOUNDING_LEFT:
        if (founding__is_held(f, c->key))
            recv_answer(f, from, c);
        break;
    case FOUNDING_KIND_COUNT: CHECK(false);
    }
    return STATUS_OK;
}
