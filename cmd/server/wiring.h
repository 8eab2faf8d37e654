/* What the files of the server share: the rooms, side by side.
 *
 *   server.c   start, the loop, stop
 *   recover.c  open the directory, and build the turn on what it holds
 *   ports.c    what the turn asks of the world, and what clients ask of the turn */
#ifndef PHALANX_SERVER_WIRING_H
#define PHALANX_SERVER_WIRING_H

#include "debug/debug.h"
#include "kv/kv.h"
#include "rpc/rpc.h"
#include "server/inbox.h"
#include "server/log_writer.h"
#include "server/scrubber.h"
#include "server/settings.h"
#include "server/snapshots.h"
#include "server/state_writer.h"
#include "server/turn.h"

#include <pthread.h>

/* Finishing what was accepted takes one sync; this is for a disk that is slow or full. */
#define STOP_MS 10000

struct server {
    const struct settings *settings;
    struct kv_directory *directory;
    struct kv_log *log;
    struct kv_state *state;
    struct kv_log_summary summary;
    struct kv_meta meta;
    struct inbox inbox;
    struct log_writer *log_writer;
    struct state_writer *state_writer;
    struct scrubber *scrubber;
    struct snapshots *snapshots;
    struct rpc_server *rpc;
    struct debug_server *debug;
    struct turn *turn;
    struct turn_event stop;
    pthread_t signal_thread;
    char address[ADDRESS_BYTES_MAX]; /* where clients reach this node */
    uint64_t started_ms;
    pthread_mutex_t status_mutex;
    struct node_status status; /* as last published */
};

/* A call's memory for its holder: rpc_call_user(). */
struct server_call {
    struct turn_request request; /* first: the turn gives it back as this */
    struct rpc_call *rpc;
};

/* recover.c. Both say in the log what is wrong. */
MUST_USE enum status server__open_stores(struct server *s);
MUST_USE enum status server__make_turn(struct server *s);

/* ports.c */
struct turn_ports server__ports(struct server *s);
struct rpc_handlers server__handlers(struct server *s);
/* For the debug room as well. */
void server__read_status(void *context, struct node_status *ret_status);

#endif
