/* The gate between two nodes: who is it, and has it forgotten what it said? */
#include "server/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CLUSTER 7
#define HELLOS_MAX 4 /* of one side, on a connection beside which there is no other */

/* ---- Nodes and their disks ------------------------------------------------------------------- */

struct disk {
    uint64_t nonces[16]; /* by counter */
    uint64_t counter;    /* of the newest start */
    struct gate_peer notes[4];
    size_t note_count;
};

struct node {
    struct gate_self self;
    struct gate_memory memory;
    struct disk disk;
};

static uint64_t last_nonce;

static bool find_start(void *context, uint64_t counter, uint64_t *ret_nonce) {
    const struct node *node = context;
    if (counter == 0 || counter > node->disk.counter)
        return false;
    *ret_nonce = node->disk.nonces[counter];
    return true;
}

static void start(struct node *node) {
    struct disk *disk = &node->disk;
    disk->nonces[++disk->counter] = ++last_nonce;
    node->self.current = (struct gate_pair){disk->counter, last_nonce};
    gate_memory_init(&node->memory);
    for (size_t i = 0; i < disk->note_count; i++)
        assert_int_equal(gate_memory_load(&node->memory, disk->notes[i].id, disk->notes[i].durable),
                         STATUS_OK);
}

static struct node given_node(raft_id id, uint64_t cluster_id) {
    struct node node = {.self = {.id = id, .cluster_id = cluster_id, .find_start = find_start}};
    start(&node);
    return node;
}

static void roll_back(struct node *node, const struct disk *image) {
    node->disk = *image;
    start(node);
}

static void write_note(struct node *node, raft_id id, struct gate_pair pair) {
    struct disk *disk = &node->disk;
    size_t at = 0;
    while (at < disk->note_count && disk->notes[at].id != id)
        at++;
    if (at == disk->note_count)
        disk->note_count++;
    disk->notes[at] = (struct gate_peer){.id = id, .durable = pair};
    gate_memory_noted(&node->memory, id, pair);
}

/* ---- A connection ---------------------------------------------------------------------------- */

struct side {
    struct node *node;
    struct gate gate;
    size_t hellos; /* sent */
    bool has_note; /* being written */
    raft_id note_id;
    struct gate_pair note;
};

struct connection {
    struct side a;
    struct side b;
};

static void open_side(struct side *side, struct node *node, raft_id peer) {
    *side = (struct side){.node = node};
    node->self.context = node;
    gate_open(&side->gate, &node->self, &node->memory, peer);
}

static struct connection *connect(struct node *a, raft_id dialled, struct node *b) {
    static struct connection connections[2];
    static size_t next;
    struct connection *c = &connections[next++ % 2];
    open_side(&c->a, a, dialled);
    open_side(&c->b, b, 0);
    return c;
}

static bool speak(struct side *from, struct side *to) {
    struct gate_hello hello;
    if (!gate_take_hello(&from->gate, &hello))
        return false;
    from->hellos++;
    assert_false(gate_take_hello(&from->gate, &hello));
    gate_receive(&to->gate, &hello);
    return true;
}

/* Everything that can be said is said; notes stay unwritten. */
static void talk(struct connection *c) {
    while (speak(&c->a, &c->b) || speak(&c->b, &c->a))
        continue;
}

static bool write_side(struct side *side) {
    side->has_note = side->has_note || gate_take_note(&side->gate, &side->note_id, &side->note);
    if (!side->has_note)
        return false;
    side->has_note = false;
    write_note(side->node, side->note_id, side->note);
    gate_noted(&side->gate);
    return true;
}

static void settle(struct connection *c) {
    do
        talk(c);
    while (write_side(&c->a) || write_side(&c->b));
}

static struct connection *meet(struct node *a, struct node *b) {
    struct connection *c = connect(a, b->self.id, b);
    settle(c);
    return c;
}

static void assert_states(const struct connection *c, enum gate_state a, enum gate_state b) {
    assert_string_equal(gate_state_text(c->a.gate.state), gate_state_text(a));
    assert_string_equal(gate_state_text(c->b.gate.state), gate_state_text(b));
}

