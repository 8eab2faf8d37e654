/* What a leader sends, and what it makes of the answers. */
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct raft_message refusal(raft_id from, raft_index index, raft_index hint,
                                   raft_term hint_term) {
    return (struct raft_message){.kind = RAFT_APPEND_ANSWER,
                                 .from = from,
                                 .term = 1,
                                 .append_answer = {.index = index,
                                                   .hint_index = hint,
                                                   .hint_term = hint_term}};
}

static const struct raft_message *append_to(const struct solo *s, raft_id id) {
    return solo_sent(s, RAFT_APPEND, id);
}

static struct raft_peer_status peer(const struct solo *s, raft_id id) {
    struct raft_peer_status status = {0};
    assert_true(raft_peer_status(s->raft, id, &status));
    return status;
}

/* ---- Pipelining ------------------------------------------------------------------------------ */

static void sends_entries_before_they_are_durable_here_and_without_waiting(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (raft_index i = 2; i <= 5; i++) {
        assert_int_equal(solo_propose(&s), STATUS_OK);
        assert_int_equal(append_to(&s, 2)->append.prev_index, i - 1);
        assert_int_equal(append_to(&s, 2)->append.last_index, i);
    }
    assert_int_equal(peer(&s, 2).feeding, RAFT_FEEDING_REPLICATE);
    assert_int_equal(peer(&s, 2).next_index, 6);
    assert_int_equal(peer(&s, 2).in_flight, 4);
    solo_stop(&s);
}

static void proposals_of_one_turn_share_a_message(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    struct raft_event propose = {.kind = RAFT_EVENT_PROPOSE, .propose = {10}};
    for (int i = 0; i < 5; i++)
        assert_int_equal(solo_step_only(&s, propose), STATUS_OK);
    solo_take(&s);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 2);
    assert_int_equal(append_to(&s, 2)->append.last_index, 6);
    assert_int_equal(s.batch_count, 1);
    solo_stop(&s);
}

static void a_message_is_bounded_in_bytes_and_entries(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    struct raft_event propose = {.kind = RAFT_EVENT_PROPOSE, .propose = {600 * KIB}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(solo_step_only(&s, propose), STATUS_OK);
    propose.propose.payload_bytes = 1;
    for (int i = 0; i < 2000; i++)
        assert_int_equal(solo_step_only(&s, propose), STATUS_OK);
    solo_take(&s);
    for (size_t i = 0; i < s.out_count; i++) {
        const struct raft_message *m = &s.out[i];
        raft_index count = m->append.last_index - m->append.prev_index;
        assert_true(m->kind != RAFT_APPEND || count <= RAFT_APPEND_ENTRIES_MAX);
        assert_true(m->kind != RAFT_APPEND || m->append.prev_index >= 4 || count <= 1 ||
                    m->append.prev_index == 3);
    }
    assert_int_equal(append_to(&s, 2)->append.last_index, 2004);
    solo_stop(&s);
}

static void a_full_window_waits_for_an_answer(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (int i = 0; i < 12; i++) {
        struct raft_event propose = {.kind = RAFT_EVENT_PROPOSE, .propose = {MIB}};
        assert_int_equal(solo_step(&s, propose), STATUS_OK);
    }
    raft_index sent = append_to(&s, 2)->append.last_index;
    assert_int_equal(sent, 1 + 8);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 3)), STATUS_OK);
    assert_int_equal(append_to(&s, 2)->append.last_index, sent + 2);
    solo_stop(&s);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void a_refusal_leads_back_to_where_the_logs_meet(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, refusal(2, 5, 3, 1)), STATUS_OK);
    assert_int_equal(append_to(&s, 2)->append.prev_index, 3);
    assert_int_equal(append_to(&s, 2)->append.last_index, 6);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 1);
    solo_stop(&s);
}

static void a_late_refusal_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 6)), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, refusal(2, 4, 0, 0)), STATUS_OK);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 0);
    assert_int_equal(peer(&s, 2).match_index, 6);
    solo_stop(&s);
}

static void a_second_refusal_of_the_same_window_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(solo_receive(&s, refusal(2, 3, 1, 1)), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, refusal(2, 4, 1, 1)), STATUS_OK);
    assert_int_equal(solo_receive(&s, refusal(2, 5, 1, 1)), STATUS_OK);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 0);
    solo_stop(&s);
}

static void an_answer_beyond_the_log_is_refused(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 99)), STATUS_INVALID);
    assert_int_equal(peer(&s, 2).match_index, 1);
    solo_stop(&s);
}

static void an_answer_of_a_stranger_is_ignored(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_receive(&s, from_ack(9, 1, 1)), STATUS_STALE);
    assert_int_equal(solo_receive(&s, from_heartbeat_answer(9, 1, 1, 1000)), STATUS_STALE);
    solo_stop(&s);
}

