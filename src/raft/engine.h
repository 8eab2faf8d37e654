/* What the files of the engine share.
 *
 *   raft.c           the door: events in, ready out
 *   election.c       roles and the edges between them; timers
 *   recv.c           what every message goes through first
 *   recv_vote.c, recv_append.c, recv_append_answer.c, recv_heartbeat.c
 *                    "what happens when this arrives?", a file each
 *   durable.c        batches: handed out, synced, truncated
 *   commit.c         what is committed
 *   replicate.c      what a leader sends
 *   read.c, lease.c  linearizable reads
 *   membership.c     configurations; snapshot.c  what replaces the log
 *   trail.c, progress.c, quorum.c   pieces without a view of the whole */
#ifndef PHALANX_RAFT_ENGINE_H
#define PHALANX_RAFT_ENGINE_H

#include "plant.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/raft.h"
#include "raft/trail.h"

/* Messages that one ready holds; what finds no room is as if the network had lost it. */
#define OUT_MAX ((size_t)1024)

/* Messages that wait for a batch to be durable. */
#define DEFERRED_MAX (4 * MEMBERS_MAX)

/* One append message's payloads; see RAFT_APPEND_ENTRIES_MAX too. */
#define APPEND_BYTES_MAX (1 * MIB)

/* Heartbeat rounds whose time of sending is remembered. */
#define ROUNDS_MAX ((uint64_t)64)

/* Confirmed reads that one ready holds. */
#define READS_MAX ((size_t)8)

struct raft_vote_record {
    raft_id id;
    int vote; /* 1 granted, -1 refused */
};

struct raft_deferred {
    struct raft_message message;
    uint64_t batch; /* sent once this batch is durable */
};

struct raft_handed {
    struct raft_batch batch;
    raft_index counts_to; /* entries up to here become durable with it; truncation lowers this */
    uint64_t handed_ms;   /* when it was handed over, or last answered for */
    bool is_durable;      /* but not yet all batches before it */
};

/* A question for a read index: this node's own, or a peer's. */
struct raft_question {
    uint64_t token; /* 0: none open */
    uint64_t round; /* the round that confirms it; 0: not yet sent */
    raft_index index;
    raft_id asked; /* a follower's own: the leader it was put to; 0: nobody yet */
};

struct raft {
    raft_id self;
    uint64_t election_timeout_ms;
    uint64_t heartbeat_ms;
    bool has_lease_reads;
    uint64_t random;
    uint64_t now_ms; /* of the event at hand */

    struct raft_status status;
    struct raft_hard_state hard;
    bool is_hard_dirty; /* `hard` is not yet in any batch */
    struct raft_trail trail;
    struct raft_configuration configuration; /* the newest in the log, committed or not */
    struct raft_configuration configuration_before;

    uint64_t election_deadline_ms;  /* follower, candidate: when to campaign */
    uint64_t heartbeat_deadline_ms; /* leader */
    uint64_t silent_until_ms;       /* neither campaigns nor votes before */
    uint64_t sticky_until_ms;       /* votes for nobody before: it heard a leader */
    struct raft_vote_record votes[MEMBERS_MAX];
    size_t vote_count;
    bool is_transfer;     /* this candidacy was asked for by the leader */
    bool has_lost_leader; /* the connection to it broke since the election timer was set */

    /* Durability. */
    raft_index handed_index;  /* entries up to here are in some batch */
    raft_index truncate_from; /* the next batch deletes from here on; 0: nothing */
    struct raft_handed handed[BATCHES_IN_FLIGHT_MAX]; /* oldest first */
    size_t handed_count;
    uint64_t batch_number;  /* of the last batch handed out */
    raft_term durable_term; /* of the hard state on disk */
    struct raft_deferred deferred[DEFERRED_MAX];
    size_t deferred_count;

    /* Follower. */
    raft_index matched_index; /* equal to the leader's log up to here, in this term */
    raft_index acked_index;   /* as last told to the leader of this term */
    bool owes_ack;            /* an answer waits for the term to be durable */

    /* Leader. */
    raft_index noop_index;
    uint64_t elected_ms;
    struct raft_progress peers[MEMBERS_MAX];
    size_t peer_count;
    struct raft_question peer_questions[MEMBERS_MAX]; /* beside peers[] */
    raft_index told_commit_index[MEMBERS_MAX];        /* beside peers[] */
    uint64_t commit_tell_ms;                          /* of the config */
    uint64_t tell_commit_ms; /* from then on the commit index alone is worth a message */
    raft_index match_at_heartbeat[MEMBERS_MAX]; /* beside peers[] */
    uint64_t loss_sought_ms[MEMBERS_MAX];       /* beside peers[] */
    uint64_t round;                             /* the last one sent */
    uint64_t rounds_sent_ms[ROUNDS_MAX];
    uint64_t lease_floor_round; /* answers to this round or older ones found no lease */
    bool wants_round;
    bool has_sent_timeout_now; /* in this term: no lease any more */
    raft_id transferee;        /* 0: none */
    uint64_t transfer_deadline_ms;

    /* Reads. */
    uint64_t wanted_token; /* the newest asked for and not yet confirmed; 0: none */
    struct raft_question question;
    uint64_t question_deadline_ms; /* a follower's own: when to put it again */
    uint64_t read_salt;            /* of its tokens on the wire */

