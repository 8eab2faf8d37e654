/* What the files of the server share: the rooms, side by side.
 *
 *   server.c     start, the loop, stop
 *   listen.c     open the ports
 *   recover.c    open the directory, and build the turn on what it holds
 *   founder.c    a blank node on its way into a cluster
 *   gossiper.c   gossip, which finds the others' addresses
 *   lobby.c      requests that came before there was a turn
 *   ports.c      what the turn asks of the world
 *   browser.c    keys and values for people
 *   handlers.c   what clients and nodes ask of this one, on gRPC's threads
 *   chronicle.c  what happens to this node
 *   report.c     what this node knows of its cluster, for people
 *   operator.c   what operators ask: who the members are, and to change them
 *   steward.c    what a leader changes of them by itself */
#ifndef PHALANX_SERVER_WIRING_H
#define PHALANX_SERVER_WIRING_H

#include "debug/debug.h"
#include "founding/founding.h"
#include "kv/kv.h"
#include "rpc/rpc.h"
#include "server/autopilot.h"
#include "server/commit_watch.h"
#include "server/forwarder.h"
#include "server/gossiper.h"
#include "server/inbox.h"
#include "server/lobby.h"
#include "server/log_writer.h"
#include "server/loop_event.h"
#include "server/mesh.h"
#include "server/report.h"
#include "server/scrubber.h"
#include "server/settings.h"
#include "server/snapshots.h"
#include "server/state_holder.h"
#include "server/state_writer.h"
#include "server/transfers.h"
#include "server/turn.h"

#include <pthread.h>

/* Finishing what was accepted takes one sync; this is for a disk that is slow or full. */
#define STOP_MS 10000

/* A note: CLUSTER, as it was when this node came to belong to a cluster. */
#define LABEL_KEY "label"

/* A note: this node was a member once. Who was, and is none any more, stops. */
#define MEMBER_KEY "member"

struct member_note {
    struct log_job job;
    struct loop_event done;
};

/* What the founding machine asked to be written, on its way to the log's store. */
struct founder_write {
    struct log_job job;
    struct loop_event done;
    struct server *server;
    uint64_t number; /* of the record */
    uint8_t record[FOUNDING_RECORD_BYTES_MAX];
    size_t len;
    struct founding_decision decision; /* that is being carried out */
    char label[ADDRESS_BYTES_MAX];     /* CLUSTER, kept from then on */
};

/* What a leader does about the members by itself. */
struct steward {
    struct autopilot pilot;
    struct turn_order order; /* the turn's while `is_ordering` */
    bool is_ordering;
    struct log_job job; /* who was removed, on its way to the log's store */
    struct loop_event noted;
    uint8_t note[AUTOPILOT_REMOVED_MAX * sizeof(raft_id)];
    size_t note_len;
    bool is_noting;
    bool has_news; /* and it is not on its way */
};

struct server {
    const struct settings *settings;
    struct kv_directory *directory;
    struct kv_log *log;
    struct state_holder *states;
    struct held_state *turn_state; /* that the turn reads */
    struct kv_log_summary summary;
    struct kv_meta meta;
    struct inbox inbox;
    struct lobby lobby;
    struct log_writer *log_writer;
    struct state_writer *state_writer;
    struct scrubber *scrubber;
    struct snapshots *snapshots;
    struct transfers *transfers;
    struct forwarder *forwarder;
    struct mesh *mesh;
    struct gossiper *gossiper; /* NULL: PEERS tells all addresses */
    struct rpc_server *rpc;
    struct debug_server *debug;
    struct turn *turn; /* NULL: this node belongs to no cluster yet */
    struct turn_event stop;
    bool is_stopping;
    bool is_leaving; /* removed from its cluster: a stop is on its way */
    pthread_t signal_thread;
    /* Where clients and nodes reach this one. Where gossip runs, ":port" until the others have told
     * at which address they see it. */
    char address[ADDRESS_BYTES_MAX];
    char http_address[ADDRESS_BYTES_MAX];
    uint64_t leave_ms; /* when its goodbye must be over; 0: it does not stop */
    uint64_t started_ms;
    char label[NAME_BYTES_MAX]; /* CLUSTER: the stored one of a founded node, else the settings' */
    uint64_t tend_ms;           /* when the mesh is looked after next */
    uint64_t silence_ms;        /* the largest election timeout ever declared before this start */

