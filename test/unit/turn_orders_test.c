/* Orders of operators: carried out once committed, or refused with a reason. */
#include "support/world_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world *given_a_leader_of(size_t voters) {
    struct world *w = world_with_peers(voters);
    world_lead(w);
    return w;
}

/* Given to the turn; nobody has said anything since. */
static void order_begins(struct world *w, struct turn_order *order) {
    world_order(w, order);
    world_settle(w);
}

static void order_ends(struct world *w, struct turn_order *order) {
    size_t done = w->orders_done;
    order_begins(w, order);
    world_agree(w, 0);
    assert_int_equal(w->orders_done, done + 1);
}

static struct turn_order carried_out(struct world *w, enum turn_order_kind kind, raft_id member) {
    struct turn_order order = world_order_of(kind, member);
    order_ends(w, &order);
    assert_int_equal(order.status, STATUS_OK);
    return order;
}

static struct turn_order refused(struct world *w, enum turn_order_kind kind, raft_id member) {
    struct turn_order order = world_order_of(kind, member);
    size_t done = w->orders_done;
    raft_index last = world_raft(w)->last_index;
    world_order(w, &order);
    world_turn(w);
    assert_int_equal(w->orders_done, done + 1);
    assert_int_equal(world_raft(w)->last_index, last); /* nothing was begun */
    return order;
}

static void assert_says(const struct turn_order *order, enum status status, const char *text) {
    assert_int_equal(order->status, status);
    assert_non_null(strstr(order->detail, text));
}

static const struct raft_member *member(const struct world *w, raft_id id) {
    return raft_configuration_find(world_members(w), id);
}

static bool votes(const struct world *w, raft_id id) {
    return member(w, id) && member(w, id)->rights == RAFT_VOTER_NEW;
}

/* ---- Carried out ----------------------------------------------------------------------------- */

static void adds_a_learner_once_it_is_committed(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &add);
    assert_int_equal(w->orders_done, 0);
    assert_non_null(member(w, 10)); /* in the log, and not yet committed */
    world_agree(w, 0);
    assert_int_equal(w->orders_done, 1);
    assert_int_equal(add.status, STATUS_OK);
    assert_int_equal(member(w, 10)->rights, RAFT_LEARNER);
    assert_string_equal(member(w, 10)->name, "n10");
    assert_int_equal(w->told.count, 4);
    world_free(w);
}

static void promotes_a_learner_once_the_joint_change_is_over(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_ADD, 10);
    struct turn_order promote = world_order_of(TURN_ORDER_PROMOTE, 10);
    order_begins(w, &promote);
    assert_true(world_members(w)->is_joint);
    world_answer(w, 8);
    world_answer(w, 9);
    world_settle(w);
    assert_int_equal(w->orders_done, 1); /* the joint one is committed, the final one is not */
    world_agree(w, 0);
    assert_int_equal(promote.status, STATUS_OK);
    assert_int_equal(w->orders_done, 2);
    assert_true(votes(w, 10));
    assert_false(world_members(w)->is_joint);
    world_free(w);
}

static void removes_a_member(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_REMOVE, 9);
    assert_null(member(w, 9));
    assert_int_equal(w->told.count, 2);
    world_free(w);
}

static void removes_itself_and_leads_no_more(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_REMOVE, 7);
    assert_null(member(w, 7));
    assert_int_equal(world_raft(w)->role, RAFT_FOLLOWER);
    world_free(w);
}

static void replaces_a_voter_by_a_learner_in_one_change(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_ADD, 10);
    struct turn_order replace = world_order_of(TURN_ORDER_REPLACE, 9);
    replace.other = 10;
    raft_index before = world_raft(w)->last_index;
    order_ends(w, &replace);
    assert_int_equal(replace.status, STATUS_OK);
    assert_null(member(w, 9));
    assert_true(votes(w, 10));
    assert_int_equal(world_raft(w)->last_index, before + 2); /* joint, final */
    world_free(w);
}

static struct world *given_a_learner_named_as_9(void) {
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    snprintf(add.name, sizeof add.name, "n9");
    order_ends(w, &add);
    return w;
}

