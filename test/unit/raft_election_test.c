/* Roles and votes: when a node campaigns, votes, wins and steps down. */
#include "support/net.h"
#include "support/solo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct raft_message from_pre_vote(raft_id from, raft_term term, raft_index last,
                                         raft_term last_term) {
    struct raft_message m = from_vote(from, term, last, last_term);
    m.kind = RAFT_PRE_VOTE;
    return m;
}

static struct raft_message yes(enum raft_message_kind kind, raft_id from, raft_term term) {
    return (struct raft_message){.kind = kind,
                                 .from = from,
                                 .term = term,
                                 .vote_answer = {.is_granted = true}};
}

static const struct raft_status *status_of(const struct solo *s) {
    return raft_status(s->raft);
}

static void given_a_candidate(struct solo *s) {
    solo_start_with_log(s, 5, 3);
    solo_elapse(s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(s, yes(RAFT_PRE_VOTE_ANSWER, 2, 4)), STATUS_OK);
    assert_int_equal(status_of(s)->role, RAFT_CANDIDATE);
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static void waits_between_one_timeout_and_two(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct solo s;
        struct raft_config config = solo_config(3);
        config.seed = seed;
        solo_start(&s, &config);
        assert_in_range(raft_deadline_ms(s.raft), 10000 + SOLO_TIMEOUT_MS,
                        10000 + 2 * SOLO_TIMEOUT_MS - 1);
        solo_stop(&s);
    }
}

static void hearing_a_leader_starts_the_timer_anew(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    s.now_ms += 900;
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    assert_true(raft_deadline_ms(s.raft) >= s.now_ms + SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->leader, 2);
    solo_stop(&s);
}

static void lose(struct solo *s, raft_id peer) {
    assert_int_equal(solo_step(s, (struct raft_event){.kind = RAFT_EVENT_PEER_LOST,
                                                      .lost_peer = peer}),
                     STATUS_OK);
}

/* Twice a lease: for so long the leader may count on this node's silence. */
#define LOST_WAIT_MS (SOLO_TIMEOUT_MS * 4 / 5)

static void a_lost_leader_is_waited_for_until_its_lease_has_ended_and_little_more(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct solo s;
        struct raft_config config = solo_config(3);
        config.seed = seed;
        solo_start(&s, &config);
        assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
        uint64_t heard_ms = s.now_ms;
        s.now_ms += 300;
        lose(&s, 2);
        assert_in_range(raft_deadline_ms(s.raft), heard_ms + LOST_WAIT_MS,
                        heard_ms + LOST_WAIT_MS + SOLO_TIMEOUT_MS / 20);
        solo_stop(&s);
    }
}

static uint64_t deadline_after_loss(raft_id self) {
    struct solo s;
    struct raft_config config = solo_config(5);
    config.self = self;
    solo_start(&s, &config);
    struct raft_message heartbeat = from_heartbeat(2, 3, 1, 0);
    heartbeat.to = self;
    struct raft_event heard = {.kind = RAFT_EVENT_RECEIVE, .message = &heartbeat};
    assert_int_equal(solo_step(&s, heard), STATUS_OK);
    lose(&s, 2);
    uint64_t deadline_ms = raft_deadline_ms(s.raft);
    solo_stop(&s);
    return deadline_ms;
}

/* Else they would stand at the same time, and split the votes. */
static void those_who_lost_a_leader_take_turns(void **state) {
    (void)state;
    uint64_t turn_ms = SOLO_TIMEOUT_MS / 12;
    uint64_t first_ms = deadline_after_loss(1);
    assert_true(deadline_after_loss(3) >= first_ms + turn_ms);
    assert_true(deadline_after_loss(4) >= first_ms + 2 * turn_ms);
    assert_true(deadline_after_loss(5) >= first_ms + 3 * turn_ms);
}

