#include "founding/world.h"

struct cluster *check_cluster(struct world *w, uint64_t id) {
    for (size_t i = 0; i < w->cluster_count; i++)
        if (w->clusters[i].id == id)
            return &w->clusters[i];
    return NULL;
}

static struct identity *identity_of(struct world *w, raft_id id) {
    for (size_t i = 0; i < w->identity_count; i++)
        if (w->identities[i].id == id)
            return &w->identities[i];
    CHECK(false);
}

/* Members that may still take part: not wiped, and not taken out by their operator. One that is
 * lost for ever counts, since nobody can know. */
static size_t remaining(struct world *w, const struct cluster *cluster) {
    size_t count = 0;
    for (size_t i = 0; i < cluster->configuration.count; i++) {
        struct identity *identity = identity_of(w, cluster->configuration.members[i].id);
        count += !identity->is_wiped && (!identity->was_reset || identity->found == cluster->id);
    }
    return count;
}

static bool may_commit(struct world *w, const struct cluster *cluster) {
    return 2 * remaining(w, cluster) > cluster->configuration.count;
}

static void check_one_cluster(struct world *w) {
    size_t count = 0;
    for (size_t i = 0; i < w->cluster_count; i++)
        count += may_commit(w, &w->clusters[i]);
    if (count > 1)
        verdict_fail(&w->verdict, "two clusters, and each may have a majority");
}

static bool is_same(const struct raft_configuration *a, const struct raft_configuration *b) {
    uint8_t x[RAFT_CONFIGURATION_BYTES_MAX], y[RAFT_CONFIGURATION_BYTES_MAX];
    size_t len = raft_configuration_encode(a, x, sizeof x);
    return raft_configuration_encode(b, y, sizeof y) == len && memcmp(x, y, len) == 0;
}

static void check_members(struct world *w, const struct machine *m,
                          const struct founding_decision *decision) {
    const struct cluster *cluster = check_cluster(w, decision->cluster_id);
    if (!is_same(&cluster->configuration, &decision->configuration))
        verdict_fail(&w->verdict, "%s founds a cluster with other members than the others",
                     m->name);
    if (decision->configuration.count != w->expect ||
        !raft_configuration_find(&decision->configuration, machine_identity(w, m)->id))
        verdict_fail(&w->verdict, "%s founds a cluster of others", m->name);
}

/* Nobody leaves a cluster that could go on. */
static void check_leaves(struct world *w, struct machine *m, uint64_t next) {
    struct identity *identity = machine_identity(w, m);
    struct cluster *cluster = check_cluster(w, identity->found);
    if (cluster && identity->found != next && may_commit(w, cluster))
        verdict_fail(&w->verdict, "%s leaves a cluster that has a majority%s", m->name,
                     cluster->has_committed ? " and has committed" : "");
}

void check_found(struct world *w, struct machine *m, const struct founding_decision *decision) {
    if (!check_cluster(w, decision->cluster_id)) {
        CHECK(w->cluster_count < CLUSTERS_MAX);
        w->clusters[w->cluster_count++] =
            (struct cluster){.id = decision->cluster_id, .configuration = decision->configuration};
    }
    if (m->cluster_id != 0)
        verdict_fail(&w->verdict, "%s founds a cluster and belongs to one", m->name);
    check_members(w, m, decision);
    check_leaves(w, m, decision->cluster_id);
    machine_identity(w, m)->found = decision->cluster_id;
    check_one_cluster(w);
}

void check_drop(struct world *w, struct machine *m, uint64_t cluster_id) {
    if (m->cluster_id != cluster_id)
        verdict_fail(&w->verdict, "%s drops a cluster that it does not belong to", m->name);
    if (m->disk.has_committed)
        verdict_fail(&w->verdict, "%s drops a cluster that it knows to have committed", m->name);
    check_leaves(w, m, 0);
    machine_identity(w, m)->found = 0;
}

void check_join(struct world *w, struct machine *m, uint64_t cluster_id) {
    if (m->cluster_id != 0)
        verdict_fail(&w->verdict, "%s joins a cluster and belongs to one", m->name);
    check_leaves(w, m, cluster_id);
}

bool check_can_lose(struct world *w, const struct machine *m) {
    if (w->is_careless)
        return true;
    for (size_t i = 0; i < w->cluster_count; i++) {
        const struct cluster *cluster = &w->clusters[i];
        if (cluster->has_committed &&
            raft_configuration_find(&cluster->configuration, machine_identity(w, m)->id) &&
            2 * remaining(w, cluster) <= cluster->configuration.count + 2)
            return false;
    }
    return true;
}

bool check_is_settled(struct world *w) {
    uint64_t cluster_id = 0;
    for (size_t i = 0; i < w->machine_count; i++) {
        const struct machine *m = &w->machines[i];
        if (m->is_lost)
            continue;
        if (!m->f || m->disk.cluster_id == 0 ||
            (cluster_id != 0 && m->disk.cluster_id != cluster_id))
            return false;
        cluster_id = m->disk.cluster_id;
    }
    return check_cluster(w, cluster_id)->has_committed;
}
