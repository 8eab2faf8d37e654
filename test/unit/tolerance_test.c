/* How many failures a cluster can still take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/tolerance.h"

/* Members 1, 2, 3 ..., of these rights. */
static struct raft_configuration members_of(size_t count, const unsigned *rights) {
    struct raft_configuration members = {.count = count};
    for (size_t i = 0; i < count; i++)
        members.members[i] = (struct raft_member){.id = i + 1, .rights = rights[i]};
    return members;
}

static bool is_below(const void *context, raft_id id) {
    return id < *(const raft_id *)context;
}

static struct tolerance with_reach(const struct raft_configuration *members, raft_id reach) {
    return tolerance_of(members, is_below, &reach);
}

static void counts_what_is_left_above_the_quorum(void **state) {
    (void)state;
    static const unsigned rights[] = {1, 1, 1, 1, 1};
    struct raft_configuration five = members_of(5, rights);
    static const uint32_t left[] = {0, 0, 0, 0, 1, 2};
    for (uint32_t reached = 0; reached <= 5; reached++) {
        struct tolerance t = with_reach(&five, reached + 1);
        assert_int_equal(t.quorum, 3);
        assert_int_equal(t.in_reach, reached);
        assert_int_equal(t.failures_left, left[reached]);
    }
}

static void counts_no_learners(void **state) {
    (void)state;
    static const unsigned rights[] = {1, 1, 1, RAFT_LEARNER, RAFT_LEARNER};
    struct raft_configuration members = members_of(5, rights);
    struct tolerance t = with_reach(&members, 6);
    assert_int_equal(t.quorum, 2);
    assert_int_equal(t.in_reach, 3);
    assert_int_equal(t.failures_left, 1);
}

/* Old: 1 2 3, new: 3 4 5. Of the old half only 3 is out of reach, of the new one all. */
static void takes_the_weaker_half_of_a_joint_configuration(void **state) {
    (void)state;
    static const unsigned rights[] = {RAFT_VOTER_OLD, RAFT_VOTER_OLD, RAFT_VOTER_BOTH,
                                      RAFT_VOTER_NEW, RAFT_VOTER_NEW};
    struct raft_configuration members = members_of(5, rights);
    members.is_joint = true;
    struct tolerance t = with_reach(&members, 3);
    assert_int_equal(t.in_reach, 0);
    assert_int_equal(t.failures_left, 0);
    t = with_reach(&members, 5); /* 1 2 3 4: three of the old half, two of the new */
    assert_int_equal(t.in_reach, 2);
    assert_int_equal(t.failures_left, 0);
    t = with_reach(&members, 6);
    assert_int_equal(t.failures_left, 1);
}

static void is_nothing_without_members(void **state) {
    (void)state;
    struct raft_configuration nobody = {0};
    struct tolerance t = with_reach(&nobody, 1);
    assert_int_equal(t.quorum, 0);
    assert_int_equal(t.failures_left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_left_above_the_quorum),
        cmocka_unit_test(counts_no_learners),
        cmocka_unit_test(takes_the_weaker_half_of_a_joint_configuration),
        cmocka_unit_test(is_nothing_without_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