static bool passes(struct side *from, struct side *to) {
    raft_id sender = from->node->self.id, receiver = to->node->self.id;
    return gate_lets_out(&from->gate, receiver) && gate_lets_in(&to->gate, sender, receiver);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void opens_between_two_that_never_met(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = connect(&a, 0, &b);
    settle(c);
    assert_states(c, GATE_OPEN, GATE_OPEN);
    assert_true(passes(&c->a, &c->b) && passes(&c->b, &c->a));
    assert_true(c->a.hellos <= HELLOS_MAX && c->b.hellos <= HELLOS_MAX);
    assert_true(gate_pair_equal(gate_memory_find(&a.memory, 2)->durable, b.self.current));
    assert_true(gate_pair_equal(gate_memory_find(&b.memory, 1)->durable, a.self.current));
}

static void refuses_whoever_lives_at_the_address_now(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), stranger = given_node(3, CLUSTER);
    struct connection *c = connect(&a, 2, &stranger);
    settle(c);
    assert_states(c, GATE_WRONG_NODE, GATE_WRONG_NODE);
    assert_int_equal(a.memory.refused_connections_total, 1);
    assert_int_equal(a.memory.count + stranger.memory.count, 0);
}

static void refuses_itself(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER);
    struct connection *c = connect(&a, 0, &a);
    settle(c);
    assert_states(c, GATE_SELF, GATE_SELF);
}

static void refuses_another_cluster(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER + 1);
    assert_states(meet(&a, &b), GATE_WRONG_CLUSTER, GATE_WRONG_CLUSTER);
    assert_int_equal(a.memory.count + b.memory.count, 0);
}

static void lets_a_blank_node_speak_of_founding_only(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, 0);
    struct connection *c = meet(&a, &b);
    assert_states(c, GATE_BLANK, GATE_BLANK);
    assert_false(passes(&c->a, &c->b) || passes(&c->b, &c->a));
    assert_int_equal(a.memory.count, 0);
    b.self.cluster_id = CLUSTER;
    assert_states(meet(&a, &b), GATE_OPEN, GATE_OPEN);
}

static void counts_messages_of_and_for_others(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = meet(&a, &b);
    assert_false(gate_lets_in(&c->a.gate, 3, 1));
    assert_false(gate_lets_in(&c->a.gate, 2, 3));
    assert_false(gate_lets_out(&c->a.gate, 3));
    assert_int_equal(a.memory.refused_messages_total, 2);
    assert_true(gate_lets_in(&c->a.gate, 2, 1));
    assert_int_equal(a.memory.refused_messages_total, 2);
}

/* ---- Hellos that make no sense --------------------------------------------------------------- */

static struct gate_hello hello_of_b(const struct node *a) {
    return (
        struct gate_hello){.cluster_id = CLUSTER, .from = 2, .to = a->self.id, .current = {1, 99}};
}

static enum gate_state state_after(struct node *a, const struct gate_hello *first,
                                   const struct gate_hello *second) {
    struct side side;
    open_side(&side, a, 2);
    gate_receive(&side.gate, first);
    if (second)
        gate_receive(&side.gate, second);
    return side.gate.state;
}

static void refuses_a_hello_without_sender_or_start(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER);
    struct gate_hello hello = hello_of_b(&a);
    assert_int_equal(state_after(&a, &hello, NULL), GATE_NOTING);
    hello.from = 0;
    assert_int_equal(state_after(&a, &hello, NULL), GATE_INVALID);
    hello = hello_of_b(&a);
    hello.current.counter = 0;
    assert_int_equal(state_after(&a, &hello, NULL), GATE_INVALID);
    hello = hello_of_b(&a);
    hello.to = 0;
    hello.remembered = a.self.current;
    assert_int_equal(state_after(&a, &hello, NULL), GATE_INVALID);
}

static void refuses_who_contradicts_itself(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER);
    struct gate_hello first = hello_of_b(&a), second = first;
    second.current.nonce++;
    assert_int_equal(state_after(&a, &first, &second), GATE_INVALID);
    second = first;
    second.from = 3;
    assert_int_equal(state_after(&a, &first, &second), GATE_INVALID);
    second = first;
    second.cluster_id = 0;
    assert_int_equal(state_after(&a, &first, &second), GATE_INVALID);
}