static void a_vote_is_given_once_a_lost_leaders_lease_has_ended(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    lose(&s, 2);
    s.now_ms += LOST_WAIT_MS - 1;
    assert_int_equal(solo_receive(&s, from_pre_vote(3, 4, 5, 3)), STATUS_OK);
    assert_null(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 3));
    s.now_ms += 1;
    assert_int_equal(solo_receive(&s, from_pre_vote(3, 4, 5, 3)), STATUS_OK);
    assert_non_null(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 3));
    solo_stop(&s);
}

static void a_lost_peer_that_does_not_lead_changes_nothing(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    uint64_t deadline_ms = raft_deadline_ms(s.raft);
    lose(&s, 3);
    assert_int_equal(raft_deadline_ms(s.raft), deadline_ms);
    solo_stop(&s);
}

static void a_lost_leader_that_speaks_again_is_followed(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    lose(&s, 2);
    s.now_ms += SOLO_TIMEOUT_MS / 2;
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 2, 0)), STATUS_OK);
    assert_true(raft_deadline_ms(s.raft) >= s.now_ms + SOLO_TIMEOUT_MS);
    solo_stop(&s);
}

/* ---- Pre-votes ------------------------------------------------------------------------------- */

static void asks_before_it_moves_its_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    assert_int_equal(status_of(&s)->term, 3);
    assert_int_equal(s.batch_count, 0);
    const struct raft_message *m = solo_sent(&s, RAFT_PRE_VOTE, 3);
    assert_non_null(m);
    assert_int_equal(m->term, 4);
    assert_int_equal(m->vote.last_index, 5);
    assert_int_equal(m->vote.last_term, 3);
    solo_stop(&s);
}

static void campaigns_once_a_majority_would_vote_for_it(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    assert_int_equal(status_of(&s)->term, 4);
    assert_null(solo_sent(&s, RAFT_VOTE, 0));
    assert_true(s.batches[0].has_hard_state);
    assert_int_equal(s.batches[0].hard.vote, 1);
    solo_sync(&s);
    assert_int_equal(solo_sent_count(&s, RAFT_VOTE), 2);
    solo_stop(&s);
}

static void a_yes_of_an_earlier_try_does_not_count(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    struct raft_message late = yes(RAFT_PRE_VOTE_ANSWER, 2, 3);
    assert_int_equal(solo_receive(&s, late), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    solo_stop(&s);
}

static void a_refused_pre_candidate_learns_the_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    struct raft_message no = {.kind = RAFT_PRE_VOTE_ANSWER, .from = 2, .term = 9};
    assert_int_equal(solo_receive(&s, no), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->term, 9);
    solo_stop(&s);
}

static void a_pre_vote_promises_nothing(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 4, 5, 3)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_pre_vote(3, 9, 6, 3)), STATUS_OK);
    assert_true(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_true(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 3)->vote_answer.is_granted);
    assert_int_equal(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 3)->term, 9);
    assert_int_equal(status_of(&s)->term, 3);
    assert_int_equal(s.batch_count, 0);
    solo_stop(&s);
}

static void a_pre_vote_needs_a_log_as_good_and_a_later_term(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 4, 4, 3)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 4, 9, 2)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 3, 9, 3)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(solo_sent(&s, RAFT_PRE_VOTE_ANSWER, 2)->term, 3);
    solo_stop(&s);
}

static void tells_why_it_campaigns(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    assert_int_equal(status_of(&s)->campaign_reason, RAFT_CAMPAIGN_SILENCE);
    solo_stop(&s);
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    lose(&s, 2);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->campaign_reason, RAFT_CAMPAIGN_LOST);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 2, 0)), STATUS_OK); /* it is back */
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->campaign_reason, RAFT_CAMPAIGN_SILENCE);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 3, 0)), STATUS_OK);
    assert_int_equal(
        solo_receive(&s, (struct raft_message){.kind = RAFT_TIMEOUT_NOW, .from = 2, .term = 3}),
        STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    assert_int_equal(status_of(&s)->campaign_reason, RAFT_CAMPAIGN_ASKED);
    solo_stop(&s);
}

