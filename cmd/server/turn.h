/* The turn: everything that is decided, in the order in which it must happen.
 *
 *     collect -> read the clock -> step each -> ready:
 *         1  send what promises nothing
 *         2  hand the batch to the log writer
 *         3  apply what is committed and durable here
 *         4  reply to clients
 *         5  freeze and hand over the overlay when it is full
 *         6  publish status
 *
 * No socket, no thread and no disk: what the turn wants of the world goes through `turn_ports`, and
 * what the world answers comes back as events. The simulator runs the same files with ports of its
 * own. One thread at a time, which sees all that the one before it did. */
#ifndef PHALANX_SERVER_TURN_H
#define PHALANX_SERVER_TURN_H

#include "durations.h"
#include "kv/kv.h"
#include "node_status.h"
#include "raft/raft.h"

#include <bsd/sys/queue.h>

enum turn_event_kind {
    TURN_REQUEST,     /* struct turn_request: a client asks */
    TURN_MESSAGE,     /* struct turn_message: a peer speaks */
    TURN_LOG_DONE,    /* struct turn_batch: the log writer is through with it */
    TURN_CUT_DONE,    /* struct turn_cut */
    TURN_FLUSH_DONE,  /* struct turn_flush: the state writer is through with it */
    TURN_ROOM,        /* struct turn_room: how the disk stands */
    TURN_SNAPSHOT,    /* struct turn_snapshot: somebody wants the state as a stream */
    TURN_TRANSFERRED, /* struct turn_transfer: a snapshot's way to a peer has ended */
    TURN_INSTALL,     /* struct turn_install: a peer's snapshot has come in, and lies built */
    TURN_INSTALLED,   /* struct turn_install: the log writer is through with it */
    TURN_ORDER,       /* struct turn_order: an operator changes the cluster */
    TURN_STOP,        /* struct turn_event: finish what was accepted, flush, be stopped */
    TURN_EVENT_KINDS, /* from here on: not for the turn (loop_event.h) */
};

/* Lies at the start of what it announces. Whoever posts it keeps off until it comes back. */
struct turn_event {
    STAILQ_ENTRY(turn_event) link;
    enum turn_event_kind kind;
};
STAILQ_HEAD(turn_events, turn_event);

/* Belongs to the turn from the event to its reply. */
struct turn_request {
    struct turn_event event;
    TAILQ_ENTRY(turn_request) link; /* in the turn's own lists */
    const struct kv_request *request;
    uint64_t deadline_ms; /* on the turns' clock */
    raft_index index;     /* the entry that carries it, or the read index it waits for */
    uint64_t token;       /* of the question for a read index */
    bool is_forwarded;    /* by another node: it goes no further */
    /* Not to be forwarded before: it was, a moment ago, and came back. 0: at once. */
    uint64_t not_before_ms;
};

/* Belongs to the turn from the event to `message_done`. An append's entries and their payloads lie
 * with whoever posted it. */
struct turn_message {
    struct turn_event event;
    struct raft_message message;
};

/* A change of the members, or of who leads: to be asked of the leader. It is done once the change
 * is committed, with all that follows from it. Belongs to the turn from the event to `order_done`.
 */
enum turn_order_kind {
    TURN_ORDER_ADD,       /* `member`, by this `name`, as a learner */
    TURN_ORDER_PROMOTE,   /* `member`, a learner that has caught up, votes from now on */
    TURN_ORDER_REMOVE,    /* `member` */
    TURN_ORDER_REPLACE,   /* `member` goes, `other`, a learner that has caught up, votes */
    TURN_ORDER_TRANSFER,  /* leadership to `member`; 0: to whoever is furthest */
    TURN_ORDER_CONFIGURE, /* make it `target`, unchecked */
};

#define TURN_DETAIL_BYTES_MAX ((size_t)256)

