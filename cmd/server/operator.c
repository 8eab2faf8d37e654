/* What operators ask: who the members are, and to change them. The leader answers; any other node
 * passes the call on. */
#include "server/wiring.h"
#include "version.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A call on its way to the loop. */
struct inquiry {
    struct loop_event event;
    struct server *server;
    struct rpc_call *rpc;
    uint64_t deadline_ms;
    struct rpc_order order; /* of an order */
};

/* An order that the turn has. */
struct server_order {
    struct turn_order turn; /* first: the turn gives it back as this */
    struct rpc_call *rpc;
};

/* ---- Names ----------------------------------------------------------------------------------- */

/* Who a name stands for. A node that lost its directory is a new one under the name of an old one,
 * which may still be a member. */
enum sought {
    SOUGHT_NEWCOMER, /* in sight, and no member yet */
    SOUGHT_ELECT,    /* who is to vote: a learner first */
    SOUGHT_MEMBER,
};

/* How many members bear a name, and one of them. */
static size_t count_called(const struct server *s, const char *name, bool is_learner,
                           raft_id *ret_id) {
    const struct raft_configuration *members = turn_configuration(s->turn);
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->members[i];
        if (strcmp(member->name, name) != 0 || (is_learner && member->rights != RAFT_LEARNER))
            continue;
        *ret_id = member->id;
        count++;
    }
    return count;
}

/* 0: nobody, or more than one. */
static raft_id resolve(const struct server *s, const struct rpc_member_name *name,
                       enum sought sought) {
    raft_id id = 0;
    size_t count = 0;
    if (name->id != 0 || name->name[0] == '\0')
        return name->id;
    if (sought == SOUGHT_ELECT)
        count = count_called(s, name->name, true, &id);
    if (sought != SOUGHT_NEWCOMER && count == 0)
        count = count_called(s, name->name, false, &id);
    if (count == 0)
        return mesh_find(s->mesh, name->name);
    return count == 1 ? id : 0;
}

static enum sought sought_by(enum rpc_order_kind kind) {
    switch (kind) {
    case RPC_ORDER_ADD: return SOUGHT_NEWCOMER;
    case RPC_ORDER_PROMOTE: return SOUGHT_ELECT;
    case RPC_ORDER_REMOVE:
    case RPC_ORDER_REPLACE:
    case RPC_ORDER_TRANSFER: break;
    }
    return SOUGHT_MEMBER;
}

static enum turn_order_kind kind_of(enum rpc_order_kind kind) {
    switch (kind) {
    case RPC_ORDER_ADD: return TURN_ORDER_ADD;
    case RPC_ORDER_PROMOTE: return TURN_ORDER_PROMOTE;
    case RPC_ORDER_REMOVE: return TURN_ORDER_REMOVE;
    case RPC_ORDER_REPLACE: return TURN_ORDER_REPLACE;
    case RPC_ORDER_TRANSFER: return TURN_ORDER_TRANSFER;
    }
    return TURN_ORDER_TRANSFER;
}

static bool is_named(const struct rpc_member_name *name) {
    return name->id != 0 || name->name[0] != '\0';
}

/* ---- Orders ---------------------------------------------------------------------------------- */

void server__order_done(struct turn_order *turn) {
    struct server_order *order = (struct server_order *)turn;
    bool is_begun = turn->status == STATUS_ABORTED || turn->status == STATUS_TIMEOUT;
    rpc_reply_status(order->rpc, turn->status, turn->status != STATUS_OK && !is_begun,
                     turn->detail[0] != '\0' ? turn->detail : NULL);
    free(order);
}

void server__refuse_order(struct turn_order *turn) {
    turn->status = STATUS_UNAVAILABLE;
    server__order_done(turn);
}

static void refuse_unknown(const struct inquiry *inquiry, const struct rpc_member_name *name) {
    char text[160];
    snprintf(text, sizeof text,
             "no node in sight, or more than one, is called %s; name it by its identity",
             name->name);
    rpc_reply_status(inquiry->rpc, STATUS_NOT_FOUND, true, text);
}

static void give_order(struct server *s, const struct inquiry *inquiry) {
    const struct rpc_order *asked = &inquiry->order;
    raft_id member = resolve(s, &asked->member, sought_by(asked->kind));
    raft_id next = resolve(s, &asked->next, SOUGHT_ELECT);
    bool is_unknown = member == 0 && is_named(&asked->member);
    if (is_unknown || (next == 0 && is_named(&asked->next))) {
        refuse_unknown(inquiry, is_unknown ? &asked->member : &asked->next);
        return;
    }
    struct server_order *order = calloc(1, sizeof *order);
    CHECK(order);
    order->rpc = inquiry->rpc;
    order->turn = (struct turn_order){.event.kind = TURN_ORDER,
                                      .kind = kind_of(asked->kind),
                                      .member = member,
                                      .other = next,
                                      .deadline_ms = inquiry->deadline_ms};
    const char *known = mesh_name(s->mesh, member);
    snprintf(order->turn.name, sizeof order->turn.name, "%s", known ? known : asked->member.name);
    inbox_post(&s->inbox, &order->turn.event);
}

