/* The Raft engine: decides. A pure machine: no clock, no I/O, no thread, no log line, no memory
 * taken after raft_new().
 *
 * Follows Diego Ongaro's thesis, "Consensus: Bridging Theory and Practice" (2014); sections are
 * cited where a rule is. Durability is asynchronous (thesis 10.2.1): what is to be written goes out
 * in numbered batches, and what depends on it waits for the batch to come back.
 *
 * Every input is an event for raft_step(), every output is read from raft_ready():
 *
 *     raft_step(r, event) ...       as many as the turn has
 *     raft_ready(r, &ready)         what to send, to write, to apply, to read
 *     ... act on it ...
 *     raft_advance(r)               everything in `ready` has been taken
 *
 * Ownership: in is borrowed for the call; out is borrowed until raft_advance(). Payloads pass
 * through: the engine remembers index, term and size, the caller keeps the bytes. */
#ifndef PHALANX_RAFT_H
#define PHALANX_RAFT_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t raft_term;
typedef uint64_t raft_index; /* from 1; 0: none */
typedef uint64_t raft_id;    /* a member's random identity; 0: none */

/* ---- Configurations (thesis 4.3) ----------------------------------------------------------- */

/* In which of the two halves of a joint configuration a member votes. In a simple one only the
 * new half counts; a member with neither is a learner. A voter of the old half alone leaves with
 * it, unless it is to stay as a learner. */
enum raft_vote_right {
    RAFT_LEARNER = 0,
    RAFT_VOTER_NEW = 1,
    RAFT_VOTER_OLD = 2,
    RAFT_VOTER_BOTH = 3,
    RAFT_LEARNER_NEXT = 4, /* only beside RAFT_VOTER_OLD */
};

struct raft_member {
    raft_id id;
    unsigned rights; /* enum raft_vote_right */
    char name[NAME_BYTES_MAX];
};

struct raft_configuration {
    raft_index index; /* of its entry; 0: the founding one */
    bool is_joint;
    size_t count;
    struct raft_member members[MEMBERS_MAX];
};

/* As a RAFT_ENTRY_CONFIGURATION's payload, little-endian: u8 version, u8 is_joint, u32 count, and
 * per member u64 id, u8 rights, u8 name bytes, name. Returns the bytes written; `capacity` of
 * RAFT_CONFIGURATION_BYTES_MAX always fits. */
#define RAFT_CONFIGURATION_BYTES_MAX ((size_t)8 + MEMBERS_MAX * (10 + NAME_BYTES_MAX))
size_t raft_configuration_encode(const struct raft_configuration *configuration, uint8_t *data,
                                 size_t capacity);
/* STATUS_CORRUPT: not a configuration. `index` is for the caller to set. */
MUST_USE enum status raft_configuration_decode(struct bytes payload,
                                               struct raft_configuration *ret_configuration);

/* NULL: not a member. */
const struct raft_member *raft_configuration_find(const struct raft_configuration *configuration,
                                                  raft_id id);

/* ---- Entries ------------------------------------------------------------------------------- */

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 1, /* a new leader's first entry (thesis 6.4) */
    RAFT_ENTRY_COMMAND = 2,
    RAFT_ENTRY_CONFIGURATION = 3,
};

struct raft_entry {
    raft_index index;
    raft_term term;
    enum raft_entry_type type;
    struct bytes payload;
};

/* What must be durable before this node says anything that depends on it (thesis 3.8). */
struct raft_hard_state {
    raft_term term;
    raft_id vote; /* whom it voted for in `term`; 0: nobody */
};

/* Entries of one append message at most. */
#define RAFT_APPEND_ENTRIES_MAX ((size_t)1024)

/* ---- Messages ------------------------------------------------------------------------------ */

enum raft_message_kind {
    RAFT_PRE_VOTE, /* would you vote for me? (thesis 9.6) */
    RAFT_PRE_VOTE_ANSWER,
    RAFT_VOTE,
    RAFT_VOTE_ANSWER,
    RAFT_APPEND,
    RAFT_APPEND_ANSWER,
    RAFT_HEARTBEAT, /* answered at once, not behind a sync: carries a round */
    RAFT_HEARTBEAT_ANSWER,
    RAFT_TIMEOUT_NOW, /* leadership transfer (thesis 3.10) */
    RAFT_READ,        /* a follower asks for a read index */
    RAFT_READ_ANSWER,
};

struct raft_message {
    enum raft_message_kind kind;
    raft_id from;
    raft_id to;
    raft_term term; /* of a pre-vote: the term it would be */
    union {
        struct {
            raft_index last_index;
            raft_term last_term;
            bool is_transfer; /* the leader itself asked for it: stickiness does not apply */
        } vote;
        struct {
            bool is_granted;
        } vote_answer;
        struct {
            raft_index prev_index;
            raft_term prev_term;
            raft_index commit_index;
            /* Going out: the entries prev_index+1 .. last_index, whose bytes the caller fills in.
             * Coming in: `entries` with their payloads, `count` of them. */
            raft_index last_index;
            const struct raft_entry *entries;
            size_t count;
        } append;
        struct {
            bool is_match;
            raft_index index;      /* match: durable and equal up to here; else: what was refused */
            raft_index hint_index; /* refused: try at or before this, */
            raft_term hint_term;   /* where the log has this term (thesis 3.5, skip a term) */
        } append_answer;
        struct {
            uint64_t round;
            raft_index commit_index; /* not above what the receiver is known to hold */
        } heartbeat;
        struct {
            uint64_t round;
            uint64_t election_timeout_ms; /* the sender's, as declared (leases) */
        } heartbeat_answer;
        struct {
            uint64_t token;
            raft_index index; /* answers only */
        } read;
    };
};

