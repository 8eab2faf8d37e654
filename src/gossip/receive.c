#include "gossip/machine.h"

/* ---- Whether it is to be read at all -----------------------------------------------------------
 */

static enum status refuse(uint64_t *counter, enum status status) {
    (*counter)++;
    return status;
}

static bool rumours_are_sound(struct wire_reader rumours, uint64_t from) {
    struct gossip_rumour rumour;
    enum gossip_decoded decoded;
    while ((decoded = gossip__rumour_decode(&rumours, from, &rumour)) == DECODED)
        ;
    return decoded == DECODED_END;
}

static enum status look(struct gossip *g, struct wire_reader *r, struct gossip_head *head) {
    struct gossip_counts *counts = &g->counts;
    enum status status = gossip__head_decode(r, head);
    if (status != STATUS_OK)
        return refuse(status == STATUS_UNSUPPORTED ? &counts->unsupported : &counts->malformed,
                      status);
    if (!bytes_equal(head->label, bytes_of_text(g->label)))
        return refuse(&counts->other_label, STATUS_PRECONDITION);
    if (head->from == g->self.member.id) {
        gossip__search_met_self(g, head);
        return refuse(&counts->from_self, STATUS_INVALID);
    }
    if (head->to != 0 && head->to != g->self.member.id)
        return refuse(&counts->misdirected, STATUS_INVALID);
    if (!rumours_are_sound(*r, head->from))
        return refuse(&counts->malformed, STATUS_INVALID);
    return STATUS_OK;
}

static bool is_answer(enum gossip_kind kind) {
    return kind == GOSSIP_ACK || kind == GOSSIP_NACK || kind == GOSSIP_REPLY;
}

static bool is_awaited(const struct gossip *g, const struct gossip_head *head) {
    return is_answer(head->kind) &&
           (gossip__probe_awaits(g, head) || gossip__sync_awaits(g, head) ||
            gossip__search_awaits(g, head));
}

/* ---- What it says and asks ---------------------------------------------------------------------
 */

static void hear_all(struct gossip *g, struct wire_reader rumours, const struct gossip_head *head,
                     const struct gossip_address *source) {
    struct gossip_rumour rumour;
    while (gossip__rumour_decode(&rumours, head->from, &rumour) == DECODED)
        gossip__hear(g, &rumour, source);
}

/* Only a member that is alive where it is known to be gets more than it sent: so nobody can turn
 * small forged questions into large answers to somebody else. */
static size_t answer_bytes_max(struct gossip *g, const struct gossip_address *source,
                               const struct gossip_head *head, size_t question_bytes) {
    const struct gossip_node *node = gossip__find(g, head->from);
    if (node && node->member.state == GOSSIP_ALIVE &&
        gossip_address_equal(&node->member.address, source))
        return GOSSIP_DATAGRAM_BYTES_MAX;
    return question_bytes;
}

static void answer_ping(struct gossip *g, const struct gossip_address *source,
                        const struct gossip_head *head, size_t capacity) {
    gossip__letter_send(g, &(struct gossip_letter){.kind = GOSSIP_ACK,
                                                   .to = source,
                                                   .id = head->from,
                                                   .token = head->token,
                                                   .subject = g->self.member.id,
                                                   .capacity = capacity});
}

static void take_answer(struct gossip *g, const struct gossip_address *source,
                        const struct gossip_head *head) {
    g->has_observed = true;
    g->observed = head->address;
    gossip__probe_answered(g, head);
    gossip__search_answered(g, source, head);
    if (head->kind == GOSSIP_REPLY)
        gossip__recv_reply(g, source, head);
}

static void act(struct gossip *g, const struct gossip_address *source,
                const struct gossip_head *head, size_t bytes) {
    size_t capacity = answer_bytes_max(g, source, head, bytes);
    switch (head->kind) {
    case GOSSIP_PING: answer_ping(g, source, head, capacity); break;
    case GOSSIP_ASK: gossip__recv_ask(g, head); break;
    case GOSSIP_SYNC: gossip__recv_sync(g, source, head, capacity); break;
    case GOSSIP_ACK:
    case GOSSIP_NACK:
    case GOSSIP_REPLY: take_answer(g, source, head); break;
    case GOSSIP_NEWS: break;
    case GOSSIP_KIND_COUNT: CHECK(false);
    }
}

/* ---- What it shows of its sender ----------------------------------------------------------------
 */

/* Who shows an older incarnation than the known one has lost its counter; who shows a newer one, or
 * is no living member here, has something to say that did not arrive. */
static void compare(struct gossip *g, const struct gossip_head *head,
                    const struct gossip_address *source, size_t bytes) {
    struct gossip_node *node = gossip__find(g, head->from);
    if (!node)
        return;
    node->is_behind = head->incarnation < node->member.incarnation ||
                      (node->is_other_life && head->incarnation == node->member.incarnation);
    bool is_ahead = head->incarnation > node->member.incarnation;
    if (!is_ahead || g->now_ms < node->asked_ms + g->timing.probe_ms / 2)
        return;
    node->asked_ms = g->now_ms;
    gossip__sync(g, source, head->from, bytes);
}

/* It may be a node without its former counter: it is told of it, and believed nothing so far. */
static void answer_former_life(struct gossip *g, const struct gossip_address *source,
                               const struct gossip_head *head, size_t bytes) {
    struct gossip_node *node = gossip__find(g, head->from);
    node->is_behind = true;
    if (!is_answer(head->kind) && head->kind != GOSSIP_ASK)
        act(g, source, head, bytes);
}

enum status gossip__receive(struct gossip *g, const struct gossip_address *source,
                            struct bytes bytes) {
    struct wire_reader r = wire_reader_of(bytes);
    struct gossip_head head;
    g->counts.received++;
    g->counts.received_bytes += bytes.len;
    if (bytes.len > GOSSIP_DATAGRAM_BYTES_MAX)
        return refuse(&g->counts.malformed, STATUS_INVALID);
    enum status status = look(g, &r, &head);
    if (status != STATUS_OK)
        return status;
    struct gossip_node *node = gossip__find(g, head.from);
    bool awaited = is_awaited(g, &head);
    enum gossip_freshness freshness =
        node ? gossip__window_take(&node->window, &head, awaited) : FRESH;
    if (freshness == FORMER_LIFE)
        answer_former_life(g, source, &head, bytes.len);
    if (freshness == REPLAYED || freshness == FORMER_LIFE)
        return refuse(&g->counts.replayed, STATUS_STALE);
    if (freshness == OTHER_LIFE)
        node->is_other_life = true;
    if (is_answer(head.kind) && !awaited)
        g->counts.unasked++;
    hear_all(g, r, &head, source);
    compare(g, &head, source, bytes.len);
    act(g, source, &head, bytes.len);
    return STATUS_OK;
}
