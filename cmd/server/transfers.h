/* Snapshots between nodes: the sender's side and the receiver's, each on threads of its own, since
 * both wait for networks and disks. */
#ifndef PHALANX_SERVER_TRANSFERS_H
#define PHALANX_SERVER_TRANSFERS_H

#include "rpc/rpc.h"
#include "server/inbox.h"
#include "server/log_writer.h"
#include "server/state_holder.h"

struct transfers;

struct transfers_config {
    const struct kv_identity *identity; /* borrowed, as is everything here */
    struct kv_directory *directory;
    struct state_holder *states;
    struct kv_state_options state;
    struct log_writer *log_writer;
    struct inbox *inbox;
};

MUST_USE enum status transfers_new(const struct transfers_config *config,
                                   struct transfers **ret_transfers);

/* This node belongs to that cluster from now on. From the loop. */
void transfers_join(struct transfers *transfers, uint64_t cluster_id);

/* From now on nothing begins; what is under way is cut off. Any thread. */
void transfers_stop(struct transfers *transfers);

/* Whether a thread is left; it may wait for the loop. */
bool transfers_is_busy(struct transfers *transfers);

/* Waits for all threads; none waits for the loop any more. */
void transfers_free(struct transfers *transfers);

/* ---- Sent ------------------------------------------------------------------------------------ */

/* From the loop: send the state on disk to a peer's address (NULL: not known); comes back as
 * TURN_TRANSFERRED. */
void transfers_send(struct transfers *transfers, struct turn_transfer *transfer, raft_term term,
                    const char *address);

/* How a transfer to a peer stands: the snapshot's index, and the bytes sent; without one 0. */
void transfers_look(struct transfers *transfers, raft_id peer, uint64_t *ret_index,
                    uint64_t *ret_sent_bytes);

/* ---- Received -------------------------------------------------------------------------------- */

/* On gRPC's threads: take a snapshot in, and build its state; comes as TURN_INSTALL. */
void transfers_receive(struct transfers *transfers, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head);

/* From the loop, the turn's ports: name it in the log's store and open it; comes back as
 * TURN_INSTALLED. And the end of it, of which the sender is told. */
void transfers_install(struct transfers *transfers, struct turn_install *install);
void transfers_done(struct transfers *transfers, struct turn_install *install, enum status status);

#endif
