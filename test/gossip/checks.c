#include "gossip/world.h"

#include <inttypes.h>

/* Whether `n` knows `other` as it is. */
static bool knows(const struct node *n, const struct node *other) {
    const struct gossip_member *known = gossip_find(n->g, other->id);
    const struct gossip_member *self = gossip_self(other->g);
    return known && known->state == GOSSIP_ALIVE && known->incarnation == self->incarnation &&
           gossip_address_equal(&known->address, &other->address) &&
           memcmp(&known->meta, &self->meta, sizeof self->meta) == 0;
}

/* Whether all that it takes for living are there. */
static bool has_no_ghosts(struct world *w, const struct node *n) {
    for (size_t i = 0; i < gossip_count(n->g); i++) {
        const struct gossip_member *known = gossip_at(n->g, i);
        const struct node *other = node_of(w, known->id);
        bool is_living = known->state == GOSSIP_ALIVE || known->state == GOSSIP_SUSPECT;
        if (is_living && (!other || !other->g))
            return false;
    }
    return true;
}

bool check_is_healed(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t j = 0; j < w->node_count; j++)
            if (i != j && !knows(&w->nodes[i], &w->nodes[j]))
                return false;
    return true;
}

/* Healed, no ghosts, no suspects, and nobody has doubts about itself. */
bool check_is_rested(struct world *w) {
    struct gossip_status status;
    for (size_t i = 0; i < w->node_count; i++) {
        gossip_status(w->nodes[i].g, &status);
        if (status.local_health > 0 || !has_no_ghosts(w, &w->nodes[i]))
            return false;
    }
    return check_is_healed(w);
}

bool check_is_dead_everywhere(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++) {
        struct node *n = &w->nodes[i];
        if (n->g && gossip_find(n->g, w->killed)->state != GOSSIP_DEAD)
            return false;
    }
    return true;
}

static void tell_of(struct world *w, const struct node *n, const struct node *other) {
    const struct gossip_member *known = gossip_find(n->g, other->id);
    const struct gossip_member *self = gossip_self(other->g);
    if (!known)
        LOG(w, "node-%zu does not know node-%zu", n->place, other->place);
    else
        LOG(w,
            "node-%zu knows node-%zu in state %d at port %u with incarnation %" PRIx64
            "; it is at %u with %" PRIx64,
            n->place, other->place, known->state, known->address.port, known->incarnation,
            other->address.port, self->incarnation);
}

void check_tell(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t j = 0; j < w->node_count; j++)
            if (i != j && w->nodes[i].g && w->nodes[j].g && !knows(&w->nodes[i], &w->nodes[j]))
                tell_of(w, &w->nodes[i], &w->nodes[j]);
}

/* Healthy: it ran for the last while, so that what others could hold against it is refuted. */
static bool is_healthy(const struct world *w, const struct node *n) {
    return n->g && !node_is_paused(w, n) && w->now_ms >= n->was_unwell_ms + 60 * 10 * w->tick_ms;
}

/* Nobody invents what its owner never said. */
static void check_incarnation(struct world *w, const struct node *n, uint64_t id) {
    const struct node *other = node_of(w, id);
    const struct gossip_member *known = gossip_find(n->g, id);
    if (!other || !other->g || !other->counts_starts || !known)
        return;
    if (w->forgeries == 0 && known->incarnation > gossip_self(other->g)->incarnation)
        verdict_fail(&w->verdict, "node-%zu knows more of node-%zu than that one said", n->place,
                     other->place);
}

void check_change(struct world *w, struct node *n, const struct gossip_change *change) {
    static const char *const names[] = {"joined", "updated", "suspected", "alive again",
                                        "died",   "gone",    "forgotten"};
    const struct node *other = node_of(w, change->id);
    LOG(w, "node-%zu: %llx (node-%d) %s", n->place, (unsigned long long)change->id,
        other ? (int)other->place : -1, names[change->kind]);
    w->digest = sim_mix(w->digest, change->id ^ change->kind);
    w->suspicion_count += change->kind == GOSSIP_SUSPECTED;
    check_incarnation(w, n, change->id);
    bool is_end = change->kind == GOSSIP_DIED || change->kind == GOSSIP_GONE;
    if (is_end && w->must_live && change->id != w->killed && other && is_healthy(w, other))
        verdict_fail(&w->verdict, "node-%zu calls node-%zu dead, which is alive and well", n->place,
                     other->place);
}

void check_knowledge(struct world *w, struct node *n) {
    for (size_t i = 0; i < w->node_count; i++) {
        const struct gossip_member *known = gossip_find(n->g, w->nodes[i].id);
        bool was_known = known && n->seen[i].id == known->id;
        if (was_known && known->incarnation < n->seen[i].incarnation)
            verdict_fail(&w->verdict, "node-%zu goes back to what node-%zu said before", n->place,
                         i);
        n->seen[i].id = known ? known->id : 0;
        n->seen[i].incarnation = known ? known->incarnation : 0;
    }
}

void check_suspicions(struct world *w, uint64_t hours) {
    if (w->forgeries == 0 && w->suspicion_count > hours * SUSPICIONS_MAX)
        verdict_fail(&w->verdict, "%zu suspicions in %llu hours", w->suspicion_count,
                     (unsigned long long)hours);
}

void check_cost(struct world *w, uint64_t span_ms) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->node_count; i++) {
        bytes = w->nodes[i].sent_bytes > bytes ? w->nodes[i].sent_bytes : bytes;
        bytes = w->nodes[i].received_bytes > bytes ? w->nodes[i].received_bytes : bytes;
    }
    w->bytes_per_s = (double)bytes * 1e3 / (double)span_ms;
    if (w->bytes_per_s >= 2048)
        verdict_fail(&w->verdict, "a node sends or takes %.0f bytes/s", w->bytes_per_s);
}
