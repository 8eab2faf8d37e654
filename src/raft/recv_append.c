#include "raft/engine.h"

/* A message of the current term's leader: there is none but this one (thesis 3.4, election
 * safety). */
void raft__follow(struct raft *r, raft_id leader) {
    CHECK(r->status.role != RAFT_LEADER);
    if (r->status.role != RAFT_FOLLOWER)
        raft__become_follower(r, r->hard.term, leader);
    CHECK(r->status.leader == 0 || r->status.leader == leader);
    r->status.leader = leader;
    r->sticky_until_ms = r->now_ms + r->election_timeout_ms;
    raft__election_timer_reset(r);
}

/* Tell the leader how far this log is durable and equal to its own. Not before the term is durable
 * too: back in an older one, this node could let that term's leader overwrite what it vouched for.
 */
void raft__ack(struct raft *r, bool is_forced) {
    r->owes_ack = r->owes_ack || is_forced;
    raft_index durable = PLANTED(ack_before_sync) ? r->trail.last_index : r->status.durable_index;
    raft_index index = r->matched_index < durable ? r->matched_index : durable;
    if (r->status.role != RAFT_FOLLOWER || r->status.leader == 0 ||
        r->durable_term < r->hard.term || (index <= r->acked_index && !r->owes_ack))
        return;
    r->owes_ack = false;
    struct raft_message answer = raft__message(r, RAFT_APPEND_ANSWER, r->status.leader);
    answer.append_answer.is_match = true;
    answer.append_answer.index = index;
    r->acked_index = index > r->acked_index ? index : r->acked_index;
    raft__send(r, &answer);
}

/* "When rejecting an AppendEntries request, the follower can include the term of the conflicting
 * entry and the first index it stores for that term." (3.5) We say the last index that could fit.
 */
static void refuse(struct raft *r, const struct raft_message *m) {
    struct raft_message answer = raft__message(r, RAFT_APPEND_ANSWER, m->from);
    raft_index hint = raft__trail_find_term(&r->trail, m->append.prev_index, m->append.prev_term);
    answer.append_answer.index = m->append.prev_index;
    answer.append_answer.hint_index = hint;
    answer.append_answer.hint_term = raft__trail_term(&r->trail, hint);
    raft__send(r, &answer);
}

/* "The follower [...] refuses the new entries" when its log lacks an entry with the same index and
 * term (3.5). What is committed is equal without looking. */
static bool fits(const struct raft *r, const struct raft_message *m) {
    if (m->append.prev_index <= r->status.commit_index)
        return true;
    return m->append.prev_index <= r->trail.last_index &&
           raft__trail_term(&r->trail, m->append.prev_index) == m->append.prev_term;
}

static bool entry_is_well_formed(const struct raft_entry *entry) {
    struct raft_configuration configuration;
    if (entry->payload.len > ENTRY_BYTES_MAX)
        return false;
    return entry->type != RAFT_ENTRY_CONFIGURATION ||
           raft_configuration_decode(entry->payload, &configuration) == STATUS_OK;
}

static bool is_well_formed(const struct raft_message *m) {
    raft_term term = m->append.prev_term;
    for (size_t i = 0; i < m->append.count; i++) {
        const struct raft_entry *entry = &m->append.entries[i];
        if (entry->index != m->append.prev_index + 1 + i || entry->term < term ||
            entry->term > m->term || !entry_is_well_formed(entry))
            return false;
        term = entry->term;
    }
    return true;
}

/* How many of the entries are held already. */
static size_t held(const struct raft *r, const struct raft_message *m) {
    size_t count = 0;
    while (count < m->append.count) {
        const struct raft_entry *entry = &m->append.entries[count];
        bool is_committed = entry->index <= r->status.commit_index;
        bool is_equal = entry->index <= r->trail.last_index &&
                        raft__trail_term(&r->trail, entry->index) == entry->term;
        if (PLANTED(no_truncation))
            is_equal = entry->index <= r->trail.last_index;
        if (!is_committed && !is_equal)
            break;
        count++;
    }
    return count;
}

static void take_configuration(struct raft *r, const struct raft_entry *entry) {
    struct raft_configuration configuration;
    CHECK(raft_configuration_decode(entry->payload, &configuration) == STATUS_OK);
    configuration.index = entry->index;
    raft__configuration_take(r, &configuration);
}

/* "If an existing entry conflicts with a new one (same index but different terms), delete the
 * existing entry and all that follow it." (figure 3.1) */
static enum status take_entries(struct raft *r, const struct raft_message *m, size_t skip) {
    if (skip < m->append.count && m->append.entries[skip].index <= r->trail.last_index) {
        CHECK(m->append.entries[skip].index > r->status.commit_index);
        r->accepted.truncate_from = m->append.entries[skip].index;
        raft__entries_truncate(r, r->accepted.truncate_from);
    }
    r->accepted.skip = skip;
    for (size_t i = skip; i < m->append.count; i++) {
        const struct raft_entry *entry = &m->append.entries[i];
        if (!raft__entry_append(r, entry->term, entry->payload.len))
            return STATUS_OVERLOAD;
        r->accepted.count++;
        if (entry->type == RAFT_ENTRY_CONFIGURATION)
            take_configuration(r, entry);
    }
    return STATUS_OK;
}

enum status raft__recv_append(struct raft *r, const struct raft_message *m) {
    if (r->status.role == RAFT_LEADER || !is_well_formed(m))
        return STATUS_INVALID;
    raft__follow(r, m->from);
    if (!fits(r, m)) {
        refuse(r, m);
        return STATUS_OK;
    }
    size_t skip = held(r, m);
    enum status status = take_entries(r, m, skip);
    raft_index matched = m->append.prev_index + skip + r->accepted.count;
    if (matched > r->trail.last_index) /* a prefix that was cut or is committed */
        matched = r->trail.last_index;
    if (matched > r->matched_index)
        r->matched_index = matched;
    raft_index committed = m->append.commit_index;
    raft__commit_to(r, committed < r->matched_index ? committed : r->matched_index);
    raft__ack(r, r->accepted.count == 0);
    return status;
}
