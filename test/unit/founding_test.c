/* Blank nodes with a perfect network and disk: a message arrives, and a record is durable, at once.
 * What goes wrong between them is the simulator's (test/founding). */
#include "founding/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES_MAX 10
#define RETRY_MS 100

struct node {
    raft_id id;
    char name[NAME_BYTES_MAX];
    struct founding *f; /* NULL: down */
    uint8_t record[FOUNDING_RECORD_BYTES_MAX];
    size_t record_bytes;
    uint64_t cluster_id; /* the store's */
    bool has_committed;
    bool is_cut_off;
    bool is_deaf; /* its disk does not answer */
    size_t found_count;
    size_t drop_count;
    uint64_t joining;
    struct raft_configuration configuration;
};

static struct node nodes[NODES_MAX];
static size_t node_count;
static const char *const *peers;
static size_t peer_count;
static size_t expect;
static uint64_t now_ms;

static enum status step(struct node *n, struct founding_event event) {
    event.now_ms = now_ms;
    return founding_step(n->f, &event);
}

static void start(struct node *n) {
    struct founding_config config = {.self = n->id,
                                     .name = n->name,
                                     .names = peers,
                                     .name_count = peer_count,
                                     .expect = expect,
                                     .record = bytes_of(n->record, n->record_bytes),
                                     .cluster_id = n->cluster_id,
                                     .has_committed = n->has_committed,
                                     .retry_ms = RETRY_MS,
                                     .seed = n->id,
                                     .now_ms = now_ms};
    assert_int_equal(founding_new(&config, &n->f), STATUS_OK);
}

static void stop(struct node *n) {
    founding_free(n->f);
    n->f = NULL;
}

/* Nodes a, b, c, ... with the identities 10, 20, 30, ...; not started. */
static void prepare(size_t count, size_t expectation) {
    memset(nodes, 0, sizeof nodes);
    node_count = count;
    expect = expectation;
    peers = NULL;
    peer_count = 0;
    now_ms = 1000;
    for (size_t i = 0; i < count; i++) {
        nodes[i].id = 10 * (i + 1);
        (void)snprintf(nodes[i].name, sizeof nodes[i].name, "%c", (char)('a' + i));
    }
}

static void start_all(void) {
    for (size_t i = 0; i < node_count; i++)
        start(&nodes[i]);
}

static int stop_all(void **state) {
    (void)state;
    for (size_t i = 0; i < NODES_MAX; i++)
        stop(&nodes[i]);
    return 0;
}

static struct node *node_of(raft_id id) {
    for (size_t i = 0; i < node_count; i++)
        if (nodes[i].id == id)
            return &nodes[i];
    return NULL;
}

static bool can_talk(const struct node *a, const struct node *b) {
    return a->f && b->f && !a->is_cut_off && !b->is_cut_off;
}

static void look_around(struct node *n) {
    for (size_t i = 0; i < node_count; i++) {
        struct node *other = &nodes[i];
        if (other == n)
            continue;
        struct founding_event event = {.kind = FOUNDING_EVENT_SILENT, .silent = other->id};
        if (can_talk(n, other))
            event = (struct founding_event){.kind = FOUNDING_EVENT_SIGHTED,
                                            .sighted = {other->id, other->name, other->cluster_id}};
        assert_int_equal(step(n, event), STATUS_OK);
    }
}

static void obey(struct node *n, const struct founding_decision *d) {
    n->joining = d->kind == FOUNDING_JOIN ? d->cluster_id : 0;
    if (d->kind == FOUNDING_FOUND) {
        n->found_count++;
        n->cluster_id = d->cluster_id;
        n->configuration = d->configuration;
    } else if (d->kind == FOUNDING_DROP) {
        n->drop_count++;
        n->cluster_id = 0;
    }
}

static void receive(struct node *to, raft_id from, const uint8_t *data, size_t len) {
    (void)step(to, (struct founding_event){.kind = FOUNDING_EVENT_RECEIVE,
                                           .receive = {from, bytes_of(data, len)}});
}

/* Takes what is ready until there is nothing more; messages go into `mail`. */
struct mail {
    raft_id from, to;
    size_t len;
    uint8_t bytes[FOUNDING_MESSAGE_BYTES_MAX];
};
static struct mail mails[4096];
static size_t mail_count;

