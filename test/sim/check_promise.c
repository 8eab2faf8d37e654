#include "sim/sim.h"

#define FAIL(checks, node, what) \
    sim_fail((checks)->sim, "node %zu " what " before its disk holds it", (node)->number)

static const struct sim_disk *synced(const struct sim_node *node) {
    return node->disk.unsynced ? node->disk.unsynced : &node->disk;
}

static bool holds_vote(const struct sim_node *node, raft_term term, raft_id vote) {
    const struct raft_hard_state *hard = &synced(node)->hard;
    return hard->term > term || (hard->term == term && hard->vote == vote);
}

void sim_check_kept(struct sim_checks *checks, const struct sim_node *node,
                    const struct raft_hard_state *hard) {
    const struct raft_hard_state *held = &node->disk.hard;
    bool is_kept = hard->term > held->term ||
                   (hard->term == held->term && (held->vote == 0 || held->vote == hard->vote));
    if (!is_kept)
        sim_fail(checks->sim, "node %zu forgets its vote in term %llu", node->number,
                 (unsigned long long)held->term);
}

void sim_check_promise(struct sim_checks *checks, const struct sim_node *node,
                       const struct raft_message *message) {
    const struct sim_disk *disk = synced(node);
    switch (message->kind) {
    case RAFT_VOTE:
        if (!holds_vote(node, message->term, node->id))
            FAIL(checks, node, "asks for votes");
        if (message->vote.last_index > disk->last_index)
            FAIL(checks, node, "claims its log");
        return;
    case RAFT_VOTE_ANSWER:
        if (message->vote_answer.is_granted && !holds_vote(node, message->term, message->to))
            FAIL(checks, node, "votes");
        return;
    case RAFT_APPEND_ANSWER:
        if (message->append_answer.is_match && message->append_answer.index > disk->last_index)
            FAIL(checks, node, "acknowledges");
        return;
    case RAFT_PRE_VOTE:
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_APPEND:
    case RAFT_HEARTBEAT:
    case RAFT_HEARTBEAT_ANSWER:
    case RAFT_TIMEOUT_NOW:
    case RAFT_READ:
    case RAFT_READ_ANSWER: return;
    }
}
