/* The gossiper: runs the gossip machine on the loop, between its socket, the look-ups of its seeds,
 * and whoever wants to know who is around.
 *
 * It belongs to the loop. Datagrams and addresses that threads bring wait in memory of a fixed size
 * (arrivals.h) until the loop takes some of them between two turns: a flood is dropped and counted,
 * and delays nobody. */
#ifndef PHALANX_SERVER_GOSSIPER_H
#define PHALANX_SERVER_GOSSIPER_H

#include "gossip/gossip.h"
#include "kv/kv.h"
#include "node_report.h"
#include "server/inbox.h"
#include "server/settings.h"

/* Datagrams taken between two turns. */
#define GOSSIPER_BATCH_MAX ((size_t)32)

/* What it tells, on the loop. */
struct gossiper_handlers {
    void *context;
    /* A node of this label is around, or is elsewhere now: gRPC calls go to `address`. */
    void (*on_found)(void *context, raft_id id, const char *address);
    /* It is dead, or has left; it may come back, and is found again then. */
    void (*on_lost)(void *context, raft_id id);
    void (*on_forgotten)(void *context, raft_id id);
    /* The seeds are others than before: so many. */
    void (*on_seeds)(void *context, size_t count);
    /* Where its own addresses had no host: this is where the others see this node. */
    void (*on_observed)(void *context, const char *address, const char *http_address);
};

struct gossiper_config {
    const struct settings *settings;    /* borrowed, as is the next one */
    const struct kv_identity *identity; /* its cluster id may change: gossiper_tell() */
    const char *label;                  /* copied */
    const char *raft_address;           /* where gRPC listens; ":port": on all addresses; copied */
    const char *http_address;           /* likewise */
    struct inbox *inbox;                /* borrowed */
    struct gossiper_handlers handlers;
};

struct gossiper;

/* Binds, and says in the log what is wrong; sends nothing yet. */
MUST_USE enum status gossiper_new(const struct gossiper_config *config,
                                  struct gossiper **ret_gossiper);
/* Begin to look for the others. */
void gossiper_start(struct gossiper *g);
/* No thread of its own posts anything any more. NULL is fine, here and below: it does not run. */
void gossiper_stop(struct gossiper *g);
/* After gossiper_stop(), and after the inbox was emptied. */
void gossiper_free(struct gossiper *g);

/* On the loop: when gossiper_tick() is due, and what it has to be told. */
uint64_t gossiper_deadline_ms(const struct gossiper *g);
void gossiper_tick(struct gossiper *g);
/* This node's cluster id, or its label, may have changed. */
void gossiper_tell(struct gossiper *g, const char *label);
/* It stops: say goodbye, until gossiper_has_left(). */
void gossiper_leave(struct gossiper *g);
bool gossiper_has_left(const struct gossiper *g);

/* The machine, for who reads it; NULL: gossip does not run. Until the loop goes on. */
const struct gossip *gossiper_machine(const struct gossiper *g);

enum node_gossip_state gossiper_state_of(enum gossip_state state);
/* What it knows of a node; NULL: nothing. Until the loop goes on. */
const struct gossip_member *gossiper_find(const struct gossiper *g, raft_id id);

#endif
