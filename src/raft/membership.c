/* Configurations (thesis 4): one change at a time, through a joint one whenever a voter comes or
 * goes. "A server always uses the latest configuration in its log, regardless of whether the entry
 * is committed." */
#include "raft/engine.h"

void raft__configuration_take(struct raft *r, const struct raft_configuration *configuration) {
    CHECK(configuration->index > r->configuration.index);
    r->configuration_before = r->configuration;
    r->configuration = *configuration;
    r->status.is_member = raft_configuration_find(configuration, r->self) != NULL;
}

/* An older one than the last two is committed: a leader begins no change before that. */
void raft__configuration_undo(struct raft *r, raft_index from) {
    if (r->configuration.index < from)
        return;
    CHECK(r->configuration_before.index < from);
    r->configuration = r->configuration_before;
    r->status.is_member = raft_configuration_find(&r->configuration, r->self) != NULL;
}

/* ---- Peers ----------------------------------------------------------------------------------- */

static void drop_peer(struct raft *r, size_t at) {
    size_t last = --r->peer_count;
    r->peers[at] = r->peers[last];
    r->peer_questions[at] = r->peer_questions[last];
    r->told_commit_index[at] = r->told_commit_index[last];
    r->match_at_heartbeat[at] = r->match_at_heartbeat[last];
    r->loss_sought_ms[at] = r->loss_sought_ms[last];
}

static void add_peer(struct raft *r, raft_id id) {
    CHECK(r->peer_count < MEMBERS_MAX);
    size_t at = r->peer_count++;
    raft__progress_init(&r->peers[at], id, r->trail.last_index + 1);
    r->peer_questions[at] = (struct raft_question){0};
    r->told_commit_index[at] = 0;
    r->match_at_heartbeat[at] = 0;
    r->loss_sought_ms[at] = r->now_ms;
}

