/* Linearizable reads: rounds, and questions of followers. */
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum status ask_only(struct solo *s, uint64_t token) {
    return solo_step_only(s, (struct raft_event){.kind = RAFT_EVENT_READ, .read_token = token});
}

static enum status ask(struct solo *s, uint64_t token) {
    enum status status = ask_only(s, token);
    solo_take(s);
    return status;
}

static struct solo leader; /* without leases */

static struct solo *given_a_leader(void) {
    solo_start_as_leader(&leader, 3);
    leader.now_ms += SOLO_TIMEOUT_MS - 1; /* no lease, and not yet deposed */
    return &leader;
}

static uint64_t last_round(const struct solo *s) {
    return solo_sent(s, RAFT_HEARTBEAT, 2)->heartbeat.round;
}

static enum status answer(struct solo *s, raft_id id, uint64_t round) {
    return solo_receive(s, from_heartbeat_answer(id, 1, round, SOLO_TIMEOUT_MS));
}

static uint64_t confirmed(const struct solo *s) {
    return s->read_count == 0 ? 0 : s->reads[s->read_count - 1].token;
}

/* ---- A leader's rounds ----------------------------------------------------------------------- */

static void a_read_is_confirmed_by_a_round_sent_after_it_arrived(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(ask(s, 1), STATUS_OK);
    assert_int_equal(confirmed(s), 0);
    assert_int_equal(answer(s, 2, last_round(s)), STATUS_OK);
    assert_int_equal(confirmed(s), 1);
    assert_int_equal(s->reads[0].index, 1);
    solo_stop(s);
}

static enum status find_a_peer(struct solo *s) {
    return solo_step(s, (struct raft_event){.kind = RAFT_EVENT_PEER_FOUND});
}

static void a_leader_speaks_up_when_a_peer_is_found(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(find_a_peer(s), STATUS_OK);
    assert_int_equal(solo_sent_count(s, RAFT_HEARTBEAT), 2);
    assert_int_equal(raft_status(s->raft)->role, RAFT_LEADER);
    solo_stop(s);
}

static void a_follower_says_nothing_to_a_peer_it_finds(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 3, 1);
    assert_int_equal(find_a_peer(&s), STATUS_OK);
    assert_int_equal(solo_sent_count(&s, RAFT_HEARTBEAT), 0);
    solo_stop(&s);
}

static void reads_that_came_before_the_round_share_it(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(ask_only(s, 1), STATUS_OK);
    assert_int_equal(ask_only(s, 2), STATUS_OK);
    solo_take(s);
    assert_int_equal(solo_sent_count(s, RAFT_HEARTBEAT), 2);
    assert_int_equal(answer(s, 3, last_round(s)), STATUS_OK);
    assert_int_equal(confirmed(s), 2);
    solo_stop(s);
}

/* A write may have been acknowledged in between. */
static void a_read_never_joins_a_round_already_sent(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(ask(s, 1), STATUS_OK);
    uint64_t round = last_round(s);
    assert_int_equal(ask(s, 2), STATUS_OK);
    s->now_ms += SOLO_TIMEOUT_MS; /* so late that it brings no lease */
    assert_int_equal(answer(s, 2, round), STATUS_OK);
    assert_int_equal(confirmed(s), 1);
    assert_true(last_round(s) > round);
    assert_int_equal(answer(s, 2, last_round(s)), STATUS_OK);
    assert_int_equal(confirmed(s), 2);
    solo_stop(s);
}

static void a_late_answer_to_an_older_round_confirms_nothing(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    solo_elapse(s, 0);
    uint64_t older = last_round(s);
    s->now_ms += SOLO_TIMEOUT_MS / 2;
    assert_int_equal(solo_receive(s, from_ack(2, 1, 1)), STATUS_OK);
    assert_int_equal(ask(s, 1), STATUS_OK);
    assert_true(last_round(s) > older);
    assert_int_equal(answer(s, 2, older), STATUS_OK);
    assert_int_equal(confirmed(s), 0);
    assert_int_equal(answer(s, 2, last_round(s)), STATUS_OK);
    assert_int_equal(confirmed(s), 1);
    assert_int_equal(answer(s, 2, older), STATUS_STALE);
    solo_stop(s);
}

static void an_answer_to_a_round_never_sent_is_refused(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(ask(s, 1), STATUS_OK);
    assert_int_equal(answer(s, 2, last_round(s) + 1), STATUS_INVALID);
    assert_int_equal(confirmed(s), 0);
    solo_stop(s);
}

static void a_later_round_confirms_what_a_lost_one_did_not(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(ask(s, 1), STATUS_OK);
    solo_elapse(s, 0);
    assert_int_equal(answer(s, 3, last_round(s)), STATUS_OK);
    assert_int_equal(confirmed(s), 1);
    solo_stop(s);
}