static void tells_why_it_left_office(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    raft_term term = status_of(&s)->term;
    assert_int_equal(solo_receive(&s, from_heartbeat(3, term + 1, 1, 0)), STATUS_OK);
    assert_int_equal(status_of(&s)->leaving_reason, RAFT_LEAVING_TERM);
    solo_stop(&s);
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_step(&s,
                               (struct raft_event){.kind = RAFT_EVENT_TRANSFER, .transferee = 2}),
                     STATUS_OK);
    assert_non_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 2));
    assert_int_equal(solo_receive(&s, from_heartbeat(2, term + 1, 1, 0)), STATUS_OK);
    assert_int_equal(status_of(&s)->leaving_reason, RAFT_LEAVING_HANDOVER);
    solo_stop(&s);
}

/* ---- Votes ----------------------------------------------------------------------------------- */

static void a_vote_leaves_only_once_it_is_durable(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    assert_null(solo_sent(&s, RAFT_VOTE_ANSWER, 0));
    assert_int_equal(s.batches[0].hard.vote, 2);
    solo_sync(&s);
    assert_true(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    solo_stop(&s);
}

/* Its log may be shorter when they leave: another leads by then. */
static void requests_of_a_term_given_up_never_leave(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 2, 4)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    struct raft_event full = {.kind = RAFT_EVENT_DELAYED, .durable = {s.batches[0].number, 4}};
    for (int i = 0; i < 4 && status_of(&s)->role == RAFT_CANDIDATE; i++) {
        assert_int_equal(solo_step(&s, full), STATUS_OK);
        solo_elapse(&s, SOLO_TIMEOUT_MS / 2);
    }
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 4, 1, 0)), STATUS_OK);
    solo_sync_all(&s);
    assert_null(solo_sent(&s, RAFT_VOTE, 0));
    solo_stop(&s);
}

static void votes_once_a_term_and_the_same_when_asked_again(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    solo_sync(&s);
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 9, 3)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_VOTE_ANSWER, 3)->vote_answer.is_granted);
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    assert_true(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(s.batch_count, 0);
    solo_stop(&s);
}

static void a_vote_asked_twice_is_not_given_before_it_is_durable(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    assert_null(solo_sent(&s, RAFT_VOTE_ANSWER, 0));
    solo_sync(&s);
    assert_non_null(solo_sent(&s, RAFT_VOTE_ANSWER, 2));
    solo_stop(&s);
}

static void a_refusal_moves_the_term_all_the_same(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 7, 4, 3)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(status_of(&s)->term, 7);
    solo_stop(&s);
}

static void answers_a_vote_of_an_older_term_with_its_own(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 2, 9, 2)), STATUS_STALE);
    assert_false(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->term, 3);
    solo_stop(&s);
}

static void a_promise_of_an_older_term_is_forgotten(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 4, 5, 3)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_vote(3, 5, 5, 3)), STATUS_OK);
    solo_sync_all(&s);
    assert_null(solo_sent(&s, RAFT_VOTE_ANSWER, 2));
    assert_non_null(solo_sent(&s, RAFT_VOTE_ANSWER, 3));
    solo_stop(&s);
}

static void a_pre_candidate_still_votes_for_another(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(&s, from_vote(2, 3, 5, 3)), STATUS_OK);
    solo_sync(&s);
    assert_true(solo_sent(&s, RAFT_VOTE_ANSWER, 2)->vote_answer.is_granted);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    solo_stop(&s);
}

static void a_candidate_votes_for_nobody_else(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    solo_sync(&s);
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 9, 3)), STATUS_OK);
    assert_false(solo_sent(&s, RAFT_VOTE_ANSWER, 3)->vote_answer.is_granted);
    solo_stop(&s);
}

/* ---- Winning and losing ---------------------------------------------------------------------- */

