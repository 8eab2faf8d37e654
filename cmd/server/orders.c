/* What an operator changes: the members, and who leads. */
#include "server/parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A learner that is no further behind than this will not hold up the commits it takes part in. */
#define CAUGHT_UP_ENTRIES 1000

static enum status explain(struct turn_order *order, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum status explain(struct turn_order *order, enum status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(order->detail, sizeof order->detail, format, args);
    va_end(args);
    return status;
}

static void finish(struct turn *t, struct turn_order *order, enum status status) {
    if (t->order == order)
        t->order = NULL;
    order->status = status;
    t->ports->order_done(t->ports->context, order);
}

/* ---- Who is well ----------------------------------------------------------------------------- */

static bool is_heard(const struct turn *t, raft_id id) {
    struct raft_peer_status peer;
    if (id == t->config.identity.id)
        return true;
    if (turn__peer_is_gone(t, id))
        return false;
    return raft_peer_status(t->raft, id, &peer) && peer.acked_ms != 0 &&
           peer.acked_ms + t->config.raft.election_timeout_ms >= t->now_ms;
}

/* A new voter that was never heard would hold up the very change that brings it in. */
static enum status check_quorum(const struct turn *t, struct turn_order *order) {
    size_t voters = 0, well = 0;
    for (size_t i = 0; i < order->target.count; i++) {
        const struct raft_member *member = &order->target.members[i];
        if (member->rights != RAFT_VOTER_NEW)
            continue;
        voters++;
        well += is_heard(t, member->id);
    }
    if (voters == 0)
        return explain(order, STATUS_PRECONDITION, "no voter would be left");
    if (well <= voters / 2)
        return explain(order, STATUS_PRECONDITION,
                       "only %zu of the %zu voters that would be left are heard: no quorum", well,
                       voters);
    return STATUS_OK;
}

static enum status check_caught_up(const struct turn *t, struct turn_order *order, raft_id id) {
    struct raft_peer_status peer;
    raft_index last = raft_status(t->raft)->last_index;
    if (!is_heard(t, id) || !raft_peer_status(t->raft, id, &peer))
        return explain(order, STATUS_PRECONDITION, "%016" PRIx64 " is not heard", id);
    if (peer.match_index + CAUGHT_UP_ENTRIES < last)
        return explain(order, STATUS_PRECONDITION, "%016" PRIx64 " is %" PRIu64 " entries behind",
                       id, last - peer.match_index);
    return STATUS_OK;
}

/* ---- The members that are to be -------------------------------------------------------------- */

static struct raft_member *find(struct turn_order *order, raft_id id) {
    return (struct raft_member *)(uintptr_t)raft_configuration_find(&order->target, id);
}

static enum status not_a_member(struct turn_order *order, raft_id id) {
    return explain(order, STATUS_NOT_FOUND, "%016" PRIx64 " is no member", id);
}

static enum status add(struct turn_order *order) {
    if (find(order, order->member))
        return explain(order, STATUS_PRECONDITION, "it is a member already");
    if (order->target.count == MEMBERS_MAX)
        return explain(order, STATUS_PRECONDITION, "%zu members are the most there can be",
                       MEMBERS_MAX);
    struct raft_member *member = &order->target.members[order->target.count++];
    *member = (struct raft_member){.id = order->member, .rights = RAFT_LEARNER};
    snprintf(member->name, sizeof member->name, "%s", order->name);
    return STATUS_OK;
}

/* Whoever had its name before goes with the same change: a wiped directory is a new node under an
 * old name, and must not leave a dead voter behind. While that one is heard, they are two. */
static enum status replace_namesake(const struct turn *t, struct turn_order *order,
                                    const struct raft_member *member) {
    for (size_t i = order->target.count; i-- > 0;) {
        const struct raft_member *other = &order->target.members[i];
        if (other->id == member->id || strcmp(other->name, member->name) != 0)
            continue;
        if (is_heard(t, other->id) && other->id != order->member)
            return explain(order, STATUS_PRECONDITION,
                           "%016" PRIx64 ", of the same name, was heard only just now", other->id);
        order->target.members[i] = order->target.members[--order->target.count];
    }
    return STATUS_OK;
}

static enum status promote(const struct turn *t, struct turn_order *order, raft_id id) {
    struct raft_member *member = find(order, id);
    if (!member)
        return not_a_member(order, id);
    if (member->rights == RAFT_VOTER_NEW)
        return explain(order, STATUS_PRECONDITION, "it votes already");
    enum status status = check_caught_up(t, order, id);
    if (status != STATUS_OK)
        return status;
    member->rights = RAFT_VOTER_NEW;
    struct raft_member copy = *member;
    return replace_namesake(t, order, &copy);
}

static enum status remove_member(struct turn_order *order, raft_id id) {
    struct raft_member *member = find(order, id);
    if (!member)
        return not_a_member(order, id);
    *member = order->target.members[--order->target.count];
    return STATUS_OK;
}

static enum status replace(const struct turn *t, struct turn_order *order) {
    if (order->member == order->other)
        return explain(order, STATUS_PRECONDITION, "a member cannot replace itself");
    if (!find(order, order->member))
        return not_a_member(order, order->member);
    enum status status = promote(t, order, order->other);
    if (status == STATUS_OK && find(order, order->member))
        status = remove_member(order, order->member);
    return status;
}

static enum status make_target(const struct turn *t, struct turn_order *order) {
    if (order->kind == TURN_ORDER_CONFIGURE)
        return STATUS_OK;
    order->target = *raft_configuration(t->raft);
    switch (order->kind) {
    case TURN_ORDER_ADD: return add(order);
    case TURN_ORDER_PROMOTE: return promote(t, order, order->member);
    case TURN_ORDER_REMOVE: return remove_member(order, order->member);
    case TURN_ORDER_REPLACE: return replace(t, order);
    case TURN_ORDER_TRANSFER:
    case TURN_ORDER_CONFIGURE: break;
    }
    return STATUS_OK;
}

/* ---- Begun ----------------------------------------------------------------------------------- */

static enum status step(struct turn *t, struct turn_order *order, const struct raft_event *event) {
    enum status status = turn__step(t, event);
    switch ((int)status) {
    case STATUS_BUSY: return explain(order, status, "another change is under way");
    case STATUS_INVALID: return explain(order, STATUS_PRECONDITION, "it makes no sense now");
    default: return status;
    }
}

static enum status configure(struct turn *t, struct turn_order *order) {
    if (raft_configuration(t->raft)->is_joint)
        return explain(order, STATUS_BUSY, "another change is under way");
    enum status status = make_target(t, order);
    if (status == STATUS_OK && order->kind != TURN_ORDER_CONFIGURE)
        status = check_quorum(t, order);
    if (status != STATUS_OK)
        return status;
    struct raft_event event = {.kind = RAFT_EVENT_CONFIGURE, .now_ms = t->now_ms};
    event.target = &order->target;
    return step(t, order, &event);
}

raft_id turn__heir(const struct turn *t) {
    const struct raft_configuration *members = raft_configuration(t->raft);
    struct raft_peer_status best = {0};
    for (size_t i = 0; i < members->count; i++) {
        struct raft_peer_status peer;
        bool is_well = is_heard(t, members->members[i].id) &&
                       raft_peer_status(t->raft, members->members[i].id, &peer);
        if (is_well && peer.is_voter && (best.id == 0 || peer.match_index > best.match_index))
            best = peer;
    }
    return best.id;
}

static enum status transfer(struct turn *t, struct turn_order *order) {
    struct raft_event event = {.kind = RAFT_EVENT_TRANSFER, .now_ms = t->now_ms};
    if (order->member == 0)
        order->member = turn__heir(t);
    if (order->member == 0)
        return explain(order, STATUS_PRECONDITION, "no other voter is heard");
    event.transferee = order->member;
    return step(t, order, &event);
}

void turn__order(struct turn *t, struct turn_order *order) {
    enum status status = STATUS_NOT_LEADER;
    bool is_transfer = order->kind == TURN_ORDER_TRANSFER;
    if (t->is_stopping)
        status = explain(order, STATUS_UNAVAILABLE, "the server is stopping");
    else if (t->order)
        status = explain(order, STATUS_BUSY, "another change is under way");
    else if (raft_status(t->raft)->role == RAFT_LEADER)
        status = is_transfer ? transfer(t, order) : configure(t, order);
    if (status != STATUS_OK) {
        finish(t, order, status);
        return;
    }
    order->index = raft_configuration(t->raft)->index;
    order->term = raft_status(t->raft)->term;
    t->order = order;
}

/* ---- Done ------------------------------------------------------------------------------------ */

static bool is_transferred(const struct turn *t) {
    const struct raft_status *raft = raft_status(t->raft);
    return raft->role != RAFT_LEADER && raft->leader == t->order->member;
}

/* In another term it may be somebody else's change that is committed there. */
static bool is_configured(const struct turn *t) {
    const struct raft_configuration *members = raft_configuration(t->raft);
    const struct raft_status *raft = raft_status(t->raft);
    return raft->term == t->order->term && !members->is_joint &&
           members->index >= t->order->index && members->index <= raft->commit_index;
}

void turn__order_watch(struct turn *t) {
    if (!t->order)
        return;
    bool is_transfer = t->order->kind == TURN_ORDER_TRANSFER;
    bool is_lost = raft_status(t->raft)->role != RAFT_LEADER && !is_transfer;
    if (is_transfer ? is_transferred(t) : is_configured(t))
        finish(t, t->order, STATUS_OK);
    else if (is_lost)
        finish(t, t->order,
               explain(t->order, STATUS_ABORTED, "leadership was lost; it may still happen"));
    else if (t->now_ms >= t->order->deadline_ms)
        finish(t, t->order, explain(t->order, STATUS_TIMEOUT, "it may still happen"));
}

void turn__order_abandon(struct turn *t) {
    if (t->order)
        finish(t, t->order,
               explain(t->order, STATUS_ABORTED, "the server is stopping; it may still happen"));
}

uint64_t turn__order_deadline_ms(const struct turn *t) {
    return t->order ? t->order->deadline_ms : UINT64_MAX;
}