/* A wiped directory is a new node under an old name. */
static void the_promoted_takes_its_silent_namesake_s_place(void **state) {
    (void)state;
    struct world *w = given_a_learner_named_as_9();
    world_elapse_with(w, 1500, 9);
    struct turn_order promote = world_order_of(TURN_ORDER_PROMOTE, 10);
    order_begins(w, &promote);
    world_agree(w, 9);
    assert_int_equal(promote.status, STATUS_OK);
    assert_null(member(w, 9));
    assert_true(votes(w, 10));
    assert_int_equal(world_members(w)->count, 3);
    world_free(w);
}

static void promotes_nobody_beside_a_namesake_that_is_heard(void **state) {
    (void)state;
    struct world *w = given_a_learner_named_as_9();
    struct turn_order order = refused(w, TURN_ORDER_PROMOTE, 10);
    assert_says(&order, STATUS_PRECONDITION, "0000000000000009, of the same name, was heard");
    assert_true(votes(w, 9));
    assert_int_equal(member(w, 10)->rights, RAFT_LEARNER);
    world_free(w);
}

static void replaces_a_namesake_that_is_heard_when_it_is_named(void **state) {
    (void)state;
    struct world *w = given_a_learner_named_as_9();
    struct turn_order replace = world_order_of(TURN_ORDER_REPLACE, 9);
    replace.other = 10;
    order_ends(w, &replace);
    assert_int_equal(replace.status, STATUS_OK);
    assert_null(member(w, 9));
    assert_true(votes(w, 10));
    world_free(w);
}

static void hands_leadership_to_who_is_named(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order transfer = world_order_of(TURN_ORDER_TRANSFER, 8);
    order_begins(w, &transfer);
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 8));
    assert_int_equal(w->orders_done, 0);
    world_depose(w); /* 8 leads */
    assert_int_equal(w->orders_done, 1);
    assert_int_equal(transfer.status, STATUS_OK);
    world_free(w);
}

static void hands_leadership_to_who_is_heard_when_nobody_is_named(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    world_elapse_with(w, 1500, 8);
    struct turn_order transfer = world_order_of(TURN_ORDER_TRANSFER, 0);
    order_begins(w, &transfer);
    assert_int_equal(transfer.member, 9);
    assert_non_null(world_sent(w, RAFT_TIMEOUT_NOW, 9));
    world_receive(w, from_heartbeat(9, world_raft(w)->term + 1, 1, 0));
    world_turn(w);
    assert_int_equal(transfer.status, STATUS_OK);
    world_free(w);
}

/* ---- Refused --------------------------------------------------------------------------------- */

static void a_follower_carries_nothing_out(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    world_follow(w);
    assert_int_equal(refused(w, TURN_ORDER_ADD, 10).status, STATUS_NOT_LEADER);
    assert_int_equal(refused(w, TURN_ORDER_TRANSFER, 9).status, STATUS_NOT_LEADER);
    world_free(w);
}

static void refuses_who_is_no_member(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order order = refused(w, TURN_ORDER_PROMOTE, 0x42);
    assert_says(&order, STATUS_NOT_FOUND, "0000000000000042 is no member");
    order = refused(w, TURN_ORDER_REMOVE, 0x42);
    assert_says(&order, STATUS_NOT_FOUND, "no member");
    order = refused(w, TURN_ORDER_REPLACE, 9);
    assert_says(&order, STATUS_NOT_FOUND, "no member"); /* by nobody */
    world_free(w);
}

static void refuses_to_replace_who_is_no_member_or_itself(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_ADD, 10);
    struct turn_order replace = world_order_of(TURN_ORDER_REPLACE, 0x42);
    replace.other = 10;
    world_order(w, &replace);
    world_turn(w);
    assert_says(&replace, STATUS_NOT_FOUND, "0000000000000042 is no member");
    replace = world_order_of(TURN_ORDER_REPLACE, 10);
    replace.other = 10;
    world_order(w, &replace);
    world_turn(w);
    assert_says(&replace, STATUS_PRECONDITION, "itself");
    assert_int_equal(member(w, 10)->rights, RAFT_LEARNER);
    world_free(w);
}

static void refuses_who_is_there_already(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order order = refused(w, TURN_ORDER_ADD, 9);
    assert_says(&order, STATUS_PRECONDITION, "member already");
    order = refused(w, TURN_ORDER_PROMOTE, 9);
    assert_says(&order, STATUS_PRECONDITION, "votes already");
    world_free(w);
}