static void a_majority_makes_a_leader_with_a_noop(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    solo_sync(&s);
    assert_int_equal(solo_receive(&s, yes(RAFT_VOTE_ANSWER, 3, 4)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    assert_int_equal(status_of(&s)->leader, 1);
    assert_int_equal(status_of(&s)->last_index, 6);
    assert_false(status_of(&s)->is_in_office);
    assert_non_null(solo_sent(&s, RAFT_HEARTBEAT, 2));
    assert_int_equal(solo_sent(&s, RAFT_APPEND, 3)->append.last_index, 6);
    assert_true(s.batches[0].has_own);
    solo_stop(&s);
}

static void the_same_voter_counts_once(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(5);
    solo_start(&s, &config);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 2, 1)), STATUS_OK);
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 2, 1)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 3, 1)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    solo_stop(&s);
}

static void a_learners_vote_does_not_count(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(4);
    config.configuration.members[3].rights = RAFT_LEARNER;
    solo_start(&s, &config);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_null(solo_sent(&s, RAFT_PRE_VOTE, 4));
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 4, 1)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    solo_stop(&s);
}

static void a_learner_never_campaigns(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(3);
    config.configuration.members[0].rights = RAFT_LEARNER;
    solo_start(&s, &config);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(s.out_count, 0);
    solo_stop(&s);
}

