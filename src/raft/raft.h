/* The Raft engine: decides. A pure machine: no clock, no I/O, no thread, no log line.
 *
 * Follows Diego Ongaro's thesis, "Consensus: Bridging Theory and Practice" (2014); sections are
 * cited where a rule is. This engine has one voter so far, and goes through the same
 * propose -> durable -> commit -> apply path that several voters will.
 *
 * Every input is an event for raft_step(), every output is read from raft_ready():
 *
 *     raft_step(r, event) ...       as many as the turn has
 *     raft_ready(r, &ready)         what to write, up to where to apply, which reads may go
 *     ... hand ready.batch to the log writer, apply, answer ...
 *     raft_advance(r)               everything in `ready` has been taken
 *
 * Ownership: in is borrowed for the call; out is borrowed until raft_advance(). Payloads pass
 * through: the engine remembers index and term, the caller keeps the bytes. */
#ifndef PHALANX_RAFT_H
#define PHALANX_RAFT_H

#include "bytes.h"
#include "check.h"
#include "limits.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t raft_term;
typedef uint64_t raft_index; /* from 1; 0: none */
typedef uint64_t raft_id;    /* a member's random identity; 0: none */

enum raft_role { RAFT_FOLLOWER, RAFT_CANDIDATE, RAFT_LEADER };

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 1, /* a new leader's first entry (thesis 6.4) */
    RAFT_ENTRY_COMMAND = 2,
    RAFT_ENTRY_CONFIGURATION = 3,
};

/* What must be durable before this node says anything that depends on it (thesis 3.8). */
struct raft_hard_state {
    raft_term term;
    raft_id vote; /* whom it voted for in `term`; 0: nobody */
};

struct raft_entry {
    raft_index index;
    raft_term term;
    enum raft_entry_type type;
    struct bytes payload;
};

struct raft_config {
    raft_id self;
    struct raft_hard_state hard; /* as read from the log's store */
    raft_index last_index;       /* of the log; 0: empty */
    raft_term last_term;
    raft_index applied_index; /* of the state; at most last_index */
    uint64_t election_timeout_ms;
    uint64_t now_ms; /* of the start, on the turns' clock */
};

enum raft_event_kind {
    RAFT_EVENT_TIMEOUT, /* fire the timers that are due at now_ms */
    RAFT_EVENT_PROPOSE, /* append one entry; it gets raft_status()->last_index */
    RAFT_EVENT_READ,    /* ask for a read index; see raft_ready.read_index */
    RAFT_EVENT_DURABLE, /* the log writer has synced a batch */
};

struct raft_event {
    enum raft_event_kind kind;
    uint64_t now_ms; /* the turn's clock: monotonic, counts suspended time */
    union {
        struct {
            enum raft_entry_type type;
            size_t payload_bytes;
        } propose;
        struct {
            uint64_t batch;
            raft_term term; /* the batch's, as it was handed out */
        } durable;
    };
};

/* One synced write: all of it is durable, or nothing is. */
struct raft_batch {
    uint64_t number; /* from 1 */
    raft_term term;  /* of the node when it was made; returns in RAFT_EVENT_DURABLE */
    bool has_hard_state;
    struct raft_hard_state hard;
    raft_index first; /* entries first..last; none when first > last */
    raft_index last;
    raft_index noop_index; /* the one among them that the engine made itself; 0: none */
};

struct raft_ready {
    bool has_batch; /* hand `batch` to the log writer */
    struct raft_batch batch;
    /* Apply everything up to here: committed, and durable in the local log. */
    raft_index apply_to;
    /* Reads of RAFT_EVENT_READ may be answered once this index is applied. Valid when has_read:
     * every read stepped before this call is covered (thesis 6.4). */
    bool has_read;
    raft_index read_index;
};

/* Read with raft_status(); belongs to the engine, always current. */
struct raft_status {
    enum raft_role role;
    raft_term term;
    raft_id leader; /* 0: none known */
    raft_index last_index;
    raft_index durable_index; /* of the local log */
    raft_index commit_index;
    uint64_t elections_total;
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
 * STATUS_NOT_LEADER a proposal or a read, and this node does not lead, or has not yet committed an
 *                   entry of its term (reads only); nothing changed.
 * STATUS_STALE      a completion of another term or of no batch in flight; ignored. */
MUST_USE enum status raft_step(struct raft *r, const struct raft_event *event);

/* What there is to do. Calling it again without raft_advance() gives the same. */
void raft_ready(struct raft *r, struct raft_ready *ret_ready);

/* Everything of the last raft_ready() was taken over. */
void raft_advance(struct raft *r);

/* When RAFT_EVENT_TIMEOUT is next due, on now_ms's clock; UINT64_MAX: no timer runs. */
uint64_t raft_deadline_ms(const struct raft *r);

const struct raft_status *raft_status(const struct raft *r);

/* The invariants (thesis figure 3.2 and ours), CHECKed after each step in every build. */
void raft_check(const struct raft *r);

#endif
