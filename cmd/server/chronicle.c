/* What happens to this node, for its log and its timeline. On the loop. */
#include "log.h"
#include "server/wiring.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A sync of the log that takes so long is news: clients and elections wait for it. */
#define SLOW_SYNC_US 500000

void server__tell(const struct server *s, enum debug_level level, const char *kind,
                  const char *format, ...) {
    char text[DEBUG_EVENT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments); /* a longer one is cut */
    va_end(arguments);
    if (s->debug)
        debug_tell(s->debug, level, kind, text);
}

static const char *campaign_reason(enum raft_campaign_reason reason) {
    switch (reason) {
    case RAFT_CAMPAIGN_NONE: return "for no reason";
    case RAFT_CAMPAIGN_SILENCE: return "no leader was heard for an election timeout";
    case RAFT_CAMPAIGN_LOST: return "the connection to the leader broke";
    case RAFT_CAMPAIGN_ASKED: return "the leader hands over";
    }
    return "for a reason unknown";
}

static const char *leaving_reason(enum raft_leaving_reason reason) {
    switch (reason) {
    case RAFT_LEAVING_NONE: return "for no reason";
    case RAFT_LEAVING_TERM: return "there is a newer term";
    case RAFT_LEAVING_HANDOVER: return "it handed over";
    case RAFT_LEAVING_NO_QUORUM: return "it heard no quorum for an election timeout";
    case RAFT_LEAVING_LOG: return "its log hangs";
    case RAFT_LEAVING_REMOVED: return "it is no voter any more";
    }
    return "for a reason unknown";
}

/* ---- Who leads ------------------------------------------------------------------------------- */

static void chronicle_campaign(struct server *s, const struct node_status *is) {
    const char *reason = campaign_reason(turn_raft(s->turn)->campaign_reason);
    log_info("campaigns", log_u64("term", is->term), log_text("reason", reason));
    server__tell(s, DEBUG_INFO, "election", "%s campaigns for term %" PRIu64 ": %s", is->name,
                 is->term, reason);
}

static void chronicle_leaving(struct server *s, const struct node_status *is) {
    const char *reason = leaving_reason(turn_raft(s->turn)->leaving_reason);
    log_info("leads no more", log_u64("term", is->term), log_u64("index", is->last_index),
             log_text("reason", reason));
    server__tell(s, DEBUG_WARN, "step_down", "%s leads no more: %s", is->name, reason);
}

static void chronicle_following(struct server *s, const struct node_status *is) {
    log_info("follows a leader", log_u64("term", is->term), log_text("leader", is->leader_name),
             log_u64("index", is->last_index));
    server__tell(s, DEBUG_INFO, "leader", "%s follows %s in term %" PRIu64, is->name,
                 is->leader_name, is->term);
}

static void chronicle_office(struct server *s, const struct node_status *is) {
    log_info("became leader", log_u64("term", is->term), log_u64("index", is->last_index));
    server__tell(s, DEBUG_INFO, "leader", "%s leads term %" PRIu64, is->name, is->term);
}

static void chronicle_leader(struct server *s, const struct node_status *was,
                             const struct node_status *is) {
    bool leads = is->role == NODE_LEADER;
    if (is->elections_total > was->elections_total)
        chronicle_campaign(s, is);
    if (was->role == NODE_LEADER && !leads)
        chronicle_leaving(s, is);
    if (leads && was->role != NODE_LEADER)
        chronicle_office(s, is);
    else if (!leads && is->leader != was->leader && is->leader != 0)
        chronicle_following(s, is);
    else if (!leads && is->leader == 0 && was->leader != 0 && was->role != NODE_LEADER)
        server__tell(s, DEBUG_WARN, "leader", "%s hears nothing of %s any more", is->name,
                     was->leader_name);
}

/* ---- The disk -------------------------------------------------------------------------------- */

static void chronicle_disk(struct server *s, const struct node_status *was,
                           const struct node_status *is) {
    if (is->disk_is_full && !was->disk_is_full) {
        log_warn("the disk is nearly full: writes are refused", log_u64("term", is->term),
                 log_u64("index", is->last_index));
        server__tell(s, DEBUG_ERROR, "disk", "the disk is nearly full: writes are refused");
    }
    if (!is->disk_is_full && was->disk_is_full) {
        log_info("the disk has room again", log_u64("index", is->last_index));
        server__tell(s, DEBUG_INFO, "disk", "the disk has room again");
    }
    if (is->damaged_records > was->damaged_records) {
        log_error("a damaged record was read", log_u64("damaged", is->damaged_records),
                  log_u64("applied_index", is->applied_index));
        server__tell(s, DEBUG_ERROR, "disk", "a damaged record was read");
    }
}

void server__chronicle(struct server *s, const struct node_status *was,
                       const struct node_status *is) {
    chronicle_leader(s, was, is);
    chronicle_disk(s, was, is);
}

void server__chronicle_syncs(struct server *s) {
    uint64_t worst_us = log_writer_take_worst_us(s->log_writer);
    if (worst_us < SLOW_SYNC_US)
        return;
    log_warn("a slow sync of the log", log_u64("took_ms", worst_us / 1000));
    server__tell(s, DEBUG_WARN, "slow_sync", "a sync of the log took %" PRIu64 " ms",
                 worst_us / 1000);
}

/* ---- Members --------------------------------------------------------------------------------- */

void server__chronicle_members(struct server *s, const struct raft_configuration *members) {
    char names[DEBUG_EVENT_BYTES_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < members->count && len < sizeof names; i++) {
        const struct raft_member *member = &members->members[i];
        bool is_voter = (member->rights & RAFT_VOTER_BOTH) != 0;
        int more = snprintf(names + len, sizeof names - len, "%s%s%s", len > 0 ? ", " : "",
                            member->name, is_voter ? "" : " (learner)");
        len += more > 0 ? (size_t)more : 0;
    }
    log_info("members", log_u64("count", members->count), log_u64("index", members->index),
             log_text("names", names));
    server__tell(s, DEBUG_INFO, "members", "the members are %s%s", names,
                 members->is_joint ? ", while they change" : "");
}
