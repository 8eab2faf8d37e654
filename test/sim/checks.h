/* What must hold, each in a file of its own: check_*.c. The first three hooks look into the nodes;
 * a blind run (sim_options.is_blind) goes by what clients see and what nodes apply. */
#ifndef PHALANX_SIM_CHECKS_H
#define PHALANX_SIM_CHECKS_H

#include "kv/kv.h"
#include "sim/history.h"
#include "sim/table.h"

struct sim;
struct sim_node;
struct sim_call;
struct sim_entry;
struct sim_checks;
struct turn_install;

struct sim_checks *sim_checks_new(struct sim *sim);
void sim_checks_free(struct sim_checks *checks);

/* A node's disk took an entry; is about to delete those from an index on. */
void sim_check_appended(struct sim *sim, struct sim_node *node, const struct sim_entry *entry);
void sim_check_truncated(struct sim *sim, struct sim_node *node, raft_index from);

/* A node's turn goes on from a peer's snapshot. */
void sim_check_installed(struct sim *sim, struct sim_node *node,
                         const struct turn_install *install);

/* It is about to write a term and a vote. */
void sim_check_hard(struct sim *sim, struct sim_node *node, const struct raft_hard_state *hard);

/* A node sends a message; answers a client; has ended a turn. */
void sim_check_send(struct sim *sim, struct sim_node *node, const struct raft_message *message);
void sim_check_reply(struct sim *sim, struct sim_node *node, const struct sim_call *call,
                     const struct kv_response *response);
void sim_check_turn(struct sim *sim, struct sim_node *node);

/* It gives up in the middle of a turn. */
void sim_check_given_up(struct sim *sim);

/* The cluster has converged. */
void sim_check_end(struct sim *sim);

/* ---- The checkers ---------------------------------------------------------------------------- */

/* What was committed, by index: as the first node applied it. */
struct sim_commit {
    raft_term term;
    uint64_t chain;
    raft_term seen_term; /* of the node that applied it: it was committed in this term or before */
};

struct sim_checks {
    struct sim *sim;
    struct sim_table leaders;   /* by term */
    struct sim_table chains;    /* by index and term */
    struct sim_table hashes;    /* of the state, by index */
    struct sim_commit *commits; /* by index, from 1 */
    raft_index commit_count;
    size_t commit_capacity;
    raft_index acked_index; /* the last one in this turn whose client was told; 0: none */
    raft_index acked_most;
    const struct sim_node *acked_by;
};

/* check_leader.c: "at most one leader can be elected in a given term" (thesis 3.4). */
void sim_check_one_leader(struct sim_checks *checks, const struct sim_node *node);

/* check_match.c: "if two logs contain an entry with the same index and term, then the logs are
 * identical in all entries up through the given index" (3.5). */
void sim_check_match(struct sim_checks *checks, const struct sim_node *node,
                     const struct sim_entry *entry);

/* check_complete.c: "if a log entry is committed in a given term, then that entry will be present
 * in the logs of the leaders for all higher-numbered terms" (3.6.3). */
void sim_check_complete(struct sim_checks *checks, const struct sim_node *node);

/* check_commit.c: "no other server will ever apply a different log entry for the same index"
 * (3.6.3), and nobody ever deletes one that was. */
void sim_check_commit(struct sim_checks *checks, struct sim_node *node);
void sim_check_not_committed(struct sim_checks *checks, const struct sim_node *node,
                             raft_index from);

/* check_state.c: equal state at equal index. */
void sim_check_state(struct sim_checks *checks, const struct sim_node *node);

/* check_promise.c: nothing is said that the disk does not hold. */
void sim_check_promise(struct sim_checks *checks, const struct sim_node *node,
                       const struct raft_message *message);

/* and what it holds is not forgotten. */
void sim_check_kept(struct sim_checks *checks, const struct sim_node *node,
                    const struct raft_hard_state *hard);

/* check_acked.c: what a client was told is on a quorum of disks, and stays. */
void sim_check_acked(struct sim_checks *checks, const struct sim_node *node);
void sim_check_acked_stay(struct sim_checks *checks);

/* check_once.c: a request takes effect once. check_marks.c: what is said not to be applied never
 * is. Both give a failure's text, or false when there is none. */
bool sim_check_once(const struct sim_history *history, size_t keys, char *text, size_t capacity);
bool sim_check_marks(const struct sim_history *history, char *text, size_t capacity);

/* check_linear.c: each key behaves as if its operations happened one by one, each between its
 * start and its end. */
bool sim_check_linear(const struct sim_history *history, size_t keys, char *text, size_t capacity);

#endif
