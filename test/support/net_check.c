/* What must hold whatever happens (thesis figure 3.2), and the order of effects. */
#include "support/net.h"

#include "check.h"

#include <stdlib.h>

_Noreturn void net_broken(struct net *net, const char *text) {
    if (net->trace)
        (void)fflush(net->trace); /* we end anyway */
    (void)fprintf(stderr, "broken: %s (seed %lu, at %lu ms)\n", text, net->seed, net->now_ms);
    for (raft_id id = 1; id <= net->node_count; id++) {
        if (!net_node(net, id)->raft)
            continue;
        const struct raft_status *s = net_status(net, id);
        (void)fprintf(stderr, "%lu: %s, term %lu, leader %lu, commit %lu, durable %lu, log %s\n",
                      id, net_role_text(s->role), s->term, s->leader, s->commit_index,
                      s->durable_index, net_log_text(net, id));
    }
    abort();
}

static bool same(const struct net_entry *a, const struct net_entry *b) {
    return a->term == b->term && a->type == b->type && bytes_equal(a->payload, b->payload);
}

/* "If a log entry is committed in a given term, then that entry will be present in the logs of the
 * leaders for all higher-numbered terms." (3.6) */
static void check_completeness(struct net *net, struct net_node *node) {
    for (raft_index i = 1; i <= net->committed_index; i++) {
        const struct net_committed *committed = &net->committed[i];
        if (committed->by_term >= raft_status(node->raft)->term)
            continue;
        if (i > node->log.last_index || !same(&node->log.entries[i - 1], &committed->entry))
            net_broken(net, "a leader lacks what is committed");
    }
}

/* "At most one leader can be elected in a given term." (3.4) */
static void check_election(struct net *net, struct net_node *node) {
    const struct raft_status *s = raft_status(node->raft);
    if (s->role != RAFT_LEADER || (node->seen_role == RAFT_LEADER && node->seen_term == s->term))
        return;
    CHECK(s->term < NET_TERMS_MAX);
    if (net->leader_of[s->term] != 0)
        net_broken(net, "two leaders in one term");
    net->leader_of[s->term] = node->id;
    check_completeness(net, node);
}

/* "If a server has applied a log entry at a given index to its state machine, no other server will
 * ever apply a different log entry for the same index." (3.6) */
static void check_commit(struct net *net, struct net_node *node) {
    const struct raft_status *s = raft_status(node->raft);
    if (s->commit_index < node->seen_commit_index)
        net_broken(net, "the commit index went back");
    for (raft_index i = node->seen_commit_index + 1; i <= s->commit_index; i++) {
        const struct net_entry *entry = &node->log.entries[i - 1];
        if (i <= net->committed_index) {
            if (!same(entry, &net->committed[i].entry))
                net_broken(net, "what is committed has changed");
            continue;
        }
        net->committed[i] = (struct net_committed){.entry = *entry, .by_term = s->term};
        net->committed_index = i;
        if (s->term > net->committed_by)
            net->committed_by = s->term;
    }
}

void net_check_node(struct net *net, struct net_node *node) {
    const struct raft_status *s = raft_status(node->raft);
    if (s->term < node->seen_term)
        net_broken(net, "the term went back");
    check_election(net, node);
    check_commit(net, node);
    node->seen_role = s->role;
    node->seen_term = s->term;
    node->seen_commit_index = s->commit_index;
}

/* While a lease is valid nobody else has committed in a later term. */
void net_check_leases(struct net *net) {
    for (raft_id id = 1; id <= net->node_count; id++)
        if (net_node(net, id)->raft && net_has_lease(net, id) &&
            net->committed_by > net_status(net, id)->term)
            net_broken(net, "a lease outlived its term");
}

/* Votes, claims to votes and acknowledgements only once the disk has what they promise (3.8). */
void net_check_promise(struct net *net, struct net_node *node, const struct raft_message *m) {
    const struct raft_hard_state *disk = &node->disk_hard;
    if (m->kind == RAFT_VOTE && disk->term == m->term && disk->vote != node->id)
        net_broken(net, "asks for votes before its own is durable");
    if (m->kind == RAFT_VOTE && disk->term < m->term)
        net_broken(net, "asks for votes before its term is durable");
    bool is_vote = m->kind == RAFT_VOTE_ANSWER && m->vote_answer.is_granted;
    if (is_vote && (disk->term < m->term || (disk->term == m->term && disk->vote != m->to)))
        net_broken(net, "grants a vote before it is durable");
    if (m->kind != RAFT_APPEND_ANSWER || !m->append_answer.is_match)
        return;
    raft_index index = m->append_answer.index;
    if (disk->term < m->term)
        net_broken(net, "acknowledges before the term is durable");
    if (index > node->disk.last_index ||
        (index > node->disk.cut_index &&
         node->disk.entries[index - 1].term != node->log.entries[index - 1].term))
        net_broken(net, "acknowledges before the entry is durable");
}