static void a_newer_term_in_an_answer_ends_its_office(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    struct raft_message m = refusal(2, 1, 0, 0);
    m.term = 5;
    assert_int_equal(solo_receive(&s, m), STATUS_STALE);
    assert_int_equal(raft_status(s.raft)->role, RAFT_FOLLOWER);
    assert_int_equal(raft_status(s.raft)->term, 5);
    solo_stop(&s);
}

/* ---- Losses ---------------------------------------------------------------------------------- */

static void answer_round(struct solo *s, raft_id id) {
    uint64_t round = solo_sent(s, RAFT_HEARTBEAT, id)->heartbeat.round;
    assert_int_equal(solo_receive(s, from_heartbeat_answer(id, 1, round, 1000)), STATUS_OK);
}

static void sends_again_what_found_no_answer_for_a_heartbeats_time(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer_round(&s, 2);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    solo_forget(&s);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer_round(&s, 2);
    assert_int_equal(append_to(&s, 2)->append.prev_index, 1);
    assert_int_equal(append_to(&s, 2)->append.last_index, 2);
    solo_stop(&s);
}

/* Reads make rounds much closer together than heartbeats: a slow disk is not a lost message. */
static void rounds_for_reads_send_nothing_again(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer_round(&s, 2);
    s.now_ms += SOLO_TIMEOUT_MS / 2; /* no lease any more */
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_forget(&s);
    for (uint64_t token = 1; token <= 20; token++) {
        struct raft_event read = {.kind = RAFT_EVENT_READ, .read_token = token};
        assert_int_equal(solo_step(&s, read), STATUS_OK);
        s.now_ms += 1;
    }
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 0);
    solo_stop(&s);
}

/* Leads three, and may wait 4 ms for an append to carry its commit index. */
static void start_as_patient_leader(struct solo *s) {
    struct raft_config config = solo_config(3);
    config.commit_tell_ms = 4;
    solo_start(s, &config);
    solo_elapse(s, 2 * SOLO_TIMEOUT_MS);
    struct raft_message yes = {.kind = RAFT_PRE_VOTE_ANSWER, .from = 2, .term = 1};
    yes.vote_answer.is_granted = true;
    assert_int_equal(solo_receive(s, yes), STATUS_OK);
    solo_sync_all(s);
    yes.kind = RAFT_VOTE_ANSWER;
    assert_int_equal(solo_receive(s, yes), STATUS_OK);
    solo_sync_all(s);
    assert_int_equal(solo_receive(s, from_ack(2, 1, 1)), STATUS_OK);
    assert_int_equal(solo_receive(s, from_ack(3, 1, 1)), STATUS_OK);
    assert_int_equal(raft_status(s->raft)->commit_index, 1);
}

static void the_commit_index_goes_with_the_next_append(void **state) {
    (void)state;
    struct solo s;
    start_as_patient_leader(&s);
    solo_forget(&s);
    s.now_ms += 2;
    assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 2);
    assert_int_equal(append_to(&s, 2)->append.commit_index, 1);
    solo_stop(&s);
}

static void the_commit_index_goes_alone_when_no_append_comes(void **state) {
    (void)state;
    struct solo s;
    start_as_patient_leader(&s);
    assert_int_equal(raft_deadline_ms(s.raft), s.now_ms + 4);
    solo_forget(&s);
    solo_elapse(&s, 3);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 0);
    solo_elapse(&s, 1);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 2);
    assert_int_equal(append_to(&s, 3)->append.commit_index, 1);
    assert_true(raft_deadline_ms(s.raft) > s.now_ms + 4);
    solo_stop(&s);
}

static void tells_a_peer_that_holds_everything_what_is_committed(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    solo_sync_all(&s);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, from_ack(2, 1, 2)), STATUS_OK);
    assert_int_equal(append_to(&s, 3)->append.commit_index, 2);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    assert_int_equal(solo_sent(&s, RAFT_HEARTBEAT, 2)->heartbeat.commit_index, 2);
    assert_int_equal(solo_sent(&s, RAFT_HEARTBEAT, 3)->heartbeat.commit_index, 1);
    solo_stop(&s);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void given_a_cut_leader(struct solo *s) {
    solo_start_as_leader(s, 3);
    for (int i = 0; i < 9; i++)
        assert_int_equal(solo_propose(s), STATUS_OK);
    solo_sync_all(s);
    assert_int_equal(solo_receive(s, from_ack(2, 1, 10)), STATUS_OK);
    struct raft_event cut = {.kind = RAFT_EVENT_CUT, .cut_index = 8};
    assert_int_equal(solo_step(s, cut), STATUS_OK);
    solo_forget(s);
    assert_int_equal(solo_receive(s, refusal(3, 9, 4, 1)), STATUS_OK);
}

