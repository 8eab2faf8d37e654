#include "support/world_peers.h"

#include "server/parts.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SELF 7
#define LEADER_TERM 3

struct world *world_with_peers(size_t voters) {
    struct world *w = world_new();
    w->members.count = voters;
    for (size_t i = 0; i < voters; i++) {
        struct raft_member *member = &w->members.members[i];
        *member = (struct raft_member){.id = SELF + i, .rights = RAFT_VOTER_NEW};
        (void)snprintf(member->name, sizeof member->name, "n%zu", SELF + i); /* always fits */
    }
    return w;
}

const struct raft_status *world_raft(const struct world *w) {
    return raft_status(w->turn->raft);
}

const struct raft_configuration *world_members(const struct world *w) {
    return raft_configuration(w->turn->raft);
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* With its entries behind it, in one piece of memory. */
struct arrival {
    struct turn_message message; /* first: it is freed as this */
    struct raft_entry entries[];
};

void world_receive(struct world *w, struct raft_message message) {
    size_t count = message.kind == RAFT_APPEND ? message.append.count : 0;
    struct arrival *arrival = calloc(1, sizeof *arrival + count * sizeof *arrival->entries);
    assert_non_null(arrival);
    for (size_t i = 0; i < count; i++)
        arrival->entries[i] = message.append.entries[i];
    message.to = SELF;
    if (message.kind == RAFT_APPEND)
        message.append.entries = arrival->entries;
    arrival->message.event.kind = TURN_MESSAGE;
    arrival->message.message = message;
    STAILQ_INSERT_TAIL(&w->inbox, &arrival->message.event, link);
}

void world_receive_entries(struct world *w, raft_index prev, size_t count, raft_index commit) {
    struct raft_entry entries[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        entries[i] = an_entry(prev + 1 + i, LEADER_TERM);
        entries[i].type = RAFT_ENTRY_NOOP;
    }
    raft_term prev_term = prev == 0 ? 0 : LEADER_TERM;
    world_receive(w, from_append(8, LEADER_TERM, prev, prev_term, entries, count, commit));
}

static const struct raft_message *nth_sent(const struct world *w, size_t n) {
    return &w->sent[n % WORLD_SENT_MAX];
}

static bool is_sent(const struct raft_message *m, enum raft_message_kind kind, raft_id to) {
    return m->kind == kind && (to == 0 || m->to == to);
}

const struct raft_message *world_sent(const struct world *w, enum raft_message_kind kind,
                                      raft_id to) {
    for (size_t n = w->sent_count; n > 0 && w->sent_count - n < WORLD_SENT_MAX; n--)
        if (is_sent(nth_sent(w, n - 1), kind, to))
            return nth_sent(w, n - 1);
    return NULL;
}

size_t world_sent_count(const struct world *w, enum raft_message_kind kind, raft_id to) {
    size_t count = 0;
    assert_true(w->sent_count <= WORLD_SENT_MAX);
    for (size_t n = 0; n < w->sent_count; n++)
        count += is_sent(nth_sent(w, n), kind, to);
    return count;
}

/* ---- The others ------------------------------------------------------------------------------ */

void world_answer_heartbeat(struct world *w, raft_id peer) {
    const struct raft_message *heartbeat = world_sent(w, RAFT_HEARTBEAT, peer);
    raft_term term = world_raft(w)->term;
    if (heartbeat && heartbeat->term == term)
        world_receive(w, from_heartbeat_answer(peer, term, heartbeat->heartbeat.round, 1000));
}

void world_answer(struct world *w, raft_id peer) {
    const struct raft_message *append = world_sent(w, RAFT_APPEND, peer);
    raft_term term = world_raft(w)->term;
    if (append && append->term == term)
        world_receive(w, from_ack(peer, term, append->append.last_index));
    world_answer_heartbeat(w, peer);
}

static void answer_all(struct world *w, raft_id silent) {
    const struct raft_configuration members = *world_members(w);
    for (size_t i = 0; i < members.count; i++)
        if (members.members[i].id != SELF && members.members[i].id != silent)
            world_answer(w, members.members[i].id);
}

void world_agree(struct world *w, raft_id silent) {
    size_t sent_count;
    world_settle(w);
    do {
        sent_count = w->sent_count;
        answer_all(w, silent);
        world_settle(w);
    } while (w->sent_count > sent_count);
}

void world_elapse_with(struct world *w, uint64_t ms, raft_id silent) {
    for (uint64_t passed_ms = 0; passed_ms < ms; passed_ms += 100) {
        world_elapse(w, 100);
        world_agree(w, silent);
    }
}

struct turn_order world_order_of(enum turn_order_kind kind, raft_id member) {
    struct turn_order order = {.event.kind = TURN_ORDER, .kind = kind, .member = member};
    (void)snprintf(order.name, sizeof order.name, "n%" PRIu64, member); /* always fits */
    return order;
}

void world_order(struct world *w, struct turn_order *order) {
    order->deadline_ms = w->now_ms + 5000;
    STAILQ_INSERT_TAIL(&w->inbox, &order->event, link);
}

/* ---- Roles ----------------------------------------------------------------------------------- */

void world_follow(struct world *w) {
    world_boot(w);
    world_receive(w, from_heartbeat(8, LEADER_TERM, 1, 0));
    world_settle(w);
    assert_int_equal(world_raft(w)->leader, 8);
}

static void grant(struct world *w, enum raft_message_kind asked, enum raft_message_kind answer) {
    const struct raft_message *question = world_sent(w, asked, 0);
    assert_non_null(question);
    for (size_t i = 1; i < w->members.count; i++)
        world_receive(w, (struct raft_message){.kind = answer,
                                               .from = SELF + i,
                                               .term = question->term,
                                               .vote_answer = {true}});
    world_settle(w);
}

static void campaign(struct world *w) {
    raft_term term = world_raft(w)->term;
    const struct raft_message *question = NULL;
    world_turn(w);
    while (!question || question->term <= term) {
        world_elapse(w, 100);
        question = world_sent(w, RAFT_PRE_VOTE, 0);
    }
    grant(w, RAFT_PRE_VOTE, RAFT_PRE_VOTE_ANSWER);
    grant(w, RAFT_VOTE, RAFT_VOTE_ANSWER);
    assert_int_equal(world_raft(w)->role, RAFT_LEADER);
}

void world_lead(struct world *w) {
    world_boot(w);
    if (w->members.count > 1)
        campaign(w);
    world_agree(w, 0);
    assert_true(world_raft(w)->is_in_office);
    assert_true(w->status.is_ready);
}

void world_depose(struct world *w) {
    world_receive(w, from_heartbeat(8, world_raft(w)->term + 1, 1, 0));
    world_settle(w);
    assert_int_equal(world_raft(w)->leader, 8);
}

void world_lead_again(struct world *w) {
    campaign(w);
}
