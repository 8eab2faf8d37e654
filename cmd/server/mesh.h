/* The mesh: this node's connections to the others. Who they are (gate.h), where they are, and what
 * goes between them.
 *
 * It dials the addresses that PEERS names, that gossip has found and that nodes told of themselves,
 * keeps what it learnt in the log's store, and lets nothing of Raft's pass before the gate of a
 * connection is open. It belongs to the turn, whoever runs it; what arrives on gRPC's threads comes
 * through the inbox. */
#ifndef PHALANX_SERVER_MESH_H
#define PHALANX_SERVER_MESH_H

#include "kv/kv.h"
#include "node_report.h"
#include "rpc/rpc.h"
#include "server/gate.h"
#include "server/inbox.h"
#include "server/log_writer.h"

/* Another node that PEERS names, with its address. */
struct mesh_target {
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX];
};

/* Nodes that gossip has found, at most. */
#define MESH_FOUND_MAX ((size_t)64)

/* What the mesh tells, on the loop. */
struct mesh_handlers {
    void *context;
    /* A node of this node's label is in sight, or something about it is new; it is gone. */
    void (*on_sighted)(void *context, raft_id id, const char *name, uint64_t cluster_id);
    void (*on_silent)(void *context, raft_id id);
    /* Before the first on_sighted() of a node that was out of sight. */
    void (*on_met)(void *context, const char *name);
    void (*on_founding)(void *context, raft_id from, struct bytes bytes);
    /* A member of a cluster that has committed something asks this blank node to join it. */
    void (*on_invited)(void *context, uint64_t cluster_id);
    /* As of the configuration at `index` this node is no member. */
    void (*on_outside)(void *context, raft_index index);
    /* A peer remembers a start that this directory does not know: it was rolled back or copied. */
    void (*on_rolled_back)(void *context);
};

struct mesh_config {
    const struct kv_identity *identity; /* borrowed; its cluster id may change: mesh_join() */
    const char *label;                  /* CLUSTER; borrowed, as are the texts after it */
    const char *address;
    const char *http_address;
    const char *region;
    const struct mesh_target *targets; /* copied */
    size_t target_count;               /* up to MEMBERS_MAX */
    struct raft_configuration members; /* the newest in the log; count 0: none */
    bool may_adopt_label;      /* CLUSTER was not given: a founded node's may take its place */
    uint64_t election_ms;      /* how soon a peer that fell silent must be noticed */
    struct kv_log *log;        /* borrowed: starts, notes */
    struct inbox *inbox;       /* borrowed */
    struct log_writer *writer; /* borrowed */
    struct mesh_handlers handlers;
};

struct mesh;

/* Reads what the log's store remembers of the others. STATUS_CORRUPT, STATUS_IO: it cannot. */
MUST_USE enum status mesh_new(const struct mesh_config *config, struct mesh **ret_mesh);

/* The handlers of links (rpc.h), on gRPC's threads; and what a server needs beside each peer's
 * message. */
void mesh_link_up(struct mesh *mesh, struct rpc_link *rpc);
void mesh_link_hello(struct mesh *mesh, struct rpc_link *rpc, const struct rpc_hello *hello);
void mesh_link_message(struct mesh *mesh, struct rpc_link *rpc, struct rpc_peer_message *message);
void mesh_link_bytes(struct mesh *mesh, struct rpc_link *rpc, enum rpc_bytes_kind kind,
                     struct bytes bytes);
void mesh_link_down(struct mesh *mesh, struct rpc_link *rpc);
size_t mesh_message_bytes(void);

/* The server has been started: dial. And before it is freed: hang up for good. */
void mesh_start(struct mesh *mesh, struct rpc_server *server);
void mesh_stop(struct mesh *mesh);
/* After rpc_server_free(), and after the inbox was emptied for the last time. */
void mesh_free(struct mesh *mesh);

/* This node belongs to a cluster now, or (0) to none: all connections begin anew. */
void mesh_join(struct mesh *mesh, uint64_t cluster_id);

/* The newest configuration that this node knows to be committed. Whoever is no member of it is told
 * so, and blank nodes are invited: their cluster is alive. */
void mesh_set_configuration(struct mesh *mesh, const struct raft_configuration *configuration);

/* Gossip has found a node of this label, or found it elsewhere (`address`: host:port): it is
 * dialled there at once, until it is forgotten. Calls go there once it has shown on a connection
 * that it is who it says it is: not to a copy of its disk. More than MESH_FOUND_MAX are not
 * dialled. */
void mesh_found(struct mesh *mesh, raft_id id, const char *address);
/* Gossip calls it dead, or gone. Unless it is a member it is dialled no more until it is found
 * again: somebody else may have its address by now. */
void mesh_lost(struct mesh *mesh, raft_id id);
/* Gossip has not heard of it for so long that it knows it no more. A member is dialled on. */
void mesh_forget(struct mesh *mesh, raft_id id);

/* CLUSTER as it stands: the one it began with, or one that was adopted while this node was blank.
 */
const char *mesh_label(const struct mesh *mesh);

/* Whether the turn may have a message; if not, it was given back. */
bool mesh_lets_in(struct mesh *mesh, struct turn_message *message);
void mesh_message_done(struct turn_message *message);

/* Send if there is a way and room; else it is as if the network had lost it. */
void mesh_send(struct mesh *mesh, const struct raft_message *message,
               const struct raft_entry *entries, size_t count);
void mesh_send_founding(struct mesh *mesh, raft_id to, struct bytes bytes);

/* Where a node is reached, what it is called; NULL: not known. Valid until the loop goes on. */
const char *mesh_address(const struct mesh *mesh, raft_id id);
const char *mesh_name(const struct mesh *mesh, raft_id id);
/* What it told of itself on its newest connection; empty: nothing, or it was not met yet. */
const char *mesh_region(const struct mesh *mesh, raft_id id);
const char *mesh_version(const struct mesh *mesh, raft_id id);
/* The identity in sight under a name; 0: none, or more than one. */
raft_id mesh_find(const struct mesh *mesh, const char *name);
bool mesh_is_open(const struct mesh *mesh, raft_id id);
/* Those of this cluster that are connected and no members; returns how many, up to `max`. */
size_t mesh_outsiders(const struct mesh *mesh, raft_id *ids, size_t max);
uint64_t mesh_refused_total(const struct mesh *mesh);

/* Tell everybody in sight what this node says of itself, and ask how long the way there is. Once a
 * second. */
void mesh_tell(struct mesh *mesh, const struct node_digest *digest);
/* What the mesh knows of another node: its address, connection, last words. */
void mesh_describe(const struct mesh *mesh, raft_id id, struct node_member *member);
/* Who is in sight, `max` at most; returns how many. */
size_t mesh_in_sight(const struct mesh *mesh, raft_id *ids, size_t max);

/* Once a second at least: dial whom it has learnt of. */
void mesh_tend(struct mesh *mesh);

#endif
