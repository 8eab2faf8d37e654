#include "founding/machine.h"

bool founding__is_eligible(const struct founding *f, const struct founding_candidates *candidates) {
    return f->cluster_id == 0 && !f->state.is_held && !founding__founded(f) &&
           candidates->count >= f->expect && !founding__is_crowd(f, candidates) &&
           candidates->list[0].id == f->state.self;
}

static void choose_members(const struct founding *f, struct raft_configuration *ret_configuration) {
    struct founding_candidates candidates;
    founding__candidates(f, &candidates);
    CHECK(candidates.count >= f->expect);
    *ret_configuration = (struct raft_configuration){.count = f->expect};
    for (size_t i = 0; i < f->expect; i++) {
        struct raft_member *member = &ret_configuration->members[i];
        member->id = candidates.list[i].id;
        member->rights = RAFT_VOTER_NEW;
        memcpy(member->name, candidates.list[i].name, NAME_BYTES_MAX);
    }
}

void founding__propose(struct founding *f) {
    struct founding_state *s = &f->state;
    uint64_t above = s->floor > f->seen_number ? s->floor : f->seen_number;
    if (above >= NUMBER_MAX)
        return;
    CHECK(!s->is_held);
    s->is_held = true;
    f->held_ms = f->now_ms;
    s->key = (struct founding_key){.proposer = s->self, .number = above + 1};
    s->floor = s->key.number;
    s->promised = (struct founding_ballot){.leader = s->self};
    s->accepted = (struct founding_ballot){0};
    s->value = VALUE_NONE;
    choose_members(f, &s->configuration);
    CHECK(s->configuration.members[0].id == s->self);
    founding__mark(f);
    founding__become(f, FOUNDING_COLLECTING, f->now_ms + CANCEL_RETRIES * f->retry_ms);
    founding__accepted(f, s->self);
    if (f->role == FOUNDING_COLLECTING)
        founding__collect_again(f);
}

void founding__collect_again(struct founding *f) {
    CHECK(f->role == FOUNDING_COLLECTING);
    f->act_ms = f->now_ms + f->retry_ms;
    founding__send_members(f, f->answered,
                           &(struct founding_content){.kind = FOUNDING_PROPOSE,
                                                      .key = f->state.key,
                                                      .configuration = f->state.configuration});
}

void founding__accepted(struct founding *f, raft_id from) {
    size_t place = founding__place(f, from);
    if (f->role != FOUNDING_COLLECTING || place == MEMBERS_MAX)
        return;
    f->answered |= 1U << place;
    f->reasons[place] = REASON_NONE;
    size_t count = (size_t)__builtin_popcount(f->answered);
    if (count < f->state.configuration.count && !(PLANTED(start_without_all) && count > 1))
        return;
    if (founding__founded(f))
        founding__close(f);
    else
        founding__start(f);
}

void founding__refused(struct founding *f, raft_id from, const struct founding_content *content) {
    size_t place = founding__place(f, from);
    if (f->role == FOUNDING_COLLECTING && place != MEMBERS_MAX)
        f->reasons[place] = content->reason;
}
