/* What the files of the machine share.
 *
 *   gossip.c     the door: events in, ready out
 *   members.c    who is known, whose turn it is, chance
 *   receive.c    what happens when a datagram arrives: the checks, then the kinds
 *   replay.c     datagrams that came before
 *   rumour.c     what is believed of what is said, and refuted
 *   suspicion.c  from suspicion to death; local health
 *   probe.c      whether one other is alive: asking it, and asking others to ask
 *   spread.c     what is new travels along; leaving
 *   sync.c       all that is known, a page at a time
 *   search.c     seeds and the dead, tried for ever
 *   letter.c     the way out
 *   datagram.c   the format
 *   timing.c     the two profiles
 *   text.c       what texts are allowed
 * and, apart from it, seal.c. */
#ifndef PHALANX_GOSSIP_MACHINE_H
#define PHALANX_GOSSIP_MACHINE_H

#include "gossip/gossip.h"
#include "plant.h"
#include "wire.h"

/* Beyond it nobody counts; and further ahead of what is known at one time, nobody gets. So forged
 * counters don't leave the owner without one to refute with. */
#define INCARNATION_MAX ((uint64_t)1 << 62)
#define INCARNATION_STEP_MAX ((uint64_t)1 << 40)

#define RELAYS_MAX ((size_t)32)
#define SYNCS_MAX ((size_t)8)
#define ACCUSERS_MAX ((size_t)4) /* the first, and the three who may share a suspicion */
#define HELPERS 3                /* asked for an indirect probe: SWIM's k */
#define HEALTH_MAX 8
/* Between two tries at a seed or a dead member: at first, later, and later while alone. */
#define RETRY_MS_MAX 15000
#define RETRY_ALONE_MS_MAX 5000

enum gossip_kind {
    GOSSIP_PING = 1,
    GOSSIP_ASK,   /* ping `subject` for me */
    GOSSIP_ACK,   /* to a ping, or an ask: `subject` is alive */
    GOSSIP_NACK,  /* to an ask: `subject` has not answered so far */
    GOSSIP_SYNC,  /* my records of identities above `subject`; send me yours */
    GOSSIP_REPLY, /* to a sync; there are more above `subject`, unless it is 0 */
    GOSSIP_NEWS,
    GOSSIP_KIND_COUNT,
};

struct gossip_head {
    enum gossip_kind kind;
    struct bytes label; /* borrowed */
    uint64_t from;
    uint64_t incarnation; /* of the sender */
    uint64_t to;          /* 0: whoever is there */
    uint32_t life;        /* random, of the sender's start */
    uint32_t number;      /* of its datagrams in that life, from 1 */
    uint64_t token;       /* random in what asks, the same in what answers */
    uint64_t subject;
    struct gossip_address address; /* the receiver's, as the sender reaches it */
};

enum gossip_rumour_kind {
    RUMOUR_END, /* zeros follow */
    RUMOUR_ALIVE,
    RUMOUR_SUSPECT,
    RUMOUR_DEAD,
    RUMOUR_LEFT,
    RUMOUR_KNOWN, /* only to the member itself: it is known with this incarnation */
    RUMOUR_KIND_COUNT,
};

struct gossip_rumour {
    enum gossip_rumour_kind kind;
    uint64_t id;
    uint64_t incarnation;
    struct gossip_address address;   /* ALIVE; zero ip: where the sender is seen, of itself only */
    struct gossip_meta meta;         /* ALIVE */
    size_t accuser_count;            /* SUSPECT */
    uint64_t accusers[ACCUSERS_MAX]; /* SUSPECT */
};

/* A rumour that has at most one accuser, and what asks leaves room for in its answer. */
#define RUMOUR_SHORT_BYTES ((size_t)1 + 8 + 8 + 1 + 8)

/* Of the datagrams of one life, which came: the newest, and a bit for each of those before it. */
struct gossip_window {
    bool is_open;
    uint32_t life;
    uint32_t newest;
    uint64_t seen;
    uint64_t incarnation; /* the highest that the life showed */
};

struct gossip_node {
    struct gossip_member member;
    unsigned sent;      /* times that the rumour about it went out */
    bool is_behind;     /* it showed an older incarnation than the known one: to be told */
    bool is_other_life; /* nor is the known one its own, though it may be as high */
    /* SUSPECT: who says so, each by its own probes; somebody has waited long enough; or it says
     * itself that it leaves. */
    bool is_confirmed, is_leaving;
    size_t accuser_count;
    uint64_t accusers[ACCUSERS_MAX];
    /* DEAD: the next try, and the token of the last one; 0: none. */
    uint64_t retry_ms;
    uint64_t token;
    uint64_t asked_ms; /* when it was last asked for what is new about it */
    struct gossip_window window;
};

enum gossip_probe_phase { PROBE_NONE, PROBE_DIRECT, PROBE_INDIRECT };