static bool take(struct node *n) {
    struct founding_ready ready;
    founding_ready(n->f, &ready);
    for (size_t i = 0; i < ready.message_count; i++) {
        struct mail *mail = &mails[mail_count++ % 4096];
        *mail = (struct mail){.from = n->id,
                              .to = ready.messages[i].to,
                              .len = ready.messages[i].bytes.len};
        memcpy(mail->bytes, ready.messages[i].bytes.data, mail->len);
    }
    if (ready.has_record && !n->is_deaf) {
        memcpy(n->record, ready.record.bytes.data, ready.record.bytes.len);
        n->record_bytes = ready.record.bytes.len;
    }
    if (ready.has_decision)
        obey(n, &ready.decision);
    founding_advance(n->f);
    if (ready.has_record && !n->is_deaf)
        assert_int_equal(step(n, (struct founding_event){.kind = FOUNDING_EVENT_DURABLE,
                                                         .durable = ready.record.number}),
                         STATUS_OK);
    return ready.has_record || ready.has_decision || ready.message_count > 0;
}

static void settle(void) {
    bool is_busy = true;
    while (is_busy) {
        is_busy = false;
        for (size_t i = 0; i < node_count; i++)
            if (nodes[i].f)
                is_busy |= take(&nodes[i]);
        size_t count = mail_count;
        for (size_t i = 0; i < count; i++) {
            struct node *from = node_of(mails[i].from), *to = node_of(mails[i].to);
            if (from && to && can_talk(from, to))
                receive(to, from->id, mails[i].bytes, mails[i].len);
        }
        mail_count = 0;
    }
}

