/* What a follower does with appends and heartbeats. */
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Entries 1..4 of term 1, 5..8 of term 3; the hard state is of term 4. */
static void given_a_log(struct solo *s) {
    static const struct raft_term_run runs[] = {{1, 1}, {5, 3}};
    struct raft_config config = solo_config(3);
    config.runs = runs;
    config.run_count = 2;
    config.last_index = 8;
    config.hard.term = 4;
    solo_start(s, &config);
}

static enum status append(struct solo *s, raft_index prev, raft_term prev_term,
                          const struct raft_entry *entries, size_t count, raft_index commit) {
    return solo_receive(s, from_append(2, 4, prev, prev_term, entries, count, commit));
}

static const struct raft_message *answer_of(const struct solo *s) {
    return solo_sent(s, RAFT_APPEND_ANSWER, 2);
}

/* ---- What fits ------------------------------------------------------------------------------- */

static void takes_entries_and_acknowledges_them_once_durable(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(9, 4), an_entry(10, 4)};
    assert_int_equal(append(&s, 8, 3, entries, 2, 0), STATUS_OK);
    assert_int_equal(raft_accepted(s.raft)->count, 2);
    assert_int_equal(raft_accepted(s.raft)->skip, 0);
    assert_int_equal(raft_accepted(s.raft)->truncate_from, 0);
    assert_int_equal(answer_of(&s)->append_answer.index, 8); /* what was durable already */
    solo_sync(&s);
    assert_true(answer_of(&s)->append_answer.is_match);
    assert_int_equal(answer_of(&s)->append_answer.index, 10);
    solo_stop(&s);
}

static void a_doubled_message_is_skipped_and_answered_again(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(9, 4), an_entry(10, 4)};
    assert_int_equal(append(&s, 8, 3, entries, 2, 0), STATUS_OK);
    solo_sync(&s);
    solo_forget(&s);
    assert_int_equal(append(&s, 8, 3, entries, 2, 0), STATUS_OK);
    assert_int_equal(raft_accepted(s.raft)->count, 0);
    assert_int_equal(raft_accepted(s.raft)->skip, 2);
    assert_int_equal(answer_of(&s)->append_answer.index, 10);
    assert_int_equal(s.batch_count, 0);
    solo_stop(&s);
}

static void an_overlap_takes_only_what_is_new(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(8, 3), an_entry(9, 4)};
    assert_int_equal(append(&s, 7, 3, entries, 2, 0), STATUS_OK);
    assert_int_equal(raft_accepted(s.raft)->skip, 1);
    assert_int_equal(raft_accepted(s.raft)->count, 1);
    assert_int_equal(raft_accepted(s.raft)->truncate_from, 0);
    solo_stop(&s);
}

/* "If an existing entry conflicts with a new one, delete the existing entry and all that follow."
 */
static void a_conflict_truncates(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(6, 3), an_entry(7, 4)};
    assert_int_equal(append(&s, 5, 3, entries, 2, 0), STATUS_OK);
    assert_int_equal(raft_accepted(s.raft)->truncate_from, 7);
    assert_int_equal(raft_accepted(s.raft)->skip, 1);
    assert_int_equal(raft_accepted(s.raft)->count, 1);
    assert_int_equal(raft_status(s.raft)->last_index, 7);
    assert_int_equal(raft_status(s.raft)->durable_index, 6);
    assert_int_equal(s.batches[0].truncate_from, 7);
    assert_int_equal(s.batches[0].first, 7);
    assert_int_equal(s.batches[0].last, 7);
    solo_stop(&s);
}

/* A message that was overtaken must not take back what came after it. */
static void a_shorter_message_of_the_same_leader_truncates_nothing(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(9, 4), an_entry(10, 4)};
    assert_int_equal(append(&s, 8, 3, entries, 2, 0), STATUS_OK);
    solo_sync(&s);
    assert_int_equal(append(&s, 8, 3, entries, 1, 0), STATUS_OK);
    assert_int_equal(append(&s, 6, 3, NULL, 0, 0), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->last_index, 10);
    assert_int_equal(answer_of(&s)->append_answer.index, 10);
    solo_stop(&s);
}

