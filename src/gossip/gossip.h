/* Gossip: who is around, at which address, and who seems to be gone. A pure machine: no clock, no
 * I/O, no thread, no log line, no memory taken after gossip_new(). udp.h and dns.h are beside it.
 *
 * SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar, Phillips, Currey 2018): each node asks
 * one other at a time whether it is alive, and k others to ask for it before it suspects it; a
 * suspect has time to refute; what is new travels along with these questions. It finds addresses
 * and suspects failures, and decides nothing: who votes is the log's matter.
 *
 * It has the engine's shape: events in by gossip_step(), outputs from gossip_ready(), and
 * gossip_advance() once they were taken. In is borrowed for the call; out is borrowed until
 * gossip_advance().
 *
 * A member is its identity. All that it says of itself carries its incarnation, a counter that only
 * the member itself raises: for what is new about it, and to refute what others say. A higher one
 * overrides whatever was known. An accusation counts only against the incarnation that is known, so
 * nobody who is alive and reachable is declared dead: it refutes.
 *
 * From suspicion to death each node waits by itself; a datagram that says "dead" is no more to it
 * than a well confirmed suspicion.
 *
 *             suspected                 time-out
 *     ALIVE ────────────► SUSPECT ────────────────────► DEAD  or  LEFT, if the member said so
 *       ▲                    │ higher incarnation          │ higher incarnation      │ forget_ms
 *       └────────────────────┴─────────────────────────────┘                         ▼
 *                                                                                forgotten
 *
 * The dead, and the seeds that are no living members, are tried for ever: a split of any length
 * heals by itself. Without keys (see the end) whoever can send to the port is trusted. */
#ifndef PHALANX_GOSSIP_H
#define PHALANX_GOSSIP_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "gossip/address.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* Others that are remembered, the dead included. When all places are taken, who has been dead or
 * gone for the longest time makes room; if all are alive, the new one is refused and counted. */
#define GOSSIP_MEMBERS_MAX ((size_t)64)
#define GOSSIP_SEEDS_MAX ((size_t)64)

/* A datagram as it is on the wire, and before it is sealed. */
#define GOSSIP_PACKET_BYTES_MAX ((size_t)1200)
#define GOSSIP_SEAL_BYTES ((size_t)24 + 16)
#define GOSSIP_DATAGRAM_BYTES_MAX (GOSSIP_PACKET_BYTES_MAX - GOSSIP_SEAL_BYTES)

/* Of one gossip_ready(). Further datagrams are as if the network had lost them. */
#define GOSSIP_DATAGRAMS_MAX ((size_t)128)
#define GOSSIP_CHANGES_MAX (4 * GOSSIP_MEMBERS_MAX)

/* What a member says of itself. Texts end with a
 * zero and hold no control characters. */
struct gossip_meta {
    char name[NAME_BYTES_MAX]; /* NODE_ID; not empty */
    uint64_t cluster_id;       /* that it belongs to, founded; 0: it is blank */
    uint32_t program;          /* the lowest protocol version that it speaks */
    /* host:port. Without a host, ":9000", it is to be completed with the address at which one sees
     * the member: gossip_address_complete(). Empty: there is none. */
    char raft_address[ADDRESS_BYTES_MAX];
    char http_address[ADDRESS_BYTES_MAX];
    char region[NAME_BYTES_MAX]; /* may be empty */
};

enum gossip_state {
    GOSSIP_ALIVE,
    GOSSIP_SUSPECT, /* did not answer, or is said to have left: dead or gone, unless it refutes */
    GOSSIP_DEAD,
    GOSSIP_LEFT, /* it said so itself */
};

struct gossip_member {
    uint64_t id; /* of its data directory; not 0 */
    uint64_t incarnation;
    enum gossip_state state;
    uint64_t since_ms; /* in this state, on now_ms's clock */
    /* Where it is reached. This node's own is what gossip_config or GOSSIP_EVENT_META said. */
    struct gossip_address address;
    struct gossip_meta meta;
};

/* ---- Timing -------------------------------------------------------------------------------- */

/* Two profiles, both in multiples of a tick: below 150 ms a tick the local one, for one machine or
 * one site; from there on one for round trips of up to 400 ms. All times are milliseconds; n is the
 * number of members with this node.
 *
 *                  local           WAN
 *   probe_ms       10 ticks        10 ticks      between two probes (SWIM 3.1: T')
 *   ack_ms          3 ticks         4 ticks      before others are asked to try
 *   spread_ms       2 ticks         2 ticks      between datagrams of news, while there are any
 *   alpha           4               5            suspect_ms = alpha x L(n) x probe_ms, where L(n)
 * is log10 n rounded up, 1 at least (Lifeguard IV-B) beta            6               6            a
 * suspicion that nobody shares waits beta times suspect_ms; three others who share it (fewer, if
 *                                                fewer are alive) bring it down to suspect_ms
 *
 * probe_ms and ack_ms are multiplied by 1 + the local health (0 .. 8: Lifeguard IV-A). */