static void stays_refused(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER);
    struct gate_hello wrong = hello_of_b(&a), right = wrong;
    wrong.from = 0;
    assert_int_equal(state_after(&a, &wrong, &right), GATE_INVALID);
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static void lets_nothing_pass_before_both_have_taken_note(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_states(c, GATE_NOTING, GATE_NOTING);
    assert_false(passes(&c->a, &c->b) || passes(&c->b, &c->a));
    assert_true(write_side(&c->a));
    talk(c);
    assert_states(c, GATE_NOTING, GATE_NOTING);
    assert_false(passes(&c->a, &c->b) || passes(&c->b, &c->a));
    assert_true(write_side(&c->b));
    talk(c);
    assert_states(c, GATE_OPEN, GATE_OPEN);
}

/* So that the first message never finds the gate closed. */
static void is_open_before_a_message_can_come(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_true(write_side(&c->a) && write_side(&c->b));
    assert_true(speak(&c->a, &c->b));
    assert_states(c, GATE_NOTING, GATE_OPEN); /* what b says now comes behind its hello */
    assert_true(speak(&c->b, &c->a));
    assert_true(passes(&c->b, &c->a) && passes(&c->a, &c->b));
}

static void needs_no_note_when_the_same_start_connects_again(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    (void)meet(&a, &b);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_states(c, GATE_OPEN, GATE_OPEN);
    assert_false(write_side(&c->a) || write_side(&c->b));
}

static void takes_one_note_for_two_connections(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = connect(&a, 2, &b), *d = connect(&b, 1, &a);
    talk(c);
    talk(d);
    assert_true(write_side(&c->a) && write_side(&c->b));
    assert_false(write_side(&d->a) || write_side(&d->b));
    gate_noted(&d->a.gate);
    gate_noted(&d->b.gate);
    settle(c);
    settle(d);
    assert_states(c, GATE_OPEN, GATE_OPEN);
    assert_states(d, GATE_OPEN, GATE_OPEN);
}

static void a_note_that_was_overtaken_changes_nothing(void **state) {
    (void)state;
    static struct gate_memory memory;
    gate_memory_init(&memory);
    assert_int_equal(gate_memory_expect(&memory, 2, (struct gate_pair){4, 40}), STATUS_OK);
    assert_int_equal(gate_memory_expect(&memory, 2, (struct gate_pair){5, 50}), STATUS_OK);
    gate_memory_noted(&memory, 2, (struct gate_pair){5, 50});
    gate_memory_noted(&memory, 2, (struct gate_pair){4, 40});
    gate_memory_noted(&memory, 3, (struct gate_pair){4, 40});
    assert_int_equal(gate_memory_find(&memory, 2)->durable.counter, 5);
    assert_null(gate_memory_find(&memory, 3));
}

static void refuses_more_identities_than_it_can_remember(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    for (raft_id id = 100; id < 100 + GATE_PEERS_MAX; id++)
        assert_int_equal(gate_memory_load(&a.memory, id, (struct gate_pair){1, id}), STATUS_OK);
    assert_int_equal(gate_memory_load(&a.memory, 99, (struct gate_pair){1, 1}), STATUS_OVERLOAD);
    struct connection *c = meet(&a, &b);
    assert_int_equal(c->a.gate.state, GATE_NO_ROOM);
    assert_false(passes(&c->b, &c->a));
    gate_memory_forget(&a.memory, 117);
    assert_null(gate_memory_find(&a.memory, 117));
    assert_non_null(gate_memory_find(&a.memory, 100 + GATE_PEERS_MAX - 1));
    assert_states(meet(&a, &b), GATE_OPEN, GATE_OPEN);
}

/* ---- Starts ---------------------------------------------------------------------------------- */

static void opens_after_restarts_of_either(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    (void)meet(&a, &b);
    for (int i = 0; i < 5; i++) {
        start(&b);
        struct connection *c = meet(&a, &b);
        assert_states(c, GATE_OPEN, GATE_OPEN);
        assert_true(c->a.hellos <= HELLOS_MAX && c->b.hellos <= HELLOS_MAX);
        start(&a);
        start(&b);
        assert_states(meet(&b, &a), GATE_OPEN, GATE_OPEN);
    }
}