static void what_lies_below_the_commit_index_is_equal_without_looking(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(append(&s, 8, 3, NULL, 0, 8), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 8);
    solo_step(&s, (struct raft_event){.kind = RAFT_EVENT_CUT, .cut_index = 6});
    struct raft_entry entries[] = {an_entry(3, 1), an_entry(4, 1), an_entry(5, 3)};
    solo_forget(&s);
    assert_int_equal(append(&s, 2, 1, entries, 3, 8), STATUS_OK);
    assert_int_equal(raft_accepted(s.raft)->count, 0);
    assert_true(answer_of(&s)->append_answer.is_match);
    assert_int_equal(answer_of(&s)->append_answer.index, 8);
    solo_stop(&s);
}

/* ---- What does not --------------------------------------------------------------------------- */

static void a_gap_is_refused_with_the_end_of_the_log_as_hint(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entry = an_entry(13, 4);
    assert_int_equal(append(&s, 12, 4, &entry, 1, 0), STATUS_OK);
    assert_false(answer_of(&s)->append_answer.is_match);
    assert_int_equal(answer_of(&s)->append_answer.index, 12);
    assert_int_equal(answer_of(&s)->append_answer.hint_index, 8);
    assert_int_equal(answer_of(&s)->append_answer.hint_term, 3);
    assert_int_equal(raft_status(s.raft)->last_index, 8);
    solo_stop(&s);
}

/* The leader has term 2 where this log has 3: what could fit ends with term 1. */
static void a_wrong_term_is_refused_with_a_whole_term_skipped(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(append(&s, 7, 2, NULL, 0, 0), STATUS_OK);
    assert_false(answer_of(&s)->append_answer.is_match);
    assert_int_equal(answer_of(&s)->append_answer.hint_index, 4);
    assert_int_equal(answer_of(&s)->append_answer.hint_term, 1);
    solo_stop(&s);
}

static void an_older_term_is_answered_with_the_newer_one(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(solo_receive(&s, from_append(2, 3, 8, 3, NULL, 0, 8)), STATUS_STALE);
    assert_false(answer_of(&s)->append_answer.is_match);
    assert_int_equal(answer_of(&s)->term, 4);
    assert_int_equal(raft_status(s.raft)->leader, 0);
    assert_int_equal(raft_status(s.raft)->commit_index, 0);
    solo_stop(&s);
}

