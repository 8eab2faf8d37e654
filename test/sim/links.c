#include "sim/links.h"

#include "sim/sim.h"

#include <stdlib.h>

#define RETRY_US ((uint64_t)20000)

/* A hello on its way. */
struct flight {
    uint64_t number;
    size_t from;
    size_t to;
    struct gate_hello hello;
};

static struct sim_link *link_of(struct sim *sim, size_t a, size_t b) {
    CHECK(a != b);
    return &sim->links.links[a < b ? a : b][a < b ? b : a];
}

/* The end at `self`. */
static struct sim_end *end_of(struct sim *sim, size_t self, size_t other) {
    return &link_of(sim, self, other)->ends[self > other];
}

static void settle(struct sim *sim, size_t self, size_t other);

/* ---- Hellos ---------------------------------------------------------------------------------- */

/* A node may go away while it takes one: each looks anew whether there is a connection. */
static void take_hellos(struct sim *sim, size_t self, size_t other);

static void look_again(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    size_t self = tag % SIM_NODES_MAX, other = tag / SIM_NODES_MAX;
    (void)data;
    end_of(sim, self, other)->is_waiting = false;
    take_hellos(sim, self, other);
}

static bool must_wait(struct sim *sim, size_t self, size_t other) {
    return sim->nodes[self].pauses > 0 || sim->network.cuts[other][self] > 0;
}

static void wait(struct sim *sim, size_t self, size_t other) {
    struct sim_end *end = end_of(sim, self, other);
    if (end->is_waiting)
        return;
    end->is_waiting = true;
    sim_plan(sim, RETRY_US, look_again, sim, NULL, self + other * SIM_NODES_MAX);
}

static void take_hellos(struct sim *sim, size_t self, size_t other) {
    const struct sim_link *link = link_of(sim, self, other);
    struct sim_end *end = end_of(sim, self, other);
    uint64_t number = link->number;
    while (link->is_up && link->number == number && end->count > 0) {
        if (must_wait(sim, self, other)) {
            wait(sim, self, other);
            return;
        }
        struct gate_hello hello = end->hellos[end->first];
        end->first = (end->first + 1) % SIM_HELLOS_MAX;
        end->count--;
        gate_receive(&end->gate, &hello);
        settle(sim, self, other);
    }
}

static void arrive(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    struct flight flight = *(struct flight *)data;
    (void)tag;
    free(data);
    const struct sim_link *link = link_of(sim, flight.from, flight.to);
    struct sim_end *end = end_of(sim, flight.to, flight.from);
    if (!link->is_up || link->number != flight.number)
        return;
    CHECK(end->count < SIM_HELLOS_MAX);
    end->hellos[(end->first + end->count++) % SIM_HELLOS_MAX] = flight.hello;
    take_hellos(sim, flight.to, flight.from);
}

static void send(struct sim *sim, size_t from, size_t to, const struct gate_hello *hello) {
    struct sim_end *end = end_of(sim, to, from);
    struct flight *flight = malloc(sizeof *flight);
    CHECK(flight);
    *flight = (struct flight){.number = link_of(sim, from, to)->number,
                              .from = from,
                              .to = to,
                              .hello = *hello};
    uint64_t at_us = sim->now_us + sim_random_latency(&sim->network.random, sim->weather.delay_us) +
                     sim->network.extra_delay_us[from][to];
    if (at_us < end->arrival_us)
        at_us = end->arrival_us;
    end->arrival_us = at_us;
    sim_plan_owned(sim, at_us - sim->now_us, arrive, sim, flight, 0);
}

/* ---- What the gates say ---------------------------------------------------------------------- */

/* Only a node that was rolled back may be refused; that it was, it must learn itself. */
static void heed(struct sim *sim, size_t self, size_t other) {
    enum gate_state state = end_of(sim, self, other)->gate.state;
    struct sim_node *node = &sim->nodes[self];
    if (!gate_state_is_refusal(state))
        return;
    sim_trace(sim, "node %zu refuses node %zu: %s", self, other, gate_state_text(state));
    bool is_right = (state == GATE_ROLLED_BACK_SELF && node->is_rolled_back) ||
                    (state == GATE_ROLLED_BACK_PEER && sim->nodes[other].is_rolled_back);
    if (!is_right)
        sim_fail(sim, "node %zu refuses node %zu: %s", self, other, gate_state_text(state));
    if (state == GATE_ROLLED_BACK_SELF)
        sim_lose(sim, node);
}

static void settle(struct sim *sim, size_t self, size_t other) {
    struct gate *gate = &end_of(sim, self, other)->gate;
    struct gate_hello hello;
    struct gate_pair pair;
    raft_id id;
    while (gate_take_hello(gate, &hello))
        send(sim, self, other, &hello);
    if (gate_take_note(gate, &id, &pair))
        sim_disk_note(&sim->nodes[self].disk, id, pair);
    heed(sim, self, other);
}

