#include "founding/duel.h"

#include "founding/machine.h"
#include "sim/random.h"

#include <stdio.h>

#define NODES_MAX 5
#define MAILS_MAX 256
#define RETRY_MS 100
#define FAIR_ROUNDS 4000
#define DUELS 10 /* a seed: most are over after a few moves */

struct mail {
    size_t to;
    raft_id from;
    size_t len;
    uint8_t bytes[FOUNDING_MESSAGE_BYTES_MAX];
};

struct record {
    uint64_t number; /* 0: none is under way */
    size_t len;
    uint8_t bytes[FOUNDING_RECORD_BYTES_MAX];
};

struct node {
    raft_id id;
    char name[2];
    struct founding *f;
    uint64_t now_ms;
    struct record durable, written;
    uint64_t cluster_id;
};

static struct duel {
    struct sim_random random;
    struct node nodes[NODES_MAX];
    size_t node_count;
    struct mail mails[MAILS_MAX];
    size_t mail_count;
    uint64_t founded;
    uint64_t patience;  /* one timer in so many comes after a long pause */
    bool is_second_act; /* all have accepted: what counts now is how it is decided */
    raft_id muted;      /* nothing from this one arrives for a while; 0: from all */
    const char *failure;
} d;

static void fail(const char *what) {
    if (!d.failure)
        d.failure = what;
}

static uint64_t below(uint64_t bound) {
    return sim_random_below(&d.random, bound);
}

static size_t node_of(raft_id id) {
    for (size_t i = 0; i < d.node_count; i++)
        if (d.nodes[i].id == id)
            return i;
    return NODES_MAX;
}

static void post(const struct node *from, const struct founding_message *message) {
    size_t to = node_of(message->to);
    CHECK(to < NODES_MAX);
    size_t at = d.mail_count < MAILS_MAX ? d.mail_count++ : below(MAILS_MAX);
    struct mail *mail = &d.mails[at];
    *mail = (struct mail){.to = to, .from = from->id, .len = message->bytes.len};
    memcpy(mail->bytes, message->bytes.data, mail->len);
}

static void obey(struct node *n, const struct founding_decision *decision) {
    if (decision->kind == FOUNDING_DROP)
        fail("a cluster is dropped though nobody was wiped");
    if (decision->kind != FOUNDING_FOUND)
        return;
    if (d.founded != 0 && d.founded != decision->cluster_id)
        fail("two clusters of the same nodes");
    d.founded = n->cluster_id = decision->cluster_id;
}

