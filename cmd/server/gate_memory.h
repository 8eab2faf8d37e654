/* What a node remembers of the others' starts, for the gates of all its connections (gate.h).
 *
 * Fixed memory; belongs to the loop. Lives as long as the process, and begins with what the log's
 * store holds. */
#ifndef PHALANX_SERVER_GATE_MEMORY_H
#define PHALANX_SERVER_GATE_MEMORY_H

#include "raft/raft.h"

/* Identities remembered: members, those that left, and some that never became one. */
#define GATE_PEERS_MAX ((size_t)64)

/* Election timeouts after which a node speaks though it has met no quorum. */
#define GATE_PATIENCE 4

/* The share of one that it waits for the others of them: whoever can be reached answers sooner, and
 * a leader that counts on this node has not yet given up. */
#define GATE_SHARE 4

/* One start of a node. */
struct gate_pair {
    uint64_t counter; /* of its starts, from 1; 0: no pair */
    uint64_t nonce;   /* random: two starts with one counter differ in it */
};

struct gate_peer {
    raft_id id;
    struct gate_pair durable; /* as the log's store has it; counter 0: it has none */
    struct gate_pair newest;  /* the same, or what is being written */
    bool has_met;             /* remembers this node's own start, durably */
};

struct gate_memory {
    struct gate_peer peers[GATE_PEERS_MAX];
    size_t count;
    bool may_speak; /* gate_memory_may_speak() said so */
    uint64_t refused_messages_total;
    uint64_t refused_connections_total;
};

static inline bool gate_pair_equal(struct gate_pair a, struct gate_pair b) {
    return a.counter == b.counter && a.nonce == b.nonce;
}

void gate_memory_init(struct gate_memory *memory);

/* At the start: what the log's store holds of a peer. STATUS_OVERLOAD: GATE_PEERS_MAX reached;
 * nothing changed. */
MUST_USE enum status gate_memory_load(struct gate_memory *memory, raft_id id,
                                      struct gate_pair pair);

/* A note that a gate asked for (gate_take_note) is durable. Then gate_noted() for every gate. A
 * note that a newer one has overtaken changes nothing. */
void gate_memory_noted(struct gate_memory *memory, raft_id id, struct gate_pair pair);

/* The identity will never be spoken to again: its note is deleted by the caller. */
void gate_memory_forget(struct gate_memory *memory, raft_id id);

/* NULL: nothing is remembered of it. */
const struct gate_peer *gate_memory_find(const struct gate_memory *memory, raft_id id);

/* Whether enough voters remember this node's start that any quorum it could be part of has a
 * majority of them or the node itself: in both halves, of a joint configuration. True without
 * voters. And whether all other members do. What they are for: gate.h. */
bool gate_memory_has_met_quorum(const struct gate_memory *memory,
                                const struct raft_configuration *configuration, raft_id self);
bool gate_memory_has_met_all(const struct gate_memory *memory,
                             const struct raft_configuration *configuration, raft_id self);

/* Whether this node may send to those whose gates are open, `waited_ms` after its start: by the
 * rule in gate.h. Once it may, it may for the rest of this life; without a configuration it may for
 * the time being. */
bool gate_memory_may_speak(struct gate_memory *memory,
                           const struct raft_configuration *configuration, raft_id self,
                           uint64_t waited_ms, uint64_t election_timeout_ms);

/* For the gates: a pair that is to be remembered, once it is written; a peer has this node's. */
MUST_USE enum status gate_memory_expect(struct gate_memory *memory, raft_id id,
                                        struct gate_pair pair);
void gate_memory_met(struct gate_memory *memory, raft_id id);

#endif
