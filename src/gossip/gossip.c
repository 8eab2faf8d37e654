#include "gossip/machine.h"

#include "deadline.h"
#include "mix.h"

#include <stdlib.h>

/* ---- Pauses -------------------------------------------------------------------------------- */

/* A node that did not run when it should have knows nothing about that time. */
static void note_pause(struct gossip *g) {
    if (g->now_ms > g->due_ms && g->now_ms - g->due_ms > g->timing.ack_ms)
        gossip__excuse(g, g->now_ms - g->due_ms);
}

static void note_due(struct gossip *g) {
    uint64_t deadline_ms = gossip_deadline_ms(g);
    g->due_ms = deadline_ms > g->now_ms ? deadline_ms : g->now_ms;
}

/* ---- Making one ------------------------------------------------------------------------------ */

static bool config_is_sound(const struct gossip_config *config) {
    return config->self != 0 && gossip__text_is_sound(config->label, NAME_BYTES_MAX) &&
           gossip__meta_is_sound(&config->meta) &&
           config->incarnation <= GOSSIP_INCARNATION_START_MAX && config->tick_ms >= 10 &&
           config->tick_ms <= 10000;
}

/* Zero behind each text, so that two can be compared as they lie. */
static struct gossip_meta copy_of(const struct gossip_meta *meta) {
    struct gossip_meta copy;
    memset(&copy, 0, sizeof copy);
    copy.cluster_id = meta->cluster_id;
    copy.program = meta->program;
    memcpy(copy.name, meta->name, strlen(meta->name));
    memcpy(copy.raft_address, meta->raft_address, strlen(meta->raft_address));
    memcpy(copy.http_address, meta->http_address, strlen(meta->http_address));
    memcpy(copy.region, meta->region, strlen(meta->region));
    return copy;
}

/* Two lives hardly ever start alike, though the directory may not count them. */
static void begin_life(struct gossip *g, const struct gossip_config *config) {
    uint64_t state = config->seed ^ mix_bits(config->self);
    g->life = (uint32_t)mix_next(&state);
    g->self.member.incarnation = config->incarnation + 1 + mix_next(&state) % 0x10000;
    g->random = mix_next(&state);
}

static void start_timers(struct gossip *g) {
    g->probe_ms = g->now_ms + gossip__random(g) % (g->timing.probe_ms + 1);
    g->spread_ms = g->now_ms;
    g->sync_ms = g->now_ms + gossip__jitter(g, g->timing.sync_ms);
}

enum status gossip_new(const struct gossip_config *config, struct gossip **ret_g) {
    if (!config_is_sound(config))
        return STATUS_INVALID;
    struct gossip *g = calloc(1, sizeof *g);
    if (!g)
        return STATUS_NO_MEMORY;
    memcpy(g->label, config->label, strlen(config->label));
    g->timing = gossip_timing_of(config->tick_ms);
    g->now_ms = config->now_ms;
    g->self.member = (struct gossip_member){.id = config->self,
                                            .since_ms = config->now_ms,
                                            .address = config->address,
                                            .meta = copy_of(&config->meta)};
    begin_life(g, config);
    start_timers(g);
    note_due(g);
    *ret_g = g;
    return STATUS_OK;
}

void gossip_free(struct gossip *g) {
    free(g);
}

/* ---- Events in ------------------------------------------------------------------------------- */

static void fire(struct gossip *g) {
    gossip__age(g);
    if (!g->is_leaving)
        gossip__probe(g);
    gossip__spread(g);
    gossip__sync_sometimes(g);
    gossip__search(g);
}

static enum status take_meta(struct gossip *g, const struct gossip_meta *meta,
                             const struct gossip_address *address) {
    struct gossip_member *self = &g->self.member;
    if (!gossip__meta_is_sound(meta))
        return STATUS_INVALID;
    struct gossip_meta copy = copy_of(meta);
    if (memcmp(&copy, &self->meta, sizeof copy) == 0 &&
        gossip_address_equal(address, &self->address))
        return STATUS_OK;
    self->meta = copy;
    self->address = *address;
    if (!g->is_leaving)
        gossip__raise(g);
    return STATUS_OK;
}