/* ---- The engine ---------------------------------------------------------------------------- */

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/* Runs that a log can have: every election can add one, every cut drops some. */
#define RAFT_RUNS_MAX ((size_t)16384)

/* Entries first.. have this term, up to the next run or the end of the log. */
struct raft_term_run {
    raft_index first;
    raft_term term;
};

struct raft_config {
    raft_id self;
    struct raft_hard_state hard; /* as read from the log's store */
    /* The log: what was cut, and the terms of what is kept. */
    raft_index cut_index; /* the last entry cut; 0: none */
    raft_term cut_term;
    const struct raft_term_run *runs; /* in order; borrowed for the call */
    size_t run_count;
    raft_index last_index;    /* cut_index when the log is empty */
    raft_index applied_index; /* of the state; cut_index .. last_index */
    /* The newest configuration at or below last_index, and the one before it. */
    struct raft_configuration configuration;
    struct raft_configuration configuration_before;
    raft_term configuration_term; /* of the newest one's entry, at most; 0: as the log tells */
    uint64_t election_timeout_ms;
    uint64_t heartbeat_ms;
    /* A leader waits so long for an append that carries its commit index before it tells it by a
     * message of its own. A follower that is asked for what was committed learns of it with the
     * read index, so only stale reads see the difference. */
    uint64_t commit_tell_ms;
    /* How long after the start this node neither campaigns nor votes: the largest timeout that it
     * ever declared; 0: it never belonged to a cluster. Shortened to nothing for a sole voter that
     * was itself the last leader it knew. */
    uint64_t silence_ms;
    bool has_lease_reads;
    uint64_t seed;   /* of the randomized timeouts */
    uint64_t now_ms; /* of the start, on the turns' clock */
};

enum raft_event_kind {
    RAFT_EVENT_TIMEOUT,       /* fire the timers that are due at now_ms */
    RAFT_EVENT_RECEIVE,       /* a message came in */
    RAFT_EVENT_PROPOSE,       /* append one entry; it gets raft_status()->last_index */
    RAFT_EVENT_CONFIGURE,     /* change the members (thesis 4.3) */
    RAFT_EVENT_TRANSFER,      /* hand leadership over (thesis 3.10) */
    RAFT_EVENT_READ,          /* ask for a read index; comes back in raft_ready.reads */
    RAFT_EVENT_DURABLE,       /* the log writer has synced a batch */
    RAFT_EVENT_DELAYED,       /* it found no room for a batch: that is no hanging disk */
    RAFT_EVENT_CUT,           /* the log was cut up to and including an index */
    RAFT_EVENT_PEER_LOST,     /* the connection to a peer has broken */
    RAFT_EVENT_PEER_FOUND,    /* one has come about: who is there need not wait for a heartbeat */
    RAFT_EVENT_SNAPSHOT_SENT, /* a snapshot's transfer to a peer has ended */
    /* This node's state and log were replaced by a snapshot, in one transaction that also raised
     * the durable term to the snapshot's (voting for nobody) where it was older: a batch with a
     * newer one may still be on its way. */
    RAFT_EVENT_INSTALLED,
};

struct raft_event {
    enum raft_event_kind kind;
    uint64_t now_ms; /* the turn's clock: monotonic, counts suspended time */
    union {
        const struct raft_message *message;
        struct {
            size_t payload_bytes;
        } propose;
        const struct raft_configuration *target; /* a simple one: its `rights` of the new half */
        raft_id transferee;
        uint64_t read_token; /* increasing; shared by all reads of a turn */
        struct {
            uint64_t batch;
            raft_term term; /* the batch's, as it was handed out */
        } durable;          /* and delayed */
        raft_index cut_index;
        raft_id lost_peer;
        struct {
            raft_id peer;
            raft_index index; /* of the snapshot */
            bool is_installed;
        } snapshot_sent;
        struct {
            raft_index index;
            raft_term term;
            const struct raft_configuration *configuration;
        } installed;
    };
};

/* One synced write: all of it is durable, or nothing is. */
struct raft_batch {
    uint64_t number; /* from 1 */
    raft_term term;  /* of the node when it was made; returns in RAFT_EVENT_DURABLE */
    bool has_hard_state;
    struct raft_hard_state hard;
    raft_index truncate_from; /* first delete from here on; 0: nothing */
    raft_index first;         /* entries first..last; none when first > last */
    raft_index last;
    bool has_own; /* among them one that the engine made itself: a no-op, a configuration */
};

struct raft_read {
    uint64_t token;
    raft_index index; /* answer once this is applied */
};

