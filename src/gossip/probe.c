#include "gossip/machine.h"

/* ---- This node's own probe (SWIM 3.1) ----------------------------------------------------------
 */

/* "LHA-Probe": a node that is slow itself asks less often, and waits longer (Lifeguard IV-A). */
static uint64_t at_health(const struct gossip *g, uint64_t span_ms) {
    return span_ms * (g->health + 1);
}

static void send(struct gossip *g, enum gossip_kind kind, const struct gossip_node *to,
                 uint64_t token, uint64_t subject) {
    gossip__letter_send(g, &(struct gossip_letter){.kind = kind,
                                                   .to = &to->member.address,
                                                   .id = to->member.id,
                                                   .token = token,
                                                   .subject = subject});
}

static void begin(struct gossip *g) {
    struct gossip_probe *probe = &g->probe;
    struct gossip_node *node = gossip__next(g);
    g->probe_ms = g->now_ms + at_health(g, g->timing.probe_ms);
    if (!node)
        return;
    *probe = (struct gossip_probe){.phase = PROBE_DIRECT,
                                   .id = node->member.id,
                                   .token = gossip__token(g),
                                   .ask_ms = g->now_ms + at_health(g, g->timing.ack_ms),
                                   .end_ms = g->probe_ms};
    g->counts.probes++;
    send(g, GOSSIP_PING, node, probe->token, 0);
}

/* Others are asked, and it itself once more: one lost datagram shall not look like silence. */
static void ask_others(struct gossip *g) {
    struct gossip_probe *probe = &g->probe;
    struct gossip_node *helpers[HELPERS], *node = gossip__find(g, probe->id);
    probe->phase = PROBE_INDIRECT;
    if (!node)
        return;
    size_t count = PLANTED(no_helpers) ? 0 : gossip__pick(g, probe->id, HELPERS, helpers);
    for (size_t i = 0; i < count; i++)
        send(g, GOSSIP_ASK, helpers[i], probe->token, probe->id);
    probe->nacks_missing = (unsigned)count;
    send(g, GOSSIP_PING, node, probe->token, 0);
}

/* Helpers that did not even say that they had no answer: then it is this node who is cut off. */
static void fail(struct gossip *g) {
    struct gossip_node *node = gossip__find(g, g->probe.id);
    g->probe.phase = PROBE_NONE;
    g->counts.probes_failed++;
    gossip__worsen(g, g->probe.nacks_missing);
    if (node)
        gossip__accuse(g, node, g->self.member.id);
}

/* ---- Of others ---------------------------------------------------------------------------------
 */

static struct gossip_relay *free_relay(struct gossip *g) {
    for (size_t i = 0; i < RELAYS_MAX; i++)
        if (g->relays[i].end_ms == 0)
            return &g->relays[i];
    return NULL;
}

/* Only for a member about a member, at the addresses that this node knows: nobody can aim it. */
void gossip__recv_ask(struct gossip *g, const struct gossip_head *head) {
    const struct gossip_node *asker = gossip__find(g, head->from);
    const struct gossip_node *subject = gossip__find(g, head->subject);
    struct gossip_relay *relay = free_relay(g);
    if (!asker || !subject || !relay || subject->member.state == GOSSIP_LEFT)
        return;
    *relay = (struct gossip_relay){.end_ms = g->now_ms + g->timing.probe_ms,
                                   .nack_ms = g->now_ms + g->timing.ack_ms * 4 / 5,
                                   .asker = head->from,
                                   .asker_token = head->token,
                                   .subject = head->subject,
                                   .token = gossip__token(g)};
    send(g, GOSSIP_PING, subject, relay->token, 0);
}

/* With what is known of the subject: perhaps it is only not where the asker seeks it. */
static void tell_asker(struct gossip *g, const struct gossip_relay *relay, enum gossip_kind kind) {
    const struct gossip_node *asker = gossip__find(g, relay->asker);
    if (asker)
        gossip__letter_send(g, &(struct gossip_letter){.kind = kind,
                                                       .to = &asker->member.address,
                                                       .id = asker->member.id,
                                                       .token = relay->asker_token,
                                                       .subject = relay->subject,
                                                       .about = relay->subject});
}

static void age_relays(struct gossip *g) {
    for (size_t i = 0; i < RELAYS_MAX; i++) {
        struct gossip_relay *relay = &g->relays[i];
        if (relay->end_ms == 0)
            continue;
        if (g->now_ms >= relay->nack_ms) {
            relay->nack_ms = UINT64_MAX;
            tell_asker(g, relay, GOSSIP_NACK);
        }
        if (g->now_ms >= relay->end_ms)
            relay->end_ms = 0;
    }
}

/* ---- Time
 * ---------------------------------------------------------------------------------------- */

void gossip__probe(struct gossip *g) {
    struct gossip_probe *probe = &g->probe;
    if (probe->phase != PROBE_NONE && g->now_ms >= probe->end_ms)
        fail(g);
    else if (probe->phase == PROBE_DIRECT && g->now_ms >= probe->ask_ms)
        ask_others(g);
    if (g->now_ms >= g->probe_ms)
        begin(g);
    age_relays(g);
}

uint64_t gossip__probe_deadline_ms(const struct gossip *g) {
    uint64_t deadline_ms = g->probe_ms;
    if (g->probe.phase == PROBE_DIRECT && g->probe.ask_ms < deadline_ms)
        deadline_ms = g->probe.ask_ms;
    for (size_t i = 0; i < RELAYS_MAX; i++) {
        const struct gossip_relay *relay = &g->relays[i];
        uint64_t at_ms = relay->nack_ms < relay->end_ms ? relay->nack_ms : relay->end_ms;
        if (relay->end_ms != 0 && at_ms < deadline_ms)
            deadline_ms = at_ms;
    }
    return deadline_ms;
}

/* ---- Answers
 * ------------------------------------------------------------------------------------- */

static bool is_mine(const struct gossip *g, const struct gossip_head *head) {
    return g->probe.phase != PROBE_NONE && g->probe.token == head->token &&
           g->probe.id == head->subject;
}

static bool is_for(const struct gossip_relay *relay, const struct gossip_head *head) {
    return relay->end_ms != 0 && relay->token == head->token && relay->subject == head->subject;
}

bool gossip__probe_awaits(const struct gossip *g, const struct gossip_head *head) {
    bool is_awaited = is_mine(g, head);
    for (size_t i = 0; i < RELAYS_MAX; i++)
        is_awaited |= is_for(&g->relays[i], head);
    return is_awaited;
}

static void note_answer(struct gossip *g, const struct gossip_head *head) {
    if (head->kind == GOSSIP_NACK) {
        g->probe.nacks_missing -= g->probe.nacks_missing > 0;
        return;
    }
    g->probe.phase = PROBE_NONE;
    gossip__improve(g);
}

void gossip__probe_answered(struct gossip *g, const struct gossip_head *head) {
    if (is_mine(g, head))
        note_answer(g, head);
    for (size_t i = 0; i < RELAYS_MAX; i++)
        if (is_for(&g->relays[i], head) && head->kind == GOSSIP_ACK) {
            tell_asker(g, &g->relays[i], GOSSIP_ACK);
            g->relays[i].end_ms = 0;
        }
}