struct gossip_timing {
    uint64_t probe_ms;
    uint64_t ack_ms;
    uint64_t spread_ms;
    uint64_t sync_ms;   /* between two exchanges of all that is known with somebody: 20 probes */
    uint64_t alpha;     /* multiples of probe_ms */
    uint64_t forget_ms; /* the dead, and who left: 24 hours */
};

struct gossip_timing gossip_timing_of(uint64_t tick_ms);

/* A member among n that is killed is suspected and dead at all others, with healthy nodes and a
 * network that loses little, within
 *
 *     (2 (n - 1) + alpha x L(n) + 4) x probe_ms
 *
 * since each of the others probes it once in 2 (n - 1) - 1 probes at the latest (SWIM 4.3), one
 * probe more shows that it is silent, and the news need less than the rest. Five nodes: 16 s at
 * 100 ms a tick, 34 s at 200 ms; the median is two fifths of it. */
uint64_t gossip_bound_ms(const struct gossip_timing *timing, size_t n);

/* ---- In ------------------------------------------------------------------------------------ */

struct gossip_config {
    uint64_t self;           /* this data directory's identity; not 0 */
    const char *label;       /* CLUSTER, in every datagram; shorter than NAME_BYTES_MAX; copied */
    struct gossip_meta meta; /* copied */
    /* Where the others are to reach this node. A zero ip: where each sees it. */
    struct gossip_address address;
    /* Above all of former lives if it is known, such as the start counter of the directory shifted
     * left by 20; else 0: it learns the higher one from the others and exceeds it. At most
     * GOSSIP_INCARNATION_START_MAX. */
    uint64_t incarnation;
    uint64_t tick_ms; /* 10 .. 10000 */
    uint64_t seed;    /* another one with each start */
    uint64_t now_ms;  /* of the start, on the turns' clock */
};

#define GOSSIP_INCARNATION_START_MAX ((uint64_t)1 << 60)

enum gossip_event_kind {
    GOSSIP_EVENT_TIMEOUT, /* fire the timers that are due at now_ms */
    GOSSIP_EVENT_RECEIVE, /* a datagram, opened by gossip_open() */
    GOSSIP_EVENT_SEEDS,   /* take the place of those before; tried at once, then less and less */
    GOSSIP_EVENT_META,    /* this node's own, and its address, have changed */
    GOSSIP_EVENT_LABEL,   /* another cluster's from here on: all members are forgotten */
    GOSSIP_EVENT_LEAVE,   /* say goodbye; done once gossip_status has_left. Nothing else follows */
};

struct gossip_event {
    enum gossip_event_kind kind;
    uint64_t now_ms; /* the turn's clock */
    union {
        struct {
            struct gossip_address from;
            struct bytes bytes;
        } receive;
        struct {
            const struct gossip_address *list;
            size_t count; /* what is beyond GOSSIP_SEEDS_MAX is left out */
        } seeds;
        struct {
            const struct gossip_meta *meta;
            struct gossip_address address;
        } meta;
        const char *label;
    };
};

/* ---- Out ----------------------------------------------------------------------------------- */

struct gossip_datagram {
    struct gossip_address to;
    struct bytes bytes; /* to be sealed by gossip_seal() */
};

enum gossip_change_kind {
    GOSSIP_JOINED,      /* new, and alive */
    GOSSIP_UPDATED,     /* its metadata or its address is another one */
    GOSSIP_SUSPECTED,   /* nothing is to follow from it yet */
    GOSSIP_ALIVE_AGAIN, /* was suspect, dead or gone; anything about it may be new */
    GOSSIP_DIED,
    GOSSIP_GONE,      /* it has left */
    GOSSIP_FORGOTTEN, /* dead or gone, and dropped: gossip_find() knows it no more */
};

/* In the order in which they came to be. What the member is now, gossip_find() tells. */
struct gossip_change {
    enum gossip_change_kind kind;
    uint64_t id;
};

struct gossip_ready {
    const struct gossip_datagram *datagrams;
    size_t datagram_count;
    const struct gossip_change *changes;
    size_t change_count;
};

