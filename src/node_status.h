/* What a node says of itself: a plain copy, published by the loop once a turn at most, and read by
 * the gRPC and debug rooms without asking the loop. */
#ifndef PHALANX_NODE_STATUS_H
#define PHALANX_NODE_STATUS_H

#include "bounds.h"

#include <stdbool.h>
#include <stdint.h>

/* As gossip sees a node; nothing of Raft follows from it. */
enum node_gossip_state { NODE_ALIVE, NODE_SUSPECT, NODE_DEAD, NODE_LEFT };

enum node_role { NODE_FOLLOWER, NODE_CANDIDATE, NODE_LEADER, NODE_LEARNER };

struct node_status {
    char name[NAME_BYTES_MAX]; /* NODE_ID */
    uint64_t identity;
    uint64_t cluster_id;
    enum node_role role;
    uint64_t term;
    uint64_t leader;                  /* its identity; 0: none known */
    char leader_name[NAME_BYTES_MAX]; /* empty: none known */
    char leader_address[ADDRESS_BYTES_MAX];
    uint32_t voter_count; /* of the newest configuration in its log; both 0: it has none yet */
    uint32_t learner_count;
    uint64_t first_index; /* first entry kept in the log */
    uint64_t last_index;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t flushed_index; /* the state on disk holds everything up to here */
    int64_t revision;
    uint64_t key_count;
    uint64_t key_value_bytes;
    uint64_t state_hash;
    uint64_t session_count;
    uint64_t log_file_bytes;
    uint64_t state_file_bytes;
    char
        waiting[512]; /* what a node that belongs to no cluster yet waits for; empty: for nothing */
    bool is_ready;    /* a leader is known and the state has caught up */
    bool disk_is_full; /* writes are refused for want of room */
    uint64_t damaged_records;
    uint64_t uptime_ms;
    /* Totals since the start. */
    uint64_t proposals_total;
    uint64_t proposals_failed_total; /* writes that were refused, or whose fate is open */
    uint64_t reads_total;
    uint64_t elections_total;
    uint64_t messages_sent_total;
    uint64_t snapshots_sent_total;      /* begun, to peers */
    uint64_t snapshots_installed_total; /* from peers */
    uint64_t refused_messages_total;    /* not for this node, malformed, or past a shut gate */
};

#endif
