#include "gossip/machine.h"

#define TARGETS 3           /* of one round of news */
#define SENT_PER_DOUBLING 3 /* SWIM 4.1: lambda */
#define GOODBYES 3
#define GOODBYE_TARGETS 8

/* "Lambda log n times" (SWIM 4.1). */
static unsigned sent_max_of(const struct gossip *g) {
    unsigned doublings = 1;
    for (size_t n = gossip__living(g) + 1; n > 1; n /= 2)
        doublings++;
    return SENT_PER_DOUBLING * doublings;
}

/* ---- What is to be said of a node ---------------------------------------------------------------
 */

static struct gossip_rumour alive_rumour(const struct gossip_node *node) {
    return (struct gossip_rumour){.kind = RUMOUR_ALIVE,
                                  .id = node->member.id,
                                  .incarnation = node->member.incarnation,
                                  .address = node->member.address,
                                  .meta = node->member.meta};
}

static struct gossip_rumour suspect_rumour(const struct gossip_node *node) {
    struct gossip_rumour rumour = {.kind = RUMOUR_SUSPECT,
                                   .id = node->member.id,
                                   .incarnation = node->member.incarnation,
                                   .accuser_count = node->accuser_count};
    if (node->is_leaving || node->is_confirmed)
        rumour.kind = node->is_leaving ? RUMOUR_LEFT : RUMOUR_DEAD;
    memcpy(rumour.accusers, node->accusers, sizeof rumour.accusers);
    return rumour;
}

struct gossip_rumour gossip__rumour_of(const struct gossip_node *node) {
    struct gossip_rumour rumour = {.id = node->member.id, .incarnation = node->member.incarnation};
    switch (node->member.state) {
    case GOSSIP_ALIVE: return alive_rumour(node);
    case GOSSIP_SUSPECT: return suspect_rumour(node);
    case GOSSIP_DEAD: rumour.kind = RUMOUR_DEAD; break;
    case GOSSIP_LEFT: rumour.kind = RUMOUR_LEFT; break;
    }
    return rumour;
}

/* ---- Travelling along
 * ---------------------------------------------------------------------------- */

/* The incarnation that it has to exceed to be believed: the highest that it was seen with. */
static struct gossip_rumour known_rumour(const struct gossip_node *node) {
    uint64_t known = node->member.incarnation, shown = node->window.incarnation;
    return (struct gossip_rumour){.kind = RUMOUR_KNOWN,
                                  .id = node->member.id,
                                  .incarnation = known > shown ? known : shown};
}

/* "Buddy system" (Lifeguard IV-C): who is suspected is told so by whoever turns to it. It has to
 * know no more than that. */
static void put_first(struct gossip *g, struct wire_writer *w, uint64_t to) {
    struct gossip_node *node = gossip__find(g, to);
    if (!node || (node->member.state == GOSSIP_ALIVE && !node->is_behind))
        return;
    struct gossip_rumour rumour = node->is_behind ? known_rumour(node) : gossip__rumour_of(node);
    if (rumour.accuser_count > 1)
        rumour.accuser_count = 1;
    if (gossip__rumour_encode(w, &rumour))
        node->is_behind = false;
}

/* The one that was sent the least, of those that `passed` leaves; NULL: nothing is new. */
static struct gossip_node *least_sent(struct gossip *g, const bool *passed) {
    unsigned sent_max = sent_max_of(g);
    struct gossip_node *least = NULL;
    for (size_t i = 0; i <= g->count; i++) {
        struct gossip_node *node = i < g->count ? &g->nodes[i] : &g->self;
        if (!passed[i] && node->sent < sent_max && (!least || node->sent < least->sent))
            least = node;
    }
    return least;
}

static size_t place_of(const struct gossip *g, const struct gossip_node *node) {
    return node == &g->self ? g->count : (size_t)(node - g->nodes);
}

static void put_about(struct gossip *g, struct wire_writer *w, const struct gossip_node *node,
                      bool *passed) {
    struct gossip_rumour rumour = gossip__rumour_of(node);
    passed[place_of(g, node)] = gossip__rumour_encode(w, &rumour);
}

void gossip__fill(struct gossip *g, struct wire_writer *w, uint64_t to, uint64_t about) {
    bool passed[GOSSIP_MEMBERS_MAX + 1] = {false};
    const struct gossip_node *subject = gossip__find(g, about);
    put_first(g, w, to);
    if (subject)
        put_about(g, w, subject, passed);
    for (struct gossip_node *node; (node = least_sent(g, passed)) != NULL;) {
        struct gossip_rumour rumour = gossip__rumour_of(node);
        passed[place_of(g, node)] = true;
        if (node->member.id != to && gossip__rumour_encode(w, &rumour))
            node->sent++;
    }
}

/* ---- Rounds of news
 * -------------------------------------------------------------------------------- */

static bool has_news(const struct gossip *g) {
    unsigned sent_max = sent_max_of(g);
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].sent < sent_max)
            return true;
    return g->self.sent < sent_max;
}

static void send_news(struct gossip *g, size_t targets) {
    struct gossip_node *list[GOSSIP_MEMBERS_MAX];
    size_t count = gossip__pick(g, 0, targets, list);
    for (size_t i = 0; i < count; i++)
        gossip__letter_send(g, &(struct gossip_letter){.kind = GOSSIP_NEWS,
                                                       .to = &list[i]->member.address,
                                                       .id = list[i]->member.id});
}

static void say_goodbye(struct gossip *g) {
    g->self.sent = 0;
    send_news(g, GOODBYE_TARGETS);
    g->has_left = --g->goodbyes == 0;
}

void gossip__spread(struct gossip *g) {
    if (g->now_ms < g->spread_ms)
        return;
    g->spread_ms = g->now_ms + g->timing.spread_ms;
    if (g->is_leaving)
        say_goodbye(g);
    else if (has_news(g))
        send_news(g, TARGETS);
}

/* Nobody to tell: then the news wait for the first one who is met. */
uint64_t gossip__spread_deadline_ms(const struct gossip *g) {
    bool is_due = g->is_leaving || (has_news(g) && gossip__living(g) > 0);
    return is_due ? g->spread_ms : UINT64_MAX;
}

void gossip__leave(struct gossip *g) {
    if (g->is_leaving)
        return;
    gossip__raise(g);
    g->self.member.state = GOSSIP_LEFT;
    g->self.member.since_ms = g->now_ms;
    g->is_leaving = true;
    g->goodbyes = GOODBYES;
    g->spread_ms = g->now_ms;
    gossip__spread(g);
}