static void elapse(uint64_t ms) {
    for (uint64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms += 50) {
        for (size_t i = 0; i < node_count; i++)
            if (nodes[i].f) {
                look_around(&nodes[i]);
                if (founding_deadline_ms(nodes[i].f) <= now_ms)
                    (void)step(&nodes[i], (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
            }
        settle();
    }
}

/* One message of `n` is taken and sent; nothing else moves. */
static size_t sent(struct node *n, enum founding_kind kind) {
    mail_count = 0;
    (void)take(n);
    size_t count = 0;
    for (size_t i = 0; i < mail_count; i++) {
        struct founding_content c;
        assert_int_equal(founding__content_decode(bytes_of(mails[i].bytes, mails[i].len), &c),
                         STATUS_OK);
        count += c.kind == kind;
    }
    mail_count = 0;
    return count;
}

/* A deaf node's disk answers after all. */
static void sync_record(struct node *n) {
    assert_int_equal(step(n, (struct founding_event){.kind = FOUNDING_EVENT_DURABLE,
                                                     .durable = n->f->in_flight}),
                     STATUS_OK);
}

/* What this node says leaves once its record is on the disk, and not before. */
static void assert_says_once_durable(struct node *n, enum founding_kind kind, size_t count) {
    assert_true(n->is_deaf);
    assert_int_equal(sent(n, kind), 0);
    sync_record(n);
    assert_int_equal(sent(n, kind), count);
}

static void assert_waits(struct node *n, const char *expected) {
    char text[FOUNDING_TEXT_BYTES_MAX];
    size_t len = founding_waiting(n->f, text);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
}

static void assert_founded(size_t first, size_t last) {
    for (size_t i = first; i <= last; i++) {
        assert_int_equal(nodes[i].found_count, 1);
        assert_int_equal(nodes[i].cluster_id, nodes[first].cluster_id);
        uint8_t a[RAFT_CONFIGURATION_BYTES_MAX], b[RAFT_CONFIGURATION_BYTES_MAX];
        size_t len = raft_configuration_encode(&nodes[first].configuration, a, sizeof a);
        assert_int_equal(raft_configuration_encode(&nodes[i].configuration, b, sizeof b), len);
        assert_memory_equal(a, b, len);
    }
    assert_true(nodes[first].cluster_id != 0);
}

/* The first nodes as the members. */
static struct raft_configuration members(size_t count) {
    struct raft_configuration configuration = {.count = count};
    for (size_t i = 0; i < count; i++) {
        configuration.members[i].id = nodes[i].id;
        configuration.members[i].rights = RAFT_VOTER_NEW;
        memcpy(configuration.members[i].name, nodes[i].name, NAME_BYTES_MAX);
    }
    return configuration;
}

/* A proposal of the node `proposer` for a, b, c (of five: d, e), as the node at `to` would receive
 * it. */
static enum status propose_to(struct node *to, raft_id proposer, uint64_t number) {
    struct founding_content c = {.kind = FOUNDING_PROPOSE,
                                 .key = {proposer, number},
                                 .configuration = members(expect == 5 ? 5 : 3)};
    uint8_t data[FOUNDING_MESSAGE_BYTES_MAX];
    size_t len = founding__content_encode(&c, data);
    return step(to, (struct founding_event){.kind = FOUNDING_EVENT_RECEIVE,
                                            .receive = {proposer, bytes_of(data, len)}});
}

static void say(struct node *to, raft_id from, struct founding_content c) {
    uint8_t data[FOUNDING_MESSAGE_BYTES_MAX];
    size_t len = founding__content_encode(&c, data);
    assert_int_equal(step(to, (struct founding_event){.kind = FOUNDING_EVENT_RECEIVE,
                                                      .receive = {from, bytes_of(data, len)}}),
                     STATUS_OK);
}

/* ---- Stories -------------------------------------------------------------------------------- */

static void blank_nodes_found_one_cluster_with_one_configuration(void **state) {
    (void)state;
    prepare(5, 5);
    start_all();
    elapse(5 * RETRY_MS);
    assert_founded(0, 4);
    assert_int_equal(nodes[0].configuration.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nodes[0].configuration.members[i].id, nodes[i].id);
        assert_int_equal(nodes[0].configuration.members[i].rights, RAFT_VOTER_NEW);
    }
    assert_waits(&nodes[0], "");
}

static void one_expected_node_founds_alone(void **state) {
    (void)state;
    prepare(1, 1);
    start_all();
    elapse(3 * RETRY_MS);
    assert_founded(0, 0);
}

static void names_found_without_settling(void **state) {
    (void)state;
    static const char *const names[] = {"c", "a", "b"};
    prepare(3, 0);
    peers = names;
    peer_count = 3;
    start_all();
    elapse(50);
    assert_founded(0, 2);
}

static void spare_nodes_join(void **state) {
    (void)state;
    prepare(7, 5);
    start_all();
    elapse(5 * RETRY_MS);
    assert_founded(0, 4);
    assert_true(nodes[5].joining == nodes[0].cluster_id);
    assert_true(nodes[6].joining == nodes[0].cluster_id);
    char text[FOUNDING_TEXT_BYTES_MAX], expected[FOUNDING_TEXT_BYTES_MAX];
    (void)founding_waiting(nodes[5].f, text);
    (void)snprintf(expected, sizeof expected, "waiting for cluster %016llx to take this node in",
                   (unsigned long long)nodes[0].cluster_id);
    assert_string_equal(text, expected);
}

static void twice_the_expected_number_founds_nothing_and_says_so(void **state) {
    (void)state;
    prepare(10, 5);
    start_all();
    elapse(100 * RETRY_MS);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(nodes[i].found_count, 0);
    assert_waits(&nodes[3], "waiting for an operator: 10 blank nodes are in sight and 5 are "
                            "expected; twice as many could found two clusters");
}

static void a_waiting_node_names_who_is_missing(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    prepare(5, 0);
    peers = names;
    peer_count = 5;
    start(&nodes[0]);
    start(&nodes[2]);
    start(&nodes[4]);
    elapse(RETRY_MS);
    assert_waits(&nodes[2], "waiting for 2 of 5: b, d have not been seen");
}

static void a_node_tells_whose_acceptance_is_missing(void **state) {
    (void)state;
    prepare(3, 3);
    start_all();
    nodes[2].is_deaf = true;
    elapse(4 * RETRY_MS);
    char text[FOUNDING_TEXT_BYTES_MAX];
    (void)founding_waiting(nodes[0].f, text);
    assert_non_null(strstr(text, "waiting for the start of cluster "));
    assert_non_null(strstr(text, ": c has not accepted"));
    (void)founding_waiting(nodes[1].f, text);
    assert_non_null(strstr(text, ", proposed by a"));
}

/* ---- One rule each -------------------------------------------------------------------------- */

static void nothing_leaves_before_it_is_durable(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    nodes[1].is_deaf = true;
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    struct founding_ready ready;
    founding_ready(nodes[1].f, &ready);
    assert_int_equal(ready.message_count, 0);
    assert_true(ready.has_record);
    uint64_t number = ready.record.number;
    founding_advance(nodes[1].f);
    assert_int_equal(sent(&nodes[1], FOUNDING_ACCEPTED), 0);
    assert_int_equal(step(&nodes[1], (struct founding_event){.kind = FOUNDING_EVENT_DURABLE,
                                                             .durable = number + 1}),
                     STATUS_STALE);
    assert_int_equal(step(&nodes[1], (struct founding_event){.kind = FOUNDING_EVENT_DURABLE,
                                                             .durable = number}),
                     STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_ACCEPTED), 1);
}

