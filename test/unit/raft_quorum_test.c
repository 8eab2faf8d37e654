/* What a majority agrees on, against a version that tries every value and counts. */
#include "raft/quorum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define VALUES 8

static uint64_t values[MEMBERS_MAX + 1];
static int votes[MEMBERS_MAX + 1];

static uint64_t value_of(const void *context, raft_id id) {
    (void)context;
    return values[id];
}

static int vote_of(const void *context, raft_id id) {
    (void)context;
    return votes[id];
}

static struct raft_configuration any_configuration(void) {
    struct raft_configuration c = {.is_joint = rand() % 2, .count = (size_t)rand() % 10};
    for (size_t i = 0; i < c.count; i++) {
        unsigned rights = (unsigned)rand() % (c.is_joint ? 4 : 2);
        c.members[i] = (struct raft_member){.id = i + 1, .rights = rights};
        values[i + 1] = (uint64_t)rand() % VALUES;
        votes[i + 1] = rand() % 3 - 1;
    }
    return c;
}

/* How many voters of a half there are, have reached a value, are for and against. */
struct count {
    size_t voters, reached, granted, refused;
};

static struct count count(const struct raft_configuration *c, unsigned half, uint64_t value) {
    struct count n = {0};
    for (size_t i = 0; i < c->count; i++)
        if (c->members[i].rights & half) {
            n.voters++;
            n.reached += values[i + 1] >= value;
            n.granted += votes[i + 1] > 0;
            n.refused += votes[i + 1] < 0;
        }
    return n;
}

static bool has_reached(const struct raft_configuration *c, uint64_t value) {
    struct count new = count(c, RAFT_VOTER_NEW, value), old = count(c, RAFT_VOTER_OLD, value);
    return 2 * new.reached > new.voters && (!c->is_joint || 2 * old.reached > old.voters);
}

static void a_value_is_the_largest_that_both_majorities_reached(void **state) {
    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        struct raft_configuration c = any_configuration();
        uint64_t expected = 0;
        for (uint64_t value = 1; value < VALUES; value++)
            if (has_reached(&c, value))
                expected = value;
        assert_int_equal(raft__quorum_value(&c, value_of, NULL), expected);
    }
}

static bool can_win(struct count n) {
    return 2 * (n.voters - n.refused) > n.voters;
}

static bool has_won(struct count n) {
    return 2 * n.granted > n.voters;
}

static void an_election_is_won_by_both_majorities_and_lost_by_either(void **state) {
    (void)state;
    srand(11);
    for (int i = 0; i < 20000; i++) {
        struct raft_configuration c = any_configuration();
        struct count new = count(&c, RAFT_VOTER_NEW, 0), old = count(&c, RAFT_VOTER_OLD, 0);
        enum raft_tally expected = RAFT_TALLY_OPEN;
        if (has_won(new) && (!c.is_joint || has_won(old)))
            expected = RAFT_TALLY_WON;
        else if (!can_win(new) || (c.is_joint && !can_win(old)))
            expected = RAFT_TALLY_LOST;
        assert_int_equal(raft__quorum_tally(&c, vote_of, NULL), expected);
    }
}

static void a_learner_is_no_voter(void **state) {
    (void)state;
    struct raft_configuration c = {.count = 2,
                                   .members = {{.id = 1, .rights = RAFT_VOTER_NEW}, {.id = 2}}};
    assert_true(raft__is_voter(&c, 1));
    assert_false(raft__is_voter(&c, 2));
    assert_false(raft__is_voter(&c, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_the_largest_that_both_majorities_reached),
        cmocka_unit_test(an_election_is_won_by_both_majorities_and_lost_by_either),
        cmocka_unit_test(a_learner_is_no_voter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
