/* As much of Raft as founding meets. */
#include "founding/world.h"

static bool runs(const struct world *w, const struct machine *m, uint64_t cluster_id) {
    return m->f && m->paused_until_ms <= w->now_ms && !m->was_stopped &&
           m->disk.cluster_id == cluster_id && m->cluster_id == cluster_id;
}

static struct machine *member(struct world *w, const struct cluster *cluster, size_t i) {
    struct machine *m = machine_of(w, cluster->configuration.members[i].id);
    return m && runs(w, m, cluster->id) ? m : NULL;
}

/* Of the members that have started, those that `leader` can talk with, itself included. */
static size_t followers(struct world *w, const struct cluster *cluster, struct machine *leader) {
    size_t count = 0;
    for (size_t i = 0; i < cluster->configuration.count; i++) {
        struct machine *m = member(w, cluster, i);
        count += m && (m == leader || network_can_talk(w, leader, m));
    }
    return count;
}

static struct machine *leader_of(struct world *w, const struct cluster *cluster) {
    for (size_t i = 0; i < cluster->configuration.count; i++) {
        struct machine *m = member(w, cluster, i);
        if (m && 2 * followers(w, cluster, m) > cluster->configuration.count)
            return m;
    }
    return NULL;
}

/* The leader knows first; others hear of it, or not. */
static void tell_committed(struct world *w, struct machine *m) {
    m->disk.has_committed = true;
    machine_step(w, m, (struct founding_event){.kind = FOUNDING_EVENT_COMMITTED});
}

static void commit(struct world *w, struct cluster *cluster, struct machine *leader) {
    if (!cluster->has_committed)
        LOG(w, "%016llx commits", (unsigned long long)cluster->id);
    cluster->has_committed = true;
    size_t count = cluster->configuration.count;
    for (size_t i = 0; i < count; i++) {
        struct machine *m = member(w, cluster, i);
        if (m &&
            (m == leader || (network_can_talk(w, leader, m) && sim_random_percent(&w->random, 50))))
            tell_committed(w, m);
        if (!leader->f)
            return;
    }
}

static void take_in(struct world *w, const struct cluster *cluster, struct machine *leader) {
    for (size_t i = 0; i < w->machine_count; i++) {
        struct machine *m = &w->machines[i];
        if (m->f && m->joinable == cluster->id && network_can_talk(w, leader, m))
            events_add(w, sim_random_latency(&w->random, w->latency_ms),
                       (struct event){.kind = EVENT_JOIN,
                                      .machine = i,
                                      .life = m->life,
                                      .number = cluster->id});
    }
}

void raft_round(struct world *w) {
    for (size_t i = 0; i < w->cluster_count; i++) {
        struct cluster *cluster = &w->clusters[i];
        struct machine *leader = leader_of(w, cluster);
        if (!leader || sim_random_percent(&w->random, 50))
            continue;
        commit(w, cluster, leader);
        if (leader->f)
            take_in(w, cluster, leader);
    }
    events_add(w, sim_random_between(&w->random, 1, 5 * w->retry_ms),
               (struct event){.kind = EVENT_RAFT});
}