struct gossip_probe {
    enum gossip_probe_phase phase;
    uint64_t id;
    uint64_t token;
    uint64_t ask_ms; /* others are asked */
    uint64_t end_ms; /* it has failed */
    unsigned nacks_missing;
};

/* Of a probe by another member. */
struct gossip_relay {
    uint64_t end_ms;  /* 0: the place is free */
    uint64_t nack_ms; /* UINT64_MAX: was sent */
    uint64_t asker, asker_token;
    uint64_t subject, token;
};

struct gossip_sync {
    uint64_t token; /* 0: the place is free */
    uint64_t cursor;
    size_t pages;
};

struct gossip_seed {
    struct gossip_address address;
    uint64_t token; /* of the last try; 0: none */
    uint64_t next_ms;
    uint64_t wait_ms;
    uint64_t reached; /* who answered there; 0: nobody yet */
};

struct gossip_outgoing {
    struct gossip_address to;
    size_t len;
    uint8_t bytes[GOSSIP_DATAGRAM_BYTES_MAX];
};

struct gossip {
    char label[NAME_BYTES_MAX];
    struct gossip_timing timing;
    uint64_t random;
    uint64_t now_ms;
    uint64_t due_ms; /* the deadline after the last step; if it had passed, that step's time */
    uint32_t life, number;
    unsigned health;

    struct gossip_node self; /* ALIVE, or LEFT once it leaves */
    struct gossip_node nodes[GOSSIP_MEMBERS_MAX];
    size_t count;
    uint64_t order[GOSSIP_MEMBERS_MAX]; /* of probes: every identity once */
    size_t order_at;

    struct gossip_probe probe;
    uint64_t probe_ms; /* the next one; those times are UINT64_MAX once it has left */
    uint64_t spread_ms;
    uint64_t sync_ms;
    struct gossip_relay relays[RELAYS_MAX];
    struct gossip_sync syncs[SYNCS_MAX];
    size_t sync_at;
    struct gossip_seed seeds[GOSSIP_SEEDS_MAX];
    size_t seed_count;
    unsigned goodbyes; /* still to be said */
    bool is_leaving, has_left;

    bool has_observed;
    struct gossip_address observed;
    struct gossip_counts counts;

    struct gossip_outgoing outgoing[GOSSIP_DATAGRAMS_MAX];
    struct gossip_datagram datagrams[GOSSIP_DATAGRAMS_MAX];
    size_t outgoing_count;
    struct gossip_change changes[GOSSIP_CHANGES_MAX];
    size_t change_count;
};

/* ---- members.c ---- */
/* Nodes stay where they are until gossip__add() or gossip__drop(). */
struct gossip_node *gossip__find(struct gossip *g, uint64_t id);
/* NULL: no place. */
struct gossip_node *gossip__add(struct gossip *g, uint64_t id);
void gossip__drop(struct gossip *g, struct gossip_node *node);
/* Alive or suspect. */
bool gossip__is_living(const struct gossip_node *node);
size_t gossip__living(const struct gossip *g);
/* Up to `count` of the living at random, without `except`; returns how many. */
size_t gossip__pick(struct gossip *g, uint64_t except, size_t count, struct gossip_node **ret_list);
/* The next one to probe; NULL: nobody lives. */
struct gossip_node *gossip__next(struct gossip *g);
void gossip__tell(struct gossip *g, enum gossip_change_kind kind, uint64_t id);
uint64_t gossip__random(struct gossip *g);
/* From three to five fourths of it. */
uint64_t gossip__jitter(struct gossip *g, uint64_t span_ms);
/* Random, and not 0. */
uint64_t gossip__token(struct gossip *g);

/* ---- receive.c ---- */
MUST_USE enum status gossip__receive(struct gossip *g, const struct gossip_address *from,
                                     struct bytes bytes);

/* ---- replay.c ---- */
/* OTHER_LIFE: fresh, and it has not got further than the former one. */
enum gossip_freshness { FRESH, OTHER_LIFE, REPLAYED, FORMER_LIFE };
/* Notes a fresh one. `is_awaited`: its token shows that it is fresh. */
enum gossip_freshness gossip__window_take(struct gossip_window *window,
                                          const struct gossip_head *head, bool is_awaited);

/* ---- rumour.c ---- */
/* Something that is said in a datagram from `source`. */
void gossip__hear(struct gossip *g, const struct gossip_rumour *rumour,
                  const struct gossip_address *source);
/* This node has something new to say of itself. */
void gossip__raise(struct gossip *g);

/* ---- suspicion.c ---- */
/* `accuser` has probed it in vain. */
void gossip__accuse(struct gossip *g, struct gossip_node *node, uint64_t accuser);
/* Somebody calls it dead. */
void gossip__confirm(struct gossip *g, struct gossip_node *node);
void gossip__begin_leaving(struct gossip *g, struct gossip_node *node);
/* What suspects and the dead come to. */
void gossip__age(struct gossip *g);
uint64_t gossip__age_deadline_ms(const struct gossip *g);
/* Nobody is to blame for the time that this node did not run. */
void gossip__excuse(struct gossip *g, uint64_t lost_ms);
void gossip__worsen(struct gossip *g, unsigned by);
void gossip__improve(struct gossip *g);

