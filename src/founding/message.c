#include "founding/machine.h"

#define FORMAT_VERSION 1

void founding__ballot_put(struct wire_writer *w, struct founding_ballot ballot) {
    wire_put_u32(w, ballot.round);
    wire_put_u64(w, ballot.leader);
}

struct founding_ballot founding__ballot_get(struct wire_reader *r) {
    struct founding_ballot ballot = {.round = wire_get_u32(r)};
    ballot.leader = wire_get_u64(r);
    return ballot;
}

size_t founding__content_encode(const struct founding_content *content,
                                uint8_t data[static FOUNDING_MESSAGE_BYTES_MAX]) {
    struct wire_writer w = wire_writer_of(data, FOUNDING_MESSAGE_BYTES_MAX);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u8(&w, (uint8_t)content->kind);
    wire_put_u64(&w, content->key.proposer);
    wire_put_u64(&w, content->key.number);
    founding__ballot_put(&w, content->ballot);
    founding__ballot_put(&w, content->accepted);
    wire_put_u8(&w, (uint8_t)content->value);
    wire_put_u8(&w, (uint8_t)content->reason);
    wire_put_u64(&w, content->floor);
    CHECK(!w.has_failed);
    if (content->configuration.count > 0)
        w.len += raft_configuration_encode(&content->configuration, data + w.len,
                                           FOUNDING_MESSAGE_BYTES_MAX - w.len);
    return w.len;
}

static bool has_configuration(enum founding_kind kind) {
    return kind == FOUNDING_PROPOSE || kind == FOUNDING_STARTED;
}

bool founding__configuration_is_sound(const struct raft_configuration *configuration) {
    const struct raft_member *members = configuration->members;
    if (configuration->is_joint || configuration->count == 0)
        return false;
    for (size_t i = 0; i < configuration->count; i++) {
        if (members[i].rights != RAFT_VOTER_NEW || members[i].name[0] == '\0' ||
            (i > 0 && members[i].id <= members[i - 1].id))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(members[i].name, members[j].name) == 0)
                return false;
    }
    return true;
}

static bool ballot_is_sound(struct founding_ballot ballot) {
    return ballot.round <= ROUND_MAX && (ballot.leader != 0 || ballot.round == 0);
}

static bool value_is_sound(const struct founding_content *c) {
    switch (c->kind) {
    case FOUNDING_PROMISE: return (c->value == VALUE_NONE) == (c->accepted.leader == 0);
    case FOUNDING_DECIDE: return c->value != VALUE_NONE && c->accepted.leader == 0;
    case FOUNDING_PROPOSE:
    case FOUNDING_ACCEPTED:
    case FOUNDING_REFUSED:
    case FOUNDING_ASK:
    case FOUNDING_WHAT:
    case FOUNDING_PREPARE:
    case FOUNDING_DECIDED:
    case FOUNDING_OVERTAKEN:
    case FOUNDING_STARTED:
    case FOUNDING_DEAD:
    case FOUNDING_LEFT:
    case FOUNDING_KIND_COUNT: break;
    }
    return c->value == VALUE_NONE && c->accepted.leader == 0;
}

static bool names_ballot(enum founding_kind kind) {
    return kind == FOUNDING_PREPARE || kind == FOUNDING_PROMISE || kind == FOUNDING_DECIDE ||
           kind == FOUNDING_DECIDED || kind == FOUNDING_OVERTAKEN;
}

/* Of the proposer's own ballot only START can be; and it needs no first step. */
static bool founding_ballot_fits(const struct founding_content *c) {
    bool is_first = c->ballot.round == 0;
    if (!names_ballot(c->kind))
        return c->ballot.leader == 0;
    if (c->ballot.leader == 0 || (is_first && c->ballot.leader != c->key.proposer))
        return false;
    return !is_first ||
           (c->kind != FOUNDING_PREPARE && c->kind != FOUNDING_PROMISE && c->value != VALUE_DROP);
}

static bool is_sound(const struct founding_content *c) {
    return c->key.proposer != 0 && c->key.number > 0 && c->key.number <= NUMBER_MAX &&
           c->floor <= NUMBER_MAX && ballot_is_sound(c->ballot) && ballot_is_sound(c->accepted) &&
           founding_ballot_fits(c) && value_is_sound(c) &&
           (c->reason == REASON_NONE || c->kind == FOUNDING_REFUSED);
}

static enum status decode_configuration(struct wire_reader *r, struct founding_content *c) {
    if (!has_configuration(c->kind))
        return wire_reader_is_done(r) ? STATUS_OK : STATUS_INVALID;
    struct bytes rest = wire_get(r, r->len);
    if (raft_configuration_decode(rest, &c->configuration) != STATUS_OK ||
        !founding__configuration_is_sound(&c->configuration) ||
        c->configuration.members[0].id != c->key.proposer)
        return STATUS_INVALID;
    return STATUS_OK;
}

enum status founding__content_decode(struct bytes bytes, struct founding_content *ret_content) {
    struct founding_content c = {0};
    struct wire_reader r = wire_reader_of(bytes);
    uint8_t version = wire_get_u8(&r);
    if (version > FORMAT_VERSION)
        return STATUS_UNSUPPORTED;
    uint8_t kind = wire_get_u8(&r);
    c.key.proposer = wire_get_u64(&r);
    c.key.number = wire_get_u64(&r);
    c.ballot = founding__ballot_get(&r);
    c.accepted = founding__ballot_get(&r);
    uint8_t value = wire_get_u8(&r), reason = wire_get_u8(&r);
    c.floor = wire_get_u64(&r);
    if (r.has_failed || version != FORMAT_VERSION || kind < FOUNDING_PROPOSE ||
        kind >= FOUNDING_KIND_COUNT || value > VALUE_DROP || reason >= REASON_COUNT)
        return STATUS_INVALID;
    c.kind = (enum founding_kind)kind;
    c.value = (enum founding_value)value;
    c.reason = (enum founding_reason)reason;
    if (!is_sound(&c) || decode_configuration(&r, &c) != STATUS_OK)
        return STATUS_INVALID;
    *ret_content = c;
    return STATUS_OK;
}