static void refuses_more_members_than_there_can_be(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    for (raft_id id = 10; id < 7 + MEMBERS_MAX; id++)
        carried_out(w, TURN_ORDER_ADD, id);
    struct turn_order order = refused(w, TURN_ORDER_ADD, 100);
    assert_says(&order, STATUS_PRECONDITION, "16 members are the most");
    world_free(w);
}

static void refuses_to_promote_who_was_never_heard(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &add);
    world_agree(w, 10);
    assert_int_equal(add.status, STATUS_OK);
    struct turn_order order = refused(w, TURN_ORDER_PROMOTE, 10);
    assert_says(&order, STATUS_PRECONDITION, "is not heard");
    world_free(w);
}

static void refuses_to_promote_who_is_far_behind(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &add);
    world_agree(w, 10);
    for (int i = 0; i < 1100; i++)
        world_put(w, "k", "v");
    world_elapse_with(w, 300, 10);
    world_answer_heartbeat(w, 10);
    world_turn(w);
    struct turn_order order = refused(w, TURN_ORDER_PROMOTE, 10);
    assert_says(&order, STATUS_PRECONDITION, "entries behind");
    world_free(w);
}

static void refuses_what_would_leave_no_quorum(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    world_elapse_with(w, 1500, 9);
    struct turn_order order = refused(w, TURN_ORDER_REMOVE, 8);
    assert_says(&order, STATUS_PRECONDITION, "only 1 of the 2 voters");
    carried_out(w, TURN_ORDER_ADD, 10);
    world_free(w);
}

static void refuses_to_remove_the_last_voter(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(1);
    struct turn_order order = refused(w, TURN_ORDER_REMOVE, 7);
    assert_says(&order, STATUS_PRECONDITION, "no voter would be left");
    world_free(w);
}

static void refuses_a_second_change_at_a_time(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order first = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &first);
    struct turn_order second = refused(w, TURN_ORDER_ADD, 11);
    assert_says(&second, STATUS_BUSY, "another change is under way");
    second = refused(w, TURN_ORDER_TRANSFER, 8);
    assert_says(&second, STATUS_BUSY, "another change is under way");
    world_agree(w, 0);
    assert_int_equal(first.status, STATUS_OK);
    world_free(w);
}

static void refuses_transfers_that_make_no_sense(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    carried_out(w, TURN_ORDER_ADD, 10);
    struct turn_order order = refused(w, TURN_ORDER_TRANSFER, 10);
    assert_says(&order, STATUS_PRECONDITION, "makes no sense"); /* a learner */
    order = refused(w, TURN_ORDER_TRANSFER, 7);
    assert_says(&order, STATUS_PRECONDITION, "makes no sense"); /* it leads */
    world_free(w);
}

static void refuses_a_transfer_to_anybody_when_nobody_is_heard(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(1);
    struct turn_order order = refused(w, TURN_ORDER_TRANSFER, 0);
    assert_says(&order, STATUS_PRECONDITION, "no other voter is heard");
    world_free(w);
}

/* ---- Cut short ------------------------------------------------------------------------------- */

static void a_lost_leadership_leaves_the_fate_open(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &add);
    world_depose(w);
    assert_int_equal(w->orders_done, 1);
    assert_says(&add, STATUS_ABORTED, "may still happen");
    world_free(w);
}

/* All of it in one turn: what is committed there is not what was asked for here. */
static void another_leader_s_change_is_not_taken_for_it(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    order_begins(w, &add);
    raft_term term = world_raft(w)->term;
    struct raft_configuration theirs = w->members;
    theirs.members[theirs.count++] = (struct raft_member){.id = 11, .name = "n11"};
    static uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_entry entries[] = {an_entry(2, term + 1), an_entry(3, term + 1)};
    entries[0].type = RAFT_ENTRY_NOOP;
    entries[1].type = RAFT_ENTRY_CONFIGURATION;
    size_t len = raft_configuration_encode(&theirs, payload, sizeof payload);
    entries[1].payload = bytes_of(payload, len);
    world_receive(w, from_append(8, term + 1, 1, term, entries, 2, 3));
    world_turn(w);
    assert_int_equal(w->orders_done, 1);
    assert_int_equal(add.status, STATUS_ABORTED);
    assert_null(member(w, 10));
    world_free(w);
}

