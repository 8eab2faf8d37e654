/* What the turn publishes of itself. */
#include "server/parts.h"

#include <stdio.h>

static enum node_role role_of(const struct turn *t) {
    const struct raft_member *self =
        raft_configuration_find(raft_configuration(t->raft), t->config.identity.id);
    switch (raft_status(t->raft)->role) {
    case RAFT_FOLLOWER: return self && self->rights == RAFT_LEARNER ? NODE_LEARNER : NODE_FOLLOWER;
    case RAFT_PRE_CANDIDATE:
    case RAFT_CANDIDATE: return NODE_CANDIDATE;
    case RAFT_LEADER: return NODE_LEADER;
    }
    return NODE_FOLLOWER;
}

static void count_members(const struct turn *t, struct node_status *status) {
    const struct raft_configuration *members = raft_configuration(t->raft);
    status->voter_count = 0;
    for (size_t i = 0; i < members->count; i++)
        status->voter_count += (members->members[i].rights & RAFT_VOTER_BOTH) != 0;
    status->learner_count = (uint32_t)members->count - status->voter_count;
}

static void fill_raft(struct turn *t, struct node_status *status) {
    const struct raft_status *raft = raft_status(t->raft);
    const struct raft_member *leader =
        raft_configuration_find(raft_configuration(t->raft), raft->leader);
    status->role = role_of(t);
    status->term = raft->term;
    status->elections_total = raft->elections_total;
    status->first_index = t->first_index;
    status->last_index = raft->last_index;
    status->commit_index = raft->commit_index;
    status->leader = raft->leader;
    snprintf(status->leader_name, sizeof status->leader_name, "%s", leader ? leader->name : "");
    snprintf(status->leader_address, sizeof status->leader_address, "%s",
             raft->role == RAFT_LEADER ? t->config.address : "");
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
    bool is_new = t->published_ms == 0 || t->published_ready != t->status.is_ready;
    if (!is_new && t->now_ms < t->published_ms + PUBLISH_MS) {
        t->is_status_dirty = true;
        return;
    }
    fill_raft(t, &t->status);
    count_members(t, &t->status);
    fill_state(t, &t->status);
    t->status.disk_is_full = turn__disk_is_full(t);
    t->status.uptime_ms = t->now_ms - t->started_ms;
    t->published_ms = t->now_ms;
    t->published_ready = t->status.is_ready;
    t->is_status_dirty = false;
    t->ports->publish(t->ports->context, &t->status);
}

/* ---- For people ------------------------------------------------------------------------------ */

const struct raft_configuration *turn_configuration(const struct turn *t) {
    return raft_configuration(t->raft);
}

const struct raft_status *turn_raft(const struct turn *t) {
    return raft_status(t->raft);
}

raft_id turn_leader(const struct turn *t) {
    return raft_status(t->raft)->leader;
}

raft_index turn_last_index(const struct turn *t) {
    return raft_status(t->raft)->last_index;
}

bool turn_peer_status(const struct turn *t, raft_id id, struct raft_peer_status *ret_status) {
    return raft_status(t->raft)->role == RAFT_LEADER && raft_peer_status(t->raft, id, ret_status);
}
