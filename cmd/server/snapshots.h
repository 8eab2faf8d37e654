/* Snapshot streams: each on a thread of its own, since it waits for its reader. */
#ifndef PHALANX_SERVER_SNAPSHOTS_H
#define PHALANX_SERVER_SNAPSHOTS_H

#include "rpc/rpc.h"
#include "server/inbox.h"
#include "server/state_holder.h"

/* Streams at one time; each holds a read transaction on the state. */
#define SNAPSHOT_STREAMS_MAX 2

/* A stream is given up when the state's file has grown by this since it began, rather than let a
 * slow reader keep old pages without end. */
#define SNAPSHOT_GROWTH_BYTES_MAX (1024 * MIB)

struct snapshots;

MUST_USE enum status snapshots_new(struct state_holder *states, const struct kv_identity *identity,
                                   struct inbox *inbox, struct snapshots **ret_snapshots);

/* Waits for the streams under way. */
void snapshots_free(struct snapshots *snapshots);

/* A client asked: post it to the loop, or refuse it. Any thread. */
void snapshots_ask(struct snapshots *snapshots, struct rpc_stream *stream);

/* From the loop: there is no state yet. */
void snapshots_refuse(struct snapshots *snapshots, struct turn_snapshot *snapshot);

/* From the loop: the state on disk has come far enough. */
void snapshots_start(struct snapshots *snapshots, struct turn_snapshot *snapshot);

#endif