static void a_candidate_yields_to_a_leader_of_its_term(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    solo_sync(&s);
    assert_int_equal(solo_receive(&s, from_heartbeat(3, 4, 1, 0)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->leader, 3);
    assert_int_equal(solo_receive(&s, yes(RAFT_VOTE_ANSWER, 2, 4)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    solo_stop(&s);
}

static void a_majority_against_ends_the_candidacy(void **state) {
    (void)state;
    struct solo s;
    given_a_candidate(&s);
    solo_sync(&s);
    struct raft_message no = {.kind = RAFT_VOTE_ANSWER, .from = 2, .term = 4};
    assert_int_equal(solo_receive(&s, no), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    no.from = 3;
    assert_int_equal(solo_receive(&s, no), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->term, 4);
    solo_stop(&s);
}

/* ---- Stickiness ------------------------------------------------------------------------------ */

static void no_vote_within_a_timeout_of_hearing_a_leader(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    s.now_ms += SOLO_TIMEOUT_MS - 1;
    solo_forget(&s);
    assert_int_equal(solo_receive(&s, from_vote(3, 99, 9, 9)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_pre_vote(3, 99, 9, 9)), STATUS_OK);
    assert_int_equal(status_of(&s)->term, 3);
    assert_int_equal(s.out_count + s.batch_count, 0);
    s.now_ms += 1;
    assert_int_equal(solo_receive(&s, from_vote(3, 99, 9, 9)), STATUS_OK);
    assert_int_equal(status_of(&s)->term, 99);
    solo_stop(&s);
}

/* Its lease counts on the silence, whatever the term. */
static void a_term_that_moves_otherwise_does_not_break_the_silence(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    struct raft_message no = {.kind = RAFT_PRE_VOTE_ANSWER, .from = 3, .term = 4};
    assert_int_equal(solo_receive(&s, no), STATUS_OK);
    assert_int_equal(status_of(&s)->term, 4);
    s.now_ms += SOLO_TIMEOUT_MS - 1;
    assert_int_equal(solo_receive(&s, from_vote(3, 4, 9, 3)), STATUS_OK);
    solo_sync_all(&s);
    assert_null(solo_sent(&s, RAFT_VOTE_ANSWER, 0));
    solo_stop(&s);
}

static void a_leader_is_sticky_to_itself(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_receive(&s, from_vote(2, 99, 9, 9)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    assert_int_equal(s.out_count, 0);
    solo_stop(&s);
}

static void a_transfer_the_leader_asked_for_goes_through(void **state) {
    (void)state;
    struct solo s;
    solo_start_with_log(&s, 5, 3);
    assert_int_equal(solo_receive(&s, from_heartbeat(2, 3, 1, 0)), STATUS_OK);
    struct raft_message vote = from_vote(3, 4, 5, 3);
    vote.vote.is_transfer = true;
    assert_int_equal(solo_receive(&s, vote), STATUS_OK);
    solo_sync_all(&s);
    assert_true(solo_sent(&s, RAFT_VOTE_ANSWER, 3)->vote_answer.is_granted);
    solo_stop(&s);
}

/* ---- Silence after a start ------------------------------------------------------------------- */

static void given_a_restart(struct solo *s, size_t voters, raft_term term, raft_id vote,
                            raft_index configured) {
    static const struct raft_term_run runs[] = {{1, 3}, {5, 4}};
    struct raft_config config = solo_config(voters);
    config.runs = runs;
    config.run_count = 2;
    config.last_index = 8;
    config.hard = (struct raft_hard_state){.term = term, .vote = vote};
    config.configuration.index = configured;
    config.silence_ms = 3000;
    solo_start(s, &config);
}

static void neither_votes_nor_campaigns_within_the_largest_timeout_it_declared(void **state) {
    (void)state;
    struct solo s;
    given_a_restart(&s, 3, 4, 0, 0);
    s.now_ms += 2999;
    solo_elapse(&s, 0);
    assert_int_equal(solo_receive(&s, from_vote(2, 9, 99, 9)), STATUS_OK);
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 9, 99, 9)), STATUS_OK);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->term, 4);
    assert_int_equal(s.out_count, 0);
    s.now_ms += 1;
    assert_int_equal(solo_receive(&s, from_pre_vote(2, 9, 99, 9)), STATUS_OK);
    assert_int_equal(s.out_count, 1);
    solo_stop(&s);
}

static void a_sole_voter_that_led_is_not_silent(void **state) {
    (void)state;
    struct solo s;
    given_a_restart(&s, 1, 4, 1, 0);
    solo_elapse(&s, 0);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    solo_sync_all(&s);
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    solo_stop(&s);
}

static void a_sole_voter_that_followed_is_silent(void **state) {
    (void)state;
    struct solo s;
    given_a_restart(&s, 1, 4, 2, 0);
    solo_elapse(&s, 2999);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    solo_stop(&s);
}

/* It voted for itself in term 4 and lost; the winner then made it the sole voter, and holds a lease
 * on its word. */
static void a_sole_voter_that_was_made_so_in_this_term_is_silent(void **state) {
    (void)state;
    struct solo s;
    given_a_restart(&s, 1, 4, 1, 6);
    solo_elapse(&s, 2999);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    solo_stop(&s);
    given_a_restart(&s, 1, 4, 1, 4); /* in term 3 */
    solo_elapse(&s, 0);
    assert_int_equal(status_of(&s)->role, RAFT_CANDIDATE);
    solo_stop(&s);
}

/* Where the entry was cut, its term is told: of the log alone, the cut point's would have to do. */
static void a_configuration_that_was_cut_has_the_term_it_is_told(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(1);
    config.cut_index = 8;
    config.cut_term = 4;
    config.last_index = 8;
    config.applied_index = 8;
    config.hard = (struct raft_hard_state){.term = 4, .vote = 1};
    config.configuration.index = 4;
    config.silence_ms = 3000;
    for (config.configuration_term = 3; config.configuration_term <= 4;
         config.configuration_term++) {
        solo_start(&s, &config);
        solo_elapse(&s, 0);
        assert_int_equal(status_of(&s)->role,
                         config.configuration_term == 3 ? RAFT_CANDIDATE : RAFT_FOLLOWER);
        solo_stop(&s);
    }
}

/* ---- Check-quorum ---------------------------------------------------------------------------- */

static void steps_down_when_no_quorum_was_heard_for_a_timeout(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    solo_elapse(&s, SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    solo_elapse(&s, 1);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->leader, 0);
    assert_int_equal(status_of(&s)->term, 1);
    assert_int_equal(status_of(&s)->step_downs_total, 1);
    assert_int_equal(status_of(&s)->leaving_reason, RAFT_LEAVING_NO_QUORUM);
    assert_int_equal(solo_propose(&s), STATUS_NOT_LEADER);
    solo_stop(&s);
}

static void one_of_two_peers_is_enough_to_stay(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    for (int i = 0; i < 30; i++) {
        solo_elapse(&s, SOLO_HEARTBEAT_MS);
        uint64_t round = solo_sent(&s, RAFT_HEARTBEAT, 2)->heartbeat.round;
        assert_int_equal(solo_receive(&s, from_heartbeat_answer(2, 1, round, 1000)), STATUS_OK);
        solo_forget(&s);
    }
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    solo_stop(&s);
}

static void a_learner_does_not_keep_it_in_office(void **state) {
    (void)state;
    struct solo s;
    struct raft_config config = solo_config(4);
    config.configuration.members[3].rights = RAFT_LEARNER;
    solo_start(&s, &config);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(solo_receive(&s, yes(RAFT_PRE_VOTE_ANSWER, 2, 1)), STATUS_OK);
    solo_sync_all(&s);
    assert_int_equal(solo_receive(&s, yes(RAFT_VOTE_ANSWER, 2, 1)), STATUS_OK);
    solo_sync_all(&s);
    s.now_ms += SOLO_TIMEOUT_MS + 1;
    assert_int_equal(solo_receive(&s, from_ack(4, 1, 1)), STATUS_OK);
    assert_int_equal(status_of(&s)->commit_index, 0);
    solo_elapse(&s, 0);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    solo_stop(&s);
}

static void a_leader_whose_log_hangs_makes_room(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(solo_receive(&s, from_ack(2, 1, 1)), i < 11 ? STATUS_OK : STATUS_STALE);
        solo_elapse(&s, SOLO_HEARTBEAT_MS);
    }
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER);
    assert_int_equal(status_of(&s)->leaving_reason, RAFT_LEAVING_LOG);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->role, RAFT_FOLLOWER); /* it could not lead */
    solo_sync_all(&s);
    solo_elapse(&s, 2 * SOLO_TIMEOUT_MS);
    assert_int_equal(status_of(&s)->role, RAFT_PRE_CANDIDATE);
    solo_stop(&s);
}

