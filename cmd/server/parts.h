/* What the files of the turn share. */
#ifndef PHALANX_SERVER_PARTS_H
#define PHALANX_SERVER_PARTS_H

#include "plant.h"
#include "server/retention.h"
#include "server/trail.h"
#include "server/turn.h"

/* What was refused for want of disk space is tried again after this time. */
#define DISK_RETRY_MS 200

/* The status is published at most this often. */
#define PUBLISH_MS 20

TAILQ_HEAD(turn_requests, turn_request);
TAILQ_HEAD(turn_snapshots, turn_snapshot);

/* One append on its way out. */
struct turn_outgoing {
    struct raft_entry entries[RAFT_APPEND_ENTRIES_MAX];
    size_t count;
    uint8_t *payloads; /* of those read back from the log; NULL until needed */
    size_t bytes;
};

struct turn {
    struct turn_config config;
    const struct turn_ports *ports; /* config.ports */
    struct raft *raft;
    struct kv_machine *machine;
    uint64_t now_ms; /* this turn's clock */
    uint64_t started_ms;

    /* Requests: each is in exactly one of these lists. */
    struct turn_requests waiting;  /* until there is a leader */
    struct turn_requests pending;  /* writes: until their entry is applied */
    struct turn_requests asking;   /* linearizable reads: until they have a read index */
    struct turn_requests reading;  /* reads: until that index is applied */
    uint64_t earliest_deadline_ms; /* not after any deadline in the lists */
    uint64_t retry_ms;             /* when the first of those waiting may be forwarded again */
    uint64_t read_token;           /* of the last question for a read index */
    bool has_asked;                /* in this turn: further reads share the question */
    raft_term office_term;         /* the last term in which this node took office */
    uint64_t logged_base_ms;       /* logged time when office_since_ms was */
    uint64_t office_since_ms;

    /* The log. */
    struct trail trail;
    struct turn_batch batches[BATCHES_IN_FLIGHT_MAX];
    struct raft_hard_state handed_hard; /* the newest in any batch */
    struct turn_cut cut;
    bool is_cutting;
    uint64_t cut_after_ms; /* a cut that found no room is tried again then */
    struct retention retention;
    raft_index first_index;

    struct turn_outgoing outgoing;
    raft_id lost[MEMBERS_MAX]; /* peers whose connection broke since the last turn */
    size_t lost_count;
    bool has_found;            /* one, since the last turn */
    raft_id gone[MEMBERS_MAX]; /* whose connection broke, and who was not heard since */
    size_t gone_count;
    struct turn_order *order; /* begun, and not yet done; NULL: none */
    bool has_told_members;    /* of what the state held at the start */

    /* The state. */
    raft_index commit_to; /* what may be applied, as of the last raft_ready() */
    raft_index flushed_index;
    struct turn_flush flush;
    bool is_flush_stuck;             /* came back with STATUS_DISK_FULL */
    bool is_flushing;                /* with the state writer, or stuck */
    uint64_t dirty_since_ms;         /* valid while the machine is dirty */
    struct turn_snapshots snapshots; /* wait for a flush */

    /* Snapshots from peer to peer. */
    struct turn_transfer transfers[MEMBERS_MAX];
    struct turn_install *install; /* one that came in; NULL: none */
    bool is_installing;           /* it is with the log writer */

    /* The disk. */
    struct turn_room room;
    bool is_checking_room;
    bool log_has_room;
    bool state_has_room;
    uint64_t disk_retry_ms; /* when to try again what is stuck */

    struct node_status status;
    uint64_t published_ms;
    bool published_ready; /* is_ready as last published */
    bool is_status_dirty;
    bool is_stopping;
    uint64_t stop_deadline_ms;
    uint64_t handover_deadline_ms; /* leadership is handed over by then, or not at all */
    bool has_final_flush;          /* nothing more will be applied */
};

/* requests.c */
void turn__request(struct turn *t, struct turn_request *request);
void turn__requests_resume(struct turn *t); /* there is a leader: take those waiting */
void turn__read_confirmed(struct turn *t, const struct raft_read *read);
void turn__reads_answer(struct turn *t); /* as far as the state has come */
void turn__requests_expire(struct turn *t);
void turn__request_done(struct turn *t, struct turn_request *request,
                        const struct kv_response *response);
bool turn__requests_is_idle(const struct turn *t);
void turn__requests_abandon(struct turn *t); /* the end has come: answer whoever still waits */

/* The entry that carried this request is gone from the log. */
void turn__request_lost(struct turn *t, struct turn_request *request);

/* peers.c */
void turn__message(struct turn *t, struct turn_message *message);
void turn__peers_look(struct turn *t);
bool turn__peer_is_gone(const struct turn *t, raft_id peer);
void turn__send(struct turn *t, const struct raft_message *message);
MUST_USE enum status turn__step(struct turn *t, const struct raft_event *event);

/* orders.c */
void turn__order(struct turn *t, struct turn_order *order);
void turn__order_watch(struct turn *t);
void turn__order_abandon(struct turn *t);
uint64_t turn__order_deadline_ms(const struct turn *t);
/* The voter to hand leadership to; 0: none is there. */
raft_id turn__heir(const struct turn *t);

/* journal.c */
void turn__entries_accept(struct turn *t, const struct raft_message *message);
void turn__batch_submit(struct turn *t, const struct raft_batch *batch);
void turn__log_done(struct turn *t, struct turn_batch *batch);
bool turn__log_is_idle(const struct turn *t); /* no batch is with the log writer, or stuck */
/* It begins after `index` now: with what it held there, or empty. */
void turn__log_replaced(struct turn *t, raft_index index, bool is_kept);
void turn__cut(struct turn *t);
void turn__cut_done(struct turn *t, struct turn_cut *cut);
void turn__disk_retry(struct turn *t);
void turn__room(struct turn *t, const struct turn_room *room);
bool turn__disk_is_full(const struct turn *t);

/* applier.c */
void turn__apply(struct turn *t);
bool turn__has_more_to_apply(const struct turn *t);
void turn__tell_members(struct turn *t); /* as the state has them */
void turn__flush(struct turn *t);
void turn__flush_done(struct turn *t, struct turn_flush *flush);
uint64_t turn__flush_deadline_ms(const struct turn *t);
void turn__snapshot(struct turn *t, struct turn_snapshot *snapshot);
void turn__snapshots_serve(struct turn *t); /* those that the state on disk has come up to */

/* install.c */
void turn__transfer_begin(struct turn *t, raft_id peer);
void turn__transferred(struct turn *t, struct turn_transfer *transfer);
raft_index turn__transfers_need(const struct turn *t); /* the log from the one after this on */
void turn__install(struct turn *t, struct turn_install *install);
void turn__install_begin(struct turn *t);
void turn__installed(struct turn *t, struct turn_install *install);

/* status.c */
void turn__publish(struct turn *t);

#endif