    /* Out. */
    bool is_ready_made;
    struct raft_ready ready;
    struct raft_message out[OUT_MAX];
    size_t out_count;
    struct raft_read reads[READS_MAX];
    size_t read_count;
    raft_id snapshots[MEMBERS_MAX];
    size_t snapshot_count;
    struct raft_accepted accepted;
    struct raft_entry own[4];
    uint8_t own_payload[RAFT_CONFIGURATION_BYTES_MAX];
};

/* ---- election.c ---- */
void raft__become_follower(struct raft *r, raft_term term, raft_id leader);
/* A leader becomes a follower of its own term. */
void raft__leave_office(struct raft *r, enum raft_leaving_reason reason);
void raft__campaign(struct raft *r, bool is_transfer);
void raft__votes_count(struct raft *r);
void raft__vote_record(struct raft *r, raft_id id, bool is_granted);
void raft__election_timer_reset(struct raft *r);
uint64_t raft__random(struct raft *r);
void raft__timeout(struct raft *r);
void raft__peer_lost(struct raft *r, raft_id peer);
void raft__peer_found(struct raft *r);
bool raft__is_sticky(const struct raft *r);
bool raft__can_campaign(const struct raft *r);

/* ---- recv*.c ---- */
MUST_USE enum status raft__receive(struct raft *r, const struct raft_message *m);
void raft__recv_pre_vote(struct raft *r, const struct raft_message *m);
void raft__recv_vote(struct raft *r, const struct raft_message *m);
void raft__recv_pre_vote_answer(struct raft *r, const struct raft_message *m);
void raft__recv_vote_answer(struct raft *r, const struct raft_message *m);
MUST_USE enum status raft__recv_append(struct raft *r, const struct raft_message *m);
MUST_USE enum status raft__recv_append_answer(struct raft *r, const struct raft_message *m);
MUST_USE enum status raft__recv_heartbeat(struct raft *r, const struct raft_message *m);
MUST_USE enum status raft__recv_heartbeat_answer(struct raft *r, const struct raft_message *m);
void raft__follow(struct raft *r, raft_id leader);
void raft__ack(struct raft *r, bool is_forced);

/* ---- replicate.c ---- */
void raft__send(struct raft *r, const struct raft_message *m);
void raft__send_when_durable(struct raft *r, const struct raft_message *m, uint64_t batch);
struct raft_message raft__message(const struct raft *r, enum raft_message_kind kind, raft_id to);
void raft__round_send(struct raft *r);
void raft__replicate(struct raft *r);
bool raft__replication_is_due(const struct raft *r);
uint64_t raft__tell_deadline_ms(const struct raft *r); /* of a commit index alone */
struct raft_progress *raft__peer(struct raft *r, raft_id id);

/* ---- durable.c ---- */
bool raft__entry_append(struct raft *r, raft_term term, size_t payload_bytes);
void raft__entries_truncate(struct raft *r, raft_index from);
bool raft__next_batch(const struct raft *r, struct raft_batch *ret_batch);
void raft__batch_handed(struct raft *r, const struct raft_batch *batch);
MUST_USE enum status raft__batch_durable(struct raft *r, const struct raft_event *event);
void raft__batch_delayed(struct raft *r, const struct raft_event *event);
bool raft__log_hangs(const struct raft *r);
void raft__deferred_drop(struct raft *r);

/* ---- commit.c ---- */
MUST_USE enum status raft__propose(struct raft *r, size_t payload_bytes);
void raft__own_append(struct raft *r, enum raft_entry_type type, size_t payload_bytes);
void raft__commit_advance(struct raft *r);
void raft__commit_to(struct raft *r, raft_index index);

/* ---- read.c, lease.c ---- */
MUST_USE enum status raft__read(struct raft *r, uint64_t token);
void raft__reads_pump(struct raft *r);
bool raft__read_is_due(const struct raft *r);
void raft__reads_round_sent(struct raft *r);
void raft__reads_round_answered(struct raft *r);
void raft__recv_read(struct raft *r, const struct raft_message *m);
void raft__recv_read_answer(struct raft *r, const struct raft_message *m);
uint64_t raft__quorum_heard_ms(const struct raft *r);

/* How long a lease lasts by an election timeout, and for how many times that its voters are silent
 * at least: the room for a fast clock. */
#define RAFT_LEASE_ROOM 2
static inline uint64_t raft__lease_ms(uint64_t election_timeout_ms) {
    return election_timeout_ms * 2 / 5;
}

/* ---- membership.c, snapshot.c ---- */
MUST_USE enum status raft__configure(struct raft *r, const struct raft_configuration *target);
MUST_USE enum status raft__transfer(struct raft *r, raft_id transferee);
bool raft__timeout_now_is_due(const struct raft *r);
void raft__transfer_pursue(struct raft *r);
void raft__configuration_take(struct raft *r, const struct raft_configuration *configuration);
void raft__configuration_undo(struct raft *r, raft_index from);
void raft__configuration_committed(struct raft *r);
void raft__peers_sync(struct raft *r);
void raft__cut(struct raft *r, raft_index through);
void raft__snapshot_sent(struct raft *r, const struct raft_event *event);
MUST_USE enum status raft__installed(struct raft *r, const struct raft_event *event);

#endif
