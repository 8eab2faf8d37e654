/* What the turn publishes of itself. */
#include "server/parts.h"

#include <stdio.h>

static enum node_role role_of(const struct raft_status *raft) {
    switch (raft->role) {
    case RAFT_FOLLOWER:
        return NODE_FOLLOWER;
    case RAFT_CANDIDATE:
        return NODE_CANDIDATE;
    case RAFT_LEADER:
        return NODE_LEADER;
    }
    return NODE_FOLLOWER;
}

static void fill_raft(struct turn *t, struct node_status *status) {
    const struct raft_status *raft = raft_status(t->raft);
    bool is_leader = raft->role == RAFT_LEADER;
    status->role = role_of(raft);
    status->term = raft->term;
    status->elections_total = raft->elections_total;
    status->first_index = t->first_index;
    status->last_index = raft->last_index;
    status->commit_index = raft->commit_index;
    /* A sole voter knows no other leader. */
    snprintf(status->leader_name, sizeof status->leader_name, "%s",
             is_leader ? t->config.identity.name : "");
    snprintf(status->leader_address, sizeof status->leader_address, "%s",
             is_leader ? t->config.address : "");
}

static void fill_state(struct turn *t, struct node_status *status) {
    const struct kv_meta *meta = kv_machine_meta(t->machine);
    status->applied_index = meta->applied_index;
    status->flushed_index = t->flushed_index;
    status->revision = meta->revision;
    status->key_count = meta->key_count;
    status->key_value_bytes = meta->key_value_bytes;
    status->state_hash = meta->hash;
    status->session_count = meta->session_count;
    status->damaged_records = kv_machine_damaged(t->machine);
}

void turn__publish(struct turn *t) {
    bool was_ready = t->status.is_ready;
    t->status.is_ready = t->is_in_office;
    bool is_new = t->published_ms == 0 || was_ready != t->status.is_ready;
    if (!is_new && t->now_ms < t->published_ms + PUBLISH_MS) {
        t->is_status_dirty = true;
        return;
    }
    fill_raft(t, &t->status);
    fill_state(t, &t->status);
    t->status.disk_is_full = turn__disk_is_full(t);
    t->status.uptime_ms = t->now_ms - t->started_ms;
    t->published_ms = t->now_ms;
    t->is_status_dirty = false;
    t->ports->publish(t->ports->context, &t->status);
}
