/* How long entries take to be committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/commit_watch.h"

static struct commit_watch watch;
static struct raft_status raft;

static int begin(void **state) {
    (void)state;
    memset(&watch, 0, sizeof watch);
    raft = (struct raft_status){.role = RAFT_LEADER, .term = 5, .last_index = 10};
    commit_watch_look(&watch, &raft, 1000);
    return 0;
}

static void look(raft_index last_index, raft_index commit_index, uint64_t now_us) {
    raft.last_index = last_index;
    raft.commit_index = commit_index;
    commit_watch_look(&watch, &raft, now_us);
}

static struct durations_copy measured(void) {
    struct durations_copy copy;
    durations_read(&watch.durations, &copy);
    return copy;
}

static void measures_from_the_turn_that_proposed(void **state) {
    (void)state;
    look(13, 10, 2000);
    look(13, 10, 2500);
    look(15, 13, 3000);
    struct durations_copy copy = measured();
    assert_int_equal(durations_count(&copy), 3);
    assert_int_equal(copy.sum_us, 3 * 1000);
    look(15, 15, 3400);
    copy = measured();
    assert_int_equal(durations_count(&copy), 5);
    assert_int_equal(copy.sum_us, 3 * 1000 + 2 * 400);
}

static void waits_for_all_that_a_turn_proposed(void **state) {
    (void)state;
    look(13, 10, 2000);
    look(13, 12, 3000);
    struct durations_copy copy = measured();
    assert_int_equal(durations_count(&copy), 0);
}

static void forgets_what_another_leader_may_commit(void **state) {
    (void)state;
    look(13, 10, 2000);
    raft.role = RAFT_FOLLOWER;
    look(13, 13, 3000);
    raft.role = RAFT_LEADER;
    raft.term = 7;
    look(14, 14, 4000);
    look(14, 14, 5000);
    struct durations_copy copy = measured();
    assert_int_equal(durations_count(&copy), 0);
}

static void measures_no_more_turns_than_it_has_room_for(void **state) {
    (void)state;
    for (size_t i = 1; i <= 2 * COMMIT_WATCH_MARKS; i++)
        look(10 + i, 10, 1000 + i);
    look(10 + 2 * COMMIT_WATCH_MARKS, 10 + 2 * COMMIT_WATCH_MARKS, 9000);
    struct durations_copy copy = measured();
    assert_int_equal(durations_count(&copy), COMMIT_WATCH_MARKS);
    look(11 + 2 * COMMIT_WATCH_MARKS, 10, 9000);
    look(11 + 2 * COMMIT_WATCH_MARKS, 11 + 2 * COMMIT_WATCH_MARKS, 9100);
    copy = measured();
    assert_int_equal(durations_count(&copy), COMMIT_WATCH_MARKS + 1);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(measures_from_the_turn_that_proposed),
        TEST(waits_for_all_that_a_turn_proposed),
        TEST(forgets_what_another_leader_may_commit),
        TEST(measures_no_more_turns_than_it_has_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
