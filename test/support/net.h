/* A net of bare engines: no turn, no disk code, one thread, one clock that stands still until told.
 *
 * Each node has a log, a disk whose batches complete when told, and a state that is nothing but an
 * applied index. A story reads: given a net, elect, propose, cut, heal, crash, restart, expect.
 * Whatever the story, the invariants of net_check.c are checked after every step, and no promise
 * may leave a node before the disk holds what it promises. */
#ifndef PHALANX_TEST_SUPPORT_NET_H
#define PHALANX_TEST_SUPPORT_NET_H

#include "raft/raft.h"

#include <stdio.h>

#define NET_NODES_MAX 7 /* with ids 1 .. NET_NODES_MAX */
#define NET_LOG_MAX 8192
#define NET_BATCHES_MAX 8
#define NET_TERMS_MAX 4096
#define NET_FOREVER UINT64_MAX

struct net_entry {
    raft_term term;
    enum raft_entry_type type;
    struct bytes payload; /* kept by the net */
};

struct net_log {
    struct net_entry entries[NET_LOG_MAX]; /* entry i at i - 1; kept when cut, for the checks */
    raft_index cut_index;
    raft_index last_index;
};

struct net_batch {
    struct raft_batch batch;
    struct net_entry *entries; /* batch.first .. batch.last */
    uint64_t due_ms;
    bool is_written; /* on the disk, and not yet reported */
};

struct net_node {
    raft_id id;
    struct raft *raft; /* NULL: down */
    uint64_t election_timeout_ms;
    uint64_t heartbeat_ms;
    uint64_t silence_ms;
    bool has_lease_reads;
    unsigned clock_permille; /* how fast its clock runs; 1000: as the net's */
    uint64_t starts;
    bool is_dirty; /* stepped, and its ready not yet taken */

    struct net_log log;
    raft_index applied_index;

    /* The disk. */
    struct net_log disk;
    struct raft_hard_state disk_hard;
    raft_index flushed_index; /* of the state; what a restart finds */
    uint64_t disk_ms;         /* how long a sync takes; NET_FOREVER: until net_sync() */
    struct net_batch batches[NET_BATCHES_MAX];
    size_t batch_count;

    /* Reads. */
    uint64_t token;           /* the last one asked with */
    uint64_t confirmed_token; /* the newest that came back */
    raft_index confirmed_index;
    size_t confirmed_count;

    enum raft_role seen_role; /* for the trace and the checks */
    raft_term seen_term;
    raft_index seen_commit_index;
};

struct net_message {
    struct raft_message message;
    struct raft_entry *entries; /* of an append */
    struct net_node *state;     /* not NULL: a snapshot, whose sender this was */
    raft_index state_index;
    uint64_t due_ms;
    uint64_t number;
    struct net_message *next;
};

/* What was ever committed, by whom first. */
struct net_committed {
    struct net_entry entry;
    raft_term by_term;
};

struct net {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ms;
    size_t node_count;
    size_t founder_count;
    struct net_node *nodes; /* node i at i - 1 */
    bool is_cut[NET_NODES_MAX + 1][NET_NODES_MAX + 1];
    uint64_t delay_ms[NET_NODES_MAX + 1][NET_NODES_MAX + 1];
    unsigned loss_permille;
    unsigned doubled_permille;
    uint64_t jitter_ms;
    bool has_long_turns; /* many events before one ready */
    struct net_message *messages;
    uint64_t message_count; /* ever sent */
    FILE *trace;
    bool hides_heartbeats; /* in the trace */

    /* Memory of payloads. */
    uint8_t **kept;
    size_t kept_count;
    size_t kept_capacity;

    /* For the checks. */
    raft_id leader_of[NET_TERMS_MAX];
    struct net_committed *committed;
    raft_index committed_index;
    raft_term committed_by; /* the latest term in which anything was committed */
    struct {
        uint64_t token;
        raft_index index;
    } asked[NET_NODES_MAX + 1][64]; /* by token modulo 64: committed when it was asked */
};