struct raft_ready {
    const struct raft_message *messages;
    size_t message_count;
    bool has_batch; /* hand `batch` to the log writer */
    struct raft_batch batch;
    raft_index apply_to;           /* apply up to here: committed, and durable in the local log */
    const struct raft_read *reads; /* confirmed; older tokens than these are covered too */
    size_t read_count;
    const raft_id *snapshots; /* peers that the log no longer reaches: send them the state */
    size_t snapshot_count;
};

/* Why a node campaigned last. */
enum raft_campaign_reason {
    RAFT_CAMPAIGN_NONE,
    RAFT_CAMPAIGN_SILENCE, /* no leader was heard for an election timeout */
    RAFT_CAMPAIGN_LOST,    /* the connection to the leader broke, and it was not heard since */
    RAFT_CAMPAIGN_ASKED,   /* the leader hands over */
};

/* Why a leader left office last. */
enum raft_leaving_reason {
    RAFT_LEAVING_NONE,
    RAFT_LEAVING_TERM,      /* there is a newer term */
    RAFT_LEAVING_HANDOVER,  /* likewise, because it handed over */
    RAFT_LEAVING_NO_QUORUM, /* it heard none for an election timeout */
    RAFT_LEAVING_LOG,       /* its own log hangs */
    RAFT_LEAVING_REMOVED,   /* it is no voter any more */
};

/* Read with raft_status(); belongs to the engine, always current. */
struct raft_status {
    enum raft_role role;
    raft_term term;
    raft_id leader; /* 0: none known */
    raft_index last_index;
    raft_index durable_index; /* of the local log */
    raft_index commit_index;
    bool is_in_office; /* leads, and has committed an entry of its term */
    bool is_member;    /* of the newest configuration */
    uint64_t elections_total;
    uint64_t step_downs_total;
    enum raft_campaign_reason campaign_reason;
    enum raft_leaving_reason leaving_reason;
};

/* How a leader feeds a peer (progress.h). */
enum raft_feeding { RAFT_FEEDING_PROBE, RAFT_FEEDING_REPLICATE, RAFT_FEEDING_SNAPSHOT };

struct raft_peer_status {
    raft_id id;
    bool is_voter;
    enum raft_feeding feeding;
    raft_index match_index;
    raft_index next_index;
    size_t in_flight; /* appends on their way to it */
    size_t in_flight_bytes;
    uint64_t acked_ms; /* when it was last heard, on the turns' clock; 0: not in this term */
};

struct raft;

/* An engine with the state that the log's store holds.
 *
 * STATUS_INVALID   the config contradicts itself (applied beyond the log, no self).
 * STATUS_NO_MEMORY no memory left. */
MUST_USE enum status raft_new(const struct raft_config *config, struct raft **ret_raft);
void raft_free(struct raft *r);

/* Hand one event to the engine. Borrows `event` for the call.
 *
 * STATUS_NOT_LEADER  a proposal, change or transfer, and this node does not lead; a read, and no
 *                    leader is known or it has not yet committed an entry of its term.
 * STATUS_BUSY        a change while another is under way, or before the term's first entry is
 *                    committed; a proposal while leadership is being handed over.
 * STATUS_OVERLOAD    a buffer is full.
 * STATUS_INVALID     a change or a transfer that makes no sense; a message that is not for us.
 * STATUS_STALE       a message of an older term, a completion of another batch: ignored.
 * With all of these nothing changed but, for messages, what the term demands. */
MUST_USE enum status raft_step(struct raft *r, const struct raft_event *event);

/* After RAFT_EVENT_RECEIVE of a RAFT_APPEND, and after any event that made entries of the engine's
 * own: what the caller's copy of the log has to follow. Valid until the next raft_step(). */
struct raft_accepted {
    raft_index truncate_from; /* forget from here on; 0: nothing */
    size_t skip;              /* of the message's entries: held already */
    size_t count;             /* then take so many */
    /* Entries made by the engine itself, after the above: payloads borrowed until raft_advance().
     */
    const struct raft_entry *own;
    size_t own_count;
};
const struct raft_accepted *raft_accepted(const struct raft *r);

/* What there is to do. Calling it again without raft_advance() gives the same. */
void raft_ready(struct raft *r, struct raft_ready *ret_ready);

/* Whether raft_ready() would bring anything but an unchanged apply_to. */
bool raft_has_work(const struct raft *r);

/* Everything of the last raft_ready() was taken over. */
void raft_advance(struct raft *r);

/* When RAFT_EVENT_TIMEOUT is next due, on now_ms's clock; UINT64_MAX: no timer runs. */
uint64_t raft_deadline_ms(const struct raft *r);

const struct raft_status *raft_status(const struct raft *r);
const struct raft_configuration *raft_configuration(const struct raft *r); /* the newest */
bool raft_peer_status(const struct raft *r, raft_id id, struct raft_peer_status *ret_status);
bool raft_has_lease(const struct raft *r, uint64_t now_ms);

/* The invariants (thesis figure 3.2 and ours), CHECKed after each step in every build. */
void raft_check(const struct raft *r);

#endif