/* Those of the former label are none of this node's business any more. */
static enum status take_label(struct gossip *g, const char *label) {
    if (!gossip__text_is_sound(label, sizeof g->label))
        return STATUS_INVALID;
    if (strcmp(label, g->label) == 0)
        return STATUS_OK;
    memset(g->label, 0, sizeof g->label);
    memcpy(g->label, label, strlen(label));
    while (g->count > 0)
        gossip__drop(g, &g->nodes[g->count - 1]);
    g->probe.phase = PROBE_NONE;
    g->outgoing_count = 0;
    memset(g->relays, 0, sizeof g->relays);
    memset(g->syncs, 0, sizeof g->syncs);
    gossip__seeds_restart(g);
    gossip__raise(g);
    return STATUS_OK;
}

static enum status dispatch(struct gossip *g, const struct gossip_event *event) {
    switch (event->kind) {
    case GOSSIP_EVENT_TIMEOUT: fire(g); break;
    case GOSSIP_EVENT_RECEIVE:
        return gossip__receive(g, &event->receive.from, event->receive.bytes);
    case GOSSIP_EVENT_SEEDS: gossip__seeds_take(g, event->seeds.list, event->seeds.count); break;
    case GOSSIP_EVENT_META: return take_meta(g, event->meta.meta, &event->meta.address);
    case GOSSIP_EVENT_LABEL: return take_label(g, event->label);
    case GOSSIP_EVENT_LEAVE: gossip__leave(g); break;
    }
    return STATUS_OK;
}

static void check(const struct gossip *g) {
    CHECK(g->self.member.incarnation <= INCARNATION_MAX);
    CHECK(g->count <= GOSSIP_MEMBERS_MAX && g->order_at <= g->count);
    CHECK(g->outgoing_count <= GOSSIP_DATAGRAMS_MAX && g->health <= HEALTH_MAX);
    CHECK((g->self.member.state == GOSSIP_LEFT) == g->is_leaving);
}

enum status gossip_step(struct gossip *g, const struct gossip_event *event) {
    if (GOSSIP_CHANGES_MAX - g->change_count < 2 * GOSSIP_MEMBERS_MAX)
        return STATUS_OVERLOAD;
    if (g->has_left)
        return STATUS_OK;
    if (event->now_ms > g->now_ms)
        g->now_ms = event->now_ms;
    note_pause(g);
    enum status status = dispatch(g, event);
    note_due(g);
    check(g);
    return status;
}

/* ---- Ready out ------------------------------------------------------------------------------- */

void gossip_ready(struct gossip *g, struct gossip_ready *ret_ready) {
    for (size_t i = 0; i < g->outgoing_count; i++)
        g->datagrams[i] =
            (struct gossip_datagram){.to = g->outgoing[i].to,
                                     .bytes = bytes_of(g->outgoing[i].bytes, g->outgoing[i].len)};
    *ret_ready = (struct gossip_ready){.datagrams = g->datagrams,
                                       .datagram_count = g->outgoing_count,
                                       .changes = g->changes,
                                       .change_count = g->change_count};
}

void gossip_advance(struct gossip *g) {
    g->outgoing_count = 0;
    g->change_count = 0;
}

uint64_t gossip_deadline_ms(const struct gossip *g) {
    if (g->has_left)
        return UINT64_MAX;
    uint64_t deadline_ms = earliest(gossip__age_deadline_ms(g), gossip__spread_deadline_ms(g));
    deadline_ms = earliest(deadline_ms, g->sync_ms);
    if (!g->is_leaving)
        deadline_ms = earliest(deadline_ms, gossip__probe_deadline_ms(g));
    return earliest(deadline_ms, gossip__search_deadline_ms(g));
}

/* ---- What is known --------------------------------------------------------------------------- */

void gossip_status(const struct gossip *g, struct gossip_status *ret_status) {
    *ret_status = (struct gossip_status){.counts = g->counts,
                                         .alive = gossip__living(g),
                                         .local_health = g->health,
                                         .has_observed = g->has_observed,
                                         .observed = g->observed,
                                         .is_leaving = g->is_leaving,
                                         .has_left = g->has_left};
}

size_t gossip_count(const struct gossip *g) {
    return g->count;
}

const struct gossip_member *gossip_at(const struct gossip *g, size_t at) {
    CHECK(at < g->count);
    return &g->nodes[at].member;
}

const struct gossip_member *gossip_find(const struct gossip *g, uint64_t id) {
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.id == id)
            return &g->nodes[i].member;
    return NULL;
}

const struct gossip_member *gossip_self(const struct gossip *g) {
    return &g->self.member;
}