static void opens_after_restarts_while_the_other_was_away(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    (void)meet(&a, &b);
    for (int i = 0; i < 4; i++)
        start(&b);
    start(&a);
    struct connection *c = connect(&b, 0, &a);
    settle(c);
    assert_states(c, GATE_OPEN, GATE_OPEN);
}

/* a has met b's second start; b's disk goes back to its first one. */
static void given_rolled_back(struct node *a, struct node *b) {
    *a = given_node(1, CLUSTER);
    *b = given_node(2, CLUSTER);
    struct disk image = b->disk;
    start(b);
    (void)meet(a, b);
    roll_back(b, &image);
}

static void both_sides_know_of_a_rolled_back_node_with_a_lower_counter(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct disk image = b.disk;
    start(&b);
    start(&b);
    (void)meet(&a, &b);
    roll_back(&b, &image);
    struct connection *c = meet(&a, &b);
    assert_states(c, GATE_ROLLED_BACK_PEER, GATE_ROLLED_BACK_SELF);
    assert_false(passes(&c->a, &c->b) || passes(&c->b, &c->a));
}

static void both_sides_know_of_a_rolled_back_node_with_the_same_counter(void **state) {
    (void)state;
    struct node a, b;
    given_rolled_back(&a, &b);
    assert_int_equal(b.self.current.counter, 2);
    assert_states(meet(&a, &b), GATE_ROLLED_BACK_PEER, GATE_ROLLED_BACK_SELF);
}

static void both_sides_know_of_a_rolled_back_node_however_high_its_counter(void **state) {
    (void)state;
    struct node a, b;
    given_rolled_back(&a, &b);
    for (int i = 0; i < 3; i++) {
        start(&b);
        assert_states(meet(&a, &b), GATE_ROLLED_BACK_PEER, GATE_ROLLED_BACK_SELF);
        struct connection *c = connect(&b, 0, &a);
        settle(c);
        assert_states(c, GATE_ROLLED_BACK_SELF, GATE_ROLLED_BACK_PEER);
    }
}

static void remembers_across_its_own_restarts(void **state) {
    (void)state;
    struct node a, b;
    given_rolled_back(&a, &b);
    start(&b);
    start(&a);
    start(&a);
    assert_states(meet(&a, &b), GATE_ROLLED_BACK_PEER, GATE_ROLLED_BACK_SELF);
}

/* The pair was not yet on a's disk, and nothing of that life got past a's gate. */
static void holds_nothing_against_a_start_it_did_not_note(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct disk image = b.disk;
    start(&b);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_false(passes(&c->b, &c->a));
    start(&a);
    roll_back(&b, &image);
    assert_states(meet(&a, &b), GATE_OPEN, GATE_OPEN);
}

/* While the note is being written the pair is known already. */
static void shows_what_is_not_yet_written_too(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct disk image = b.disk;
    start(&b);
    talk(connect(&a, 2, &b));
    roll_back(&b, &image);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_int_equal(c->a.gate.state, GATE_ROLLED_BACK_PEER);
}

static void asks_again_when_it_learns_of_a_later_start_meanwhile(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    (void)meet(&a, &b);
    start(&b);
    struct connection *earlier = connect(&a, 2, &b);
    assert_true(speak(&earlier->b, &earlier->a));
    talk(earlier);
    start(&b);
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_int_equal(c->a.gate.state, GATE_GREETING); /* asked about the first start */
    assert_true(write_side(&earlier->a));
    gate_noted(&c->a.gate);
    settle(c);
    assert_states(c, GATE_OPEN, GATE_OPEN);
}

static void a_late_hello_of_an_earlier_life_harms_nothing(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *late = connect(&a, 2, &b);
    struct gate_hello hello;
    assert_true(gate_take_hello(&late->b.gate, &hello));
    start(&b);
    struct connection *c = meet(&a, &b);
    gate_receive(&late->a.gate, &hello);
    assert_int_equal(late->a.gate.state, GATE_ROLLED_BACK_PEER);
    assert_true(passes(&c->a, &c->b) && passes(&c->b, &c->a));
    assert_states(meet(&a, &b), GATE_OPEN, GATE_OPEN);
}