static void take(struct node *n) {
    struct founding_ready ready;
    founding_ready(n->f, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        post(n, &ready.messages[i]);
    if (ready.has_record) {
        n->written.number = ready.record.number;
        n->written.len = ready.record.bytes.len;
        memcpy(n->written.bytes, ready.record.bytes.data, n->written.len);
    }
    if (ready.has_decision)
        obey(n, &ready.decision);
    founding_advance(n->f);
}

static void step(struct node *n, struct founding_event event) {
    event.now_ms = n->now_ms;
    if (founding_step(n->f, &event) == STATUS_OVERLOAD)
        fail("no room for so few nodes");
    take(n);
}

static void look_around(struct node *n) {
    for (size_t i = 0; i < d.node_count; i++)
        if (&d.nodes[i] != n)
            step(n, (struct founding_event){.kind = FOUNDING_EVENT_SIGHTED,
                                            .sighted = {d.nodes[i].id, d.nodes[i].name,
                                                        d.nodes[i].cluster_id}});
}

static void start(struct node *n) {
    struct founding_config config = {.self = n->id,
                                     .name = n->name,
                                     .expect = d.node_count,
                                     .record = bytes_of(n->durable.bytes, n->durable.len),
                                     .cluster_id = n->cluster_id,
                                     .retry_ms = RETRY_MS,
                                     .seed = sim_random_next(&d.random),
                                     .now_ms = n->now_ms};
    if (founding_new(&config, &n->f) != STATUS_OK) {
        n->f = NULL;
        fail("a node cannot start");
        return;
    }
    take(n);
    look_around(n);
}

static void finish_record(struct node *n) {
    if (n->written.number == 0)
        return;
    n->durable = n->written;
    n->written.number = 0;
    step(n, (struct founding_event){.kind = FOUNDING_EVENT_DURABLE, .durable = n->durable.number});
}

static void crash(struct node *n) {
    if (n->written.number != 0 && below(3) == 0)
        n->durable = n->written;
    n->written.number = 0;
    founding_free(n->f);
    start(n);
}

/* In time, or after so long a pause that patience is at its end. */
static void fire(struct node *n) {
    uint64_t deadline_ms = founding_deadline_ms(n->f);
    if (below(d.patience) == 0)
        n->now_ms += 100 * RETRY_MS;
    if (deadline_ms == UINT64_MAX)
        return;
    n->now_ms = deadline_ms > n->now_ms ? deadline_ms : n->now_ms;
    step(n, (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
}

static enum founding_kind kind_of(const struct mail *mail) {
    return (enum founding_kind)mail->bytes[1];
}

static bool is_of_a_ballot(const struct mail *mail) {
    enum founding_kind kind = kind_of(mail);
    return kind >= FOUNDING_PREPARE && kind <= FOUNDING_OVERTAKEN;
}

/* In the second act mostly one of a ballot. */
static size_t choose_mail(void) {
    size_t at = below(d.mail_count);
    for (int i = 0; i < 8 && d.is_second_act; i++) {
        if (is_of_a_ballot(&d.mails[at]) && d.mails[at].from != d.muted)
            break;
        at = below(d.mail_count);
    }
    return at;
}

/* The adversary keeps, loses or repeats what it likes. */
static void deliver(uint64_t repeats) {
    if (d.mail_count == 0)
        return;
    size_t at = choose_mail();
    struct mail mail = d.mails[at];
    if (mail.from == d.muted)
        return;
    if (below(100) >= repeats)
        d.mails[at] = d.mails[--d.mail_count];
    step(&d.nodes[mail.to],
         (struct founding_event){.kind = FOUNDING_EVENT_RECEIVE,
                                 .receive = {mail.from, bytes_of(mail.bytes, mail.len)}});
}

/* The proposer, once all have accepted; 0: not yet. */
static raft_id who_decides(void) {
    for (size_t i = 0; i < d.mail_count; i++)
        if (kind_of(&d.mails[i]) == FOUNDING_DECIDE)
            return d.mails[i].from;
    return 0;
}

static void play(uint64_t moves) {
    uint64_t messages = 20 + below(60), timers = 1 + below(40), records = 10 + below(40),
             crashes = below(8), looks = below(4), repeats = below(30);
    d.patience = 1 + below(d.is_second_act ? 2 : 8);
    uint64_t muted_moves = d.is_second_act ? below(moves) : 0;
    d.muted = below(4) > 0 ? who_decides() : d.nodes[below(d.node_count)].id;
    for (uint64_t i = 0; i < moves && !d.failure; i++) {
        if (i >= muted_moves)
            d.muted = 0;
        struct node *n = &d.nodes[below(d.node_count)];
        uint64_t move = below(messages + timers + records + crashes + looks);
        if (move < messages)
            deliver(repeats);
        else if (move < messages + timers)
            fire(n);
        else if (move < messages + timers + records)
            finish_record(n);
        else if (move < messages + timers + records + crashes)
            crash(n);
        else
            look_around(n);
    }
}

/* All that is under way arrives before time goes on, for all alike. Until all have founded, or (for
 * a second act) all have accepted and the first ballot is on its way. */
static bool play_fair(bool is_first_act) {
    uint64_t now_ms = 0;
    for (size_t i = 0; i < d.node_count; i++)
        now_ms = d.nodes[i].now_ms > now_ms ? d.nodes[i].now_ms : now_ms;
    for (size_t round = 0; round < FAIR_ROUNDS && !d.failure; round++) {
        size_t founded = 0;
        now_ms += RETRY_MS / 2;
        for (size_t i = 0; i < d.node_count; i++) {
            struct node *n = &d.nodes[i];
            n->now_ms = now_ms;
            finish_record(n);
            look_around(n);
            if (founding_deadline_ms(n->f) <= now_ms)
                step(n, (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
            founded += n->cluster_id != 0;
        }
        for (size_t i = d.mail_count; i > 0 && d.mail_count > 0; i--) {
            if (is_first_act && who_decides() != 0)
                return true;
            deliver(0);
        }
        if (founded == d.node_count)
            return true;
    }
    return false;
}

static const char *run(uint64_t seed) {
    memset(&d, 0, sizeof d);
    d.random = sim_random_of(seed, SIM_STREAM_FAULTS);
    d.patience = 1;
    d.node_count = 2 + below(NODES_MAX - 1);
    for (size_t i = 0; i < d.node_count; i++) {
        d.nodes[i] = (struct node){.id = sim_random_next(&d.random) | 1, .now_ms = 1};
        d.nodes[i].name[0] = (char)('a' + i);
    }
    for (size_t i = 0; i < d.node_count && !d.failure; i++)
        start(&d.nodes[i]);
    if (!d.failure && below(3) > 0)
        d.is_second_act = play_fair(true);
    if (!d.failure)
        play(40 + below(500));
    d.is_second_act = false;
    d.muted = 0;
    if (!d.failure && !play_fair(false))
        fail("no cluster of all though the adversary plays fair");
    for (size_t i = 0; i < d.node_count; i++)
        founding_free(d.nodes[i].f);
    return d.failure;
}

const char *duel_run(uint64_t seed) {
    const char *failure = NULL;
    for (uint64_t i = 0; i < DUELS && !failure; i++)
        failure = run(seed * DUELS + i);
    return failure;
}
