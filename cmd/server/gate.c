#include "server/gate.h"

#include "plant.h"

const char *gate_state_text(enum gate_state state) {
    switch (state) {
    case GATE_GREETING: return "hellos are being exchanged";
    case GATE_NOTING: return "the two are taking note of each other";
    case GATE_OPEN: return "open";
    case GATE_BLANK: return "one of the two belongs to no cluster yet";
    case GATE_INVALID: return "the other side's hello makes no sense";
    case GATE_SELF: return "this node is connected to itself";
    case GATE_WRONG_CLUSTER: return "the other side belongs to another cluster";
    case GATE_WRONG_NODE: return "the address belongs to another node";
    case GATE_ROLLED_BACK_PEER: return "the other side runs on an older copy of its disk";
    case GATE_ROLLED_BACK_SELF: return "this node runs on an older copy of its disk";
    case GATE_NO_ROOM: return "too many identities are remembered";
    }
    return "unknown";
}

void gate_open(struct gate *gate, const struct gate_self *self, struct gate_memory *memory,
               raft_id peer) {
    CHECK(self->id != 0 && self->current.counter != 0);
    *gate = (struct gate){.self = self, .memory = memory, .peer = peer};
}

/* ---- What is known of the two ---------------------------------------------------------------- */

static struct gate_pair newest_of(const struct gate *gate) {
    const struct gate_peer *peer = gate_memory_find(gate->memory, gate->peer);
    return peer ? peer->newest : (struct gate_pair){0};
}

static struct gate_pair durable_of(const struct gate *gate) {
    const struct gate_peer *peer = gate_memory_find(gate->memory, gate->peer);
    if (peer && PLANTED(gate_skips_memory))
        return peer->newest;
    return peer ? peer->durable : (struct gate_pair){0};
}

/* Whether the other side knows whom it speaks to, so that what it remembers is of this node. */
static bool is_addressed(const struct gate *gate) {
    return gate->has_heard && gate->heard.to == gate->self->id;
}

static struct gate_pair own_start(const struct gate *gate, uint64_t counter) {
    struct gate_pair start = {.counter = counter};
    const struct gate_self *self = gate->self;
    if (counter == self->current.counter)
        start.nonce = self->current.nonce;
    else if (counter < self->current.counter &&
             !self->find_start(self->context, counter, &start.nonce))
        start.nonce = 0;
    return start;
}

/* ---- The verdict ----------------------------------------------------------------------------- */

static bool contradicts(const struct gate_hello *a, const struct gate_hello *b) {
    return a->from != b->from || a->cluster_id != b->cluster_id ||
           !gate_pair_equal(a->current, b->current);
}

static bool is_valid(const struct gate *gate, const struct gate_hello *hello) {
    bool is_whole = hello->from != 0 && hello->current.counter != 0 &&
                    (hello->to != 0 || hello->remembered.counter == 0);
    return is_whole && !(gate->has_heard && contradicts(hello, &gate->heard));
}

static bool was_rolled_back(const struct gate *gate) {
    struct gate_pair remembered = gate->heard.remembered;
    if (!is_addressed(gate) || remembered.counter == 0)
        return false;
    if (PLANTED(gate_trusts_counter))
        return remembered.counter > gate->self->current.counter;
    return !gate_pair_equal(own_start(gate, remembered.counter), remembered);
}

static bool has_two_clusters(const struct gate *gate) {
    uint64_t ours = gate->self->cluster_id, theirs = gate->heard.cluster_id;
    return ours != 0 && theirs != 0 && ours != theirs;
}

static bool has_blank(const struct gate *gate) {
    return gate->self->cluster_id == 0 || gate->heard.cluster_id == 0;
}

/* What has to be shown is the newest pair ever heard of the peer, written or not. */
static enum gate_state judge_start(const struct gate *gate) {
    struct gate_pair newest = newest_of(gate);
    const struct gate_hello *heard = &gate->heard;
    if (newest.counter == 0 || gate_pair_equal(heard->current, newest))
        return GATE_NOTING;
    if (heard->current.counter <= newest.counter)
        return GATE_ROLLED_BACK_PEER;
    if (PLANTED(gate_trusts_counter))
        return GATE_NOTING;
    if (heard->proof.counter != newest.counter)
        return GATE_GREETING; /* not asked yet, or about an older one */
    return gate_pair_equal(heard->proof, newest) ? GATE_NOTING : GATE_ROLLED_BACK_PEER;
}