    struct steward steward;
    struct member_note member_note;
    bool has_been_member;

    /* Founding. */
    struct founding *founding; /* NULL: a cluster of one, by the settings */
    struct founder_write record_write;
    struct founder_write decision_write;
    bool is_record_stuck;   /* record_write found no room */
    bool is_deciding;       /* decision_write is on its way, or stuck */
    bool is_decision_stuck; /* it found no room */
    uint64_t join_id;       /* the cluster that founding says to join; 0: none */
    bool is_dropping;       /* its cluster never came to life: this node begins anew */
    bool has_committed;     /* the founding machine knows */

    /* For people. */
    struct reporter reporter;
    struct commit_watch commits;
    struct durations applies;
    raft_id last_leader;
    uint64_t leader_changes_total;

    pthread_mutex_t status_mutex;
    struct node_status status;             /* as last published */
    char waiting[FOUNDING_TEXT_BYTES_MAX]; /* of node_status, while there is no turn */
};

/* A call's memory for its holder: rpc_call_user(). */
struct server_call {
    struct turn_request request; /* first: the turn gives it back as this */
    struct rpc_call *rpc;        /* NULL: it is the key browser's */
};

/* recover.c. They say in the log what is wrong. */
struct kv_state_options server__state_options(const struct settings *settings);
MUST_USE enum status server__open_stores(struct server *s);
MUST_USE enum status server__make_turn(struct server *s);

/* chronicle.c */
void server__tell(const struct server *s, enum debug_level level, const char *kind,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void server__chronicle(struct server *s, const struct node_status *was,
                       const struct node_status *is);
void server__chronicle_members(struct server *s, const struct raft_configuration *members);
void server__chronicle_syncs(struct server *s);

/* listen.c */
MUST_USE enum status server__listen(struct server *s);

/* founder.c */
MUST_USE enum status founder_new(struct server *s);
void founder_sighted(struct server *s, raft_id id, const char *name, uint64_t cluster_id);
void founder_silent(struct server *s, raft_id id);
void founder_receive(struct server *s, raft_id from, struct bytes bytes);
void founder_invited(struct server *s, uint64_t cluster_id);
void founder_committed(struct server *s);
void founder_tick(struct server *s); /* after each turn of the loop */
void founder_tend(struct server *s); /* once a second */
uint64_t founder_deadline_ms(const struct server *s);

/* ports.c */
struct turn_ports server__ports(struct server *s);
struct mesh_handlers server__mesh_handlers(struct server *s);
struct gossiper_handlers server__gossiper_handlers(struct server *s);

/* operator.c */
void server__order_done(struct turn_order *order);
void server__refuse_order(struct turn_order *order);
enum status server__on_order(void *context, struct rpc_call *rpc, const struct rpc_order *order,
                             uint64_t wait_ms);
enum status server__on_members(void *context, struct rpc_call *rpc, uint64_t wait_ms);

/* steward.c */
MUST_USE enum status steward_init(struct server *s);
void steward_set_members(struct server *s, const struct raft_configuration *members);
void steward_tend(struct server *s); /* once a second */
/* False: it is somebody else's order. */
bool steward_order_done(struct server *s, const struct turn_order *order);

/* browser.c: for the debug room; and the loop's answer to it. */
enum status server__browse(void *context, struct bytes prefix, struct bytes after,
                           struct debug_keys *ret_keys);
void server__browsed(struct server_call *call, const struct kv_response *response);

/* handlers.c */
void server__reply(struct turn_request *request, const struct kv_response *response);
void server__refuse_requests(struct turn_events *requests, const char *detail);
struct rpc_call *server__call_of(struct turn_request *request);
struct rpc_handlers server__handlers(struct server *s);
/* For the debug room as well. */
void server__read_status(void *context, struct node_status *ret_status);
void server__read_report(void *context, struct node_report *ret_report);

#endif
