/* What a leader changes by itself, and what it keeps its hands off. */
#include "server/autopilot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define STEADY_MS 2000
#define DEAD_MS 60000
#define SELF 1

static struct autopilot pilot;
static struct autopilot_config config;
static struct raft_configuration members;
static struct autopilot_node nodes[MEMBERS_MAX + 4];
static size_t node_count;
static uint64_t now_ms;

/* A leader that is alone, and expects three. */
static int set_up(void **state) {
    (void)state;
    config = (struct autopilot_config){
        .expect = 3, .joins = true, .replaces = true, .dead_ms = DEAD_MS, .steady_ms = STEADY_MS};
    members = (struct raft_configuration){
        .index = 1, .count = 1, .members = {{.id = SELF, .rights = RAFT_VOTER_NEW, .name = "a"}}};
    node_count = 0;
    now_ms = 1000;
    autopilot_init(&pilot, &config);
    return 0;
}

static struct autopilot_node *node(raft_id id) {
    for (size_t i = 0; i < node_count; i++)
        if (nodes[i].id == id)
            return &nodes[i];
    return NULL;
}

/* Connected, and caught up. */
static void given_node(raft_id id, const char *name) {
    nodes[node_count] = (struct autopilot_node){.id = id, .is_heard = true, .match_index = 5000};
    snprintf(nodes[node_count++].name, NAME_BYTES_MAX, "%s", name);
}

static void given_member(raft_id id, const char *name, unsigned rights) {
    struct raft_member *member = &members.members[members.count++];
    *member = (struct raft_member){.id = id, .rights = rights};
    snprintf(member->name, sizeof member->name, "%s", name);
    given_node(id, name);
}

static void falls_silent(raft_id id) {
    node(id)->is_heard = false;
    node(id)->is_dead = true;
}

static struct autopilot_change look(void) {
    struct autopilot_view view = {.now_ms = now_ms,
                                  .self = SELF,
                                  .members = &members,
                                  .last_index = 5000,
                                  .nodes = nodes,
                                  .node_count = node_count};
    return autopilot_look(&pilot, &view);
}

static struct autopilot_change look_after(uint64_t ms) {
    (void)look();
    now_ms += ms;
    return look();
}

static void expect_change(struct autopilot_change change, enum autopilot_kind kind, raft_id member,
                          raft_id other) {
    assert_int_equal(change.kind, kind);
    assert_int_equal(change.member, member);
    assert_int_equal(change.other, other);
}

static void expect_nothing(struct autopilot_change change) {
    assert_int_equal(change.kind, AUTOPILOT_NOTHING);
}

/* ---- Coming in ------------------------------------------------------------------------------- */

static void a_newcomer_becomes_a_learner(void **state) {
    (void)state;
    given_node(2, "b");
    struct autopilot_change change = look();
    expect_change(change, AUTOPILOT_ADD, 2, 0);
    assert_string_equal(change.name, "b");
}

static void nobody_comes_in_when_that_is_off(void **state) {
    (void)state;
    config.joins = false;
    autopilot_init(&pilot, &config);
    given_node(2, "b");
    expect_nothing(look());
}

static void nobody_comes_in_when_there_is_no_room(void **state) {
    (void)state;
    config.expect = 1;
    autopilot_init(&pilot, &config);
    for (raft_id id = 2; id <= MEMBERS_MAX; id++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", (unsigned)id);
        given_member(id, name, RAFT_LEARNER);
    }
    given_node(100, "late");
    expect_nothing(look_after(STEADY_MS));
}

static void who_was_removed_stays_out(void **state) {
    (void)state;
    given_member(2, "b", RAFT_LEARNER);
    assert_false(autopilot_set_members(&pilot, &members));
    members.count = 1;
    assert_true(autopilot_set_members(&pilot, &members));
    expect_nothing(look());
    given_node(3, "b"); /* the same machine, with a new directory */
    expect_change(look(), AUTOPILOT_ADD, 3, 0);
}

static void who_was_removed_stays_out_after_a_restart(void **state) {
    (void)state;
    autopilot_load_removed(&pilot, (const raft_id[]){2}, 1);
    given_node(2, "b");
    expect_nothing(look());
}

/* An operator has added it: from then on it is like any other. */
static void who_was_brought_back_is_forgiven(void **state) {
    (void)state;
    autopilot_load_removed(&pilot, (const raft_id[]){2, 7}, 2);
    given_member(2, "b", RAFT_LEARNER);
    assert_true(autopilot_set_members(&pilot, &members));
    assert_int_equal(pilot.removed_count, 1);
    assert_int_equal(pilot.removed[0], 7);
}

static void of_many_removed_the_newest_are_remembered(void **state) {
    (void)state;
    for (raft_id id = 1; id <= AUTOPILOT_REMOVED_MAX + 3; id++)
        autopilot_load_removed(&pilot, &id, 1);
    assert_int_equal(pilot.removed_count, AUTOPILOT_REMOVED_MAX);
    assert_int_equal(pilot.removed[0], 4);
    assert_int_equal(pilot.removed[AUTOPILOT_REMOVED_MAX - 1], AUTOPILOT_REMOVED_MAX + 3);
}

/* ---- Voting ---------------------------------------------------------------------------------- */

static void a_learner_that_is_well_for_a_while_votes(void **state) {
    (void)state;
    given_member(2, "b", RAFT_LEARNER);
    expect_nothing(look());
    expect_nothing(look_after(STEADY_MS - 1));
    now_ms++;
    expect_change(look(), AUTOPILOT_PROMOTE, 2, 0);
}