/* What was committed in older terms may be more than it knows. */
static void no_read_before_the_noop_is_committed(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    struct raft_message yes = {.kind = RAFT_PRE_VOTE_ANSWER,
                               .from = 2,
                               .term = 4,
                               .vote_answer = {true}};
    assert_int_equal(ask(&s, 1), STATUS_NOT_LEADER);
    assert_int_equal(solo_receive(&s, yes), STATUS_OK);
    solo_sync(&s);
    yes.kind = RAFT_VOTE_ANSWER;
    assert_int_equal(solo_receive(&s, yes), STATUS_OK);
    assert_int_equal(ask(&s, 1), STATUS_NOT_LEADER);
    struct raft_message peers = {.kind = RAFT_READ, .from = 2, .term = 4, .read = {.token = 9}};
    assert_int_equal(solo_receive(&s, peers), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_heartbeat_answer(2, 4, 1, 1000)), STATUS_OK);
    assert_null(solo_sent(&s, RAFT_READ_ANSWER, 0));
    solo_stop(&s);
}

static void a_read_under_a_lease_needs_no_round(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    uint64_t round = last_round(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat_answer(2, 1, round, 1000)), STATUS_OK);
    solo_forget(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    assert_int_equal(confirmed(&s), 1);
    assert_int_equal(s.out_count, 0);
    solo_stop(&s);
}

/* ---- Followers' questions -------------------------------------------------------------------- */

static struct raft_message question(raft_id from, uint64_t token) {
    return (struct raft_message){.kind = RAFT_READ, .from = from, .term = 1, .read = {token, 0}};
}

static void a_followers_question_is_treated_like_its_own(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    uint64_t rounds = solo_sent_count(s, RAFT_HEARTBEAT);
    assert_int_equal(solo_receive(s, question(3, 77)), STATUS_OK);
    assert_int_equal(solo_sent_count(s, RAFT_HEARTBEAT), rounds + 2);
    assert_null(solo_sent(s, RAFT_READ_ANSWER, 0));
    assert_int_equal(solo_receive(s, question(3, 77)), STATUS_OK); /* put again: under way */
    assert_int_equal(solo_sent_count(s, RAFT_HEARTBEAT), rounds + 2);
    assert_int_equal(answer(s, 2, last_round(s)), STATUS_OK);
    assert_int_equal(solo_sent(s, RAFT_READ_ANSWER, 3)->read.token, 77);
    assert_int_equal(solo_sent(s, RAFT_READ_ANSWER, 3)->read.index, 1);
    solo_stop(s);
}

static void a_followers_next_question_waits_for_a_round_of_its_own(void **state) {
    (void)state;
    struct solo *s = given_a_leader();
    assert_int_equal(solo_receive(s, question(3, 77)), STATUS_OK);
    uint64_t round = last_round(s);
    assert_int_equal(solo_receive(s, question(3, 78)), STATUS_OK);
    s->now_ms += SOLO_TIMEOUT_MS;
    assert_int_equal(answer(s, 2, round), STATUS_OK);
    assert_null(solo_sent(s, RAFT_READ_ANSWER, 0));
    assert_int_equal(answer(s, 2, last_round(s)), STATUS_OK);
    assert_int_equal(solo_sent(s, RAFT_READ_ANSWER, 3)->read.token, 78);
    solo_stop(s);
}

/* ---- A follower ------------------------------------------------------------------------------ */