/* Node b holds a proposal of a, durably; its disk answers no more by itself. */
static struct node *given_a_deaf_holder(void) {
    struct node *b = &nodes[1];
    prepare(3, 3);
    start(b);
    assert_int_equal(propose_to(b, 10, 1), STATUS_OK);
    (void)take(b);
    (void)take(b);
    b->is_deaf = true;
    return b;
}

static void a_promise_is_durable_before_it_is_told(void **state) {
    (void)state;
    struct node *b = given_a_deaf_holder();
    say(b, 30,
        (struct founding_content){.kind = FOUNDING_PREPARE, .key = {10, 1}, .ballot = {1, 30}});
    assert_says_once_durable(b, FOUNDING_PROMISE, 1);
}

static void what_a_ballot_decides_is_durable_before_it_is_agreed_to(void **state) {
    (void)state;
    struct node *b = given_a_deaf_holder();
    say(b, 10,
        (struct founding_content){
            .kind = FOUNDING_DECIDE, .key = {10, 1}, .ballot = {0, 10}, .value = VALUE_START});
    assert_says_once_durable(b, FOUNDING_DECIDED, 1);
}

static void answer(struct node *proposer, raft_id from, enum founding_kind kind) {
    say(proposer, from,
        (struct founding_content){.kind = kind,
                                  .key = proposer->f->state.key,
                                  .ballot = proposer->f->ballot});
}

static void a_proposer_decides_and_founds_only_what_is_durable(void **state) {
    (void)state;
    struct node *a = &nodes[0];
    prepare(3, 3);
    start_all();
    look_around(a);
    now_ms += (SETTLE_RETRIES + 1) * RETRY_MS;
    (void)step(a, (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
    (void)take(a);
    assert_int_equal(sent(a, FOUNDING_PROPOSE), 2);
    a->is_deaf = true;
    answer(a, 20, FOUNDING_ACCEPTED);
    answer(a, 30, FOUNDING_ACCEPTED);
    assert_says_once_durable(a, FOUNDING_DECIDE, 2);
    answer(a, 20, FOUNDING_DECIDED);
    (void)take(a);
    assert_int_equal(a->found_count, 0);
    sync_record(a);
    (void)take(a);
    assert_int_equal(a->found_count, 1);
}

static void holds_one_proposal_at_a_time(void **state) {
    (void)state;
    prepare(3, 3);
    nodes[0].id = 10;
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    assert_int_equal(sent(&nodes[1], FOUNDING_ACCEPTED), 1);
    assert_int_equal(propose_to(&nodes[1], 10, 2), STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_REFUSED), 1);
    say(&nodes[1], 30, (struct founding_content){.kind = FOUNDING_DEAD, .key = {10, 1}});
    assert_int_equal(propose_to(&nodes[1], 10, 2), STATUS_OK);
    (void)take(&nodes[1]);
    assert_int_equal(sent(&nodes[1], FOUNDING_ACCEPTED), 1);
}

static void what_was_accepted_is_held_after_a_restart(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    stop(&nodes[1]);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 2), STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_REFUSED), 1);
}

static void what_was_declined_is_never_accepted(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    say(&nodes[1], 30,
        (struct founding_content){.kind = FOUNDING_PREPARE, .key = {10, 1}, .ballot = {1, 30}});
    (void)take(&nodes[1]);
    assert_int_equal(sent(&nodes[1], FOUNDING_DEAD), 1);
    stop(&nodes[1]);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    stop(&nodes[1]);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_DEAD), 1);
}