struct turn_order {
    struct turn_event event;
    enum turn_order_kind kind;
    raft_id member;
    raft_id other;
    char name[NAME_BYTES_MAX];
    struct raft_configuration target;
    uint64_t deadline_ms; /* on the turns' clock */
    /* Filled in. STATUS_NOT_LEADER: ask the leader. STATUS_NOT_FOUND: no such member.
     * STATUS_PRECONDITION: it makes no sense, or would leave no healthy quorum. STATUS_BUSY:
     * another change is under way. STATUS_UNAVAILABLE: this node stops. STATUS_ABORTED,
     * STATUS_TIMEOUT: begun, the end is open. */
    enum status status;
    char detail[TURN_DETAIL_BYTES_MAX]; /* why not, for people */
    /* The turn's own: of the configuration it began with, and the term. */
    raft_index index;
    raft_term term;
};

/* One synced write of the log. */
struct turn_batch {
    struct turn_event event;
    struct raft_batch raft;
    struct kv_log_batch log;
    struct raft_entry *entries; /* BATCH_ENTRIES_MAX; payloads borrowed from the turn */
    /* Filled in by the log writer: */
    enum status status; /* STATUS_OK, or STATUS_DISK_FULL: not written, hand it over again */
    bool has_room;      /* clients' writes still fit */
    uint64_t file_bytes;
    /* The turn's own: */
    bool is_busy;         /* with the writer, or stuck */
    bool is_stuck;        /* came back with STATUS_DISK_FULL */
    raft_index void_from; /* the log was truncated from here on since; 0: not below its end */
};

struct turn_cut {
    struct turn_event event;
    raft_index through;     /* delete up to here */
    raft_index first_index; /* filled in: the first entry kept */
};

struct turn_flush {
    struct turn_event event;
    const struct kv_flush *flush;
    /* Filled in by the state writer: */
    enum status status; /* STATUS_OK, or STATUS_DISK_FULL: not written, hand it over again */
    bool is_done;       /* all of it is written; else hand it over again */
    bool has_room;      /* the next flush is sure to fit */
    uint64_t file_bytes;
};

struct turn_room {
    struct turn_event event;
    bool log_has_room;
    bool state_has_room;
};

struct turn_snapshot {
    struct turn_event event;
    TAILQ_ENTRY(turn_snapshot) link;
    raft_index index; /* the turn's own: the flush it waits for */
};

/* A snapshot on its way to a peer. The turn's own: one for each peer at most. */
struct turn_transfer {
    struct turn_event event;
    raft_id peer;
    raft_index index;  /* the state on disk holds at least this; filled in: what was sent */
    bool is_installed; /* filled in: the peer has it */
    /* The turn's own: */
    bool is_busy;
    raft_index held_index; /* the log after this is kept for the peer */
    uint64_t logged_bytes; /* that had gone into the log when it began */
};

/* A peer's snapshot, built as an environment of its own and synced. Belongs to the turn from
 * TURN_INSTALL to `install_done`. */
struct turn_install {
    struct turn_event event;
    raft_index index; /* of its last entry */
    raft_term term;
    struct raft_configuration configuration;
    uint64_t generation; /* of its own */
    /* Filled in by the log writer (kv_log_install), and by whoever then opened the state: */
    enum status status; /* STATUS_OK, or STATUS_DISK_FULL: nothing changed */
    bool is_log_kept;   /* the log held the snapshot's last entry: what follows it stays */
    struct kv_base base;
    struct kv_meta meta;
};