static void a_full_disk_that_answers_is_no_hanging_one(void **state) {
    (void)state;
    struct solo s;
    solo_start_as_leader(&s, 3);
    assert_int_equal(solo_propose(&s), STATUS_OK);
    for (int i = 0; i < 30; i++) {
        solo_elapse(&s, SOLO_HEARTBEAT_MS);
        assert_int_equal(solo_receive(&s, from_ack(2, 1, 1)), STATUS_OK);
        struct raft_event delayed = {.kind = RAFT_EVENT_DELAYED,
                                     .durable = {s.batches[0].number, s.batches[0].term}};
        assert_int_equal(solo_step(&s, delayed), STATUS_OK);
        solo_forget(&s);
    }
    assert_int_equal(status_of(&s)->role, RAFT_LEADER);
    solo_stop(&s);
}

/* ---- In a net -------------------------------------------------------------------------------- */

static void a_node_back_from_long_isolation_does_not_move_the_term(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_isolate(net, 3);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(net_propose(net, 1, "a"), STATUS_OK);
        net_elapse(net, 5000);
    }
    raft_term term = net_status(net, 1)->term;
    assert_int_equal(net_status(net, 3)->term, term);
    net_heal(net);
    net_elapse(net, 5000);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_status(net, 1)->term, term);
    assert_int_equal(net_commit_index(net, 3), 11);
    net_free(net);
}

