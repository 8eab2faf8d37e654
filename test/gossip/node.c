#include "gossip/world.h"

/* Its own clock: another start, another pace. */
static uint64_t local_ms(const struct world *w, const struct node *n) {
    return n->clock_offset_ms + w->now_ms * n->rate_ppm / 1000000;
}

static uint64_t world_ms(const struct node *n, uint64_t at_ms) {
    if (at_ms == UINT64_MAX)
        return UINT64_MAX;
    return at_ms <= n->clock_offset_ms
               ? 0
               : ((at_ms - n->clock_offset_ms) * 1000000 + n->rate_ppm - 1) / n->rate_ppm;
}

bool node_is_paused(const struct world *w, const struct node *n) {
    return n->paused_until_ms > w->now_ms;
}

struct node *node_at(struct world *w, const struct gossip_address *address) {
    for (size_t i = 0; i < w->node_count; i++)
        if (gossip_address_equal(&w->nodes[i].address, address))
            return &w->nodes[i];
    return NULL;
}

struct node *node_of(struct world *w, uint64_t id) {
    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].id == id)
            return &w->nodes[i];
    return NULL;
}

static void take(struct world *w, struct node *n) {
    struct gossip_ready ready;
    gossip_ready(n->g, &ready);
    for (size_t i = 0; i < ready.datagram_count; i++)
        network_send(w, n, &ready.datagrams[i]);
    for (size_t i = 0; i < ready.change_count; i++)
        check_change(w, n, &ready.changes[i]);
    gossip_advance(n->g);
    n->due_ms = world_ms(n, gossip_deadline_ms(n->g));
}

void node_step(struct world *w, struct node *n, struct gossip_event event) {
    event.now_ms = local_ms(w, n);
    if (gossip_step(n->g, &event) == STATUS_OVERLOAD)
        verdict_fail(&w->verdict, "node-%zu is overloaded by one event", n->place);
    take(w, n);
    check_knowledge(w, n);
}

static struct gossip_meta meta_of(const struct world *w, const struct node *n) {
    struct gossip_meta meta = {.program = 1, .cluster_id = w->seed};
    (void)snprintf(meta.name, sizeof meta.name, "node-%zu", n->place);
    (void)snprintf(meta.raft_address, sizeof meta.raft_address, ":%u", n->address.port + 1000U);
    (void)snprintf(meta.http_address, sizeof meta.http_address, ":8080");
    (void)snprintf(meta.region, sizeof meta.region, "ord");
    return meta;
}

void node_look_up(struct world *w, struct node *n) {
    struct gossip_address seeds[NODES_MAX];
    for (size_t i = 0; i < w->node_count; i++)
        seeds[i] = w->nodes[i].address;
    node_step(w, n,
              (struct gossip_event){.kind = GOSSIP_EVENT_SEEDS, .seeds = {seeds, w->node_count}});
}

void node_start(struct world *w, struct node *n) {
    CHECK(!n->g);
    n->starts++;
    n->clock_offset_ms = sim_random_below(&w->random, 1000000);
    struct gossip_config config = {.self = n->id,
                                   .label = WORLD_LABEL,
                                   .meta = meta_of(w, n),
                                   .address = {.port = n->address.port},
                                   .incarnation = n->counts_starts ? n->starts << 20 : 0,
                                   .tick_ms = w->tick_ms,
                                   .seed = sim_random_next(&w->random),
                                   .now_ms = local_ms(w, n)};
    CHECK(gossip_new(&config, &n->g) == STATUS_OK);
    LOG(w, "node-%zu starts as %llx at port %u", n->place, (unsigned long long)n->id,
        n->address.port);
    n->was_unwell_ms = w->now_ms;
    memset(n->seen, 0, sizeof n->seen);
    node_look_up(w, n);
}

void node_stop(struct world *w, struct node *n) {
    LOG(w, "node-%zu stops", n->place);
    gossip_free(n->g);
    n->g = NULL;
    network_drop(w, &n->address);
    n->queued = 0;
    n->paused_until_ms = 0;
    n->due_ms = UINT64_MAX;
    n->was_unwell_ms = w->now_ms;
}

void node_move(struct world *w, struct node *n) {
    CHECK(!n->g);
    CHECK(gossip_address_parse("fdaa::1", w->next_port++, &n->address));
}

void node_wipe(struct world *w, struct node *n) {
    CHECK(!n->g);
    n->id = w->next_id += 1 + sim_random_below(&w->random, 1000);
    n->starts = 0;
}

void node_leave(struct world *w, struct node *n) {
    LOG(w, "node-%zu leaves", n->place);
    node_step(w, n, (struct gossip_event){.kind = GOSSIP_EVENT_LEAVE});
}