static void a_gentle_question_changes_nothing(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    say(&nodes[1], 30, (struct founding_content){.kind = FOUNDING_ASK, .key = {10, 1}});
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    assert_int_equal(sent(&nodes[1], FOUNDING_ACCEPTED), 1);
}

static void a_proposer_that_restarts_cancels(void **state) {
    (void)state;
    prepare(3, 3);
    start_all();
    nodes[2].is_deaf = true;
    elapse(4 * RETRY_MS);
    stop(&nodes[0]);
    start(&nodes[0]);
    (void)take(&nodes[0]);
    assert_int_equal(sent(&nodes[0], FOUNDING_DEAD), 2);
}

static void a_promise_holds_against_a_lower_ballot(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    say(&nodes[1], 30,
        (struct founding_content){.kind = FOUNDING_PREPARE, .key = {10, 1}, .ballot = {1, 30}});
    (void)take(&nodes[1]);
    stop(&nodes[1]);
    start(&nodes[1]);
    say(&nodes[1], 10,
        (struct founding_content){
            .kind = FOUNDING_DECIDE, .key = {10, 1}, .ballot = {0, 10}, .value = VALUE_START});
    assert_int_equal(sent(&nodes[1], FOUNDING_OVERTAKEN), 1);
}

static void a_ballot_repeats_what_may_have_been_chosen(void **state) {
    (void)state;
    prepare(3, 3);
    start_all();
    nodes[0].is_deaf = true; /* proposes once it is not */
    elapse(RETRY_MS);
    stop(&nodes[0]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    assert_int_equal(propose_to(&nodes[2], 10, 1), STATUS_OK);
    say(&nodes[1], 10,
        (struct founding_content){
            .kind = FOUNDING_DECIDE, .key = {10, 1}, .ballot = {0, 10}, .value = VALUE_START});
    elapse(100 * RETRY_MS);
    assert_founded(1, 2);
}

/* Node b holds a proposal of a for all, is out of patience, and has sent the first step of a ballot
 * of its own. */
static struct node *given_a_ballot_among(size_t count) {
    struct node *b = &nodes[1];
    prepare(count, count);
    start(b);
    assert_int_equal(propose_to(b, 10, 1), STATUS_OK);
    (void)take(b);
    now_ms += 2 * PATIENCE_RETRIES * RETRY_MS;
    (void)step(b, (struct founding_event){.kind = FOUNDING_EVENT_TIMEOUT});
    (void)take(b);
    assert_int_equal(sent(b, FOUNDING_PREPARE), count - 1);
    return b;
}

static void promise(struct node *to, raft_id from, struct founding_ballot accepted,
                    enum founding_value value) {
    say(to, from,
        (struct founding_content){.kind = FOUNDING_PROMISE,
                                  .key = to->f->state.key,
                                  .ballot = to->f->ballot,
                                  .accepted = accepted,
                                  .value = value});
    (void)take(to);
}

/* c agreed to the start, and so may others have that are silent. */
static void a_ballot_starts_what_a_promise_tells_of(void **state) {
    (void)state;
    struct node *b = given_a_ballot_among(3);
    promise(b, 30, (struct founding_ballot){0, 10}, VALUE_START);
    assert_int_equal(sent(b, FOUNDING_DECIDE), 2);
    say(b, 30,
        (struct founding_content){.kind = FOUNDING_DECIDED,
                                  .key = {10, 1},
                                  .ballot = b->f->ballot});
    (void)take(b);
    (void)take(b);
    assert_int_equal(b->found_count, 1);
}

static void a_ballot_drops_only_with_a_majority_of_promises(void **state) {
    (void)state;
    struct node *b = given_a_ballot_among(5);
    promise(b, 30, (struct founding_ballot){0}, VALUE_NONE);
    assert_int_equal(sent(b, FOUNDING_DECIDE), 0);
    promise(b, 40, (struct founding_ballot){0}, VALUE_NONE);
    assert_int_equal(sent(b, FOUNDING_DECIDE), 4);
    assert_int_equal(b->f->value, VALUE_DROP);
}

/* The cluster of a first proposal was started and dropped. Who hears of the start only now holds
 * the next proposal, and keeps it. */
static void late_news_of_a_dropped_cluster_ends_nothing(void **state) {
    (void)state;
    struct node *b = &nodes[1];
    prepare(3, 3);
    start(b);
    assert_int_equal(propose_to(b, 10, 1), STATUS_OK);
    (void)take(b);
    say(b, 30, (struct founding_content){.kind = FOUNDING_DEAD, .key = {10, 1}});
    (void)take(b);
    assert_int_equal(propose_to(b, 10, 2), STATUS_OK);
    (void)take(b);
    say(b, 30,
        (struct founding_content){.kind = FOUNDING_STARTED,
                                  .key = {10, 1},
                                  .configuration = members(3)});
    (void)take(b);
    assert_true(b->f->state.is_held);
    assert_int_equal(b->f->state.key.number, 2);
    say(b, 30, /* of a later one: its members have let go of this one */
        (struct founding_content){.kind = FOUNDING_STARTED,
                                  .key = {10, 3},
                                  .configuration = members(3)});
    assert_false(b->f->state.is_held);
}

static void a_lost_proposers_cluster_is_dropped_by_the_others(void **state) {
    (void)state;
    prepare(4, 3);
    for (size_t i = 1; i < 3; i++) {
        start(&nodes[i]);
        assert_int_equal(propose_to(&nodes[i], 10, 1), STATUS_OK);
    }
    start(&nodes[3]);
    elapse(100 * RETRY_MS);
    assert_founded(1, 3);
    assert_int_equal(nodes[1].configuration.members[0].id, 20);
}

static void a_wiped_node_counts_as_gone_once_it_is_silent(void **state) {
    (void)state;
    prepare(4, 3);
    nodes[3].name[0] = 'a'; /* a, wiped */
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    start(&nodes[3]);
    elapse((GONE_RETRIES + 30) * RETRY_MS);
    assert_true(nodes[1].f->state.is_held); /* one of three is gone: a majority is left */
    nodes[0].name[0] = 'c';                 /* c, wiped */
    nodes[0].id = 5;
    start(&nodes[0]);
    elapse(30 * RETRY_MS);
    assert_founded(0, 1);
    assert_founded(1, 1);
    assert_int_equal(nodes[3].cluster_id, nodes[1].cluster_id);
}

static void a_starter_drops_only_what_has_committed_nothing(void **state) {
    (void)state;
    for (int has_committed = 0; has_committed < 2; has_committed++) {
        prepare(5, 3);
        for (size_t i = 0; i < 3; i++)
            start(&nodes[i]);
        elapse(5 * RETRY_MS);
        assert_founded(0, 2);
        if (has_committed)
            (void)step(&nodes[0], (struct founding_event){.kind = FOUNDING_EVENT_COMMITTED});
        stop(&nodes[1]);
        stop(&nodes[2]);
        for (size_t i = 3; i < 5; i++) {
            nodes[i].name[0] = nodes[i - 2].name[0];
            start(&nodes[i]);
        }
        elapse((GONE_RETRIES + 10) * RETRY_MS);
        assert_int_equal(nodes[0].drop_count, has_committed ? 0 : 1);
        assert_int_equal(nodes[0].found_count, has_committed ? 1 : 2);
        assert_true(has_committed ? nodes[3].joining == nodes[0].cluster_id
                                  : nodes[3].found_count == 1);
        (void)stop_all(NULL);
    }
}

static void found_and_drop_are_told_again_until_the_store_has_them(void **state) {
    (void)state;
    prepare(1, 1);
    start_all();
    elapse(3 * RETRY_MS);
    uint64_t cluster_id = nodes[0].cluster_id;
    stop(&nodes[0]);
    nodes[0].cluster_id = 0; /* it did not reach the store */
    start(&nodes[0]);
    settle();
    assert_int_equal(nodes[0].found_count, 2);
    assert_true(nodes[0].cluster_id == cluster_id);
    assert_int_equal(step(&nodes[0], (struct founding_event){.kind = FOUNDING_EVENT_RESET}),
                     STATUS_OK);
    (void)take(&nodes[0]);
    struct founding_ready ready;
    founding_ready(nodes[0].f, &ready);
    assert_int_equal(ready.decision.kind, FOUNDING_DROP);
    stop(&nodes[0]); /* before the store has done it */
    start(&nodes[0]);
    settle();
    assert_int_equal(nodes[0].drop_count, 1);
}

static void reset_is_refused_once_anything_is_committed(void **state) {
    (void)state;
    prepare(1, 1);
    start_all();
    elapse(3 * RETRY_MS);
    (void)step(&nodes[0], (struct founding_event){.kind = FOUNDING_EVENT_COMMITTED});
    assert_int_equal(step(&nodes[0], (struct founding_event){.kind = FOUNDING_EVENT_RESET}),
                     STATUS_PRECONDITION);
    stop(&nodes[0]);
    nodes[0].has_committed = true;
    start(&nodes[0]);
    assert_int_equal(step(&nodes[0], (struct founding_event){.kind = FOUNDING_EVENT_RESET}),
                     STATUS_PRECONDITION);
}

static void who_was_reset_never_says_dead(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    assert_int_equal(step(&nodes[1], (struct founding_event){.kind = FOUNDING_EVENT_RESET}),
                     STATUS_OK);
    (void)take(&nodes[1]);
    (void)take(&nodes[1]);
    say(&nodes[1], 30, (struct founding_content){.kind = FOUNDING_ASK, .key = {10, 1}});
    assert_int_equal(sent(&nodes[1], FOUNDING_LEFT), 1);
}

static void joins_only_what_it_was_told_to(void **state) {
    (void)state;
    prepare(3, 3);
    nodes[0].cluster_id = 77; /* of an older cluster */
    start_all();
    elapse(5 * RETRY_MS);
    assert_int_equal(nodes[1].joining, 77);
    struct founding_event joined = {.kind = FOUNDING_EVENT_JOINED, .cluster_id = 78};
    assert_int_equal(step(&nodes[1], joined), STATUS_BUSY);
    joined.cluster_id = 77;
    assert_int_equal(step(&nodes[1], joined), STATUS_OK);
    assert_int_equal(step(&nodes[1], joined), STATUS_BUSY); /* it has */
    assert_waits(&nodes[1], "");
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_REFUSED), 1);
}