/* ---- Given ----------------------------------------------------------------------------------- */

/* `count` voters, all started at 1000 ms; timeout 1000 ms, heartbeat 100 ms, instant disks. */
struct net *net_new(size_t count, uint64_t seed);
/* The first `founders` vote; nothing is started: prepare, then net_start(). */
struct net *net_unstarted(size_t count, size_t founders, uint64_t seed);
void net_free(struct net *net);
struct net_node *net_node(struct net *net, raft_id id);
/* A log such as "1a 1b 4.": per entry its term, then a command's text or a dot for a no-op. */
void net_prepare(struct net *net, raft_id id, const char *log, raft_term term, raft_id vote);
void net_start(struct net *net, raft_id id);
void net_start_all(struct net *net);

/* ---- When ------------------------------------------------------------------------------------ */

/* Two timeouts pass, but only this node notices; what follows is carried through. */
void net_elect(struct net *net, raft_id id);
enum status net_propose(struct net *net, raft_id id, const char *text);
enum status net_transfer(struct net *net, raft_id id, raft_id transferee);
/* Members such as "1 2 3 4l": ids, with l for a learner. */
enum status net_configure(struct net *net, raft_id id, const char *members);
enum status net_read(struct net *net, raft_id id);
enum status net_step(struct net *net, raft_id id, struct raft_event *event);

void net_cut(struct net *net, raft_id a, raft_id b);         /* both ways */
void net_cut_way(struct net *net, raft_id from, raft_id to); /* one way */
void net_isolate(struct net *net, raft_id id);
void net_heal(struct net *net);
/* Messages of this link wait until net_release(). */
void net_hold(struct net *net, raft_id from, raft_id to);
void net_release(struct net *net, raft_id from, raft_id to);
void net_drop(struct net *net, raft_id from, raft_id to); /* what is on its way */

void net_crash(struct net *net, raft_id id);
void net_restart(struct net *net, raft_id id);
/* The disk holds everything back until net_sync(), which completes the oldest batch, or
 * net_disk_heal(). False: there was none. */
void net_disk_hold(struct net *net, raft_id id);
bool net_sync(struct net *net, raft_id id);
/* Writes the oldest batch that is not yet written; nobody hears of it. */
bool net_disk_write(struct net *net, raft_id id);
void net_disk_heal(struct net *net, raft_id id);
void net_cut_log(struct net *net, raft_id id, raft_index through);

/* Deliver what is due now, and what comes of it, until nothing is left. */
void net_settle(struct net *net);
/* Deliver the oldest message that is due. False: there was none. */
bool net_deliver_one(struct net *net);
/* Let time pass: timers fire, messages and batches arrive. */
void net_elapse(struct net *net, uint64_t ms);

/* ---- Then ------------------------------------------------------------------------------------ */

/* The leader of the latest term among those that are up; 0: none. */
raft_id net_leader(struct net *net);
const struct raft_status *net_status(struct net *net, raft_id id);
/* As for net_prepare(), with C for a configuration; valid until the next call. */
const char *net_log_text(struct net *net, raft_id id);
raft_index net_commit_index(struct net *net, raft_id id);
bool net_has_lease(struct net *net, raft_id id);
uint64_t net_local_ms(const struct net *net, const struct net_node *node);
uint64_t net_chance(struct net *net, uint64_t below);
const char *net_role_text(enum raft_role role);
/* The newest configuration's entry at or below `index`; the founding one when there is none. */
void net_configuration_at(struct net *net, const struct net_node *node, const struct net_log *log,
                          raft_index index, struct raft_configuration *ret_configuration);

/* ---- net_check.c ----------------------------------------------------------------------------- */

void net_check_node(struct net *net, struct net_node *node);
void net_check_promise(struct net *net, struct net_node *node, const struct raft_message *m);
void net_check_leases(struct net *net);
_Noreturn void net_broken(struct net *net, const char *text);

#endif
