/* Founding: how blank nodes make exactly one cluster of themselves. A pure machine: no clock, no
 * I/O, no thread, no log line, no memory taken after founding_new().
 *
 * It has the engine's shape: events in by founding_step(), outputs from founding_ready(), and
 * founding_advance() once they were taken. In is borrowed for the call; out is borrowed until
 * founding_advance().
 *
 * The protocol, for N expected members:
 *
 *  1. The smallest identity among the blank nodes that it sees proposes: a number above all that it
 *     has seen, and N exact members (identity, name). Number and proposer give the cluster's id.
 *  2. A member accepts durably, if the number is above all that it has accepted or declined, and
 *     while it holds no other proposal. It holds this one until it knows the outcome.
 *  3. Before all N have accepted, the proposer may cancel. A member that is asked by a holder out
 * of patience and has not accepted declines durably, for good. Either way it is dead: it can never
 *     be started.
 *  4. Once all N have accepted, the members decide by ballots between "start" and "drop": Lamport's
 *     single decree ("Paxos Made Simple", 2001), a majority for each step. The proposer owns ballot
 *     0 and alone can bring "start" into play; any other holder that hears nothing for long makes a
 *     higher ballot, which repeats what an earlier one may have chosen, else drops.
 *  5. Chosen "start": each member that learns it, from whomever, is founded. Chosen "drop": dead.
 *  6. A member whose name another node bears while it is silent was wiped, and one that was reset
 * by its operator has left: neither will ever start it. Once they are half of the N or more, no
 * majority is left, and all drop it, a starter too unless it knows of a committed entry.
 *
 * Two started clusters share no member: a common member would have had to let go of the first one,
 * and could only because it was dead. So with a fixed set of names, or with fewer than 2N blank
 * starts (or up to N/2 machines more than N, however often they are wiped), never two clusters have
 * a majority. It ends whenever fewer than half of the members are lost without a successor of their
 * name; else --reset-founding is the way out. */
#ifndef PHALANX_FOUNDING_H
#define PHALANX_FOUNDING_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "raft/raft.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* Nodes that the machine remembers to have sighted, itself not counted. The one silent for the
 * longest time makes room for a new one; when all are in sight, the new one is refused. */
#define FOUNDING_NODES_MAX (4 * MEMBERS_MAX)

/* A message, and the durable record, in bytes, at most. */
#define FOUNDING_MESSAGE_BYTES_MAX ((size_t)128 + MEMBERS_MAX * (10 + NAME_BYTES_MAX))
#define FOUNDING_RECORD_BYTES_MAX ((size_t)192 + MEMBERS_MAX * (10 + NAME_BYTES_MAX))

/* What founding_waiting() writes, with its final zero. */
#define FOUNDING_TEXT_BYTES_MAX ((size_t)512)

/* Messages of one founding_ready(); what finds no room is as if the network had lost it. */
#define FOUNDING_MESSAGES_MAX (4 * FOUNDING_NODES_MAX)

struct founding_config {
    raft_id self;     /* this data directory's identity; not 0 */
    const char *name; /* NODE_ID; copied */

    /* PEERS: the members' names, `name` among them, each once; copied. NULL: discovery. */
    const char *const *names;
    size_t name_count;
    size_t expect; /* discovery: BOOTSTRAP_EXPECT, 1..MEMBERS_MAX; with names it is their number */

    struct bytes record; /* the last one that is durable; empty: there is none; copied */

    /* Of the log's store: the cluster that this node belongs to, by founding or by joining; 0:
     * none. And whether it knows of a committed entry in it (applied index above 0). */
    uint64_t cluster_id;
    bool has_committed;

    /* A message there and back with a synced write at the far end takes less than this, usually.
     * All its times are multiples of it (`retry` here): it sends again after 1, lets discovery
     * settle for 2, cancels after 15, a holder loses patience after 30 to 60, and a silent member
     * whose name another node bears counts as wiped after 50. 200 is right for most networks. */
    uint64_t retry_ms; /* 10 .. 60000 */
    uint64_t seed;
    uint64_t now_ms; /* of the start, on the turns' clock */
};

/* Another node of this node's label, as a hello or gossip tells of it. */
struct founding_node {
    raft_id id; /* not 0 */
    const char *name;
    uint64_t cluster_id; /* that it belongs to; 0: it is blank */
};