static void who_was_reset_may_join_the_same_cluster(void **state) {
    (void)state;
    prepare(3, 3);
    start_all();
    elapse(5 * RETRY_MS);
    assert_founded(0, 2);
    uint64_t cluster_id = nodes[0].cluster_id;
    struct founding_event reset = {.kind = FOUNDING_EVENT_RESET};
    assert_int_equal(step(&nodes[2], reset), STATUS_OK);
    elapse(2 * RETRY_MS);
    assert_int_equal(nodes[2].drop_count, 1);
    assert_true(nodes[2].joining == cluster_id);
    struct founding_event joined = {.kind = FOUNDING_EVENT_JOINED, .cluster_id = cluster_id};
    assert_int_equal(step(&nodes[2], joined), STATUS_OK);
    nodes[2].cluster_id = cluster_id;
    elapse(2 * RETRY_MS);
    stop(&nodes[2]);
    start(&nodes[2]);
    elapse(2 * RETRY_MS);
    assert_int_equal(nodes[2].drop_count, 1);
}

static void a_silent_founded_node_is_waited_for(void **state) {
    (void)state;
    prepare(4, 3);
    nodes[3].cluster_id = 77;
    start_all();
    elapse(2 * RETRY_MS);
    stop(&nodes[3]);
    elapse(100 * RETRY_MS);
    assert_int_equal(nodes[0].found_count, 0);
    assert_waits(&nodes[0],
                 "waiting for d, which belongs to cluster 000000000000004d and is silent");
}