static void a_learner_that_is_behind_or_falters_waits(void **state) {
    (void)state;
    given_member(2, "b", RAFT_LEARNER);
    node(2)->match_index = 5000 - AUTOPILOT_LAG_MAX - 1;
    expect_nothing(look_after(STEADY_MS));
    node(2)->match_index++;
    expect_nothing(look());
    now_ms += STEADY_MS - 1;
    node(2)->is_heard = false;
    expect_nothing(look());
    node(2)->is_heard = true;
    expect_nothing(look());
    expect_change(look_after(STEADY_MS), AUTOPILOT_PROMOTE, 2, 0);
}

static void spares_stay_learners(void **state) {
    (void)state;
    given_member(2, "b", RAFT_VOTER_NEW);
    given_member(3, "c", RAFT_VOTER_NEW);
    given_member(4, "d", RAFT_LEARNER);
    expect_nothing(look_after(10 * STEADY_MS));
}

static void only_the_named_vote_where_names_are_given(void **state) {
    (void)state;
    config.name_count = 3;
    for (size_t i = 0; i < 3; i++)
        snprintf(config.names[i], NAME_BYTES_MAX, "%c", (char)('a' + i));
    autopilot_init(&pilot, &config);
    given_member(9, "stranger", RAFT_LEARNER);
    expect_nothing(look_after(STEADY_MS));
    given_member(2, "b", RAFT_LEARNER);
    expect_change(look_after(STEADY_MS), AUTOPILOT_PROMOTE, 2, 0);
}

static void a_wiped_voter_comes_back_in_its_own_place(void **state) {
    (void)state;
    given_member(2, "b", RAFT_VOTER_NEW);
    given_member(3, "c", RAFT_VOTER_NEW);
    given_member(33, "c", RAFT_LEARNER);
    expect_nothing(look_after(STEADY_MS)); /* its former self is heard */
    falls_silent(3);
    expect_nothing(look_after(STEADY_MS - 1));
    now_ms++;
    expect_change(look(), AUTOPILOT_PROMOTE, 33, 0);
}

/* ---- Going ----------------------------------------------------------------------------------- */

static void given_a_dead_voter_and_a_spare(void) {
    given_member(2, "b", RAFT_VOTER_NEW);
    given_member(3, "c", RAFT_VOTER_NEW);
    given_member(4, "d", RAFT_LEARNER);
    (void)look_after(STEADY_MS);
    falls_silent(3);
}

static void a_voter_that_is_dead_for_long_is_replaced(void **state) {
    (void)state;
    given_a_dead_voter_and_a_spare();
    expect_nothing(look_after(DEAD_MS - 1));
    now_ms++;
    expect_change(look(), AUTOPILOT_REPLACE, 3, 4);
}

static void nobody_is_replaced_when_that_is_off(void **state) {
    (void)state;
    config.replaces = false;
    autopilot_init(&pilot, &config);
    given_a_dead_voter_and_a_spare();
    expect_nothing(look_after(10 * DEAD_MS));
}

static void who_gossip_hears_is_not_replaced(void **state) {
    (void)state;
    given_a_dead_voter_and_a_spare();
    node(3)->is_dead = false;
    expect_nothing(look_after(10 * DEAD_MS));
}

static void nobody_is_replaced_by_who_is_not_well(void **state) {
    (void)state;
    given_a_dead_voter_and_a_spare();
    node(4)->match_index = 0;
    expect_nothing(look_after(10 * DEAD_MS));
}

static void who_is_back_under_its_name_is_not_replaced_by_others(void **state) {
    (void)state;
    given_a_dead_voter_and_a_spare();
    given_member(33, "c", RAFT_LEARNER);
    node(33)->match_index = 0; /* it takes long to catch up */
    expect_nothing(look_after(10 * DEAD_MS));
    node(33)->match_index = 5000;
    expect_change(look_after(STEADY_MS), AUTOPILOT_PROMOTE, 33, 0);
}

/* It cannot know how long the others have been silent. */
static void a_new_leader_begins_to_count_anew(void **state) {
    (void)state;
    given_a_dead_voter_and_a_spare();
    expect_nothing(look_after(DEAD_MS - 1));
    autopilot_rest(&pilot);
    now_ms += DEAD_MS;
    expect_nothing(look());
    expect_change(look_after(DEAD_MS), AUTOPILOT_REPLACE, 3, 4);
}

static void a_silent_learner_goes_once_its_name_is_back(void **state) {
    (void)state;
    config.expect = 1;
    autopilot_init(&pilot, &config);
    given_member(4, "d", RAFT_LEARNER);
    falls_silent(4);
    expect_nothing(look_after(10 * STEADY_MS));
    given_node(44, "d");
    expect_change(look(), AUTOPILOT_REMOVE, 4, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_newcomer_becomes_a_learner),
        TEST(nobody_comes_in_when_that_is_off),
        TEST(nobody_comes_in_when_there_is_no_room),
        TEST(who_was_removed_stays_out),
        TEST(who_was_removed_stays_out_after_a_restart),
        TEST(who_was_brought_back_is_forgiven),
        TEST(of_many_removed_the_newest_are_remembered),
        TEST(a_learner_that_is_well_for_a_while_votes),
        TEST(a_learner_that_is_behind_or_falters_waits),
        TEST(spares_stay_learners),
        TEST(only_the_named_vote_where_names_are_given),
        TEST(a_wiped_voter_comes_back_in_its_own_place),
        TEST(a_voter_that_is_dead_for_long_is_replaced),
        TEST(nobody_is_replaced_when_that_is_off),
        TEST(who_gossip_hears_is_not_replaced),
        TEST(nobody_is_replaced_by_who_is_not_well),
        TEST(who_is_back_under_its_name_is_not_replaced_by_others),
        TEST(a_new_leader_begins_to_count_anew),
        TEST(a_silent_learner_goes_once_its_name_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