static void a_newer_term_is_followed_and_acknowledged_once_durable(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(solo_receive(&s, from_append(3, 6, 8, 3, NULL, 0, 0)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->term, 6);
    assert_int_equal(raft_status(s.raft)->leader, 3);
    assert_null(solo_sent(&s, RAFT_APPEND_ANSWER, 0));
    solo_sync(&s);
    assert_int_equal(solo_sent(&s, RAFT_APPEND_ANSWER, 3)->append_answer.index, 8);
    solo_stop(&s);
}

static void a_malformed_message_changes_nothing(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry gap[] = {an_entry(9, 4), an_entry(11, 4)};
    struct raft_entry back[] = {an_entry(9, 4), an_entry(10, 3)};
    struct raft_entry future[] = {an_entry(9, 5)};
    struct raft_entry garbage[] = {an_entry(9, 4)};
    garbage[0].type = RAFT_ENTRY_CONFIGURATION;
    assert_int_equal(append(&s, 8, 3, gap, 2, 0), STATUS_INVALID);
    assert_int_equal(append(&s, 8, 3, back, 2, 0), STATUS_INVALID);
    assert_int_equal(append(&s, 8, 3, future, 1, 0), STATUS_INVALID);
    assert_int_equal(append(&s, 8, 3, garbage, 1, 0), STATUS_INVALID);
    assert_int_equal(raft_status(s.raft)->last_index, 8);
    assert_int_equal(s.out_count, 0);
    solo_stop(&s);
}

static void a_message_for_somebody_else_is_refused(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_message m = from_heartbeat(2, 4, 1, 0);
    m.to = 3;
    struct raft_event event = {.kind = RAFT_EVENT_RECEIVE, .message = &m};
    assert_int_equal(solo_step(&s, event), STATUS_INVALID);
    assert_int_equal(solo_receive(&s, from_heartbeat(1, 4, 1, 0)), STATUS_INVALID);
    assert_int_equal(solo_receive(&s, from_heartbeat(0, 4, 1, 0)), STATUS_INVALID);
    solo_stop(&s);
}

/* ---- The commit index ------------------------------------------------------------------------ */

static void commits_no_further_than_what_is_known_to_match(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(append(&s, 5, 3, NULL, 0, 8), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 5);
    solo_stop(&s);
}

static void applies_no_further_than_what_is_durable(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    struct raft_entry entries[] = {an_entry(9, 4), an_entry(10, 4)};
    assert_int_equal(append(&s, 8, 3, entries, 2, 10), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 10);
    assert_int_equal(s.apply_to, 8);
    solo_sync(&s);
    assert_int_equal(s.apply_to, 10);
    solo_stop(&s);
}

static void a_configuration_counts_as_soon_as_it_is_in_the_log(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    uint8_t data[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration target = {.count = 1, .members = {{.id = 2, .rights = 1}}};
    struct raft_entry entry = an_entry(9, 4);
    entry.type = RAFT_ENTRY_CONFIGURATION;
    entry.payload = bytes_of(data, raft_configuration_encode(&target, data, sizeof data));
    assert_int_equal(append(&s, 8, 3, &entry, 1, 0), STATUS_OK);
    assert_int_equal(raft_configuration(s.raft)->count, 1);
    assert_int_equal(raft_configuration(s.raft)->index, 9);
    assert_false(raft_status(s.raft)->is_member);
    struct raft_entry other = an_entry(9, 5);
    assert_int_equal(solo_receive(&s, from_append(3, 5, 8, 3, &other, 1, 0)), STATUS_OK);
    assert_int_equal(raft_configuration(s.raft)->count, 3);
    assert_true(raft_status(s.raft)->is_member);
    solo_stop(&s);
}

/* ---- Heartbeats ------------------------------------------------------------------------------ */

static void a_heartbeat_is_answered_at_once_with_the_declared_timeout(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 9, 17, 0)), STATUS_OK);
    const struct raft_message *m = solo_sent(&s, RAFT_HEARTBEAT_ANSWER, 2);
    assert_int_equal(m->heartbeat_answer.round, 17);
    assert_int_equal(m->heartbeat_answer.election_timeout_ms, SOLO_TIMEOUT_MS);
    assert_int_equal(m->term, 9);
    assert_int_equal(s.batch_count, 1); /* the term, which the answer does not wait for */
    solo_stop(&s);
}

static void a_heartbeat_of_an_older_term_is_answered_with_the_newer_one(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 17, 0)), STATUS_STALE);
    assert_int_equal(solo_sent(&s, RAFT_HEARTBEAT_ANSWER, 2)->term, 4);
    assert_int_equal(raft_status(s.raft)->leader, 0);
    solo_stop(&s);
}

/* The leader names no more than what was acknowledged to it, which a restart forgets. */
static void a_heartbeat_tells_a_restarted_follower_what_is_committed(void **state) {
    (void)state;
    struct solo s;
    given_a_log(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 4, 1, 7)), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 7);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 4, 2, 9)), STATUS_INVALID);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_entries_and_acknowledges_them_once_durable),
        cmocka_unit_test(a_doubled_message_is_skipped_and_answered_again),
        cmocka_unit_test(an_overlap_takes_only_what_is_new),
        cmocka_unit_test(a_conflict_truncates),
        cmocka_unit_test(a_shorter_message_of_the_same_leader_truncates_nothing),
        cmocka_unit_test(what_lies_below_the_commit_index_is_equal_without_looking),
        cmocka_unit_test(a_gap_is_refused_with_the_end_of_the_log_as_hint),
        cmocka_unit_test(a_wrong_term_is_refused_with_a_whole_term_skipped),
        cmocka_unit_test(an_older_term_is_answered_with_the_newer_one),
        cmocka_unit_test(a_newer_term_is_followed_and_acknowledged_once_durable),
        cmocka_unit_test(a_malformed_message_changes_nothing),
        cmocka_unit_test(a_message_for_somebody_else_is_refused),
        cmocka_unit_test(commits_no_further_than_what_is_known_to_match),
        cmocka_unit_test(applies_no_further_than_what_is_durable),
        cmocka_unit_test(a_configuration_counts_as_soon_as_it_is_in_the_log),
        cmocka_unit_test(a_heartbeat_is_answered_at_once_with_the_declared_timeout),
        cmocka_unit_test(a_heartbeat_of_an_older_term_is_answered_with_the_newer_one),
        cmocka_unit_test(a_heartbeat_tells_a_restarted_follower_what_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