/* True: the call was passed on, or refused, since this node does not lead. */
static bool goes_elsewhere(struct server *s, const struct inquiry *inquiry) {
    raft_id leader = s->turn ? turn_leader(s->turn) : 0;
    if (leader == s->summary.identity.id)
        return false;
    if (leader == 0 || rpc_call_is_forwarded(inquiry->rpc))
        rpc_reply_status(inquiry->rpc, STATUS_UNAVAILABLE, true, "no leader is known");
    else
        forwarder_send_call(s->forwarder, inquiry->rpc, inquiry->deadline_ms,
                            mesh_address(s->mesh, leader));
    return true;
}

static void take_order(struct loop_event *event) {
    struct inquiry *inquiry = CONTAINER_OF(event, struct inquiry, event);
    struct server *s = inquiry->server;
    if (!goes_elsewhere(s, inquiry))
        give_order(s, inquiry);
    free(inquiry);
}

/* ---- Members --------------------------------------------------------------------------------- */

static void fill_progress(const struct server *s, struct rpc_member *to) {
    struct raft_peer_status peer;
    raft_index last = turn_last_index(s->turn);
    if (to->id == s->summary.identity.id)
        peer = (struct raft_peer_status){.match_index = last, .acked_ms = clock_ms()};
    else if (!turn_peer_status(s->turn, to->id, &peer))
        return;
    uint64_t now_ms = clock_ms();
    to->has_progress = true;
    to->match_index = peer.match_index;
    to->lag = peer.match_index < last ? last - peer.match_index : 0;
    to->is_heard = peer.acked_ms != 0;
    to->silent_ms = to->is_heard && peer.acked_ms < now_ms ? now_ms - peer.acked_ms : 0;
}

/* A node sees itself alive. */
static void fill_gossip(const struct server *s, struct rpc_member *to) {
    const struct gossip_member *known = gossiper_find(s->gossiper, to->id);
    bool is_self = s->gossiper && to->id == s->summary.identity.id;
    to->has_gossip = known || is_self;
    to->gossip = known ? gossiper_state_of(known->state) : NODE_ALIVE;
}

static void fill_about(const struct server *s, struct rpc_member *to) {
    bool is_self = to->id == s->summary.identity.id;
    const char *region = is_self ? s->settings->node_region : mesh_region(s->mesh, to->id);
    const char *version = is_self ? PHALANX_VERSION : mesh_version(s->mesh, to->id);
    fill_gossip(s, to);
    snprintf(to->region, sizeof to->region, "%s", region);
    snprintf(to->version, sizeof to->version, "%s", version);
}

static void fill_member(const struct server *s, const struct raft_member *from, raft_id leader,
                        struct rpc_member *to) {
    bool is_self = from->id == s->summary.identity.id;
    const char *address = is_self ? s->address : mesh_address(s->mesh, from->id);
    *to = (struct rpc_member){.id = from->id,
                              .is_voter = (from->rights & RAFT_VOTER_BOTH) != 0,
                              .is_leader = from->id == leader};
    snprintf(to->name, sizeof to->name, "%s", from->name);
    snprintf(to->address, sizeof to->address, "%s", address ? address : "");
    to->role = to->is_voter ? NODE_FOLLOWER : NODE_LEARNER;
    if (to->is_leader)
        to->role = NODE_LEADER;
    fill_about(s, to);
    fill_progress(s, to);
}

static void tell_members(struct server *s, struct rpc_call *rpc) {
    const struct raft_configuration *from = turn_configuration(s->turn);
    struct rpc_members members = {.count = from->count,
                                  .configuration_index = from->index,
                                  .is_joint = from->is_joint,
                                  .term = s->status.term,
                                  .leader = turn_leader(s->turn)};
    for (size_t i = 0; i < from->count; i++)
        fill_member(s, &from->members[i], members.leader, &members.members[i]);
    rpc_reply_members(rpc, &members);
}

/* Without a leader a node tells what it knows by itself. */
static void take_inquiry(struct loop_event *event) {
    struct inquiry *inquiry = CONTAINER_OF(event, struct inquiry, event);
    struct server *s = inquiry->server;
    bool has_leader = s->turn && turn_leader(s->turn) != 0;
    if (!s->turn)
        rpc_reply_status(inquiry->rpc, STATUS_UNAVAILABLE, false,
                         "this node belongs to no cluster yet");
    else if (!has_leader || !goes_elsewhere(s, inquiry))
        tell_members(s, inquiry->rpc);
    free(inquiry);
}

/* ---- On gRPC's threads ----------------------------------------------------------------------- */

static enum status post(struct server *s, struct rpc_call *rpc, const struct rpc_order *order,
                        uint64_t wait_ms, void (*run)(struct loop_event *event)) {
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    if (!inquiry)
        return STATUS_OVERLOAD;
    inquiry->server = s;
    inquiry->rpc = rpc;
    inquiry->deadline_ms = clock_ms() + wait_ms;
    if (order)
        inquiry->order = *order;
    enum status status = inbox_post_request(&s->inbox, loop_event_of(&inquiry->event, run));
    if (status != STATUS_OK)
        free(inquiry);
    return status;
}

enum status server__on_order(void *context, struct rpc_call *rpc, const struct rpc_order *order,
                             uint64_t wait_ms) {
    return post(context, rpc, order, wait_ms, take_order);
}

enum status server__on_members(void *context, struct rpc_call *rpc, uint64_t wait_ms) {
    return post(context, rpc, NULL, wait_ms, take_inquiry);
}