static void other_members_than_expected_are_refused(void **state) {
    (void)state;
    prepare(3, 4);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    assert_int_equal(sent(&nodes[1], FOUNDING_REFUSED), 1);
    assert_int_equal(propose_to(&nodes[1], 99, 1), STATUS_INVALID); /* not the first member */
}

static void a_config_that_contradicts_itself_is_refused(void **state) {
    (void)state;
    static const char *const twice[] = {"a", "a"}, *const others[] = {"b", "c"};
    struct founding_config good = {.self = 1, .name = "a", .expect = 3, .retry_ms = 100};
    struct founding_config bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].self = 0;
    bad[1].name = "";
    bad[2].expect = 0;
    bad[3].expect = MEMBERS_MAX + 1;
    bad[4].names = twice, bad[4].name_count = 2;
    bad[5].names = others, bad[5].name_count = 2;
    bad[6].retry_ms = 0;
    bad[7].names = twice, bad[7].name_count = 0;
    struct founding *f;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(founding_new(&bad[i], &f), STATUS_INVALID);
}

static void a_record_of_another_identity_or_any_other_bytes_is_corrupt(void **state) {
    (void)state;
    prepare(3, 3);
    start(&nodes[1]);
    assert_int_equal(propose_to(&nodes[1], 10, 1), STATUS_OK);
    (void)take(&nodes[1]);
    struct founding_config config = {.self = 21, .name = "b", .expect = 3, .retry_ms = 100};
    struct founding *f;
    config.record = bytes_of(nodes[1].record, nodes[1].record_bytes);
    assert_int_equal(founding_new(&config, &f), STATUS_CORRUPT);
    config.self = 20;
    for (size_t len = 1; len < nodes[1].record_bytes; len++) {
        config.record.len = len;
        assert_int_equal(founding_new(&config, &f), STATUS_CORRUPT);
    }
    uint8_t later = 2;
    config.record = bytes_of(&later, 1);
    assert_int_equal(founding_new(&config, &f), STATUS_UNSUPPORTED);
}

