#include "founding/machine.h"

#define FORMAT_VERSION 1
#define FLAG_HELD 1
#define FLAG_STARTED 2

static void put_held(struct wire_writer *w, const struct founding_state *state) {
    wire_put_u64(w, state->key.proposer);
    wire_put_u64(w, state->key.number);
    founding__ballot_put(w, state->promised);
    founding__ballot_put(w, state->accepted);
    wire_put_u8(w, (uint8_t)state->value);
    CHECK(!w->has_failed);
    w->len +=
        raft_configuration_encode(&state->configuration, w->data + w->len, w->capacity - w->len);
}

size_t founding__state_encode(const struct founding_state *state,
                              uint8_t data[static FOUNDING_RECORD_BYTES_MAX]) {
    struct wire_writer w = wire_writer_of(data, FOUNDING_RECORD_BYTES_MAX);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u64(&w, state->self);
    wire_put_u64(&w, state->floor);
    wire_put_u64(&w, state->reset_floor);
    wire_put_u64(&w, state->dropped_cluster);
    wire_put_u8(&w, (uint8_t)((state->is_held ? FLAG_HELD : 0) |
                              (state->is_started ? FLAG_STARTED : 0)));
    if (state->is_held)
        put_held(&w, state);
    CHECK(!w.has_failed);
    return w.len;
}

static bool held_is_sound(const struct founding_state *state) {
    return state->key.proposer != 0 && state->key.number > 0 && state->key.number <= state->floor &&
           founding__configuration_is_sound(&state->configuration) &&
           state->configuration.members[0].id == state->key.proposer &&
           raft_configuration_find(&state->configuration, state->self) &&
           state->promised.round <= ROUND_MAX &&
           founding__ballot_compare(state->accepted, state->promised) <= 0 &&
           (state->value == VALUE_NONE) == (state->accepted.leader == 0);
}

static bool get_held(struct wire_reader *r, struct founding_state *state) {
    state->key.proposer = wire_get_u64(r);
    state->key.number = wire_get_u64(r);
    state->promised = founding__ballot_get(r);
    state->accepted = founding__ballot_get(r);
    uint8_t value = wire_get_u8(r);
    if (r->has_failed || value > VALUE_DROP)
        return false;
    state->value = (enum founding_value)value;
    struct bytes rest = wire_get(r, r->len);
    return raft_configuration_decode(rest, &state->configuration) == STATUS_OK &&
           held_is_sound(state);
}

enum status founding__state_decode(struct bytes bytes, struct founding_state *ret_state) {
    struct founding_state state = {0};
    struct wire_reader r = wire_reader_of(bytes);
    uint8_t version = wire_get_u8(&r);
    if (version > FORMAT_VERSION)
        return STATUS_UNSUPPORTED;
    state.self = wire_get_u64(&r);
    state.floor = wire_get_u64(&r);
    state.reset_floor = wire_get_u64(&r);
    state.dropped_cluster = wire_get_u64(&r);
    uint8_t flags = wire_get_u8(&r);
    state.is_held = flags & FLAG_HELD;
    state.is_started = flags & FLAG_STARTED;
    if (r.has_failed || version != FORMAT_VERSION || flags > (FLAG_HELD | FLAG_STARTED) ||
        (state.is_started && !state.is_held) || state.floor > NUMBER_MAX ||
        state.reset_floor > state.floor || (state.is_held && !get_held(&r, &state)) ||
        !wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_state = state;
    return STATUS_OK;
}