static void given_a_follower(struct solo *s) {
    solo_start_with_log(s, 5, 3);
    assert_int_equal(solo_receive(s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    solo_forget(s);
}

static enum status tell(struct solo *s, raft_id from, uint64_t token, raft_index index) {
    return solo_receive(s, (struct raft_message){.kind = RAFT_READ_ANSWER,
                                                 .from = from,
                                                 .term = 3,
                                                 .read = {token, index}});
}

static uint64_t put(const struct solo *s) {
    const struct raft_message *m = solo_sent(s, RAFT_READ, 2);
    return m ? m->read.token : 0;
}

static void knows_nobody_to_ask_without_a_leader(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(ask(&s, 1), STATUS_NOT_LEADER);
    solo_stop(&s);
}

static void puts_one_question_for_all_reads_of_a_turn(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask_only(&s, 1), STATUS_OK);
    assert_int_equal(ask_only(&s, 2), STATUS_OK);
    solo_take(&s);
    assert_int_equal(solo_sent_count(&s, RAFT_READ), 1);
    assert_int_equal(tell(&s, 2, put(&s), 8), STATUS_OK);
    assert_int_equal(confirmed(&s), 2);
    assert_int_equal(s.reads[0].index, 8);
    solo_stop(&s);
}

/* The read index was committed; what of it this follower shares with the leader is known to be so
 * from the appends of this term alone. */
static void the_read_index_tells_what_is_committed(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    assert_int_equal(tell(&s, 2, put(&s), 4), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 0); /* nothing is known to be shared yet */
    assert_int_equal(solo_receive(&s, from_append(2, 3, 5, 3, NULL, 0, 0)), STATUS_OK);
    assert_int_equal(ask(&s, 2), STATUS_OK);
    assert_int_equal(tell(&s, 2, put(&s), 4), STATUS_OK);
    assert_int_equal(raft_status(s.raft)->commit_index, 4);
    solo_stop(&s);
}

static void those_that_come_meanwhile_share_the_next_question(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    uint64_t first = put(&s);
    assert_int_equal(ask(&s, 2), STATUS_OK);
    assert_int_equal(ask(&s, 3), STATUS_OK);
    assert_int_equal(solo_sent_count(&s, RAFT_READ), 1);
    assert_int_equal(tell(&s, 2, first, 8), STATUS_OK);
    assert_int_equal(confirmed(&s), 1);
    assert_int_equal(solo_sent_count(&s, RAFT_READ), 2);
    assert_int_equal(tell(&s, 2, first, 9), STATUS_OK); /* doubled */
    assert_int_equal(confirmed(&s), 1);
    assert_int_equal(tell(&s, 2, put(&s), 9), STATUS_OK);
    assert_int_equal(confirmed(&s), 3);
    solo_stop(&s);
}

static void a_lost_question_is_put_again_as_it_was(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    uint64_t first = put(&s);
    assert_int_equal(raft_deadline_ms(s.raft), s.now_ms + SOLO_HEARTBEAT_MS);
    assert_int_equal(ask(&s, 2), STATUS_OK);
    solo_elapse(&s, SOLO_HEARTBEAT_MS);
    assert_int_equal(solo_sent_count(&s, RAFT_READ), 2);
    assert_int_equal(put(&s), first);
    assert_int_equal(tell(&s, 2, first, 8), STATUS_OK); /* slower than a heartbeat */
    assert_int_equal(confirmed(&s), 1);
    solo_stop(&s);
}

static void a_question_is_put_to_the_next_leader(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    uint64_t first = put(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat(3, 4, 1, 0)), STATUS_OK);
    assert_non_null(solo_sent(&s, RAFT_READ, 3));
    assert_int_equal(tell(&s, 2, first, 8), STATUS_STALE);
    assert_int_equal(confirmed(&s), 0);
    solo_stop(&s);
}

static void an_answer_nobody_asked_for_is_ignored(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(tell(&s, 2, 0, 8), STATUS_OK);
    assert_int_equal(tell(&s, 2, 1, 8), STATUS_OK);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    assert_int_equal(tell(&s, 3, put(&s), 8), STATUS_OK);
    assert_int_equal(confirmed(&s), 0);
    solo_stop(&s);
}

/* Its tokens begin anew, but an answer to its former life must not fit. */
static void an_answer_to_a_former_life_confirms_nothing(void **state) {
    (void)state;
    struct solo s;
    given_a_follower(&s);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    uint64_t former = put(&s);
    solo_stop(&s);
    struct raft_term_run run = {1, 3};
    struct raft_config config = solo_config(3);
    config.hard.term = 3;
    config.runs = &run;
    config.run_count = 1;
    config.last_index = 5;
    config.seed = 43;
    solo_start(&s, &config);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 2, 0)), STATUS_OK);
    assert_int_equal(ask(&s, 1), STATUS_OK);
    assert_int_equal(tell(&s, 2, former, 5), STATUS_OK);
    assert_int_equal(confirmed(&s), 0);
    solo_stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_confirmed_by_a_round_sent_after_it_arrived),
        cmocka_unit_test(a_leader_speaks_up_when_a_peer_is_found),
        cmocka_unit_test(a_follower_says_nothing_to_a_peer_it_finds),
        cmocka_unit_test(reads_that_came_before_the_round_share_it),
        cmocka_unit_test(a_read_never_joins_a_round_already_sent),
        cmocka_unit_test(a_late_answer_to_an_older_round_confirms_nothing),
        cmocka_unit_test(an_answer_to_a_round_never_sent_is_refused),
        cmocka_unit_test(a_later_round_confirms_what_a_lost_one_did_not),
        cmocka_unit_test(no_read_before_the_noop_is_committed),
        cmocka_unit_test(a_read_under_a_lease_needs_no_round),
        cmocka_unit_test(a_followers_question_is_treated_like_its_own),
        cmocka_unit_test(a_followers_next_question_waits_for_a_round_of_its_own),
        cmocka_unit_test(knows_nobody_to_ask_without_a_leader),
        cmocka_unit_test(puts_one_question_for_all_reads_of_a_turn),
        cmocka_unit_test(the_read_index_tells_what_is_committed),
        cmocka_unit_test(those_that_come_meanwhile_share_the_next_question),
        cmocka_unit_test(a_lost_question_is_put_again_as_it_was),
        cmocka_unit_test(a_question_is_put_to_the_next_leader),
        cmocka_unit_test(an_answer_nobody_asked_for_is_ignored),
        cmocka_unit_test(an_answer_to_a_former_life_confirms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