enum founding_event_kind {
    FOUNDING_EVENT_TIMEOUT, /* fire the timers that are due at now_ms */
    FOUNDING_EVENT_SIGHTED, /* a node is in sight; again whenever something about it is new */
    FOUNDING_EVENT_SILENT, /* it can no longer be reached: its link is down, gossip calls it dead */
    FOUNDING_EVENT_RECEIVE,   /* a message from a node; sighted or not */
    FOUNDING_EVENT_DURABLE,   /* a record is on the disk, synced */
    FOUNDING_EVENT_COMMITTED, /* the cluster that this node started has a committed entry */
    /* This node is about to store another cluster's id, since FOUNDING_JOIN was decided and that
     * cluster's leader has taken it in. To be stepped before that write is handed out: from here on
     * the machine accepts nothing. STATUS_BUSY: FOUNDING_JOIN with this id is not the decision any
     * more; don't write. */
    FOUNDING_EVENT_JOINED,
    /* --reset-founding: let go of what this node holds without knowing its outcome; if it has
     * started it, FOUNDING_DROP follows. To be stepped with the engine stopped: it must not
     * acknowledge what is about to be dropped. STATUS_PRECONDITION: it belongs to a cluster that
     * has committed an entry, or that it joined. */
    FOUNDING_EVENT_RESET,
};

struct founding_event {
    enum founding_event_kind kind;
    uint64_t now_ms; /* the turn's clock */
    union {
        struct founding_node sighted;
        raft_id silent;
        struct {
            raft_id from;
            struct bytes bytes;
        } receive;
        uint64_t durable;    /* the record's number */
        uint64_t cluster_id; /* joined */
    };
};

struct founding_message {
    raft_id to;
    struct bytes bytes;
};

/* Replaces the one before it. The store adds the checksum; one record at a time is handed out. */
struct founding_record {
    uint64_t number; /* from 1, anew with each start */
    struct bytes bytes;
};

enum founding_decision_kind {
    FOUNDING_WAIT, /* for what founding_waiting() says */
    FOUNDING_JOIN, /* `cluster_id` is founded and in sight: ask it to take this node in */
    /* This node is a founder of `cluster_id`: write log entry 1 = raft_configuration_encode() of
     * `configuration`, the same bytes on every founder, together with the cluster's id. It was
     * durable here before it was told, and is told again after a restart until the store has it. */
    FOUNDING_FOUND,
    /* The cluster `cluster_id` that this node started can have no majority and has committed
     * nothing that this node knows of, or its operator has reset it: stop the engine, empty the
     * log, forget the cluster's id (the identity stays). That has to be on the disk before
     * founding_advance(). Durable here first; told again after a restart while the store still has
     * that cluster's id. */
    FOUNDING_DROP,
};

struct founding_decision {
    enum founding_decision_kind kind;
    uint64_t cluster_id;                     /* JOIN, FOUND, DROP */
    struct raft_configuration configuration; /* FOUND: N voters in the order of their identities */
};

struct founding_ready {
    const struct founding_message *messages;
    size_t message_count;
    bool has_record; /* to be written and synced; comes back in FOUNDING_EVENT_DURABLE */
    struct founding_record record;
    /* A decision other than the last one told. FOUND and DROP are told once each, in order, never
     * skipped; WAIT and JOIN may follow each other as nodes come and go. */
    bool has_decision;
    struct founding_decision decision;
};

struct founding;

/* A machine where its record left off.
 *
 * STATUS_INVALID   the config contradicts itself: no identity, a name missing, too long, twice, or
 *                  not among `names`; an expectation or a retry_ms out of range.
 * STATUS_CORRUPT   `record` is not a record, or another identity's.
 * STATUS_UNSUPPORTED   it is of a later version.
 * STATUS_NO_MEMORY no memory left. */
MUST_USE enum status founding_new(const struct founding_config *config, struct founding **ret_f);
void founding_free(struct founding *f);

/* Hand one event to the machine. Borrows `event` for the call.
 *
 * STATUS_INVALID      a message or a node that no machine of ours would send; nothing changed.
 * STATUS_UNSUPPORTED  a message of a later version; nothing changed.
 * STATUS_STALE        a record's number that was not handed out; nothing changed.
 * STATUS_OVERLOAD     no room for one more node in sight; nothing changed.
 * STATUS_BUSY, STATUS_PRECONDITION   see the events; nothing changed. */
MUST_USE enum status founding_step(struct founding *f, const struct founding_event *event);

/* What there is to do. Calling it again without founding_advance() gives the same. Nothing leaves
 * before the record that it follows from is durable. */
void founding_ready(struct founding *f, struct founding_ready *ret_ready);

/* Everything of the last founding_ready() was taken over. */
void founding_advance(struct founding *f);

/* When FOUNDING_EVENT_TIMEOUT is next due, on now_ms's clock; UINT64_MAX: no timer runs. */
uint64_t founding_deadline_ms(const struct founding *f);

/* What this node waits for, as one line for people, such as "waiting for 2 of 5: b, d have not been
 * seen"; empty once it belongs to a cluster. Returns its bytes without the final zero. */
size_t founding_waiting(const struct founding *f, char text[static FOUNDING_TEXT_BYTES_MAX]);

#endif
