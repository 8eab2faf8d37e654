#include "founding/world.h"

#include <stdlib.h>

static bool has_luck(struct world *w, uint64_t percent) {
    return w->has_faults && sim_random_percent(&w->random, percent);
}

static bool is_ambushed(const struct world *w, const struct founding_message *message) {
    return (w->ambushed >> (message->bytes.data[1] % 64)) & 1;
}

static void post(struct world *w, struct machine *from, const struct founding_message *message) {
    struct event event = {.kind = EVENT_MESSAGE,
                          .from = machine_identity(w, from)->id,
                          .to = message->to,
                          .len = message->bytes.len};
    event.bytes = malloc(event.len);
    CHECK(event.bytes);
    memcpy(event.bytes, message->bytes.data, event.len);
    uint64_t delay_ms = sim_random_latency(&w->random, w->latency_ms);
    if (has_luck(w, is_ambushed(w, message) ? w->ambush : w->lateness))
        delay_ms += sim_random_below(&w->random, 150 * w->retry_ms);
    events_add(w, delay_ms, event);
}

/* At the worst moment: it has said so much, and then nothing for long. */
static void strike(struct world *w, struct machine *m) {
    if (m->paused_until_ms > w->now_ms || !has_luck(w, w->ambush / 4))
        return;
    m->paused_until_ms = w->now_ms + sim_random_below(&w->random, 150 * w->retry_ms);
    LOG(w, "%s is paused after a message", m->name);
}

void network_send(struct world *w, struct machine *from, const struct founding_message *message) {
    w->message_count++;
    LOG(w, "%s to %016llx: kind %u, %016llx", from->name, (unsigned long long)message->to,
        message->bytes.data[1], (unsigned long long)message->bytes.data[10]);
    w->digest = sim_mix(w->digest, message->to ^ message->bytes.len ^ message->bytes.data[1]);
    if (is_ambushed(w, message))
        strike(w, from);
    if (has_luck(w, w->loss) || (is_ambushed(w, message) && has_luck(w, w->ambush / 2)))
        return;
    post(w, from, message);
    if (has_luck(w, w->duplication))
        post(w, from, message);
}

bool network_can_talk(const struct world *w, const struct machine *a, const struct machine *b) {
    size_t i = (size_t)(a - w->machines), j = (size_t)(b - w->machines);
    return a->f && b->f && !w->is_cut[i][j] && !w->is_cut[j][i];
}

/* An identity that is not there any more is noticed sooner or later, too. */
static void look_at(struct world *w, struct machine *m, size_t identity) {
    struct identity *other = &w->identities[identity];
    struct machine *machine = &w->machines[other->machine];
    bool is_there = machine->identity == identity && network_can_talk(w, m, machine);
    if (machine == m || has_luck(w, 30))
        return;
    struct founding_event event = {.kind = FOUNDING_EVENT_SILENT, .silent = other->id};
    if (is_there)
        event = (struct founding_event){.kind = FOUNDING_EVENT_SIGHTED,
                                        .sighted = {other->id, machine->name,
                                                    machine->disk.cluster_id}};
    else if (!m->in_sight[identity])
        return;
    m->in_sight[identity] = is_there;
    machine_step(w, m, event);
}

void network_look(struct world *w, struct machine *m) {
    for (size_t i = 0; i < w->identity_count && m->f; i++)
        look_at(w, m, i);
    if (m->f)
        events_add(w, sim_random_between(&w->random, w->retry_ms / 2, 2 * w->retry_ms),
                   (struct event){.kind = EVENT_LOOK,
                                  .machine = (size_t)(m - w->machines),
                                  .life = m->life});
}
