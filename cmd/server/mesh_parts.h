/* What the files of the mesh share.
 *
 *   mesh.c        the door: dialling, sending
 *   mesh_link.c   one connection, from its first hello to its end
 *   mesh_talk.c   what nodes tell of themselves
 *   mesh_found.c  whom gossip has found
 *   mesh_peer.c   what is known of a node, and kept in the log's store */
#ifndef PHALANX_SERVER_MESH_PARTS_H
#define PHALANX_SERVER_MESH_PARTS_H

#include "server/loop_event.h"
#include "server/mesh.h"

#include <stdatomic.h>

/* Round trips of a peer that are remembered. */
#define MESH_TRIPS 4

/* What is known of a node. Kept as long as its start is remembered. */
struct mesh_peer {
    raft_id id;
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX];
    char region[NAME_BYTES_MAX]; /* these two since the start of this process */
    char version[NAME_BYTES_MAX];
    struct rpc_dial *dial; /* to an address that was learnt; NULL: none */
    unsigned links;        /* on which it has said who it is */
    uint64_t heard_ms;     /* on clock_ms(); 0: not since the start */
    /* Round trips to it, a ring of the last ones. */
    uint64_t trips_us[MESH_TRIPS];
    size_t trip_count;         /* ever made, since the connection */
    struct node_digest digest; /* what it last said of itself, */
    uint64_t digest_ms;        /* when; 0: nothing yet */
};

struct mesh_link {
    LIST_ENTRY(mesh_link) link;
    struct mesh *mesh;
    struct rpc_link *rpc;
    struct gate gate;
    char name[NAME_BYTES_MAX]; /* as the newest hello says, like the next three */
    char address[ADDRESS_BYTES_MAX];
    char region[NAME_BYTES_MAX];
    char version[NAME_BYTES_MAX];
    bool has_news;          /* they are not yet known of the peer */
    struct mesh_peer *peer; /* NULL: it has not shown who it is */
    bool is_ended;          /* closing: nothing more is looked at */
    bool is_seen;           /* was told to on_sighted */
    atomic_uint waiting;    /* events of it that the loop has not seen */
    struct loop_event up;
    struct loop_event down;
};
LIST_HEAD(mesh_links, mesh_link);

/* Whom gossip has found, and where. */
struct mesh_finding {
    raft_id id;
    char address[ADDRESS_BYTES_MAX];
    struct rpc_dial *dial; /* NULL: PEERS names that address, or it is not dialled at present */
    bool is_lost;
};

struct mesh {
    struct mesh_config config;
    struct rpc_server *server;
    struct gate_self self;
    struct gate_memory memory;
    struct mesh_links links;
    struct mesh_peer peers[GATE_PEERS_MAX];
    size_t peer_count;
    char label[ADDRESS_BYTES_MAX];
    struct mesh_target targets[MEMBERS_MAX]; /* config.target_count of them */
    struct rpc_dial *dials[MEMBERS_MAX];     /* beside them */
    struct mesh_finding found[MESH_FOUND_MAX];
    size_t found_count;
    struct raft_configuration members; /* count 0: none known */
    bool are_committed;                /* and this node knows it */
    uint64_t dropped_total;            /* frames that found no room */
    uint64_t started_ms;               /* on clock_ms() */
    struct log_jobs stuck_notes;       /* found no room on the disk */
};

/* The byte that a note begins with (RPC_BYTES_NOTE). */
enum mesh_note {
    MESH_INVITE = 1,
    MESH_OUTSIDE = 2,
    MESH_PING = 3,   /* a token, that comes back as */
    MESH_PONG = 4,   /* this */
    MESH_DIGEST = 5, /* what the sender says of itself (digest.h) */
};

/* mesh.c */
struct rpc_dial *mesh__dial(struct mesh *mesh, const char *address); /* NULL: it cannot */

/* mesh_found.c */
const struct mesh_finding *mesh__finding(const struct mesh *mesh, raft_id id); /* NULL: none */
void mesh__found_start(struct mesh *mesh); /* dial those found before the start */
void mesh__found_stop(struct mesh *mesh);
void mesh__found_tend(struct mesh *mesh); /* give up whoever is lost and no member any more */

/* mesh_link.c */
struct mesh_link *mesh__link_open(const struct mesh *mesh, raft_id id); /* NULL: none */
void mesh__links_pump(struct mesh *mesh);
void mesh__link_note(struct mesh_link *link, struct bytes bytes); /* if there is room */
void mesh__link_tell(struct mesh_link *link); /* invite it, or say that it is no member */

/* mesh_talk.c */
struct mesh_link *mesh__link_seen(const struct mesh *mesh, raft_id id); /* NULL: none */
void mesh__link_heard(struct mesh_link *link);
void mesh__take_talk(struct mesh_link *link, enum mesh_note note, struct bytes bytes);

/* mesh_peer.c */
MUST_USE enum status mesh__peers_load(struct mesh *mesh);
struct mesh_peer *mesh__peer_find(struct mesh *mesh, raft_id id);
/* NULL: no more are remembered. */
struct mesh_peer *mesh__peer_meet(struct mesh *mesh, raft_id id, const char *name,
                                  const char *address);
void mesh__peer_note(struct mesh *mesh, raft_id id, struct gate_pair pair);
void mesh__notes_retry(struct mesh *mesh); /* what found no room */
void mesh__notes_drop(struct mesh *mesh);

#endif
