#include "gossip/machine.h"

static uint64_t wait_max_ms(const struct gossip *g) {
    return gossip__living(g) > 0 ? RETRY_MS_MAX : RETRY_ALONE_MS_MAX;
}

static void ping(struct gossip *g, const struct gossip_address *to, uint64_t id, uint64_t token) {
    gossip__letter_send(
        g, &(struct gossip_letter){.kind = GOSSIP_PING, .to = to, .id = id, .token = token});
}

/* ---- Seeds ----------------------------------------------------------------------------------- */

static bool lives_at(const struct gossip *g, const struct gossip_seed *seed) {
    for (size_t i = 0; i < g->count; i++)
        if (gossip__is_living(&g->nodes[i]) &&
            (g->nodes[i].member.id == seed->reached ||
             gossip_address_equal(&g->nodes[i].member.address, &seed->address)))
            return true;
    return seed->reached == g->self.member.id;
}

/* At once, then after half a probe, a whole one, two, ... each a little earlier or later. */
static void try_seed(struct gossip *g, struct gossip_seed *seed) {
    uint64_t max_ms = wait_max_ms(g);
    uint64_t longer_ms = seed->wait_ms == 0 ? g->timing.probe_ms / 2 : 2 * seed->wait_ms;
    seed->wait_ms = longer_ms < max_ms ? longer_ms : max_ms;
    seed->next_ms = g->now_ms + gossip__jitter(g, seed->wait_ms);
    if (lives_at(g, seed))
        return;
    seed->token = gossip__token(g);
    if (!PLANTED(let_the_dead_lie) || seed->wait_ms < max_ms)
        ping(g, &seed->address, 0, seed->token);
}

static struct gossip_seed *find_seed(struct gossip_seed *seeds, size_t count,
                                     const struct gossip_address *address) {
    for (size_t i = 0; i < count; i++)
        if (gossip_address_equal(&seeds[i].address, address))
            return &seeds[i];
    return NULL;
}

/* One that stays keeps its place in time: names are looked up again and again. */
void gossip__seeds_take(struct gossip *g, const struct gossip_address *list, size_t count) {
    struct gossip_seed kept[GOSSIP_SEEDS_MAX];
    size_t kept_count = 0;
    for (size_t i = 0; i < count && kept_count < GOSSIP_SEEDS_MAX; i++) {
        struct gossip_seed *old = find_seed(g->seeds, g->seed_count, &list[i]);
        if (find_seed(kept, kept_count, &list[i]))
            continue;
        kept[kept_count++] =
            old ? *old : (struct gossip_seed){.address = list[i], .next_ms = g->now_ms};
    }
    memcpy(g->seeds, kept, kept_count * sizeof kept[0]);
    g->seed_count = kept_count;
}

void gossip__seeds_restart(struct gossip *g) {
    for (size_t i = 0; i < g->seed_count; i++)
        g->seeds[i] = (struct gossip_seed){.address = g->seeds[i].address, .next_ms = g->now_ms};
}

/* ---- The dead -------------------------------------------------------------------------------- */

static void try_dead(struct gossip *g, struct gossip_node *node) {
    node->retry_ms = g->now_ms + gossip__jitter(g, wait_max_ms(g));
    node->token = gossip__token(g);
    if (!PLANTED(let_the_dead_lie))
        ping(g, &node->member.address, node->member.id, node->token);
}

/* ---- Time ------------------------------------------------------------------------------------ */

void gossip__search(struct gossip *g) {
    for (size_t i = 0; i < g->seed_count; i++)
        if (g->now_ms >= g->seeds[i].next_ms)
            try_seed(g, &g->seeds[i]);
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.state == GOSSIP_DEAD && g->now_ms >= g->nodes[i].retry_ms)
            try_dead(g, &g->nodes[i]);
}

uint64_t gossip__search_deadline_ms(const struct gossip *g) {
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < g->seed_count; i++)
        if (g->seeds[i].next_ms < deadline_ms)
            deadline_ms = g->seeds[i].next_ms;
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.state == GOSSIP_DEAD && g->nodes[i].retry_ms < deadline_ms)
            deadline_ms = g->nodes[i].retry_ms;
    return deadline_ms;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static struct gossip_seed *seed_of(const struct gossip *g, uint64_t token) {
    for (size_t i = 0; i < g->seed_count; i++)
        if (token != 0 && g->seeds[i].token == token)
            return (struct gossip_seed *)&g->seeds[i];
    return NULL;
}

static struct gossip_node *dead_of(const struct gossip *g, const struct gossip_head *head) {
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.id == head->from && g->nodes[i].token == head->token)
            return (struct gossip_node *)&g->nodes[i];
    return NULL;
}

bool gossip__search_awaits(const struct gossip *g, const struct gossip_head *head) {
    return seed_of(g, head->token) || dead_of(g, head);
}

/* Whoever answers at a seed's address, or from among the dead, is asked for all it knows, and told
 * what this node knows. */
void gossip__search_answered(struct gossip *g, const struct gossip_address *from,
                             const struct gossip_head *head) {
    struct gossip_seed *seed = seed_of(g, head->token);
    struct gossip_node *dead = dead_of(g, head), *node = gossip__find(g, head->from);
    if (seed) {
        seed->reached = head->from;
        seed->token = 0;
    }
    if (dead)
        dead->token = 0;
    if (dead || (seed && (!node || !gossip__is_living(node))))
        gossip__sync(g, from, head->from, 0);
}

void gossip__search_met_self(struct gossip *g, const struct gossip_head *head) {
    struct gossip_seed *seed = seed_of(g, head->token);
    if (seed)
        seed->reached = g->self.member.id;
}