/* ---- probe.c ---- */
void gossip__probe(struct gossip *g);
uint64_t gossip__probe_deadline_ms(const struct gossip *g);
void gossip__recv_ask(struct gossip *g, const struct gossip_head *head);
/* True: somebody here waits for it. */
bool gossip__probe_awaits(const struct gossip *g, const struct gossip_head *head);
void gossip__probe_answered(struct gossip *g, const struct gossip_head *head);

/* ---- spread.c ---- */
/* What is to be said of it: its state, and all it says of itself while it is alive. */
struct gossip_rumour gossip__rumour_of(const struct gossip_node *node);
/* What is to be told to `to` first of all, if anything; what is known of `about`; what is new. */
void gossip__fill(struct gossip *g, struct wire_writer *w, uint64_t to, uint64_t about);
void gossip__spread(struct gossip *g);
uint64_t gossip__spread_deadline_ms(const struct gossip *g);
void gossip__leave(struct gossip *g);

/* ---- sync.c ---- */
/* `capacity` bounds the question, and so the answer of those who don't know this node. */
void gossip__sync(struct gossip *g, const struct gossip_address *to, uint64_t id, size_t capacity);
void gossip__sync_sometimes(struct gossip *g);
bool gossip__sync_awaits(const struct gossip *g, const struct gossip_head *head);
void gossip__recv_sync(struct gossip *g, const struct gossip_address *from,
                       const struct gossip_head *head, size_t capacity);
void gossip__recv_reply(struct gossip *g, const struct gossip_address *from,
                        const struct gossip_head *head);

/* ---- search.c ---- */
void gossip__search(struct gossip *g);
uint64_t gossip__search_deadline_ms(const struct gossip *g);
void gossip__seeds_take(struct gossip *g, const struct gossip_address *list, size_t count);
/* Those are new again. */
void gossip__seeds_restart(struct gossip *g);
bool gossip__search_awaits(const struct gossip *g, const struct gossip_head *head);
void gossip__search_answered(struct gossip *g, const struct gossip_address *from,
                             const struct gossip_head *head);
/* A datagram of this node's own came back: which seed is it? */
void gossip__search_met_self(struct gossip *g, const struct gossip_head *head);

/* ---- letter.c ---- */
struct gossip_letter {
    enum gossip_kind kind;
    const struct gossip_address *to;
    uint64_t id; /* 0: whoever is there */
    uint64_t token;
    uint64_t subject;
    uint64_t about;  /* what is known of this member is said, new or not; 0: of none */
    size_t capacity; /* bytes, at most; 0: GOSSIP_DATAGRAM_BYTES_MAX */
};
/* Begin a datagram in `ret_w`; false: there is no room, or nobody to send to. What may be said more
 * goes into `ret_w` before gossip__letter_end(), which fills it with zeros up to `floor` bytes. */
MUST_USE bool gossip__letter_begin(struct gossip *g, const struct gossip_letter *letter,
                                   struct wire_writer *ret_w);
void gossip__letter_end(struct gossip *g, struct wire_writer *w, size_t floor);
/* The whole of it, with rumours. */
void gossip__letter_send(struct gossip *g, const struct gossip_letter *letter);

/* ---- datagram.c ---- */
void gossip__head_encode(struct wire_writer *w, const struct gossip_head *head);
/* The last field of the head that was written up to `end`. */
void gossip__head_set_subject(struct wire_writer *w, size_t end, uint64_t subject);
/* STATUS_INVALID, STATUS_UNSUPPORTED: as gossip_step(). */
MUST_USE enum status gossip__head_decode(struct wire_reader *r, struct gossip_head *ret_head);
/* False: no room, nothing written. */
bool gossip__rumour_encode(struct wire_writer *w, const struct gossip_rumour *rumour);
enum gossip_decoded { DECODED, DECODED_END, DECODED_MALFORMED };
/* The next one; `from` sent them. */
enum gossip_decoded gossip__rumour_decode(struct wire_reader *r, uint64_t from,
                                          struct gossip_rumour *ret_rumour);
/* Version and label, which sealing leaves readable; 0: there are none. */
size_t gossip__open_bytes(struct bytes datagram);
#define GOSSIP_VERSION 1
#define GOSSIP_SEALED 0x80 /* in the version's byte */

/* ---- timing.c ---- */
/* How long a suspicion waits that others share: Lifeguard's minimum, for n members. */
uint64_t gossip__suspect_ms(const struct gossip_timing *timing, size_t n);

/* ---- text.c ---- */
/* Ends within `capacity` bytes and has no control characters. */
bool gossip__text_is_sound(const char *text, size_t capacity);
bool gossip__meta_is_sound(const struct gossip_meta *meta);
bool gossip__address_is_zero(const struct gossip_address *address);

#endif