static void one_way_cuts_do_not_disturb_the_others(void **state) {
    (void)state;
    struct net *net = net_new(3, 1);
    net_elect(net, 1);
    net_cut_way(net, 1, 3); /* 3 hears the others' refusals, but no leader */
    net_elapse(net, 20000);
    assert_int_equal(net_leader(net), 1);
    assert_int_equal(net_status(net, 1)->term, 1);
    net_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_between_one_timeout_and_two),
        cmocka_unit_test(hearing_a_leader_starts_the_timer_anew),
        cmocka_unit_test(a_lost_leader_is_waited_for_until_its_lease_has_ended_and_little_more),
        cmocka_unit_test(those_who_lost_a_leader_take_turns),
        cmocka_unit_test(a_vote_is_given_once_a_lost_leaders_lease_has_ended),
        cmocka_unit_test(a_lost_peer_that_does_not_lead_changes_nothing),
        cmocka_unit_test(tells_why_it_campaigns),
        cmocka_unit_test(tells_why_it_left_office),
        cmocka_unit_test(a_lost_leader_that_speaks_again_is_followed),
        cmocka_unit_test(asks_before_it_moves_its_term),
        cmocka_unit_test(campaigns_once_a_majority_would_vote_for_it),
        cmocka_unit_test(a_yes_of_an_earlier_try_does_not_count),
        cmocka_unit_test(a_refused_pre_candidate_learns_the_term),
        cmocka_unit_test(a_pre_vote_promises_nothing),
        cmocka_unit_test(a_pre_vote_needs_a_log_as_good_and_a_later_term),
        cmocka_unit_test(a_vote_leaves_only_once_it_is_durable),
        cmocka_unit_test(requests_of_a_term_given_up_never_leave),
        cmocka_unit_test(votes_once_a_term_and_the_same_when_asked_again),
        cmocka_unit_test(a_vote_asked_twice_is_not_given_before_it_is_durable),
        cmocka_unit_test(a_refusal_moves_the_term_all_the_same),
        cmocka_unit_test(answers_a_vote_of_an_older_term_with_its_own),
        cmocka_unit_test(a_promise_of_an_older_term_is_forgotten),
        cmocka_unit_test(a_pre_candidate_still_votes_for_another),
        cmocka_unit_test(a_candidate_votes_for_nobody_else),
        cmocka_unit_test(a_majority_makes_a_leader_with_a_noop),
        cmocka_unit_test(the_same_voter_counts_once),
        cmocka_unit_test(a_learners_vote_does_not_count),
        cmocka_unit_test(a_learner_never_campaigns),
        cmocka_unit_test(a_candidate_yields_to_a_leader_of_its_term),
        cmocka_unit_test(a_majority_against_ends_the_candidacy),
        cmocka_unit_test(no_vote_within_a_timeout_of_hearing_a_leader),
        cmocka_unit_test(a_term_that_moves_otherwise_does_not_break_the_silence),
        cmocka_unit_test(a_leader_is_sticky_to_itself),
        cmocka_unit_test(a_transfer_the_leader_asked_for_goes_through),
        cmocka_unit_test(neither_votes_nor_campaigns_within_the_largest_timeout_it_declared),
        cmocka_unit_test(a_sole_voter_that_led_is_not_silent),
        cmocka_unit_test(a_sole_voter_that_followed_is_silent),
        cmocka_unit_test(a_sole_voter_that_was_made_so_in_this_term_is_silent),
        cmocka_unit_test(a_configuration_that_was_cut_has_the_term_it_is_told),
        cmocka_unit_test(steps_down_when_no_quorum_was_heard_for_a_timeout),
        cmocka_unit_test(one_of_two_peers_is_enough_to_stay),
        cmocka_unit_test(a_learner_does_not_keep_it_in_office),
        cmocka_unit_test(a_leader_whose_log_hangs_makes_room),
        cmocka_unit_test(a_full_disk_that_answers_is_no_hanging_one),
        cmocka_unit_test(a_node_back_from_long_isolation_does_not_move_the_term),
        cmocka_unit_test(one_way_cuts_do_not_disturb_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