/* Such as one copy of two that run: the peer let the other one in meanwhile. */
static void an_open_gate_closes_once_the_peer_remembers_another_life(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = meet(&a, &b);
    struct gate_hello hello = c->b.gate.heard;
    hello.remembered.nonce++;
    gate_receive(&c->b.gate, &hello);
    assert_int_equal(c->b.gate.state, GATE_ROLLED_BACK_SELF);
    assert_false(gate_lets_in(&c->b.gate, 1, 2));
}

static void an_open_gate_takes_notes_of_others_calmly(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct connection *c = meet(&a, &b);
    start(&b);
    settle(connect(&a, 2, &b));
    gate_noted(&c->a.gate);
    assert_int_equal(c->a.gate.state, GATE_OPEN); /* what is still on its way was meant */
}

/* ---- Quorums --------------------------------------------------------------------------------- */

static void given_met(struct gate_memory *memory, raft_id id) {
    assert_int_equal(gate_memory_load(memory, id, (struct gate_pair){1, 1}), STATUS_OK);
    gate_memory_met(memory, id);
}

static void counts_the_voters_that_it_has_met(void **state) {
    (void)state;
    struct gate_memory memory;
    struct raft_configuration five = {.count = 6};
    for (size_t i = 0; i < 6; i++)
        five.members[i] = (struct raft_member){.id = i + 1, .rights = i < 5};
    gate_memory_init(&memory);
    given_met(&memory, 2);
    given_met(&memory, 6); /* a learner */
    assert_false(gate_memory_has_met_quorum(&memory, &five, 1));
    given_met(&memory, 3);
    assert_true(gate_memory_has_met_quorum(&memory, &five, 1));
    assert_false(gate_memory_has_met_all(&memory, &five, 1));
    given_met(&memory, 4);
    given_met(&memory, 5);
    assert_true(gate_memory_has_met_all(&memory, &five, 1));
    assert_false(gate_memory_has_met_all(&memory, &five, 7));
}

static void counts_both_halves_of_a_joint_configuration(void **state) {
    (void)state;
    struct gate_memory memory;
    struct raft_configuration joint = {
        .is_joint = true,
        .count = 4,
        .members = {{.id = 1, .rights = RAFT_VOTER_BOTH},
                    {.id = 2, .rights = RAFT_VOTER_OLD},
                    {.id = 3, .rights = RAFT_VOTER_NEW},
                    {.id = 4, .rights = RAFT_VOTER_NEW}},
    };
    gate_memory_init(&memory);
    given_met(&memory, 3);
    assert_false(gate_memory_has_met_quorum(&memory, &joint, 1));
    given_met(&memory, 2);
    assert_true(gate_memory_has_met_quorum(&memory, &joint, 1));
}

static void has_met_everybody_when_there_is_nobody(void **state) {
    (void)state;
    struct gate_memory memory;
    struct raft_configuration nobody = {0};
    struct raft_configuration alone = {.count = 1, .members = {{.id = 1, .rights = 1}}};
    gate_memory_init(&memory);
    assert_true(gate_memory_has_met_quorum(&memory, &nobody, 1));
    assert_true(gate_memory_has_met_all(&memory, &nobody, 1));
    assert_true(gate_memory_has_met_quorum(&memory, &alone, 1));
}

static bool may_speak(struct gate_memory *memory, const struct raft_configuration *configuration,
                      uint64_t waited_ms) {
    return gate_memory_may_speak(memory, configuration, 1, waited_ms, 1000);
}

