/* What replaces the log: cuts, and snapshots sent and installed. */
#include "raft/engine.h"

void raft__cut(struct raft *r, raft_index through) {
    CHECK(through <= r->status.commit_index);
    CHECK(through <= r->status.durable_index);
    raft__trail_cut(&r->trail, through);
}

void raft__snapshot_sent(struct raft *r, const struct raft_event *event) {
    struct raft_progress *peer = raft__peer(r, event->snapshot_sent.peer);
    if (r->status.role != RAFT_LEADER || !peer || peer->state != RAFT_SNAPSHOT)
        return;
    bool is_installed = event->snapshot_sent.is_installed;
    raft__progress_to_probe(peer,
                            is_installed ? event->snapshot_sent.index + 1 : peer->match_index + 1);
    peer->is_probing = !is_installed; /* what failed is tried again once the peer is heard */
}

static void reset_log(struct raft *r, raft_index index, raft_term term) {
    raft__trail_reset(&r->trail, index, term);
    r->handed_index = index;
    r->truncate_from = 0;
    for (size_t i = 0; i < r->handed_count; i++)
        r->handed[i].counts_to = 0;
    r->status.durable_index = index;
    r->matched_index = index;
}

/* "If existing log entry has same index and term as snapshot's last included entry, retain log
 * entries following it" (figure 5.3): they may have been acknowledged. Else the whole log goes. */
enum status raft__installed(struct raft *r, const struct raft_event *event) {
    raft_index index = event->installed.index;
    if (index <= r->status.commit_index)
        return STATUS_STALE;
    if (event->installed.term > r->status.term)
        raft__become_follower(r, event->installed.term, 0);
    if (r->status.role == RAFT_LEADER)
        return STATUS_INVALID;
    bool is_held = index <= r->trail.last_index &&
                   raft__trail_term(&r->trail, index) == event->installed.term &&
                   !PLANTED(reset_kept_log);
    if (!is_held) {
        reset_log(r, index, event->installed.term);
        r->configuration = *event->installed.configuration;
        r->configuration_before = *event->installed.configuration;
        r->status.is_member = raft_configuration_find(&r->configuration, r->self) != NULL;
    } else if (r->configuration.index <= index) {
        r->configuration = *event->installed.configuration;
        r->configuration_before = *event->installed.configuration;
    }
    if (r->handed_index < index) { /* in no batch yet, and now in none to come */
        r->handed_index = index;
        r->truncate_from = 0;
    }
    if (r->matched_index < index)
        r->matched_index = index;
    if (r->status.durable_index < index)
        r->status.durable_index = index; /* its log transaction is synced */
    raft__commit_to(r, index);
    return STATUS_OK;
}
