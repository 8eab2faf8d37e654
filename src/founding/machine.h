/* What the files of the machine share.
 *
 *   founding.c   the door: events in, ready out
 *   nodes.c      who has been sighted, who of them could be a member
 *   propose.c    the smallest identity's part: propose, collect, cancel
 *   answer.c     what is answered to the messages of a proposal, held or not
 *   ballot.c     start or drop, by ballots
 *   outcome.c    how a held proposal ends: started, dead, dropped, reset
 *   waiting.c    what this node waits for, in words
 *   message.c, record.c   the two formats
 *
 * What a node does about the proposal that it holds, and the function for each edge:
 *
 *              propose            all accepted: start         a majority
 *      IDLE ──────────► COLLECTING ────────────► DECIDING ────────────► (chosen)
 *       │                   │ cancel               ▲   │ overtaken
 *       │ accept            ▼                      │   ▼
 *       └─────────► HOLDING ───────────► PREPARING ┘  HOLDING
 *                           out of patience
 *
 * (chosen) start: STARTED. (chosen) drop, and whatever else shows that it is dead: IDLE. */
#ifndef PHALANX_FOUNDING_MACHINE_H
#define PHALANX_FOUNDING_MACHINE_H

#include "founding/founding.h"
#include "plant.h"
#include "wire.h"

/* In multiples of retry_ms; the door tells them. */
#define SETTLE_RETRIES 2
#define CANCEL_RETRIES 15
#define PATIENCE_RETRIES 30 /* .. twice that, at random: who decides is seldom two */
#define ATTEMPT_RETRIES 6   /* .. three times that: one ballot */
#define GONE_RETRIES 50
#define ASK_RETRIES 4 /* a holder asks for the outcome this often */

/* A message beyond them is no message of ours: nobody counts that far. */
#define NUMBER_MAX ((uint64_t)1 << 62)
#define ROUND_MAX ((uint32_t)1 << 30)

/* Which proposal; its cluster's id follows from it. */
struct founding_key {
    raft_id proposer;
    uint64_t number; /* from 1; above all that the proposer had seen */
};

/* Round 0 is the proposer's, of later ones each belongs to its leader. */
struct founding_ballot {
    uint32_t round;
    raft_id leader; /* 0: none */
};

enum founding_value { VALUE_NONE, VALUE_START, VALUE_DROP };

enum founding_kind {
    FOUNDING_PROPOSE = 1, /* proposer to members, until all have accepted */
    FOUNDING_ACCEPTED,
    FOUNDING_REFUSED, /* for now, because of `reason` */
    FOUNDING_ASK,     /* holder to members: do you know the outcome? Changes nothing there */
    FOUNDING_WHAT,    /* holder to a founded node that is no member: which cluster is yours? */
    FOUNDING_PREPARE, /* a ballot's first step; who has not accepted declines for good */
    FOUNDING_PROMISE,
    FOUNDING_DECIDE, /* its second step */
    FOUNDING_DECIDED,
    FOUNDING_OVERTAKEN, /* by `ballot`, a higher one */
    FOUNDING_STARTED,   /* the sender is a founder; carries the members */
    FOUNDING_DEAD, /* can never be started; the receiver had said that the sender is a member */
    FOUNDING_LEFT, /* the sender, a member, will never start it: its operator's will */
    FOUNDING_KIND_COUNT,
};

enum founding_reason {
    REASON_NONE,
    REASON_HOLDS,   /* another proposal */
    REASON_FOUNDED, /* belongs to a cluster, or knows a founded one */
    REASON_MEMBERS, /* it expects other members, or another number of them */
    REASON_CROWD,   /* sees twice the expected number of blank nodes */
    REASON_COUNT,
};

/* One shape for all kinds; what a kind does not use is 0. */
struct founding_content {
    enum founding_kind kind;
    struct founding_key key;
    struct founding_ballot ballot;
    struct founding_ballot accepted;         /* PROMISE: where `value` was accepted */
    enum founding_value value;               /* PROMISE, DECIDE */
    enum founding_reason reason;             /* REFUSED */
    uint64_t floor;                          /* REFUSED, DEAD: the sender's */
    struct raft_configuration configuration; /* PROPOSE, STARTED; else empty */
};

