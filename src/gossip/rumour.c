#include "gossip/machine.h"

/* ---- What is said of this node ----------------------------------------------------------------
 */

void gossip__raise(struct gossip *g) {
    if (g->self.member.incarnation < INCARNATION_MAX)
        g->self.member.incarnation++;
    g->self.sent = 0;
}

/* What the others know was said by a former life, or the address changed and nobody noticed. */
static bool is_as_said(const struct gossip *g, const struct gossip_rumour *rumour) {
    const struct gossip_member *self = &g->self.member;
    return memcmp(&self->meta, &rumour->meta, sizeof self->meta) == 0 &&
           (gossip__address_is_zero(&self->address) ||
            gossip_address_equal(&self->address, &rumour->address));
}

/* "The suspected member ... increments its incarnation" (SWIM 4.2): it exceeds what it is told of,
 * which it may not have said in this life. */
static void exceed(struct gossip *g, uint64_t incarnation) {
    uint64_t own = g->self.member.incarnation;
    if (incarnation < own || incarnation - own > INCARNATION_STEP_MAX ||
        incarnation >= INCARNATION_MAX - 1)
        return;
    g->self.member.incarnation = incarnation;
    if (!PLANTED(refute_without_incarnation))
        gossip__raise(g);
}

static void refute(struct gossip *g, uint64_t incarnation) {
    bool is_current = incarnation == g->self.member.incarnation;
    if (incarnation < g->self.member.incarnation)
        return;
    exceed(g, incarnation);
    if (is_current) {
        g->counts.refutations++;
        gossip__worsen(g, 1);
    }
}

static void hear_of_self(struct gossip *g, const struct gossip_rumour *rumour) {
    if (g->is_leaving)
        return;
    switch (rumour->kind) {
    case RUMOUR_ALIVE:
        if (rumour->incarnation > g->self.member.incarnation || !is_as_said(g, rumour))
            exceed(g, rumour->incarnation);
        break;
    case RUMOUR_SUSPECT:
    case RUMOUR_DEAD:
    case RUMOUR_LEFT: refute(g, rumour->incarnation); break;
    case RUMOUR_KNOWN: exceed(g, rumour->incarnation); break;
    case RUMOUR_END:
    case RUMOUR_KIND_COUNT: CHECK(false);
    }
}

/* ---- What is said of another ------------------------------------------------------------------
 */

/* Of itself a node may say no address: it is where its datagram came from. */
static struct gossip_address address_of(const struct gossip_rumour *rumour,
                                        const struct gossip_address *source) {
    return gossip__address_is_zero(&rumour->address) ? *source : rumour->address;
}

static bool is_new(const struct gossip_node *node, uint64_t incarnation) {
    uint64_t known = node->member.incarnation;
    if (PLANTED(old_news))
        return incarnation != known;
    return incarnation > known && incarnation - known <= INCARNATION_STEP_MAX;
}

static void revive(struct gossip *g, struct gossip_node *node) {
    node->member.state = GOSSIP_ALIVE;
    node->member.since_ms = g->now_ms;
    node->accuser_count = 0;
    node->is_confirmed = node->is_leaving = false;
    gossip__tell(g, GOSSIP_ALIVE_AGAIN, node->member.id);
}

static void take_over(struct gossip_node *node, const struct gossip_rumour *rumour,
                      const struct gossip_address *address) {
    node->member.incarnation = rumour->incarnation;
    node->member.meta = rumour->meta;
    if (!PLANTED(keep_address) || node->member.address.port == 0)
        node->member.address = *address;
    node->sent = 0;
    node->is_behind = node->is_other_life = false;
}

static void join(struct gossip *g, const struct gossip_rumour *rumour,
                 const struct gossip_address *address) {
    struct gossip_node *node = gossip__add(g, rumour->id);
    if (!node)
        return;
    take_over(node, rumour, address);
    gossip__tell(g, GOSSIP_JOINED, rumour->id);
}

static void hear_alive(struct gossip *g, struct gossip_node *node,
                       const struct gossip_rumour *rumour, const struct gossip_address *source) {
    struct gossip_address address = address_of(rumour, source);
    if (!node) {
        join(g, rumour, &address);
        return;
    }
    if (!is_new(node, rumour->incarnation))
        return;
    bool is_other = memcmp(&node->member.meta, &rumour->meta, sizeof rumour->meta) != 0 ||
                    !gossip_address_equal(&node->member.address, &address);
    take_over(node, rumour, &address);
    if (node->member.state != GOSSIP_ALIVE)
        revive(g, node);
    else if (is_other)
        gossip__tell(g, GOSSIP_UPDATED, rumour->id);
}

static bool is_known(struct gossip *g, uint64_t id) {
    return gossip__find(g, id) != NULL;
}

static void hear_suspect(struct gossip *g, struct gossip_node *node,
                         const struct gossip_rumour *rumour) {
    for (size_t i = 0; i < rumour->accuser_count; i++)
        if (rumour->accusers[i] != rumour->id && is_known(g, rumour->accusers[i]))
            gossip__accuse(g, node, rumour->accusers[i]);
}

/* It says so with an incarnation of its own, which the others may know already or not. */
static void hear_left(struct gossip *g, struct gossip_node *node,
                      const struct gossip_rumour *rumour) {
    if (rumour->incarnation != node->member.incarnation && !is_new(node, rumour->incarnation))
        return;
    node->member.incarnation = rumour->incarnation;
    if (node->member.state == GOSSIP_DEAD)
        node->member.state = GOSSIP_LEFT;
    else if (node->member.state != GOSSIP_LEFT && !node->is_leaving)
        gossip__begin_leaving(g, node);
}

/* An accusation counts against the incarnation that is known and against no other: who knows the
 * incarnation knows the member, and the member can exceed it. */
static void hear_of_other(struct gossip *g, const struct gossip_rumour *rumour,
                          const struct gossip_address *source) {
    struct gossip_node *node = gossip__find(g, rumour->id);
    bool is_current = node && rumour->incarnation == node->member.incarnation;
    switch (rumour->kind) {
    case RUMOUR_ALIVE: hear_alive(g, node, rumour, source); break;
    case RUMOUR_SUSPECT:
        if (is_current)
            hear_suspect(g, node, rumour);
        break;
    case RUMOUR_DEAD:
        if (is_current)
            gossip__confirm(g, node);
        break;
    case RUMOUR_LEFT:
        if (node)
            hear_left(g, node, rumour);
        break;
    case RUMOUR_KNOWN: break;
    case RUMOUR_END:
    case RUMOUR_KIND_COUNT: CHECK(false);
    }
}

void gossip__hear(struct gossip *g, const struct gossip_rumour *rumour,
                  const struct gossip_address *source) {
    if (rumour->id == g->self.member.id)
        hear_of_self(g, rumour);
    else
        hear_of_other(g, rumour, source);
}