/* What does not depend on what is remembered here: asked again of an open gate. */
static enum gate_state judge_names(const struct gate *gate) {
    const struct gate_hello *heard = &gate->heard;
    if (heard->from == gate->self->id)
        return GATE_SELF;
    if (heard->from != gate->peer || (heard->to != 0 && heard->to != gate->self->id))
        return GATE_WRONG_NODE;
    if (has_two_clusters(gate))
        return GATE_WRONG_CLUSTER;
    return was_rolled_back(gate) ? GATE_ROLLED_BACK_SELF : GATE_GREETING;
}

static enum gate_state judge(const struct gate *gate) {
    enum gate_state state = judge_names(gate);
    if (gate_state_is_refusal(state))
        return state;
    if (gate->state == GATE_OPEN)
        return GATE_OPEN;
    return has_blank(gate) ? GATE_BLANK : judge_start(gate);
}

/* ---- Taking note ----------------------------------------------------------------------------- */

static bool remembers_us(const struct gate *gate) {
    return is_addressed(gate) && gate_pair_equal(gate->heard.remembered, gate->self->current);
}

static bool is_remembered(const struct gate *gate) {
    return gate_pair_equal(durable_of(gate), gate->heard.current);
}

static enum gate_state take_note(struct gate *gate) {
    if (!gate_pair_equal(newest_of(gate), gate->heard.current)) {
        if (gate_memory_expect(gate->memory, gate->peer, gate->heard.current) != STATUS_OK)
            return GATE_NO_ROOM;
        gate->wants_note = true;
    }
    if (remembers_us(gate))
        gate_memory_met(gate->memory, gate->peer);
    return remembers_us(gate) && is_remembered(gate) ? GATE_OPEN : GATE_NOTING;
}

static void settle(struct gate *gate) {
    gate->state = judge(gate);
    if (gate->state == GATE_NOTING)
        gate->state = take_note(gate);
    if (gate_state_is_refusal(gate->state))
        gate->memory->refused_connections_total++;
}

/* ---- Events ---------------------------------------------------------------------------------- */

void gate_receive(struct gate *gate, const struct gate_hello *hello) {
    if (gate_state_is_refusal(gate->state))
        return;
    if (!is_valid(gate, hello)) {
        gate->state = GATE_INVALID;
        gate->memory->refused_connections_total++;
        return;
    }
    gate->heard = *hello;
    gate->has_heard = true;
    if (gate->peer == 0)
        gate->peer = hello->from;
    settle(gate);
}

void gate_noted(struct gate *gate) {
    bool is_under_way = gate->state == GATE_GREETING || gate->state == GATE_NOTING;
    if (gate->has_heard && is_under_way)
        settle(gate);
}

/* ---- What comes of it ------------------------------------------------------------------------ */

_Static_assert(sizeof(struct gate_hello) == 9 * sizeof(uint64_t), "compared as memory");

/* Once this start is remembered nothing is asked any more, and what was shown stays. */
static struct gate_pair proof_of(const struct gate *gate) {
    if (remembers_us(gate))
        return gate->said.proof;
    bool is_asked = is_addressed(gate) && gate->heard.remembered.counter != 0;
    return is_asked ? own_start(gate, gate->heard.remembered.counter) : (struct gate_pair){0};
}

bool gate_take_hello(struct gate *gate, struct gate_hello *ret_hello) {
    struct gate_hello hello = {.cluster_id = gate->self->cluster_id,
                               .from = gate->self->id,
                               .to = gate->peer,
                               .current = gate->self->current,
                               .remembered = durable_of(gate)};
    hello.proof = proof_of(gate);
    if (gate->has_said && memcmp(&hello, &gate->said, sizeof hello) == 0)
        return false;
    gate->has_said = true;
    gate->said = hello;
    *ret_hello = hello;
    return true;
}

bool gate_take_note(struct gate *gate, raft_id *ret_id, struct gate_pair *ret_pair) {
    if (!gate->wants_note)
        return false;
    gate->wants_note = false;
    *ret_id = gate->peer;
    *ret_pair = gate->heard.current;
    return true;
}

bool gate_lets_out(const struct gate *gate, raft_id to) {
    return gate->state == GATE_OPEN && to == gate->peer;
}

bool gate_lets_in(struct gate *gate, raft_id from, raft_id to) {
    bool is_let_in = gate->state == GATE_OPEN && from == gate->peer && to == gate->self->id;
    gate->memory->refused_messages_total += !is_let_in;
    return is_let_in;
}