/* What the turn asks of the world. None of them waits. */
struct turn_ports {
    void *context;
    /* Send a message; an append comes with its entries. All borrowed for the call. */
    void (*send)(void *context, const struct raft_message *message,
                 const struct raft_entry *entries, size_t count);
    /* Give a message, an order back. */
    void (*message_done)(void *context, struct turn_message *message);
    void (*order_done)(void *context, struct turn_order *order);
    /* Write the batch, in the order of the calls; it comes back as TURN_LOG_DONE. */
    void (*log_submit)(void *context, struct turn_batch *batch);
    /* Delete entries; comes back as TURN_CUT_DONE. */
    void (*log_cut)(void *context, struct turn_cut *cut);
    /* Visit durable entries first..last (kv_log_read). */
    enum status (*log_read)(void *context, raft_index first, raft_index last, kv_entry_visit *visit,
                            void *visitor);
    /* Write the frozen table, or a part of it; comes back as TURN_FLUSH_DONE. */
    void (*state_flush)(void *context, struct turn_flush *flush);
    /* Find out how the disk stands; comes back as TURN_ROOM. */
    void (*room_check)(void *context, struct turn_room *room);
    /* Answer, and give the request back; `response` is borrowed for the call. */
    void (*reply)(void *context, struct turn_request *request, const struct kv_response *response);
    /* Pass a request on to the leader, and answer it, or give it to the turn again. */
    void (*forward)(void *context, struct turn_request *request, raft_id leader);
    /* These are the members from now on: committed and applied. Borrowed for the call. */
    void (*members)(void *context, const struct raft_configuration *configuration);
    /* Stream the state on disk, and give the snapshot back. */
    void (*snapshot)(void *context, struct turn_snapshot *snapshot);
    /* Send the state on disk to a peer; comes back as TURN_TRANSFERRED. */
    void (*transfer)(void *context, struct turn_transfer *transfer);
    /* Make the snapshot the state, in the log's store, as one synced write; comes back as
     * TURN_INSTALLED. No batch and no cut is with the log writer, and no flush under way. */
    void (*install)(void *context, struct turn_install *install);
    /* Give it back. STATUS_OK: it is the state, and nothing of the turn looks at the old one any
     * more. Else it is of no use: STATUS_STALE, this node has come as far by itself, or
     * STATUS_DISK_FULL, or it leads. */
    void (*install_done)(void *context, struct turn_install *install, enum status status);
    /* Keep a copy of the status for whoever asks. */
    void (*publish)(void *context, const struct node_status *status);
    /* Microseconds that only go up, to measure how long applying takes; nothing that is decided
     * depends on them. NULL: it is not measured. */
    uint64_t (*stopwatch_us)(void *context);
    /* The state can no longer follow the log (`status` says why): does not return. */
    void (*fail)(void *context, enum status status, raft_index index);
};

struct turn_config {
    struct turn_ports ports;
    struct raft_config raft;
    struct kv_machine_config machine;
    struct kv_identity identity;
    const char *address;       /* where clients reach this node */
    uint64_t flush_ms;         /* a change is on disk after this time at the latest */
    uint64_t keep_entries;     /* kept in the log behind the flush, */
    uint64_t keep_bytes;       /* as far as they take no more than this */
    uint64_t hold_bytes;       /* logged during a transfer to a peer, and kept for it */
    uint64_t stop_ms;          /* how long a stop may take to finish what was accepted */
    uint64_t log_file_bytes;   /* as opened */
    uint64_t state_file_bytes; /* as opened */
    struct durations *applies; /* with a stopwatch: a turn's entries, applied; borrowed */
};

struct turn;

MUST_USE enum status turn_new(const struct turn_config *config, struct turn **ret_turn);

/* Everything handed out through the ports must have come back, but for what the process's end
 * will free. */
void turn_free(struct turn *turn);

/* One turn. `events` were all present when `now_ms` was read: a monotonic clock that counts
 * suspended time. Takes the events out of the list. */
void turn_run(struct turn *turn, uint64_t now_ms, struct turn_events *events);

/* When the next turn is due without any event; 0: at once. UINT64_MAX: never. */
uint64_t turn_deadline_ms(const struct turn *turn);

/* The connection to a peer has broken: the next turn looks at it. On the turn's thread, at any
 * time; what is more than MEMBERS_MAX between two turns is not looked at. */
void turn_peer_lost(struct turn *turn, raft_id peer);

/* A connection to a peer has come about: likewise. */
void turn_peer_found(struct turn *turn);

/* For people who ask; borrowed until the next turn. */
const struct raft_configuration *turn_configuration(const struct turn *turn); /* the newest */
const struct raft_status *turn_raft(const struct turn *turn);
raft_id turn_leader(const struct turn *turn); /* 0: none known */
raft_index turn_last_index(const struct turn *turn);
bool turn_peer_status(const struct turn *turn, raft_id id, struct raft_peer_status *ret_status);

/* Whether this node is a member by the newest configuration in its log, and that is older than one
 * at `index`. */
bool turn_was_member_before(const struct turn *turn, raft_index index);

/* After TURN_STOP: everything accepted is answered, flushed and synced. */
bool turn_is_stopped(const struct turn *turn);

#endif
