#include "gossip/machine.h"

/* ---- Local health: Lifeguard's LHM (IV-A) --------------------------------------------------- */

void gossip__worsen(struct gossip *g, unsigned by) {
    g->health = g->health + by < HEALTH_MAX ? g->health + by : HEALTH_MAX;
}

void gossip__improve(struct gossip *g) {
    if (g->health > 0)
        g->health--;
}

/* ---- How long a suspicion waits -------------------------------------------------------------- */

/* Who may share a suspicion at all: those who are alive and not suspects themselves. */
static size_t sharers(const struct gossip *g) {
    size_t alive = 0;
    for (size_t i = 0; i < g->count; i++)
        alive += g->nodes[i].member.state == GOSSIP_ALIVE;
    return alive < ACCUSERS_MAX - 1 ? alive : ACCUSERS_MAX - 1;
}

/* max - (max - min) log(C + 1) / log(K + 1), not below min (Lifeguard IV-B), with max = 6 min: C is
 * how many share the suspicion with the first who had it, K how many are enough. */
static uint64_t wait_ms(const struct gossip *g, const struct gossip_node *node, size_t enough) {
    static const uint64_t log_thousandths[ACCUSERS_MAX][ACCUSERS_MAX] = {
        {1000, 1000, 1000, 1000},
        {0, 1000, 1000, 1000},
        {0, 631, 1000, 1000},
        {0, 500, 792, 1000},
    };
    if (node->is_leaving)
        return 2 * g->timing.probe_ms;
    uint64_t min_ms = gossip__suspect_ms(&g->timing, gossip__living(g) + 1);
    size_t shared = node->accuser_count > 0 ? node->accuser_count - 1 : 0;
    if (node->is_confirmed)
        return min_ms;
    return 6 * min_ms - 5 * min_ms * log_thousandths[enough][shared] / 1000;
}

static uint64_t limit_ms(const struct gossip *g, const struct gossip_node *node, size_t enough) {
    return node->member.since_ms + wait_ms(g, node, enough);
}

/* ---- Into suspicion ------------------------------------------------------------------------ */

static void suspect(struct gossip *g, struct gossip_node *node) {
    if (node->member.state == GOSSIP_SUSPECT)
        return;
    CHECK(node->member.state == GOSSIP_ALIVE);
    node->member.state = GOSSIP_SUSPECT;
    node->member.since_ms = g->now_ms;
    node->accuser_count = 0;
    node->is_confirmed = node->is_leaving = false;
    node->sent = 0;
    g->counts.suspicions++;
    gossip__tell(g, GOSSIP_SUSPECTED, node->member.id);
}

static bool has_accused(const struct gossip_node *node, uint64_t accuser) {
    for (size_t i = 0; i < node->accuser_count; i++)
        if (node->accusers[i] == accuser)
            return true;
    return false;
}

/* Each one who shares it is news: "the first K independent suspicions are re-gossiped". */
void gossip__accuse(struct gossip *g, struct gossip_node *node, uint64_t accuser) {
    if (!gossip__is_living(node))
        return;
    suspect(g, node);
    if (node->accuser_count == ACCUSERS_MAX || has_accused(node, accuser))
        return;
    node->accusers[node->accuser_count++] = accuser;
    node->sent = 0;
}

/* Somebody has waited for it long enough; here, it still has its time to refute. */
void gossip__confirm(struct gossip *g, struct gossip_node *node) {
    if (!gossip__is_living(node))
        return;
    suspect(g, node);
    if (!node->is_confirmed)
        node->sent = 0;
    node->is_confirmed = true;
    if (PLANTED(believe_the_dead_call))
        node->member.since_ms = 0;
}

void gossip__begin_leaving(struct gossip *g, struct gossip_node *node) {
    suspect(g, node);
    node->is_leaving = true;
    node->member.since_ms = g->now_ms;
    node->sent = 0;
}

/* ---- Out of it ----------------------------------------------------------------------------- */

static void die(struct gossip *g, struct gossip_node *node) {
    node->member.state = node->is_leaving ? GOSSIP_LEFT : GOSSIP_DEAD;
    node->member.since_ms = g->now_ms;
    node->sent = 0;
    node->retry_ms = g->now_ms + gossip__jitter(g, RETRY_ALONE_MS_MAX);
    node->token = 0;
    g->counts.deaths += !node->is_leaving;
    gossip__tell(g, node->is_leaving ? GOSSIP_GONE : GOSSIP_DIED, node->member.id);
}

void gossip__age(struct gossip *g) {
    size_t enough = sharers(g);
    for (size_t i = g->count; i-- > 0;) {
        struct gossip_node *node = &g->nodes[i];
        if (node->member.state == GOSSIP_SUSPECT && g->now_ms >= limit_ms(g, node, enough))
            die(g, node);
        else if (!gossip__is_living(node) &&
                 g->now_ms >= node->member.since_ms + g->timing.forget_ms)
            gossip__drop(g, node);
    }
}

uint64_t gossip__age_deadline_ms(const struct gossip *g) {
    size_t enough = sharers(g);
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < g->count; i++) {
        const struct gossip_node *node = &g->nodes[i];
        uint64_t at_ms = UINT64_MAX;
        if (node->member.state == GOSSIP_SUSPECT)
            at_ms = limit_ms(g, node, enough);
        else if (!gossip__is_living(node))
            at_ms = node->member.since_ms + g->timing.forget_ms;
        deadline_ms = at_ms < deadline_ms ? at_ms : deadline_ms;
    }
    return deadline_ms;
}

/* Whoever answered meanwhile could not be heard. */
void gossip__excuse(struct gossip *g, uint64_t lost_ms) {
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i].member.state == GOSSIP_SUSPECT)
            g->nodes[i].member.since_ms += lost_ms;
    if (g->probe.phase != PROBE_NONE)
        g->probe_ms = g->now_ms;
    g->probe.phase = PROBE_NONE;
    gossip__worsen(g, 1);
}
