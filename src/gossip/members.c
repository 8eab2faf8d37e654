#include "gossip/machine.h"

#include "mix.h"

/* ---- Chance -------------------------------------------------------------------------------- */

uint64_t gossip__random(struct gossip *g) {
    return mix_next(&g->random);
}

uint64_t gossip__jitter(struct gossip *g, uint64_t span_ms) {
    return span_ms - span_ms / 4 + gossip__random(g) % (span_ms / 2 + 1);
}

uint64_t gossip__token(struct gossip *g) {
    uint64_t token = gossip__random(g);
    return token != 0 ? token : 1;
}

/* ---- Who is known -------------------------------------------------------------------------- */

bool gossip__is_living(const struct gossip_node *node) {
    return node->member.state == GOSSIP_ALIVE || node->member.state == GOSSIP_SUSPECT;
}

size_t gossip__living(const struct gossip *g) {
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        count += gossip__is_living(&g->nodes[i]);
    return count;
}

struct gossip_node *gossip__find(struct gossip *g, uint64_t id) {
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.id == id)
            return &g->nodes[i];
    return NULL;
}

void gossip__tell(struct gossip *g, enum gossip_change_kind kind, uint64_t id) {
    CHECK(g->change_count < GOSSIP_CHANGES_MAX);
    g->changes[g->change_count++] = (struct gossip_change){.kind = kind, .id = id};
}

/* Who has not lived for the longest time; NULL: all live. */
static struct gossip_node *oldest_dead(struct gossip *g) {
    struct gossip_node *oldest = NULL;
    for (size_t i = 0; i < g->count; i++) {
        struct gossip_node *node = &g->nodes[i];
        if (!gossip__is_living(node) &&
            (!oldest || node->member.since_ms < oldest->member.since_ms))
            oldest = node;
    }
    return oldest;
}

static void order_remove(struct gossip *g, uint64_t id) {
    size_t at = 0;
    while (at < g->count && g->order[at] != id)
        at++;
    CHECK(at < g->count);
    memmove(&g->order[at], &g->order[at + 1], (g->count - at - 1) * sizeof g->order[0]);
    if (at < g->order_at)
        g->order_at--;
}

/* "A newly joining member is inserted in the membership list at a position that is chosen uniformly
 * at random" (SWIM 4.3). */
static void order_insert(struct gossip *g, uint64_t id) {
    size_t at = gossip__random(g) % (g->count + 1);
    memmove(&g->order[at + 1], &g->order[at], (g->count - at) * sizeof g->order[0]);
    g->order[at] = id;
    if (at < g->order_at)
        g->order_at++;
}

void gossip__drop(struct gossip *g, struct gossip_node *node) {
    uint64_t id = node->member.id;
    order_remove(g, id);
    *node = g->nodes[--g->count];
    gossip__tell(g, GOSSIP_FORGOTTEN, id);
}

struct gossip_node *gossip__add(struct gossip *g, uint64_t id) {
    CHECK(id != 0 && id != g->self.member.id && !gossip__find(g, id));
    struct gossip_node *oldest = oldest_dead(g);
    if (g->count == GOSSIP_MEMBERS_MAX && !oldest) {
        g->counts.refused++;
        return NULL;
    }
    if (g->count == GOSSIP_MEMBERS_MAX)
        gossip__drop(g, oldest);
    order_insert(g, id);
    struct gossip_node *node = &g->nodes[g->count++];
    *node = (struct gossip_node){.member = {.id = id, .since_ms = g->now_ms}};
    return node;
}

/* ---- Choosing among them ------------------------------------------------------------------- */

size_t gossip__pick(struct gossip *g, uint64_t except, size_t count,
                    struct gossip_node **ret_list) {
    struct gossip_node *all[GOSSIP_MEMBERS_MAX];
    size_t left = 0, picked = 0;
    for (size_t i = 0; i < g->count; i++)
        if (gossip__is_living(&g->nodes[i]) && g->nodes[i].member.id != except)
            all[left++] = &g->nodes[i];
    for (; picked < count && left > 0; picked++) {
        size_t at = gossip__random(g) % left;
        ret_list[picked] = all[at];
        all[at] = all[--left];
    }
    return picked;
}

static void shuffle(struct gossip *g) {
    for (size_t i = g->count; i > 1; i--) {
        size_t at = gossip__random(g) % i;
        uint64_t kept = g->order[i - 1];
        g->order[i - 1] = g->order[at];
        g->order[at] = kept;
    }
}

/* "Round-robin ... after a traversal of the entire list, the member rearranges it to a random
 * reordering" (SWIM 4.3): two probes of one member are never more than 2n - 1 apart. */
struct gossip_node *gossip__next(struct gossip *g) {
    for (size_t tries = 0; tries < 2 * g->count; tries++) {
        if (g->order_at >= g->count) {
            shuffle(g);
            g->order_at = 0;
        }
        struct gossip_node *node = gossip__find(g, g->order[g->order_at++]);
        CHECK(node);
        if (gossip__is_living(node))
            return node;
    }
    return NULL;
}