/* Totals since the start. */
struct gossip_counts {
    uint64_t received, received_bytes; /* all, before sealing; */
    uint64_t sent, sent_bytes;
    uint64_t unsent; /* for want of room in gossip_ready() */
    /* Dropped: */
    uint64_t malformed;
    uint64_t unsupported; /* of a later version, or sealed and not opened */
    uint64_t other_label;
    uint64_t from_self;   /* a seed that is this node; or a copied data directory */
    uint64_t misdirected; /* for another identity: who had this address before */
    uint64_t replayed;
    uint64_t refused; /* members that found no place */
    /* Not dropped, but without effect: an answer that nobody waits for. */
    uint64_t unasked;
    /* Of the protocol: */
    uint64_t probes, probes_failed;
    uint64_t suspicions, deaths;
    uint64_t refutations; /* by this node, of what others said about it */
};

struct gossip_status {
    struct gossip_counts counts;
    size_t alive;          /* others; suspects count as alive */
    unsigned local_health; /* 0: answers come in time; 8: this node itself is slow or cut off */
    bool has_observed;
    struct gossip_address observed; /* at which the last one who answered reaches this node */
    bool is_leaving, has_left;
};

struct gossip;

/* STATUS_INVALID    the config contradicts itself: no identity, a text missing or too long or with
 *                   control characters, a tick or an incarnation out of range.
 * STATUS_NO_MEMORY  no memory left. */
MUST_USE enum status gossip_new(const struct gossip_config *config, struct gossip **ret_g);
void gossip_free(struct gossip *g);

/* Hand one event to the machine. Borrows `event` for the call.
 *
 * STATUS_INVALID      a datagram that is malformed, from this node itself, or for another one; a
 *                     text that gossip_new() would refuse; nothing changed but a counter.
 * STATUS_UNSUPPORTED  a datagram of a later version; the same.
 * STATUS_PRECONDITION a datagram of another label; the same.
 * STATUS_STALE        a datagram that came before; the same. One of a former life of its sender is
 *                     answered though, as the sender may have lost its counter.
 * STATUS_OVERLOAD     take what gossip_ready() holds first; nothing changed. */
MUST_USE enum status gossip_step(struct gossip *g, const struct gossip_event *event);

/* What there is to do. Calling it again without gossip_advance() gives the same. */
void gossip_ready(struct gossip *g, struct gossip_ready *ret_ready);

/* Everything of the last gossip_ready() was taken over. */
void gossip_advance(struct gossip *g);

/* When GOSSIP_EVENT_TIMEOUT is next due, on now_ms's clock; UINT64_MAX: it has left. */
uint64_t gossip_deadline_ms(const struct gossip *g);

void gossip_status(const struct gossip *g, struct gossip_status *ret_status);

/* Others that are known, in any state, in no order; `at` is below gossip_count(). Borrowed until
 * the next gossip_step(). */
size_t gossip_count(const struct gossip *g);
const struct gossip_member *gossip_at(const struct gossip *g, size_t at);
/* NULL: not known. */
const struct gossip_member *gossip_find(const struct gossip *g, uint64_t id);
/* This node. */
const struct gossip_member *gossip_self(const struct gossip *g);

/* "host:port" as it is; ":port" with the ip of `seen_at`. False, and nothing written: `text` is
 * empty or too long. */
MUST_USE bool gossip_address_complete(const char *text, const struct gossip_address *seen_at,
                                      char ret_text[static ADDRESS_BYTES_MAX]);

/* ---- Sealing (seal.c): not the machine's; any thread ----------------------------------------- */

#define GOSSIP_KEYS_MAX ((size_t)8)
#define GOSSIP_KEY_BYTES ((size_t)32)

/* GOSSIP_KEY. The first one seals, all open: so keys are changed by adding the new one everywhere,
 * then putting it first everywhere, then dropping the old one. */
struct gossip_keys {
    size_t count; /* 0: datagrams travel as they are, and sealed ones are not understood */
    uint8_t keys[GOSSIP_KEYS_MAX][GOSSIP_KEY_BYTES];
};

/* Keys with commas between them, each of 32 bytes in base64 or hexadecimal; an empty text gives
 * none. STATUS_INVALID: it is no such text, nothing written. STATUS_UNAVAILABLE: the library has no
 * source of random numbers. */
MUST_USE enum status gossip_keys_parse(const char *text, struct gossip_keys *ret_keys);

/* XChaCha20-Poly1305 with a random nonce; version and label stay readable and are authenticated.
 * Returns the bytes of the packet; without keys it is the datagram itself. */
size_t gossip_seal(const struct gossip_keys *keys, struct bytes datagram,
                   uint8_t packet[static GOSSIP_PACKET_BYTES_MAX]);

/* STATUS_INVALID: no key of ours opens it, it is not sealed though it must be, or it is no packet;
 * nothing is to be done with it but to count it. */
MUST_USE enum status gossip_open(const struct gossip_keys *keys, struct bytes packet,
                                 uint8_t ret_datagram[static GOSSIP_PACKET_BYTES_MAX],
                                 size_t *ret_len);

#endif
