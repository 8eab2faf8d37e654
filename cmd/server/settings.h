/* What an operator can set: environment variables, and a flag for each that wins over it.
 *
 * One table (settings_table.c) drives names, defaults, validation and help. Parsing is pure: it
 * reads what it is given and opens nothing, so every bad value is found before anything is
 * touched. */
#ifndef PHALANX_SETTINGS_H
#define PHALANX_SETTINGS_H

#include "bounds.h"
#include "check.h"
#include "log.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_PATH_BYTES_MAX ((size_t)1024)
#define SETTINGS_LIST_BYTES_MAX ((size_t)2048)
#define SETTINGS_KEYS_BYTES_MAX ((size_t)512)
#define SETTINGS_ERROR_BYTES_MAX ((size_t)640)

/* One of the nodes that PEERS names. */
struct settings_peer {
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX]; /* host:port or [v6]:port; empty: only the name was given */
};

/* A plain copy; texts end with a zero and are empty when unset. */
struct settings {
    char node_id[NAME_BYTES_MAX];
    bool has_node_id; /* it was given; false: the host's name stands in for it */
    char data_dir[SETTINGS_PATH_BYTES_MAX];
    char grpc_address[ADDRESS_BYTES_MAX];      /* host:port or [v6]:port; port 0: a free one */
    char debug_address[ADDRESS_BYTES_MAX];     /* likewise */
    char advertise_address[ADDRESS_BYTES_MAX]; /* what clients are told; empty: grpc_address */
    char node_region[NAME_BYTES_MAX];

    /* The nodes that found the cluster, every name once and this node's among them; without PEERS
     * none, and this node founds one by itself. Later on they only tell addresses. */
    char peers[SETTINGS_LIST_BYTES_MAX]; /* as it was given */
    struct settings_peer peers_list[MEMBERS_MAX];
    size_t peer_count;
    char cluster[NAME_BYTES_MAX]; /* label; empty only for a node that looks for nobody */
    bool has_cluster;             /* it is another than the default */
    uint64_t bootstrap_expect;    /* how many found the cluster; with PEERS, how many it names */

    /* Gossip, which runs where addresses have to be found: settings_has_gossip(). */
    char seeds[SETTINGS_LIST_BYTES_MAX];       /* host, host:port, v6 or [v6]:port, with commas */
    char discovery_dns[ADDRESS_BYTES_MAX];     /* a name whose addresses are seeds; or empty */
    char discovery_servers[ADDRESS_BYTES_MAX]; /* ip[:port], with commas; empty: the system's */
    char bind_address[ADDRESS_BYTES_MAX];      /* an IP address */
    uint64_t bind_port;
    char gossip_keys[SETTINGS_KEYS_BYTES_MAX]; /* the first seals, all open; empty: unsealed */

    /* TLS: all three files, or none and everything is in the clear (rpc.h). */
    char tls_certificate[SETTINGS_PATH_BYTES_MAX];
    char tls_key[SETTINGS_PATH_BYTES_MAX];
    char tls_ca[SETTINGS_PATH_BYTES_MAX];
    char tls_name[NAME_BYTES_MAX]; /* that every node's certificate carries; or empty */

    /* What a leader does by itself (autopilot.h). */
    bool autopilot_joins;    /* takes in blank nodes, and promotes those that are expected */
    bool autopilot_replaces; /* a voter that has been dead for so long */
    uint64_t autopilot_dead_ms;

    uint64_t tick_ms;
    uint64_t election_ticks; /* above heartbeat_ticks */
    uint64_t heartbeat_ticks;
    bool shows_keys; /* over HTTP */
    bool uses_lease_reads;
    uint64_t grpc_threads; /* completion-queue threads */

    uint64_t state_overlay_bytes; /* flush when the table in memory reaches this */
    uint64_t state_dirty_bytes;   /* pages that one transaction of a flush changes, about */
    uint64_t state_flush_ms;      /* or after this time */
    uint64_t state_reserve_bytes; /* preallocated, for when the disk is full */
    uint64_t log_reserve_bytes;
    uint64_t log_keep_bytes; /* of the log's tail that stays behind the flush, both */
    uint64_t log_keep_entries;
    uint64_t log_hold_bytes;   /* of the log that stays for a snapshot on its way to a peer */
    uint64_t scrub_per_second; /* records; 0: off */

    enum log_level log_level;
    enum log_format log_format;

    /* Flags only, of one start. Of the first two at most one is set. */
    bool is_adopting;           /* NODE_ID, which was given, becomes the directory's name */
    bool is_rejoining;          /* what the directory holds is set aside */
    bool is_resetting_founding; /* the founding that it takes part in is given up */
};

static inline uint64_t settings_election_ms(const struct settings *s) {
    return s->tick_ms * s->election_ticks;
}

static inline uint64_t settings_heartbeat_ms(const struct settings *s) {
    return s->tick_ms * s->heartbeat_ticks;
}

/* Whether this node is a cluster of its own, and looks for nobody. */
bool settings_is_alone(const struct settings *s);

/* Whether some of the others' addresses have to be found: PEERS does not tell them all. */
bool settings_has_gossip(const struct settings *s);

/* Whether they are looked for on this host only, where each node needs a port of its own: nothing
 * says where else they are. */
bool settings_gossips_here(const struct settings *s);

static inline bool settings_has_tls(const struct settings *s) {
    return s->tls_certificate[0] != '\0';
}

/* The rule of thumb: an election waits for at least four heartbeats. Less is allowed. */
static inline bool settings_has_calm_elections(const struct settings *s) {
    return s->election_ticks >= 4 * s->heartbeat_ticks;
}

/* ---- For main() ---------------------------------------------------------------------------- */

/* Read this process's arguments, environment and host name.
 *
 * True: run with `ret_settings`. False: all is said (help, the version, the checked settings, or
 * one line on standard error about what is wrong); exit with `ret_exit_status`, 0 or 2. */
MUST_USE bool settings_load(int argc, char *const *argv, struct settings *ret_settings,
                            int *ret_exit_status);

/* One line about the node and its times, and a warning when elections are not calm. */
void settings_log(const struct settings *s);

/* ---- Pure ---------------------------------------------------------------------------------- */

/* What was asked for: to run, or to print and exit. */
enum settings_request { SETTINGS_RUN, SETTINGS_CHECK, SETTINGS_HELP, SETTINGS_VERSION };

/* Where settings come from. All borrowed for the call. */
struct settings_source {
    int argc; /* as main() has them; argv[0] is skipped */
    char *const *argv;
    const char *(*variable)(void *context, const char *name); /* NULL or empty: unset */
    void *context;
    const char *host_name;
};

/* Both outputs are written on STATUS_OK only. After SETTINGS_HELP and SETTINGS_VERSION, which win
 * over any later argument and look at no value, the settings are not filled.
 *
 * STATUS_INVALID  `ret_error` holds one line, without a line feed: the variable, its value, and
 *                 what is allowed; or the argument that is not known. */
MUST_USE enum status settings_parse(const struct settings_source *source,
                                    struct settings *ret_settings,
                                    enum settings_request *ret_request,
                                    char ret_error[SETTINGS_ERROR_BYTES_MAX]);

/* The effective settings, one NAME=value a line; returns the length. `text` has no final zero. */
size_t settings_print(const struct settings *s, char *text, size_t capacity);

/* The table for people: variable, flag, default, meaning; within 100 columns. */
size_t settings_help(char *text, size_t capacity);

#endif
