/* What a node knows of its cluster beyond its own status: the members, what each of them last said
 * of itself, how long things take. A plain copy, made by the loop once a second, and read by the
 * gRPC and debug rooms without asking the loop. */
#ifndef PHALANX_NODE_REPORT_H
#define PHALANX_NODE_REPORT_H

#include "durations.h"
#include "node_status.h"

/* In any number below: not known. */
#define NODE_UNKNOWN UINT64_MAX

#define VERSION_BYTES_MAX ((size_t)32)

/* The indexes of a log on one scale. */
struct node_log {
    uint64_t first;    /* the first entry kept */
    uint64_t snapshot; /* the state on disk holds everything up to here */
    uint64_t applied;
    uint64_t commit;
    uint64_t last;
};

/* A round trip to another node and back. */
struct node_trip {
    uint64_t identity;
    uint64_t us;
};

/* What a node tells the others of itself, once a second. */
struct node_digest {
    char version[VERSION_BYTES_MAX];
    char region[NAME_BYTES_MAX];
    char http_address[ADDRESS_BYTES_MAX];
    enum node_role role;
    bool is_ready;
    bool disk_is_full;
    uint64_t term;
    uint64_t leader; /* its identity; 0: none known */
    struct node_log log;
    uint64_t key_count;
    uint64_t log_file_bytes;
    uint64_t state_file_bytes;
    uint64_t memory_bytes; /* resident */
    uint64_t uptime_ms;
    uint64_t writes_per_1000s; /* proposed on this node, over the last second */
    uint64_t reads_per_1000s;  /* answered by it */
    uint64_t commit_p99_us;    /* over the last seconds; NODE_UNKNOWN: there were none */
    uint64_t sync_p99_us;
    size_t trip_count;
    struct node_trip trips[MEMBERS_MAX]; /* to those it has a connection with */
};

/* How a leader feeds a member. */
enum node_feeding { NODE_FEEDING_UNKNOWN, NODE_PROBE, NODE_REPLICATE, NODE_SNAPSHOT };

/* A member, as this node sees it. */
struct node_member {
    uint64_t identity;
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX]; /* empty: not known */
    bool is_self;
    bool is_voter;
    bool is_connected;
    uint64_t silent_ms; /* since anything was heard of it */
    uint64_t trip_us;   /* to it and back */
    /* The leader's alone. */
    enum node_feeding feeding;
    uint64_t match_index;
    uint64_t next_index;
    uint64_t in_flight; /* appends */
    uint64_t in_flight_bytes;
    uint64_t snapshot_index; /* of one on its way to it; 0: none */
    uint64_t snapshot_sent_bytes;
    uint64_t digest_age_ms; /* NODE_UNKNOWN: it never said anything, and `digest` is empty */
    struct node_digest digest;
};

/* What gossip knows of a node. */
struct node_gossip {
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX];
    enum node_gossip_state state;
    uint64_t incarnation;
    uint64_t in_state_ms; /* for how long it has been so */
};

/* More than members: those that wait to be taken in, those that have left. */
#define NODE_GOSSIP_MAX ((size_t)64)

/* A gRPC method, as it was called here. */
#define NODE_CODES 17 /* gRPC's, from OK on */
#define NODE_METHODS_MAX ((size_t)24)

struct node_method {
    const char *name; /* constant: "phalanx.v1.KVService/Put" */
    uint64_t codes[NODE_CODES];
    struct durations_copy durations;
};

struct node_report {
    uint64_t unix_ms; /* when it was made; 0: never */
    char label[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX]; /* of this node, for clients and nodes */
    uint64_t election_timeout_ms;
    uint64_t heartbeat_ms;
    bool is_joint; /* the members are changing */
    uint32_t quorum;
    uint32_t voters_in_reach; /* this node included, if it votes */
    uint32_t failures_left;   /* voters that may still fail before writes stop */
    uint64_t leader_changes_total;
    uint64_t step_downs_total;
    uint64_t rate_window_ms;
    uint64_t latency_window_ms;
    uint64_t commit_p50_us;
    uint64_t apply_p99_us;
    struct durations_copy commits; /* proposed to committed; of a leader */
    struct durations_copy syncs;   /* of the log */
    struct durations_copy applies; /* a turn's committed entries */
    size_t method_count;           /* those that were called */
    struct node_method methods[NODE_METHODS_MAX];
    size_t member_count; /* this node first, the others by name */
    struct node_member members[MEMBERS_MAX + 1];
    uint64_t probe_failures_total;
    uint64_t gossip_health; /* 0: this node is as quick as it should be */
    size_t gossip_count;
    struct node_gossip gossip[NODE_GOSSIP_MAX];
};

#endif