static void any_cut_of_a_message_is_refused(void **state) {
    (void)state;
    prepare(3, 3);
    start_all();
    elapse(3 * RETRY_MS);
    struct founding_content c = {.kind = FOUNDING_STARTED,
                                 .key = nodes[0].f->state.key,
                                 .configuration = nodes[0].configuration};
    uint8_t data[FOUNDING_MESSAGE_BYTES_MAX];
    size_t len = founding__content_encode(&c, data);
    struct founding_content again;
    assert_int_equal(founding__content_decode(bytes_of(data, len), &again), STATUS_OK);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(founding__content_decode(bytes_of(data, cut), &again), STATUS_INVALID);
    data[0] = 2;
    assert_int_equal(founding__content_decode(bytes_of(data, len), &again), STATUS_UNSUPPORTED);
}

#define STORY(name) cmocka_unit_test_teardown(name, stop_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(blank_nodes_found_one_cluster_with_one_configuration),
        STORY(one_expected_node_founds_alone),
        STORY(names_found_without_settling),
        STORY(spare_nodes_join),
        STORY(twice_the_expected_number_founds_nothing_and_says_so),
        STORY(a_waiting_node_names_who_is_missing),
        STORY(a_node_tells_whose_acceptance_is_missing),
        STORY(nothing_leaves_before_it_is_durable),
        STORY(a_promise_is_durable_before_it_is_told),
        STORY(what_a_ballot_decides_is_durable_before_it_is_agreed_to),
        STORY(a_proposer_decides_and_founds_only_what_is_durable),
        STORY(holds_one_proposal_at_a_time),
        STORY(what_was_accepted_is_held_after_a_restart),
        STORY(what_was_declined_is_never_accepted),
        STORY(a_gentle_question_changes_nothing),
        STORY(a_proposer_that_restarts_cancels),
        STORY(a_promise_holds_against_a_lower_ballot),
        STORY(a_ballot_repeats_what_may_have_been_chosen),
        STORY(a_ballot_starts_what_a_promise_tells_of),
        STORY(a_ballot_drops_only_with_a_majority_of_promises),
        STORY(late_news_of_a_dropped_cluster_ends_nothing),
        STORY(a_lost_proposers_cluster_is_dropped_by_the_others),
        STORY(a_wiped_node_counts_as_gone_once_it_is_silent),
        STORY(a_starter_drops_only_what_has_committed_nothing),
        STORY(found_and_drop_are_told_again_until_the_store_has_them),
        STORY(reset_is_refused_once_anything_is_committed),
        STORY(who_was_reset_never_says_dead),
        STORY(who_was_reset_may_join_the_same_cluster),
        STORY(joins_only_what_it_was_told_to),
        STORY(a_silent_founded_node_is_waited_for),
        STORY(other_members_than_expected_are_refused),
        STORY(a_config_that_contradicts_itself_is_refused),
        STORY(a_record_of_another_identity_or_any_other_bytes_is_corrupt),
        STORY(any_cut_of_a_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