/* What is durable. */
struct founding_state {
    raft_id self;
    uint64_t floor;           /* never accepts a number up to this (again) */
    uint64_t reset_floor;     /* up to this, it cannot say "dead": its operator made it let go */
    uint64_t dropped_cluster; /* that it started and dropped, and the store may have; 0: none */
    bool is_held;             /* the rest counts only then */
    bool is_started;
    struct founding_key key;
    struct founding_ballot promised; /* of lower ballots nothing is accepted */
    struct founding_ballot accepted;
    enum founding_value value;
    struct raft_configuration configuration;
};

enum founding_role {
    FOUNDING_IDLE,       /* holds nothing */
    FOUNDING_COLLECTING, /* the proposer, before all have accepted */
    FOUNDING_HOLDING,    /* waits for the outcome */
    FOUNDING_PREPARING,  /* leads `ballot`, first step */
    FOUNDING_DECIDING,   /* second step */
    FOUNDING_STARTING,   /* is a founder */
};

struct founding_sighting {
    raft_id id;
    uint64_t cluster_id; /* 0: blank */
    uint64_t silent_ms;  /* since when, if not in sight */
    uint64_t order;      /* of coming into sight: a later one is higher */
    bool is_in_sight;
    char name[NAME_BYTES_MAX];
};

struct founding_letter {
    raft_id to;
    bool is_offered;  /* by the last founding_ready() */
    uint64_t version; /* of the state that it follows from */
    size_t len;
    uint8_t bytes[FOUNDING_MESSAGE_BYTES_MAX];
};

struct founding {
    /* As configured. */
    char name[NAME_BYTES_MAX];
    char names[MEMBERS_MAX][NAME_BYTES_MAX];
    bool has_names;
    size_t expect;
    uint64_t retry_ms;
    uint64_t start_ms; /* of this process */

    struct founding_state state;
    uint64_t version;   /* of `state`; counts its changes */
    uint64_t offered;   /* the version in the last founding_ready(); 0: none */
    uint64_t in_flight; /* the version handed out and not yet durable; 0: none */
    uint64_t durable;   /* the last durable version */

    uint64_t cluster_id; /* the store's, once it has done what it was told; 0: none */
    bool has_committed;
    struct founding_decision told; /* the last one */
    bool is_telling;               /* in the last founding_ready(): */
    struct founding_decision telling;

    /* What it does about the proposal that it holds; forgotten by a restart. */
    enum founding_role role;
    struct founding_ballot ballot; /* that this node leads */
    enum founding_value value;     /* DECIDING: of `ballot`; PREPARING: of `best` */
    struct founding_ballot best;   /* PREPARING: the highest that was accepted anywhere */
    uint32_t answered;             /* members, by their place: said yes to the current step */
    uint32_t left;                 /* members that said so */
    enum founding_reason reasons[MEMBERS_MAX];
    uint64_t held_ms;               /* since when, in this process */
    uint64_t heard_ms[MEMBERS_MAX]; /* a message of the member came; 0: none did */
    uint64_t act_ms;                /* send or ask again */
    uint64_t limit_ms;              /* of the role: cancel, or lose patience; UINT64_MAX: none */
    uint64_t propose_ms;            /* not before */
    bool is_eligible;               /* to propose, as of the last step */
    uint64_t choice;                /* a digest of the members that it would propose */

    uint64_t seen_number; /* the highest that anyone told of */
    uint32_t seen_round;
    uint64_t random;
    uint64_t now_ms;
    uint64_t order;

    struct founding_sighting nodes[FOUNDING_NODES_MAX];
    size_t node_count;
    struct founding_letter letters[FOUNDING_MESSAGES_MAX]; /* in the order of their versions */
    size_t letter_count;
    struct founding_message messages[FOUNDING_MESSAGES_MAX];
    uint8_t record[FOUNDING_RECORD_BYTES_MAX];
};

/* ---- founding.c ---- */
/* The state has changed: nothing more leaves before it is durable. */
void founding__mark(struct founding *f);
void founding__send(struct founding *f, raft_id to, const struct founding_content *content);
/* To all members of the held proposal that are not in `except` (by place), self excluded. */
void founding__send_members(struct founding *f, uint32_t except,
                            const struct founding_content *content);
