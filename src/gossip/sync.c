#include "gossip/machine.h"

#define PAGES_MAX (GOSSIP_MEMBERS_MAX + 1)

/* ---- Pages ----------------------------------------------------------------------------------- */

/* The one with the next higher identity; NULL: none. */
static struct gossip_node *above(struct gossip *g, uint64_t id) {
    struct gossip_node *next = NULL;
    for (size_t i = 0; i < g->count; i++) {
        struct gossip_node *node = &g->nodes[i];
        if (node->member.id > id && (!next || node->member.id < next->member.id))
            next = node;
    }
    return next;
}

/* A suspect's record says both: what it says of itself, and what is said of it. */
static bool put_record(struct wire_writer *w, const struct gossip_node *node) {
    struct wire_writer kept = *w;
    struct gossip_rumour said = gossip__rumour_of(node);
    struct gossip_node alive = *node;
    alive.member.state = GOSSIP_ALIVE;
    struct gossip_rumour self_said = gossip__rumour_of(&alive);
    bool is_suspect = node->member.state == GOSSIP_SUSPECT;
    if ((!is_suspect || gossip__rumour_encode(w, &self_said)) && gossip__rumour_encode(w, &said))
        return true;
    *w = kept;
    return false;
}

/* This node first, then those above `cursor` as far as there is room; returns where to go on, 0 for
 * nowhere. */
static uint64_t put_page(struct gossip *g, struct wire_writer *w, uint64_t cursor) {
    struct gossip_node *node;
    (void)put_record(w,
                     &g->self); /* no room: the question was short, and the next one may not be */
    while ((node = above(g, cursor)) != NULL) {
        if (!put_record(w, node))
            return cursor;
        cursor = node->member.id;
    }
    return 0;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void ask(struct gossip *g, const struct gossip_address *to, uint64_t id,
                struct gossip_sync sync, size_t capacity) {
    struct gossip_letter letter = {.kind = GOSSIP_SYNC,
                                   .to = to,
                                   .id = id,
                                   .token = sync.token,
                                   .subject = sync.cursor,
                                   .capacity = capacity};
    struct wire_writer w;
    if (!gossip__letter_begin(g, &letter, &w))
        return;
    g->syncs[g->sync_at] = sync;
    g->sync_at = (g->sync_at + 1) % SYNCS_MAX;
    (void)put_page(g, &w, sync.cursor); /* what it lacks, it asks for page by page */
    gossip__letter_end(g, &w, w.capacity);
}

/* Filled up to its capacity, so that the answer has as much room. */
void gossip__sync(struct gossip *g, const struct gossip_address *to, uint64_t id, size_t capacity) {
    struct gossip_sync sync = {.token = gossip__token(g)};
    ask(g, to, id, sync, capacity);
}

void gossip__sync_sometimes(struct gossip *g) {
    struct gossip_node *node;
    if (g->now_ms < g->sync_ms)
        return;
    g->sync_ms = g->now_ms + gossip__jitter(g, g->timing.sync_ms);
    if (gossip__pick(g, 0, 1, &node) == 1)
        gossip__sync(g, &node->member.address, node->member.id, 0);
}

/* ---- Answering ---------------------------------------------------------------------------------
 */

void gossip__recv_sync(struct gossip *g, const struct gossip_address *from,
                       const struct gossip_head *head, size_t capacity) {
    struct gossip_letter letter = {.kind = GOSSIP_REPLY,
                                   .to = from,
                                   .id = head->from,
                                   .token = head->token,
                                   .capacity = capacity};
    struct wire_writer w;
    if (!gossip__letter_begin(g, &letter, &w))
        return;
    size_t head_end = w.len;
    struct gossip_node *asker = gossip__find(g, head->from);
    if (asker)
        (void)put_record(&w, asker); /* of most use to it: what it has to exceed */
    gossip__head_set_subject(&w, head_end, put_page(g, &w, head->subject));
    gossip__letter_end(g, &w, 0);
}

static struct gossip_sync *find(const struct gossip *g, uint64_t token) {
    for (size_t i = 0; i < SYNCS_MAX; i++)
        if (g->syncs[i].token == token)
            return (struct gossip_sync *)&g->syncs[i];
    return NULL;
}

bool gossip__sync_awaits(const struct gossip *g, const struct gossip_head *head) {
    return find(g, head->token) != NULL;
}

void gossip__recv_reply(struct gossip *g, const struct gossip_address *from,
                        const struct gossip_head *head) {
    struct gossip_sync *found = find(g, head->token);
    if (!found)
        return;
    struct gossip_sync sync = *found;
    found->token = 0;
    if (head->subject <= sync.cursor || ++sync.pages == PAGES_MAX)
        return;
    sync.cursor = head->subject;
    sync.token = gossip__token(g);
    ask(g, from, head->from, sync, 0);
}
