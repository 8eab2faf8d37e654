/* The autopilot: which change of the members a leader makes by itself. A pure machine: no clock, no
 * I/O, no thread, no memory of its own beyond this struct.
 *
 * It looks at what a leader sees, once a second or so, and names at most one change:
 *
 *  1. A learner that has been well for a while is promoted if its name is that of a voter that has
 *     fallen silent (a wiped directory: the promotion removes its former self), or if there are
 *     fewer voters than are expected and it is one of those expected by name, or none are.
 *  2. A voter that has been dead for `dead_ms` is replaced by a learner that is well, if
 *     `replaces`. Gossip must call it dead as well, where gossip runs, and nobody else bear its
 *     name: that one will take its place by the first rule.
 *  3. A learner that has fallen silent goes once somebody else bears its name.
 *  4. A connected node of this cluster that is no member comes in as a learner, if `joins`: but not
 *     one that was a member before. Who was removed stays out until an operator adds it.
 *
 * The turn carries a change out, and refuses what would not leave a healthy quorum. Well is who is
 * heard and has caught up; silent and well are measured from when this node began to lead. */
#ifndef PHALANX_SERVER_AUTOPILOT_H
#define PHALANX_SERVER_AUTOPILOT_H

#include "raft/raft.h"

/* Members that were removed and are remembered, the newest of them. */
#define AUTOPILOT_REMOVED_MAX ((size_t)64)

/* Entries that a learner may lack and still count as well. */
#define AUTOPILOT_LAG_MAX 1000

struct autopilot_config {
    size_t expect;                           /* voters */
    char names[MEMBERS_MAX][NAME_BYTES_MAX]; /* of those expected */
    size_t name_count;                       /* 0: anybody */
    bool joins;
    bool replaces;
    uint64_t dead_ms;
    uint64_t steady_ms; /* to be well, or silent, for so long */
};

/* Another node, as the leader sees it. */
struct autopilot_node {
    raft_id id;
    char name[NAME_BYTES_MAX];
    bool is_heard; /* it answered within an election timeout */
    bool is_dead;  /* gossip calls it dead, or knows it no more; true where gossip does not run */
    raft_index match_index;
};

struct autopilot_view {
    uint64_t now_ms;
    raft_id self;
    const struct raft_configuration *members; /* the newest */
    raft_index last_index;
    const struct autopilot_node *nodes; /* the other members, and who is connected beside them */
    size_t node_count;
};

enum autopilot_kind {
    AUTOPILOT_NOTHING,
    AUTOPILOT_ADD,     /* `member` comes in as a learner */
    AUTOPILOT_PROMOTE, /* `member`, a learner, votes; whoever had its name goes */
    AUTOPILOT_REPLACE, /* `member`, a voter, goes, and `other`, a learner, votes */
    AUTOPILOT_REMOVE,  /* `member`, a learner, goes */
};

struct autopilot_change {
    enum autopilot_kind kind;
    raft_id member;
    raft_id other;
    const char *name; /* of `member`; borrowed from the view */
};

/* Since when a member has been what it is. */
struct autopilot_record {
    raft_id id;
    bool is_well;
    bool is_heard;
    uint64_t well_ms;  /* since when, while it is */
    uint64_t heard_ms; /* since when it has been heard, or has not */
};

struct autopilot {
    struct autopilot_config config;
    struct autopilot_record records[MEMBERS_MAX]; /* of the members, while this node leads */
    size_t record_count;
    raft_id members[MEMBERS_MAX]; /* as last told */
    size_t member_count;
    raft_id removed[AUTOPILOT_REMOVED_MAX]; /* the oldest first */
    size_t removed_count;
};

void autopilot_init(struct autopilot *a, const struct autopilot_config *config);

/* This node does not lead: what it saw of the others is forgotten. */
void autopilot_rest(struct autopilot *a);

/* The members are these, by a committed configuration. True: somebody was removed, and `removed` is
 * to be kept over restarts. */
bool autopilot_set_members(struct autopilot *a, const struct raft_configuration *members);

/* What was kept. More than AUTOPILOT_REMOVED_MAX: the first ones are left out. */
void autopilot_load_removed(struct autopilot *a, const raft_id *removed, size_t count);

/* What to do now. Only while this node leads and no change is under way. */
struct autopilot_change autopilot_look(struct autopilot *a, const struct autopilot_view *view);

#endif