static void a_deadline_leaves_the_fate_open(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    world_order(w, &add);
    add.deadline_ms = w->now_ms + 300;
    world_settle(w);
    world_elapse(w, 299);
    assert_int_equal(w->orders_done, 0);
    world_elapse(w, 1);
    assert_int_equal(w->orders_done, 1);
    assert_says(&add, STATUS_TIMEOUT, "may still happen");
    world_agree(w, 0);
    assert_non_null(member(w, 10)); /* it did */
    world_free(w);
}

static void a_transfer_that_nobody_takes_up_times_out(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order transfer = world_order_of(TURN_ORDER_TRANSFER, 8);
    order_begins(w, &transfer);
    world_elapse_with(w, 5000, 0);
    assert_int_equal(transfer.status, STATUS_TIMEOUT);
    assert_int_equal(world_raft(w)->role, RAFT_LEADER);
    world_free(w);
}

static void a_stop_leaves_the_fate_open(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    struct turn_event stop = {.kind = TURN_STOP};
    order_begins(w, &add);
    STAILQ_INSERT_TAIL(&w->inbox, &stop, link);
    world_turn(w);
    assert_int_equal(w->orders_done, 1);
    assert_says(&add, STATUS_ABORTED, "stopping");
    world_free(w);
}

static void begins_nothing_once_it_stops(void **state) {
    (void)state;
    struct world *w = given_a_leader_of(1);
    struct turn_event stop = {.kind = TURN_STOP};
    STAILQ_INSERT_TAIL(&w->inbox, &stop, link);
    struct turn_order order = refused(w, TURN_ORDER_ADD, 10);
    assert_says(&order, STATUS_UNAVAILABLE, "stopping");
    world_settle(w);
    assert_true(turn_is_stopped(w->turn));
    order = refused(w, TURN_ORDER_ADD, 10);
    assert_says(&order, STATUS_UNAVAILABLE, "stopping");
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_a_learner_once_it_is_committed),
        cmocka_unit_test(promotes_a_learner_once_the_joint_change_is_over),
        cmocka_unit_test(removes_a_member),
        cmocka_unit_test(removes_itself_and_leads_no_more),
        cmocka_unit_test(replaces_a_voter_by_a_learner_in_one_change),
        cmocka_unit_test(the_promoted_takes_its_silent_namesake_s_place),
        cmocka_unit_test(promotes_nobody_beside_a_namesake_that_is_heard),
        cmocka_unit_test(replaces_a_namesake_that_is_heard_when_it_is_named),
        cmocka_unit_test(hands_leadership_to_who_is_named),
        cmocka_unit_test(hands_leadership_to_who_is_heard_when_nobody_is_named),
        cmocka_unit_test(a_follower_carries_nothing_out),
        cmocka_unit_test(refuses_who_is_no_member),
        cmocka_unit_test(refuses_to_replace_who_is_no_member_or_itself),
        cmocka_unit_test(refuses_who_is_there_already),
        cmocka_unit_test(refuses_more_members_than_there_can_be),
        cmocka_unit_test(refuses_to_promote_who_was_never_heard),
        cmocka_unit_test(refuses_to_promote_who_is_far_behind),
        cmocka_unit_test(refuses_what_would_leave_no_quorum),
        cmocka_unit_test(refuses_to_remove_the_last_voter),
        cmocka_unit_test(refuses_a_second_change_at_a_time),
        cmocka_unit_test(refuses_transfers_that_make_no_sense),
        cmocka_unit_test(refuses_a_transfer_to_anybody_when_nobody_is_heard),
        cmocka_unit_test(a_lost_leadership_leaves_the_fate_open),
        cmocka_unit_test(another_leader_s_change_is_not_taken_for_it),
        cmocka_unit_test(a_deadline_leaves_the_fate_open),
        cmocka_unit_test(a_transfer_that_nobody_takes_up_times_out),
        cmocka_unit_test(a_stop_leaves_the_fate_open),
        cmocka_unit_test(begins_nothing_once_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