static struct raft_event sent(raft_id id, raft_index index, bool is_installed) {
    return (struct raft_event){.kind = RAFT_EVENT_SNAPSHOT_SENT,
                               .snapshot_sent = {id, index, is_installed}};
}

static void asks_for_a_snapshot_where_the_log_was_cut(void **state) {
    (void)state;
    struct solo s;
    given_a_cut_leader(&s);
    assert_int_equal(s.snapshot_count, 1);
    assert_int_equal(s.snapshots[0], 3);
    assert_int_equal(solo_sent_count(&s, RAFT_APPEND), 0);
    solo_forget(&s);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    assert_null(append_to(&s, 3));
    assert_int_equal(s.snapshot_count, 0);
    solo_stop(&s);
}

static void goes_on_behind_an_installed_snapshot(void **state) {
    (void)state;
    struct solo s;
    given_a_cut_leader(&s);
    assert_int_equal(solo_step(&s, sent(3, 9, true)), STATUS_OK);
    assert_int_equal(append_to(&s, 3)->append.prev_index, 9);
    assert_int_equal(append_to(&s, 3)->append.last_index, 10);
    solo_stop(&s);
}

static void tries_a_failed_snapshot_again_once_the_peer_is_heard(void **state) {
    (void)state;
    struct solo s;
    given_a_cut_leader(&s);
    solo_forget(&s);
    assert_int_equal(solo_step(&s, sent(3, 9, false)), STATUS_OK);
    assert_int_equal(s.snapshot_count, 0);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    answer_round(&s, 3);
    assert_int_equal(s.snapshot_count, 1);
    solo_stop(&s);
}

static void a_peer_that_caught_up_by_itself_needs_no_snapshot(void **state) {
    (void)state;
    struct solo s;
    given_a_cut_leader(&s);
    assert_int_equal(solo_receive(&s, from_ack(3, 1, 7)), STATUS_OK);
    assert_null(append_to(&s, 3));
    assert_int_equal(solo_receive(&s, from_ack(3, 1, 8)), STATUS_OK);
    assert_int_equal(append_to(&s, 3)->append.prev_index, 8);
    assert_int_equal(solo_step(&s, sent(3, 4, true)), STATUS_OK); /* too late to matter */
    assert_int_equal(peer(&s, 3).match_index, 8);
    solo_stop(&s);
}

/* Its log ends, at the leader's cut, with another term: they part somewhere in what was cut. */
static void logs_that_part_in_what_was_cut_need_a_snapshot(void **state) {
    (void)state;
    struct solo s;
    given_a_cut_leader(&s);
    solo_forget(&s);
    assert_int_equal(solo_step(&s, sent(3, 9, true)), STATUS_OK);
    assert_int_equal(solo_receive(&s, refusal(3, 9, 8, 0)), STATUS_OK);
    assert_int_equal(s.snapshot_count, 1);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_entries_before_they_are_durable_here_and_without_waiting),
        cmocka_unit_test(proposals_of_one_turn_share_a_message),
        cmocka_unit_test(a_message_is_bounded_in_bytes_and_entries),
        cmocka_unit_test(a_full_window_waits_for_an_answer),
        cmocka_unit_test(a_refusal_leads_back_to_where_the_logs_meet),
        cmocka_unit_test(a_late_refusal_is_ignored),
        cmocka_unit_test(a_second_refusal_of_the_same_window_is_ignored),
        cmocka_unit_test(an_answer_beyond_the_log_is_refused),
        cmocka_unit_test(an_answer_of_a_stranger_is_ignored),
        cmocka_unit_test(a_newer_term_in_an_answer_ends_its_office),
        cmocka_unit_test(sends_again_what_found_no_answer_for_a_heartbeats_time),
        cmocka_unit_test(rounds_for_reads_send_nothing_again),
        cmocka_unit_test(the_commit_index_goes_with_the_next_append),
        cmocka_unit_test(the_commit_index_goes_alone_when_no_append_comes),
        cmocka_unit_test(tells_a_peer_that_holds_everything_what_is_committed),
        cmocka_unit_test(asks_for_a_snapshot_where_the_log_was_cut),
        cmocka_unit_test(goes_on_behind_an_installed_snapshot),
        cmocka_unit_test(tries_a_failed_snapshot_again_once_the_peer_is_heard),
        cmocka_unit_test(a_peer_that_caught_up_by_itself_needs_no_snapshot),
        cmocka_unit_test(logs_that_part_in_what_was_cut_need_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