/* A leader's view of its peers follows the newest configuration. */
void raft__peers_sync(struct raft *r) {
    size_t at = 0;
    while (at < r->peer_count)
        if (raft_configuration_find(&r->configuration, r->peers[at].id))
            at++;
        else
            drop_peer(r, at);
    for (size_t i = 0; i < r->configuration.count; i++) {
        raft_id id = r->configuration.members[i].id;
        if (id != r->self && !raft__peer(r, id))
            add_peer(r, id);
    }
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void append_configuration(struct raft *r, struct raft_configuration *configuration) {
    size_t size = raft_configuration_encode(configuration, r->own_payload, sizeof r->own_payload);
    raft__own_append(r, RAFT_ENTRY_CONFIGURATION, size);
    configuration->index = r->trail.last_index;
    raft__configuration_take(r, configuration);
    raft__peers_sync(r);
    if (!PLANTED(lease_over_configuration))
        r->lease_floor_round = r->round; /* no lease until a round of the new members */
    raft__commit_advance(r);
}

static bool has_same_voters(const struct raft_configuration *a,
                            const struct raft_configuration *b) {
    for (size_t i = 0; i < a->count; i++)
        if (raft__is_voter(a, a->members[i].id) != raft__is_voter(b, a->members[i].id))
            return false;
    for (size_t i = 0; i < b->count; i++)
        if (raft__is_voter(a, b->members[i].id) != raft__is_voter(b, b->members[i].id))
            return false;
    return true;
}

static bool target_is_sound(const struct raft_configuration *target) {
    size_t voters = 0;
    for (size_t i = 0; i < target->count; i++) {
        const struct raft_member *member = &target->members[i];
        bool is_twice = raft_configuration_find(target, member->id) != member;
        if (member->id == 0 || is_twice || member->rights > RAFT_VOTER_NEW)
            return false;
        voters += (member->rights & RAFT_VOTER_NEW) != 0;
    }
    return voters > 0 && target->count <= MEMBERS_MAX && !target->is_joint;
}

/* Both halves in one; a member of neither is a learner of the target. */
static bool join(const struct raft_configuration *old, struct raft_configuration *joint) {
    joint->is_joint = true;
    for (size_t i = 0; i < old->count; i++) {
        const struct raft_member *was = &old->members[i];
        if (!(was->rights & RAFT_VOTER_NEW))
            continue;
        size_t at = 0;
        while (at < joint->count && joint->members[at].id != was->id)
            at++;
        if (at == MEMBERS_MAX)
            return false;
        if (at == joint->count) {
            joint->members[joint->count++] = *was;
            joint->members[at].rights = RAFT_VOTER_OLD;
        } else if (joint->members[at].rights == RAFT_LEARNER) {
            joint->members[at].rights = RAFT_VOTER_OLD | RAFT_LEARNER_NEXT;
        } else {
            joint->members[at].rights = RAFT_VOTER_BOTH;
        }
    }
    return true;
}

/* A change only after an entry of this term is committed: two leaders that each began one from an
 * uncommitted configuration could else have disjoint majorities. */
enum status raft__configure(struct raft *r, const struct raft_configuration *target) {
    if (r->status.role != RAFT_LEADER)
        return STATUS_NOT_LEADER;
    bool is_busy = !r->status.is_in_office || r->transferee != 0 || r->configuration.is_joint ||
                   r->configuration.index > r->status.commit_index;
    if (is_busy && !(PLANTED(configure_early) && !r->configuration.is_joint))
        return STATUS_BUSY;
    struct raft_configuration next = *target;
    if (!target_is_sound(target))
        return STATUS_INVALID;
    if (!has_same_voters(&r->configuration, target) && !join(&r->configuration, &next))
        return STATUS_INVALID;
    append_configuration(r, &next);
    return STATUS_OK;
}

/* "Once the joint consensus has been committed, the system then transitions to the new
 * configuration." (4.3) Voters of the old half alone are gone. */
static void append_final(struct raft *r) {
    struct raft_configuration final = {0};
    for (size_t i = 0; i < r->configuration.count; i++) {
        struct raft_member member = r->configuration.members[i];
        if (member.rights == RAFT_VOTER_OLD)
            continue;
        member.rights &= RAFT_VOTER_NEW;
        final.members[final.count++] = member;
    }
    append_configuration(r, &final);
}

/* "A leader that is removed from the configuration steps down once the Cnew entry is committed."
 * (4.2.2) */
void raft__configuration_committed(struct raft *r) {
    if (r->status.role != RAFT_LEADER || r->configuration.index > r->status.commit_index)
        return;
    if (r->configuration.is_joint)
        append_final(r);
    else if (!raft__is_voter(&r->configuration, r->self))
        raft__leave_office(r, RAFT_LEAVING_REMOVED);
}

/* ---- Transfer of leadership (thesis 3.10) ---------------------------------------------------- */

enum status raft__transfer(struct raft *r, raft_id transferee) {
    if (r->status.role != RAFT_LEADER)
        return STATUS_NOT_LEADER;
    if (transferee == r->self || !raft__is_voter(&r->configuration, transferee))
        return STATUS_INVALID;
    if (r->transferee != 0 || r->configuration.is_joint)
        return STATUS_BUSY;
    r->transferee = transferee;
    r->transfer_deadline_ms = r->now_ms + r->election_timeout_ms;
    return STATUS_OK;
}

/* "The prior leader [...] sends a TimeoutNow request" once the target holds the whole log. From
 * then on it may be deposed at any moment: no lease for the rest of this term. Said again with each
 * heartbeat. */
bool raft__timeout_now_is_due(const struct raft *r) {
    if (r->status.role != RAFT_LEADER || r->transferee == 0)
        return false;
    for (size_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == r->transferee && r->peers[i].match_index == r->trail.last_index)
            return !r->has_sent_timeout_now || r->wants_round;
    return false;
}

void raft__transfer_pursue(struct raft *r) {
    if (!raft__timeout_now_is_due(r))
        return;
    r->has_sent_timeout_now = true;
    struct raft_message m = raft__message(r, RAFT_TIMEOUT_NOW, r->transferee);
    raft__send(r, &m);
}
