#include "gossip/world.h"

static bool has_luck(struct world *w, uint64_t percent) {
    return percent > 0 && sim_random_percent(&w->random, percent);
}

static void post(struct world *w, const struct mail *mail, uint64_t delay_ms) {
    if (w->mail_count == MAILS_MAX) {
        verdict_fail(&w->verdict, "too many datagrams");
        return;
    }
    struct mail *posted = &w->mails[w->mail_count++];
    memcpy(posted, mail, offsetof(struct mail, bytes) + mail->len);
    posted->at_ms = w->now_ms + delay_ms;
    posted->order = ++w->order;
}

static void keep_old(struct world *w, const struct mail *mail) {
    size_t at = w->old_count < OLD_MAX ? w->old_count++ : sim_random_below(&w->random, OLD_MAX);
    w->old[at] = *mail;
}

void network_send(struct world *w, struct node *from, const struct gossip_datagram *datagram) {
    struct mail mail = {.from = from->address, .to = datagram->to, .len = datagram->bytes.len};
    const struct node *to = node_at(w, &datagram->to);
    size_t wire_bytes = mail.len + GOSSIP_SEAL_BYTES + WRAPPING_BYTES;
    CHECK(mail.len <= sizeof mail.bytes);
    memcpy(mail.bytes, datagram->bytes.data, mail.len);
    w->mail_total++;
    w->digest = sim_mix(w->digest, mail.len ^ w->now_ms << 16 ^ datagram->to.port);
    from->sent_bytes += wire_bytes;
    if (w->replays > 0 && has_luck(w, 10))
        keep_old(w, &mail);
    if (!to || has_luck(w, w->loss))
        return;
    uint64_t median_ms = w->latency_ms[from->place][to->place];
    post(w, &mail, sim_random_latency(&w->random, median_ms));
    if (has_luck(w, w->duplication))
        post(w, &mail, sim_random_latency(&w->random, 4 * median_ms));
    struct mail forged;
    if (has_luck(w, w->forgeries) && forge_datagram(w, &forged))
        post(w, &forged, median_ms);
    if (w->old_count > 0 && has_luck(w, w->replays))
        post(w, &w->old[sim_random_below(&w->random, w->old_count)], median_ms);
}

void network_drop(struct world *w, const struct gossip_address *to) {
    size_t kept = 0;
    for (size_t i = 0; i < w->mail_count; i++)
        if (!gossip_address_equal(&w->mails[i].to, to)) {
            if (kept != i)
                w->mails[kept] = w->mails[i];
            kept++;
        }
    w->mail_count = kept;
}

static bool is_cut(struct world *w, const struct mail *mail, const struct node *to) {
    const struct node *from = node_at(w, &mail->from);
    return from && w->is_cut[from->place][to->place];
}

/* True: it is not to be kept. */
static bool deliver(struct world *w, struct mail *mail) {
    struct node *to = node_at(w, &mail->to);
    if (!to || !to->g || is_cut(w, mail, to))
        return true;
    if (node_is_paused(w, to)) {
        if (to->queued == QUEUE_MAX)
            return true;
        to->queued++;
        mail->at_ms = to->paused_until_ms;
        return false;
    }
    struct bytes bytes = bytes_of(mail->bytes, mail->len);
    to->received_bytes += mail->len + GOSSIP_SEAL_BYTES + WRAPPING_BYTES;
    node_step(w, to,
              (struct gossip_event){.kind = GOSSIP_EVENT_RECEIVE, .receive = {mail->from, bytes}});
    return true;
}

/* The first one that is due; MAILS_MAX: none. */
static size_t first_due(const struct world *w) {
    size_t first = MAILS_MAX;
    for (size_t i = 0; i < w->mail_count; i++)
        if (w->mails[i].at_ms <= w->now_ms &&
            (first == MAILS_MAX || w->mails[i].at_ms < w->mails[first].at_ms ||
             (w->mails[i].at_ms == w->mails[first].at_ms &&
              w->mails[i].order < w->mails[first].order)))
            first = i;
    return first;
}

void network_deliver(struct world *w) {
    size_t at;
    for (size_t i = 0; i < w->node_count; i++)
        if (!node_is_paused(w, &w->nodes[i]))
            w->nodes[i].queued = 0;
    while (!w->verdict.has_failed && (at = first_due(w)) < MAILS_MAX) {
        struct mail mail = w->mails[at];
        if (w->mail_count - 1 != at)
            w->mails[at] = w->mails[w->mail_count - 1];
        w->mail_count--;
        if (!deliver(w, &mail))
            post(w, &mail, mail.at_ms - w->now_ms);
    }
}

void network_release(struct world *w, const struct node *n) {
    for (size_t i = 0; i < w->mail_count; i++)
        if (gossip_address_equal(&w->mails[i].to, &n->address) &&
            w->mails[i].at_ms == n->paused_until_ms)
            w->mails[i].at_ms = w->now_ms;
}

uint64_t network_next_ms(const struct world *w) {
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < w->mail_count; i++)
        if (w->mails[i].at_ms < next_ms)
            next_ms = w->mails[i].at_ms;
    return next_ms;
}