static void speaks_once_a_quorum_or_patience_says_so(void **state) {
    (void)state;
    struct gate_memory memory;
    struct raft_configuration three = {.count = 3};
    for (size_t i = 0; i < 3; i++)
        three.members[i] = (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
    gate_memory_init(&memory);
    assert_false(may_speak(&memory, &three, 3999));
    given_met(&memory, 2);
    assert_false(may_speak(&memory, &three, 249));
    struct gate_memory patient = memory;
    assert_true(may_speak(&patient, &three, 250));
    given_met(&memory, 3);
    assert_true(may_speak(&memory, &three, 0));
    gate_memory_init(&memory);
    assert_true(may_speak(&memory, &three, 4000)); /* all may have been replaced meanwhile */
}

static void goes_on_speaking_when_the_members_change(void **state) {
    (void)state;
    struct gate_memory memory;
    struct raft_configuration nobody = {0};
    struct raft_configuration two = {.count = 2,
                                     .members = {{.id = 1, .rights = 1}, {.id = 2, .rights = 1}}};
    struct raft_configuration others = two;
    others.members[1].id = 3;
    gate_memory_init(&memory);
    assert_true(may_speak(&memory, &nobody, 0));
    assert_false(may_speak(&memory, &two, 0));
    given_met(&memory, 2);
    assert_true(may_speak(&memory, &two, 0));
    assert_true(may_speak(&memory, &others, 0));
}

static void has_met_who_took_note_of_it(void **state) {
    (void)state;
    struct node a = given_node(1, CLUSTER), b = given_node(2, CLUSTER);
    struct raft_configuration two = {.count = 2,
                                     .members = {{.id = 1, .rights = 1}, {.id = 2, .rights = 1}}};
    struct connection *c = connect(&a, 2, &b);
    talk(c);
    assert_false(gate_memory_has_met_quorum(&a.memory, &two, 1));
    assert_true(write_side(&c->b));
    talk(c);
    assert_true(gate_memory_has_met_quorum(&a.memory, &two, 1));
    assert_false(gate_memory_has_met_quorum(&b.memory, &two, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_between_two_that_never_met),
        cmocka_unit_test(refuses_whoever_lives_at_the_address_now),
        cmocka_unit_test(refuses_itself),
        cmocka_unit_test(refuses_another_cluster),
        cmocka_unit_test(lets_a_blank_node_speak_of_founding_only),
        cmocka_unit_test(counts_messages_of_and_for_others),
        cmocka_unit_test(refuses_a_hello_without_sender_or_start),
        cmocka_unit_test(refuses_who_contradicts_itself),
        cmocka_unit_test(stays_refused),
        cmocka_unit_test(lets_nothing_pass_before_both_have_taken_note),
        cmocka_unit_test(is_open_before_a_message_can_come),
        cmocka_unit_test(needs_no_note_when_the_same_start_connects_again),
        cmocka_unit_test(takes_one_note_for_two_connections),
        cmocka_unit_test(a_note_that_was_overtaken_changes_nothing),
        cmocka_unit_test(refuses_more_identities_than_it_can_remember),
        cmocka_unit_test(opens_after_restarts_of_either),
        cmocka_unit_test(opens_after_restarts_while_the_other_was_away),
        cmocka_unit_test(both_sides_know_of_a_rolled_back_node_with_a_lower_counter),
        cmocka_unit_test(both_sides_know_of_a_rolled_back_node_with_the_same_counter),
        cmocka_unit_test(both_sides_know_of_a_rolled_back_node_however_high_its_counter),
        cmocka_unit_test(remembers_across_its_own_restarts),
        cmocka_unit_test(holds_nothing_against_a_start_it_did_not_note),
        cmocka_unit_test(shows_what_is_not_yet_written_too),
        cmocka_unit_test(asks_again_when_it_learns_of_a_later_start_meanwhile),
        cmocka_unit_test(a_late_hello_of_an_earlier_life_harms_nothing),
        cmocka_unit_test(an_open_gate_closes_once_the_peer_remembers_another_life),
        cmocka_unit_test(an_open_gate_takes_notes_of_others_calmly),
        cmocka_unit_test(counts_the_voters_that_it_has_met),
        cmocka_unit_test(counts_both_halves_of_a_joint_configuration),
        cmocka_unit_test(has_met_everybody_when_there_is_nobody),
        cmocka_unit_test(has_met_who_took_note_of_it),
        cmocka_unit_test(speaks_once_a_quorum_or_patience_says_so),
        cmocka_unit_test(goes_on_speaking_when_the_members_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
