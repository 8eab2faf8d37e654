#include "gossip/machine.h"

bool gossip__letter_begin(struct gossip *g, const struct gossip_letter *letter,
                          struct wire_writer *ret_w) {
    if (letter->to->port == 0)
        return false;
    if (g->outgoing_count == GOSSIP_DATAGRAMS_MAX) {
        g->counts.unsent++;
        return false;
    }
    struct gossip_outgoing *out = &g->outgoing[g->outgoing_count];
    struct gossip_head head = {.kind = letter->kind,
                               .label = bytes_of_text(g->label),
                               .from = g->self.member.id,
                               .incarnation = g->self.member.incarnation,
                               .to = letter->id,
                               .life = g->life,
                               .number = g->number + 1,
                               .token = letter->token,
                               .subject = letter->subject,
                               .address = *letter->to};
    size_t capacity = letter->capacity != 0 ? letter->capacity : sizeof out->bytes;
    CHECK(capacity <= sizeof out->bytes);
    *ret_w = wire_writer_of(out->bytes, capacity);
    gossip__head_encode(ret_w, &head);
    if (ret_w->has_failed)
        return false;
    out->to = *letter->to;
    return true;
}

void gossip__letter_end(struct gossip *g, struct wire_writer *w, size_t floor) {
    struct gossip_outgoing *out = &g->outgoing[g->outgoing_count++];
    CHECK(!w->has_failed && w->data == out->bytes && floor <= w->capacity);
    if (w->len < floor) {
        memset(w->data + w->len, 0, floor - w->len);
        w->len = floor;
    }
    out->len = w->len;
    g->number++;
    g->counts.sent++;
    g->counts.sent_bytes += out->len;
}

static bool is_question(enum gossip_kind kind) {
    return kind == GOSSIP_PING || kind == GOSSIP_ASK;
}

/* A question is as long as an answer with a short rumour about who asks. */
void gossip__letter_send(struct gossip *g, const struct gossip_letter *letter) {
    struct wire_writer w;
    if (!gossip__letter_begin(g, letter, &w))
        return;
    size_t floor = is_question(letter->kind) ? w.len + RUMOUR_SHORT_BYTES : 0;
    gossip__fill(g, &w, letter->id, letter->about);
    gossip__letter_end(g, &w, floor);
}
