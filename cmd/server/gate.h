/* The gate of one connection to another node: who is it, and has it forgotten what it said?
 *
 * Pure: no clock, I/O, thread or memory of its own. Hellos of the other side come in, hellos to
 * send and notes to write come out, and until the gate is open no Raft message passes, in either
 * direction. Both sides run the same gate; it does not matter who dialled. A connection keeps the
 * order of what is sent on it.
 *
 * Names. A hello tells the cluster, the sender and whom it takes the other side for. Another
 * cluster, another node behind an address, or the node itself: refused.
 *
 * Starts. Each start of a node makes a pair (counter, random nonce), synced before it is shown, and
 * the node keeps all of them. A hello carries the sender's pair and the pair that it remembers,
 * durably, of the receiver. The receiver answers with the nonce of exactly that counter, out of its
 * own history. Who cannot was rolled back: it runs on an older copy of its disk, and may have
 * forgotten votes and acknowledgements, however high its counter has climbed since. The other side
 * refuses it, and it must itself never speak again under this identity.
 *
 *      GREETING --> NOTING --> OPEN
 *          |
 *          +------> BLANK            and from each of the four to a refusal
 *
 *      GREETING  the other side has not yet said who it is, or not yet shown what is remembered of
 * it NOTING    it has; its pair is being written here, or this node's over there OPEN      each
 * side has the other's pair on its disk, and this side knows of both BLANK     one of the two
 * belongs to no cluster yet: nothing but founding may be spoken. The side that gets to know its
 * cluster closes the connection and connects again refusals  final: send what gate_take_hello()
 * still gives, then close
 *
 * Using it, for each connection:
 *
 *      gate_open(...)                  when it is up
 *      gate_receive(gate, &hello)      for each hello that comes
 *      gate_noted(gate)                after gate_memory_noted(), for every gate
 *      and after each of these:
 *          while (gate_take_hello(gate, &hello))
 *              send it; there are a handful in all
 *          if (gate_take_note(gate, &id, &pair))
 *              write it with the log's writer, in place of an older one of that identity that is
 *              still unwritten; when it is durable, gate_memory_noted()
 *          look at gate->state
 *
 * Why that is enough. Say B lived with the pair p, and then its disk went back to a time before p.
 * What B forgot, votes and acknowledgements given in that life, it gave to peers; and none of them
 * took it before p was on its own disk. Each of them refuses B from then on, across restarts, since
 * p is not in B's history and the random nonce cannot come again. So B cannot go back on its word
 * towards anyone it gave it to, and it stops for good at the first of them it meets.
 *
 * What is not promised. A peer that never heard of p cannot tell B from a node that merely
 * restarted, and lets it in. Nothing can be done about that there; so whoever sends for B asks
 * gate_memory_may_speak() first:
 *
 *   - at first it says nothing before a quorum of voters, B counted in, remembers its start
 *     (gate_memory_has_met_quorum); with fewer, B could be part of no quorum anyway. So p is known
 *     to a majority of voters but for B, and a B that came back has to get past as many;
 *   - it waits a fourth of an election timeout, unless all have been met (gate_memory_has_met_all),
 * so that everyone who knows better and can be reached is asked;
 *   - after four election timeouts it speaks to those it has met. The members it knows may be gone,
 *     replaced while it was away, and then nobody else can tell it.
 *
 * With an even number of voters the two majorities share a peer other than B, which knows p. With
 * an odd number, 2f + 1, they are disjoint only if all f peers that know p are out of reach for the
 * whole wait: one lost disk and f nodes away are more than 2f + 1 voters bear. And a disk that goes
 * back within one life, to an image taken after p, shows p: such a copy is not noticed. Copies are
 * to be taken of a node that is stopped, or restored with a new identity.
 *
 * A connection of an earlier life whose hello comes late looks like a rolled-back peer. It is
 * refused and no harm is done: a refusal concerns this connection, and the peer's new one is judged
 * anew. ROLLED_BACK_SELF cannot err in this way: a pair is remembered only of a node that showed
 * it, and whoever showed it had it synced. */
#ifndef PHALANX_SERVER_GATE_H
#define PHALANX_SERVER_GATE_H

#include "server/gate_memory.h"

enum gate_state {
    GATE_GREETING,
    GATE_NOTING,
    GATE_OPEN,
    GATE_BLANK,
    GATE_INVALID,          /* refused: not a hello, or it contradicts an earlier one */
    GATE_SELF,             /* refused: connected to itself */
    GATE_WRONG_CLUSTER,    /* refused: the two belong to different clusters */
    GATE_WRONG_NODE,       /* refused: this address belongs to another node */
    GATE_ROLLED_BACK_PEER, /* refused: the other side cannot show the start remembered of it */
    GATE_ROLLED_BACK_SELF, /* refused: this node cannot; it must stop and may only come back anew */
    GATE_NO_ROOM,          /* refused: GATE_PEERS_MAX identities are remembered */
};

/* A sentence for people, without a full stop. */
const char *gate_state_text(enum gate_state state);

static inline bool gate_state_is_refusal(enum gate_state state) {
    return state >= GATE_INVALID;
}

/* Who this node is: one for all its gates, which borrow it. */
struct gate_self {
    raft_id id;
    uint64_t cluster_id;      /* 0: blank */
    struct gate_pair current; /* of this start, synced */
    /* The nonce of an earlier or of this start (kv_log_start_nonce); false: there is none. */
    bool (*find_start)(void *context, uint64_t counter, uint64_t *ret_nonce);
    void *context;
};

struct gate_hello {
    uint64_t cluster_id;         /* the sender's; 0: blank */
    raft_id from;                /* the sender */
    raft_id to;                  /* whom it takes the other side for; 0: it does not know yet */
    struct gate_pair current;    /* of the sender's start */
    struct gate_pair remembered; /* of `to`, durable; counter 0: none */
    struct gate_pair proof;      /* the counter that the other side remembers, and the nonce that
                                  * the sender has for it; counter 0: not asked; nonce 0: none */
};

struct gate {
    const struct gate_self *self;
    struct gate_memory *memory;
    enum gate_state state;
    raft_id peer; /* 0: not known yet */
    bool has_heard;
    bool has_said;
    bool wants_note;         /* gate_take_note() has one to give */
    struct gate_hello heard; /* the newest */
    struct gate_hello said;  /* the last one taken */
};

/* A connection is up. `peer`: the identity that was dialled; 0: whoever it is. Borrows `self` and
 * `memory` for as long as the gate is used. */
void gate_open(struct gate *gate, const struct gate_self *self, struct gate_memory *memory,
               raft_id peer);

/* A hello came. Nothing changes once it is refused. */
void gate_receive(struct gate *gate, const struct gate_hello *hello);

/* What is durably remembered has changed. */
void gate_noted(struct gate *gate);

/* Whether there is a hello to send now, and which. After a refusal too: the other side is told why
 * it is left alone. */
bool gate_take_hello(struct gate *gate, struct gate_hello *ret_hello);

/* Whether a note is to be written now: the pair of a peer. */
bool gate_take_note(struct gate *gate, raft_id *ret_id, struct gate_pair *ret_pair);

/* Whether a Raft message may pass, in or out; one that may not is counted. */
bool gate_lets_in(struct gate *gate, raft_id from, raft_id to);
bool gate_lets_out(const struct gate *gate, raft_id to);

#endif
