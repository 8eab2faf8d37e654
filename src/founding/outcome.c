#include "founding/machine.h"

static void tell_members(struct founding *f, enum founding_kind kind) {
    struct founding_content c = {.kind = kind, .key = f->state.key};
    if (kind == FOUNDING_STARTED)
        c.configuration = f->state.configuration;
    else
        c.floor = f->state.floor;
    founding__send_members(f, 0, &c);
}

/* "Start" was chosen, and stays so: nothing but the loss of half of its members ends it. */
void founding__become_started(struct founding *f) {
    CHECK(f->state.is_held && !f->state.is_started);
    f->state.is_started = true;
    founding__mark(f);
    founding__become(f, FOUNDING_STARTING, UINT64_MAX);
    tell_members(f, FOUNDING_STARTED);
}

static void let_go(struct founding *f) {
    struct founding_state *s = &f->state;
    CHECK(s->is_held && s->floor >= s->key.number);
    if (s->is_started)
        s->dropped_cluster = founding__cluster_id(s->key);
    s->is_held = s->is_started = false;
    s->key = (struct founding_key){0};
    founding__mark(f);
    founding__become(f, FOUNDING_IDLE, UINT64_MAX);
    f->propose_ms = f->now_ms + founding__random_ms(f, 1, 6);
}

void founding__close(struct founding *f) {
    founding__mark(f); /* first: what is told must not leave before it is durable */
    tell_members(f, FOUNDING_DEAD);
    let_go(f);
}

enum status founding__reset(struct founding *f) {
    struct founding_state *s = &f->state;
    bool is_started = s->is_held && s->is_started;
    if (f->has_committed || (f->cluster_id != 0 && !is_started))
        return STATUS_PRECONDITION;
    if (!s->is_held)
        return STATUS_OK;
    s->reset_floor = s->floor;
    founding__mark(f);
    tell_members(f, FOUNDING_LEFT);
    let_go(f);
    return STATUS_OK;
}

void founding__ask(struct founding *f) {
    f->act_ms = f->now_ms + ASK_RETRIES * f->retry_ms;
    founding__send_members(f, 0,
                           &(struct founding_content){.kind = FOUNDING_ASK, .key = f->state.key});
    founding__ask_founded(f);
}

void founding__ask_founded(struct founding *f) {
    struct founding_content c = {.kind = FOUNDING_WHAT, .key = f->state.key};
    for (size_t i = 0; i < f->node_count; i++) {
        const struct founding_sighting *s = &f->nodes[i];
        if (s->is_in_sight && s->cluster_id != 0 && founding__place(f, s->id) == MEMBERS_MAX)
            founding__send(f, s->id, &c);
    }
}

/* A started one that is known to have committed is never dropped: half of its members may be lost,
 * but what it holds is somebody's data. */
static bool may_drop(const struct founding *f) {
    return f->state.is_held &&
           !(f->state.is_started && f->has_committed && !PLANTED(drop_committed));
}

void founding__count_gone(struct founding *f) {
    if (!may_drop(f))
        return;
    const struct raft_configuration *configuration = &f->state.configuration;
    size_t gone = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        uint64_t since_ms = f->heard_ms[i] > f->held_ms ? f->heard_ms[i] : f->held_ms;
        gone += ((f->left >> i) & 1) || founding__was_wiped(f, member->id, member->name, since_ms);
    }
    if (2 * gone >= configuration->count || (PLANTED(drop_when_one_is_gone) && gone > 0))
        founding__close(f);
}

static bool shares_member(const struct raft_configuration *a, const struct raft_configuration *b) {
    for (size_t i = 0; i < a->count; i++)
        if (raft_configuration_find(b, a->members[i].id))
            return true;
    return false;
}

/* Another started cluster with a higher number and a member of the held one: that member has let go
 * of the held one or never accepted it, and so it is dead. With a lower number it proves nothing:
 * it may be late news of a cluster that was dropped before the held one was proposed. */
static bool proves_dead(const struct founding_state *s, const struct founding_content *c) {
    return (c->key.number >= s->key.number || PLANTED(late_news)) &&
           shares_member(&s->configuration, &c->configuration);
}

void founding__recv_started(struct founding *f, const struct founding_content *c) {
    const struct founding_state *s = &f->state;
    if (!s->is_held || s->is_started)
        return;
    if (founding__is_held(f, c->key))
        founding__become_started(f);
    else if (proves_dead(s, c))
        founding__close(f);
}

void founding__recv_dead(struct founding *f, const struct founding_content *c) {
    if (founding__is_held(f, c->key) && may_drop(f))
        founding__close(f);
}

void founding__recv_left(struct founding *f, raft_id from) {
    size_t place = founding__place(f, from);
    if (place == MEMBERS_MAX)
        return;
    f->left |= 1U << place;
    founding__count_gone(f);
}
