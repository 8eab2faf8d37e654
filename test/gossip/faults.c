#include "gossip/world.h"

static uint64_t below(struct world *w, uint64_t bound) {
    return sim_random_below(&w->faults, bound);
}

static struct node *anybody(struct world *w) {
    return &w->nodes[below(w, w->node_count)];
}

static void unify(struct world *w) {
    memset(w->is_cut, 0, sizeof w->is_cut);
}

/* Two sides; and at times only one of them cannot reach the other. */
static void split(struct world *w) {
    bool side[NODES_MAX], is_one_way = below(w, 3) == 0;
    unify(w);
    for (size_t i = 0; i < w->node_count; i++)
        side[i] = below(w, 2);
    for (size_t i = 0; i < w->node_count; i++)
        for (size_t j = 0; j < w->node_count; j++)
            w->is_cut[i][j] = side[i] != side[j] && (!is_one_way || side[i]);
    LOG(w, "a split%s", is_one_way ? ", one way" : "");
}

static void cut_links(struct world *w) {
    for (size_t i = 0; i < w->node_count; i++)
        w->is_cut[below(w, w->node_count)][below(w, w->node_count)] = true;
    LOG(w, "some links are cut");
}

static void all_look_up(struct world *w) {
    for (size_t i = 0; w->has_dns && i < w->node_count; i++)
        if (w->nodes[i].g && !node_is_paused(w, &w->nodes[i]))
            node_look_up(w, &w->nodes[i]);
}

/* Down, or up again: in its old place or in another one, with its old directory or a new one. */
static void turn_over(struct world *w, struct node *n) {
    if (n->g) {
        node_stop(w, n);
        return;
    }
    if (below(w, 3) == 0)
        node_move(w, n);
    if (below(w, 6) == 0)
        node_wipe(w, n);
    node_start(w, n);
    all_look_up(w);
}

static void pause(struct world *w, struct node *n) {
    if (!n->g || node_is_paused(w, n))
        return;
    n->paused_until_ms = w->now_ms + below(w, 60 * w->tick_ms * 10);
    LOG(w, "node-%zu is paused until %llu", n->place, (unsigned long long)n->paused_until_ms);
}

static void storm(struct world *w) {
    struct node *n = anybody(w);
    switch (below(w, w->has_restarts ? 10 : 6)) {
    case 0:
    case 1: split(w); break;
    case 2: cut_links(w); break;
    case 3: unify(w); break;
    case 4:
    case 5: pause(w, n); break;
    case 6:
        if (n->g && !node_is_paused(w, n))
            node_leave(w, n);
        break;
    default: turn_over(w, n); break;
    }
}

void faults_next(struct world *w) {
    w->fault_count++;
    if (w->is_calm)
        pause(w, anybody(w));
    else
        storm(w);
    w->next_fault_ms = w->now_ms + w->pace_ms / 2 + below(w, w->pace_ms);
}

/* Everybody is up again and can talk; who was leaving has left, and starts anew. */
void faults_end(struct world *w) {
    struct gossip_status status;
    w->has_faults = false;
    unify(w);
    w->loss = w->loss > 2 ? 2 : w->loss;
    for (size_t i = 0; i < w->node_count; i++) {
        struct node *n = &w->nodes[i];
        network_release(w, n);
        n->paused_until_ms = 0;
        if (n->g)
            gossip_status(n->g, &status);
        if (n->g && status.is_leaving)
            node_stop(w, n);
        if (!n->g)
            node_start(w, n);
    }
    all_look_up(w);
    LOG(w, "the faults are over");
}