uint64_t founding__random_ms(struct founding *f, uint64_t low_retries, uint64_t high_retries);
void founding__become(struct founding *f, enum founding_role role, uint64_t limit_ms);
uint64_t founding__cluster_id(struct founding_key key);
/* Its place among the held proposal's members; MEMBERS_MAX: none. */
size_t founding__place(const struct founding *f, raft_id id);
bool founding__is_majority(const struct founding *f, uint32_t members);
bool founding__is_held(const struct founding *f, struct founding_key key);

/* Below 0, 0, above 0. */
int founding__ballot_compare(struct founding_ballot a, struct founding_ballot b);

/* ---- nodes.c ---- */
/* One blank node for each name, this one among them, in the order of identities. */
struct founding_candidates {
    size_t count;
    struct {
        raft_id id;
        const char *name;
    } list[FOUNDING_NODES_MAX + 1];
};
MUST_USE enum status founding__sighted(struct founding *f, const struct founding_node *node);
void founding__silent(struct founding *f, raft_id id);
void founding__candidates(const struct founding *f, struct founding_candidates *ret_candidates);
/* Whether it is silent for long, since `since_ms` at least, and another node bears its name. */
bool founding__was_wiped(const struct founding *f, raft_id id, const char *name, uint64_t since_ms);
/* A founded node, in sight or silent; NULL: none. */
const struct founding_sighting *founding__founded(const struct founding *f);
/* The one founded cluster in sight; 0: none, or several. */
uint64_t founding__joinable(const struct founding *f);
bool founding__is_crowd(const struct founding *f, const struct founding_candidates *candidates);

/* ---- propose.c ---- */
/* Whether this node is to propose, or will be once it has waited. */
bool founding__is_eligible(const struct founding *f, const struct founding_candidates *candidates);
void founding__propose(struct founding *f);
void founding__collect_again(struct founding *f);
void founding__accepted(struct founding *f, raft_id from);
void founding__refused(struct founding *f, raft_id from, const struct founding_content *content);

/* ---- answer.c ---- */
/* Any message, sound and from another node. */
MUST_USE enum status founding__receive(struct founding *f, raft_id from,
                                       const struct founding_content *content);

/* ---- ballot.c ---- */
/* All have accepted: the proposer's ballot. */
void founding__start(struct founding *f);
/* The first step of a ballot above all that are known. */
void founding__prepare(struct founding *f);
void founding__ballot_again(struct founding *f);
void founding__recv_prepare(struct founding *f, raft_id from, const struct founding_content *c);
void founding__recv_promise(struct founding *f, raft_id from, const struct founding_content *c);
void founding__recv_decide(struct founding *f, raft_id from, const struct founding_content *c);
void founding__recv_decided(struct founding *f, raft_id from, const struct founding_content *c);
void founding__recv_overtaken(struct founding *f, const struct founding_content *c);

/* ---- outcome.c ---- */
/* The held one is started: durable before it is told. */
void founding__become_started(struct founding *f);
/* The held one is dead: tell its members, let go of it. */
void founding__close(struct founding *f);
/* The members know the outcome, or make one. */
void founding__ask(struct founding *f);
/* A founded node outside may show that it is dead. */
void founding__ask_founded(struct founding *f);
/* Whether it is dead because no majority of its members is left; closes it. */
void founding__count_gone(struct founding *f);
MUST_USE enum status founding__reset(struct founding *f);
void founding__recv_started(struct founding *f, const struct founding_content *c);
void founding__recv_dead(struct founding *f, const struct founding_content *c);
void founding__recv_left(struct founding *f, raft_id from);

/* ---- message.c, record.c ---- */
void founding__ballot_put(struct wire_writer *w, struct founding_ballot ballot);
struct founding_ballot founding__ballot_get(struct wire_reader *r);
/* N voters in the order of their identities, each with a name of its own. */
bool founding__configuration_is_sound(const struct raft_configuration *configuration);
size_t founding__content_encode(const struct founding_content *content,
                                uint8_t data[static FOUNDING_MESSAGE_BYTES_MAX]);
/* STATUS_INVALID, STATUS_UNSUPPORTED: as founding_step(). */
MUST_USE enum status founding__content_decode(struct bytes bytes,
                                              struct founding_content *ret_content);
size_t founding__state_encode(const struct founding_state *state,
                              uint8_t data[static FOUNDING_RECORD_BYTES_MAX]);
/* STATUS_CORRUPT, STATUS_UNSUPPORTED: as founding_new(). */
MUST_USE enum status founding__state_decode(struct bytes bytes, struct founding_state *ret_state);

#endif