void sim_links_noted(struct sim_node *node, raft_id id, struct gate_pair pair) {
    struct sim *sim = node->sim;
    gate_memory_noted(&node->memory, id, pair);
    for (size_t other = 0; other < sim->weather.node_count && node->turn; other++) {
        if (other == node->number || !link_of(sim, node->number, other)->is_up)
            continue;
        gate_noted(&end_of(sim, node->number, other)->gate);
        settle(sim, node->number, other);
    }
}

/* ---- Up and down ----------------------------------------------------------------------------- */

static void open_end(struct sim *sim, size_t self, size_t other, raft_id peer) {
    struct sim_end *end = end_of(sim, self, other);
    bool is_waiting = end->is_waiting;
    *end = (struct sim_end){.is_waiting = is_waiting};
    gate_open(&end->gate, &sim->nodes[self].self, &sim->nodes[self].memory, peer);
}

/* Who dials knows whom it means, or only where it lives. */
static void connect(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    size_t a = tag % SIM_NODES_MAX, b = tag / SIM_NODES_MAX % SIM_NODES_MAX;
    struct sim_link *link = link_of(sim, a, b);
    (void)data;
    if (link->number != tag / (SIM_NODES_MAX * SIM_NODES_MAX) || !sim->nodes[a].turn ||
        !sim->nodes[b].turn)
        return;
    link->is_up = true;
    open_end(sim, a, b, sim_random_percent(&sim->network.random, 50) ? sim->nodes[b].id : 0);
    open_end(sim, b, a, 0);
    settle(sim, a, b);
    settle(sim, b, a);
}

static void dial(struct sim *sim, size_t a, size_t b) {
    uint64_t number = link_of(sim, a, b)->number;
    sim_plan(sim, sim_random_latency(&sim->network.random, 2 * sim->weather.delay_us), connect, sim,
             NULL, a + (b + number * SIM_NODES_MAX) * SIM_NODES_MAX);
}

static void hang_up(struct sim *sim, size_t a, size_t b) {
    struct sim_link *link = link_of(sim, a, b);
    bool was_up = link->is_up;
    link->is_up = false;
    link->number++;
    if (!was_up)
        return;
    sim_node_lose(&sim->nodes[a], sim->nodes[b].id);
    sim_node_lose(&sim->nodes[b], sim->nodes[a].id);
}

void sim_links_break(struct sim *sim, size_t a, size_t b) {
    hang_up(sim, a, b);
    dial(sim, a, b);
}

void sim_links_up(struct sim_node *node) {
    struct sim *sim = node->sim;
    for (size_t other = 0; other < sim->weather.node_count; other++)
        if (other != node->number)
            sim_links_break(sim, node->number, other);
}

void sim_links_down(struct sim_node *node) {
    for (size_t other = 0; other < node->sim->weather.node_count; other++)
        if (other != node->number)
            hang_up(node->sim, node->number, other);
}

/* ---- Messages -------------------------------------------------------------------------------- */

uint64_t sim_links_let_out(struct sim_node *node, raft_id to) {
    size_t other = sim_node_of(node->sim, to)->number;
    if (other == node->number)
        return 0; /* who it was before it was replaced */
    const struct sim_link *link = link_of(node->sim, node->number, other);
    bool is_let_out =
        link->is_up && gate_lets_out(&end_of(node->sim, node->number, other)->gate, to);
    return is_let_out ? link->number : 0;
}

/* What comes late, over a connection that is no more, may have passed its gate in time: that is so
 * if its sender's start was noted. No connection really outlives the process at its end; a node
 * bears it all the same, unless its disk went back: a heartbeat's commit index counts on what its
 * former life acknowledged. */
bool sim_links_let_in(struct sim_node *node, const struct sim_message *message) {
    const struct raft_message *raft = &message->turn.message;
    size_t other = sim_node_of(node->sim, raft->from)->number;
    const struct sim_link *link = link_of(node->sim, node->number, other);
    bool is_noted = sim_disk_has_noted(&node->disk, raft->from, message->start);
    if (!link->is_up || link->number != message->link_number)
        return is_noted && raft->to == node->id && !node->is_rolled_back;
    bool is_let_in =
        gate_lets_in(&end_of(node->sim, node->number, other)->gate, raft->from, raft->to);
    if (is_let_in && !is_noted && !node->sim->options.is_blind)
        sim_fail(node->sim, "node %zu lets node %zu in before its disk holds that start",
                 node->number, other);
    return is_let_in;
}
