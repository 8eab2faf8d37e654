/* One engine alone, node 1 of three voters: the test plays its peers and its disk, message by
 * message. */
#ifndef PHALANX_TEST_SUPPORT_SOLO_H
#define PHALANX_TEST_SUPPORT_SOLO_H

#include "raft/raft.h"

#define SOLO_TIMEOUT_MS 1000
#define SOLO_HEARTBEAT_MS 100

struct solo {
    struct raft *raft;
    uint64_t now_ms;
    struct raft_message out[256]; /* since the last solo_forget() */
    size_t out_count;
    struct raft_batch batches[8]; /* handed out and not yet synced */
    size_t batch_count;
    struct raft_read reads[32];
    size_t read_count;
    raft_id snapshots[16];
    size_t snapshot_count;
    raft_index apply_to;
};

/* Voters 1 .. voters, self 1, nothing in the log, at 10,000 ms, past its silence. */
struct raft_config solo_config(size_t voters);
void solo_start(struct solo *s, const struct raft_config *config);
/* A log of one run: `last` entries of `term`; the hard state is of the same term. */
void solo_start_with_log(struct solo *s, raft_index last, raft_term term);
/* Leads in the next term, its no-op durable and committed with node 2, nothing in `out`. */
void solo_start_as_leader(struct solo *s, size_t voters);
void solo_stop(struct solo *s);

enum status solo_step(struct solo *s, struct raft_event event);
enum status solo_receive(struct solo *s, struct raft_message message); /* `to` is filled in */
/* Step without taking the ready: several of them make one turn, solo_take() ends it. */
enum status solo_step_only(struct solo *s, struct raft_event event);
void solo_take(struct solo *s);
enum status solo_propose(struct solo *s);
/* Time passes, and the timers that are due fire. */
void solo_elapse(struct solo *s, uint64_t ms);
void solo_sync(struct solo *s); /* the oldest batch */
void solo_sync_all(struct solo *s);
void solo_forget(struct solo *s);

/* The last of a kind to a peer (0: to anybody); NULL: none. */
const struct raft_message *solo_sent(const struct solo *s, enum raft_message_kind kind, raft_id to);
size_t solo_sent_count(const struct solo *s, enum raft_message_kind kind);

/* Messages from a peer. */
struct raft_message from_vote(raft_id from, raft_term term, raft_index last, raft_term last_term);
struct raft_message from_append(raft_id from, raft_term term, raft_index prev, raft_term prev_term,
                                const struct raft_entry *entries, size_t count, raft_index commit);
struct raft_message from_ack(raft_id from, raft_term term, raft_index index);
struct raft_message from_heartbeat(raft_id from, raft_term term, uint64_t round, raft_index commit);
struct raft_message from_heartbeat_answer(raft_id from, raft_term term, uint64_t round,
                                          uint64_t election_timeout_ms);
struct raft_entry an_entry(raft_index index, raft_term term);

#endif
