/* Sessions: a request with a request id takes effect once. Time is what the log says. */
#include "kv/machine.h"
#include "support/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ANNA 1
#define BERT 2

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

#define SESSIONS_FULL ((uint64_t)SESSIONS_MAX)

static void assert_applied(struct kv_response response, int64_t revision) {
    assert_int_equal(response.status, STATUS_OK);
    assert_int_equal(response.revision, revision);
}

/* An earlier try may have been applied: no refusal by a session says that it was not. */
static void assert_aborted(struct kv_response response, const char *detail) {
    assert_int_equal(response.status, STATUS_ABORTED);
    assert_false(response.is_not_applied);
    assert_string_equal(response.detail, detail);
}

#define BELOW_WINDOW "request_id: the sequence is below the last 256"
#define UNKNOWN_CLIENT "request_id: unknown client with a sequence above 256"

/* ---- Once ---------------------------------------------------------------------------------- */

static void a_retried_put_takes_effect_once(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "first"), 1);
    assert_applied(replica_put(r, "k", "of another"), 2);
    assert_applied(replica_put_as(r, ANNA, 1, "k", "first"), 1);
    assert_string_equal(replica_value(r, "k"), "of another");
    assert_int_equal(replica_meta(r)->revision, 2);
}

static struct kv_response delete_as(struct replica *r, uint64_t client_id, uint64_t sequence,
                                    const char *key) {
    struct kv_request request = {.operation = KV_DELETE,
                                 .key = bytes_of_text(key),
                                 .has_request_id = true,
                                 .client_id = client_id,
                                 .sequence = sequence};
    return replica_write(r, &request);
}

static void a_retried_delete_still_says_that_the_key_was_there(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "v");
    assert_true(delete_as(r, ANNA, 1, "k").is_found);
    replica_put(r, "k", "risen");
    struct kv_response again = delete_as(r, ANNA, 1, "k");
    assert_applied(again, 2);
    assert_true(again.is_found);
    assert_string_equal(replica_value(r, "k"), "risen");
    assert_false(delete_as(r, ANNA, 2, "none").is_found);
    assert_false(delete_as(r, ANNA, 2, "none").is_found);
}

static struct kv_response put_new_as(struct replica *r, uint64_t client_id, uint64_t sequence,
                                     const char *key) {
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text(key),
                                 .has_prev_revision = true,
                                 .has_request_id = true,
                                 .client_id = client_id,
                                 .sequence = sequence};
    return replica_write(r, &request);
}

static void a_failed_precondition_is_an_answer_like_any_other(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "v");
    struct kv_response first = put_new_as(r, ANNA, 1, "k");
    replica_delete(r, "k");
    struct kv_response again = put_new_as(r, ANNA, 1, "k"); /* it would match now */
    assert_int_equal(first.status, STATUS_PRECONDITION);
    assert_int_equal(again.status, STATUS_PRECONDITION);
    assert_true(first.is_not_applied && again.is_not_applied);
    assert_ptr_equal(again.detail, first.detail);
    assert_int_equal(again.revision, first.revision);
    assert_string_equal(replica_value(r, "k"), "");
}

static void a_retry_with_other_words_gets_the_first_answer(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "first"), 1);
    assert_applied(replica_put_as(r, ANNA, 1, "other", "second"), 1);
    assert_string_equal(replica_value(r, "other"), "");
}

static void clients_do_not_know_of_each_other(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "a"), 1);
    assert_applied(replica_put_as(r, BERT, 1, "k", "b"), 2);
    assert_applied(replica_put_as(r, ANNA, 1, "k", "a"), 1);
    assert_int_equal(replica_meta(r)->session_count, 2);
}

static void sessions_survive_flush_and_restart(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "a"), 1);
    replica_flush(r);
    assert_applied(replica_put_as(r, ANNA, 1, "k", "a"), 1);
    replica_restart(r);
    assert_applied(replica_put_as(r, ANNA, 1, "k", "a"), 1);
    assert_applied(replica_put_as(r, ANNA, 2, "k", "a"), 2);
}

/* ---- The window ---------------------------------------------------------------------------- */

static void sequences_may_arrive_out_of_order(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 7, "k", "seven"), 1);
    assert_applied(replica_put_as(r, ANNA, 5, "k", "five"), 2);
    assert_applied(replica_put_as(r, ANNA, 7, "k", "seven"), 1);
    assert_applied(replica_put_as(r, ANNA, 5, "k", "five"), 2);
    assert_string_equal(replica_value(r, "k"), "five");
}

static void below_the_window_is_aborted_and_nothing_applied(void **state) {
    struct replica *r = *state;
    for (uint64_t sequence = 1; sequence <= 257; sequence++)
        assert_applied(replica_put_as(r, ANNA, sequence, "k", "v"), (int64_t)sequence);
    struct kv_meta before = *replica_meta(r);
    assert_aborted(replica_put_as(r, ANNA, 1, "k", "again"), BELOW_WINDOW);
    assert_int_equal(replica_meta(r)->hash, before.hash);
    assert_int_equal(replica_meta(r)->revision, before.revision);
    assert_applied(replica_put_as(r, ANNA, 2, "k", "again"), 2);
    assert_string_equal(replica_value(r, "k"), "v");
}

static void a_gap_below_the_newest_is_still_open_inside_the_window(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "v"), 1);
    assert_applied(replica_put_as(r, ANNA, 1000, "k", "v"), 2);
    assert_aborted(replica_put_as(r, ANNA, 744, "k", "v"), BELOW_WINDOW);
    assert_applied(replica_put_as(r, ANNA, 745, "k", "v"), 3);
    assert_aborted(replica_put_as(r, ANNA, 1, "k", "v"), BELOW_WINDOW);
    /* 769 % 256 == 1: the slot holds the answer to 1, which is not one to 769. */
    assert_applied(replica_put_as(r, ANNA, 769, "k", "v"), 4);
}

static void an_older_sequence_does_not_move_the_window_back(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 256, "k", "v"), 1);
    assert_applied(replica_put_as(r, ANNA, 260, "k", "v"), 2);
    assert_applied(replica_put_as(r, ANNA, 5, "k", "v"), 3);
    assert_aborted(replica_put_as(r, ANNA, 4, "k", "v"), BELOW_WINDOW);
}

static void sequences_may_reach_the_greatest_number(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, UINT64_MAX, 1, "k", "v"), 1);
    assert_applied(replica_put_as(r, UINT64_MAX, UINT64_MAX, "k", "v"), 2);
    assert_applied(replica_put_as(r, UINT64_MAX, UINT64_MAX, "k", "v"), 2);
    assert_aborted(replica_put_as(r, UINT64_MAX, UINT64_MAX - 256, "k", "v"), BELOW_WINDOW);
    assert_applied(replica_put_as(r, UINT64_MAX, UINT64_MAX - 255, "k", "v"), 3);
}

static void an_unknown_client_may_start_anywhere_up_to_256(void **state) {
    struct replica *r = *state;
    assert_aborted(replica_put_as(r, ANNA, 257, "k", "v"), UNKNOWN_CLIENT);
    assert_aborted(replica_put_as(r, ANNA, UINT64_MAX, "k", "v"), UNKNOWN_CLIENT);
    assert_int_equal(replica_meta(r)->session_count, 0);
    assert_int_equal(replica_meta(r)->record_count, 0);
    assert_applied(replica_put_as(r, ANNA, 256, "k", "v"), 1);
    assert_applied(replica_put_as(r, ANNA, 257, "k", "v"), 2);
}

/* ---- Time ---------------------------------------------------------------------------------- */

static void a_session_lives_for_exactly_an_hour_unused(void **state) {
    struct replica *r = *state;
    r->now_ms = 5000;
    assert_applied(replica_put_as(r, ANNA, 300 - 256, "k", "v"), 1);
    assert_applied(replica_put_as(r, ANNA, 300, "k", "v"), 2);
    r->now_ms += HOUR_MS;
    assert_applied(replica_put_as(r, ANNA, 300, "k", "v"), 2);
    r->now_ms += HOUR_MS + 1;
    assert_aborted(replica_put_as(r, ANNA, 300, "k", "v"), UNKNOWN_CLIENT);
    assert_int_equal(replica_meta(r)->session_count, 0);
    assert_int_equal(replica_meta(r)->record_count, 1);
}

static void being_used_keeps_a_session(void **state) {
    struct replica *r = *state;
    for (uint64_t sequence = 1; sequence <= 5; sequence++, r->now_ms += HOUR_MS)
        assert_applied(replica_put_as(r, ANNA, sequence, "k", "v"), (int64_t)sequence);
    assert_applied(replica_put_as(r, ANNA, 1, "k", "v"), 1); /* so does a retry */
    r->now_ms += HOUR_MS;
    assert_applied(replica_put_as(r, ANNA, 2, "k", "v"), 2);
}

static void a_retry_after_61_minutes_finds_no_session(void **state) {
    struct replica *r = *state;
    assert_applied(replica_put_as(r, ANNA, 1, "k", "v"), 1);
    assert_applied(replica_put_as(r, ANNA, 257, "k", "v"), 2);
    r->now_ms += 61 * MINUTE_MS;
    assert_aborted(replica_put_as(r, ANNA, 257, "k", "v"), UNKNOWN_CLIENT);
    /* A small sequence cannot be told from a new client's: the promise is an hour. */
    assert_applied(replica_put_as(r, ANNA, 1, "k", "v"), 3);
    assert_int_equal(replica_meta(r)->session_count, 1);
}

static void nothing_of_the_old_session_is_left_in_the_new_one(void **state) {
    struct replica *r = *state;
    for (uint64_t sequence = 1; sequence <= 256; sequence++)
        replica_put_as(r, ANNA, sequence, "k", "v");
    replica_flush(r);
    r->now_ms += HOUR_MS + 1;
    assert_applied(replica_put_as(r, ANNA, 9, "k", "v"), 257);
    assert_applied(replica_put_as(r, ANNA, 8, "k", "v"), 258);
    assert_int_equal(replica_meta(r)->record_count, 1 + 1 + 2);
}

static void time_passes_with_any_command_and_never_goes_back(void **state) {
    struct replica *r = *state;
    replica_put_as(r, ANNA, 1, "k", "v");
    r->now_ms = HOUR_MS + 1;
    replica_put(r, "k", "without a request id");
    r->now_ms = 0;
    assert_aborted(replica_put_as(r, ANNA, 257, "k", "v"), UNKNOWN_CLIENT);
    assert_int_equal(replica_meta(r)->logged_ms, HOUR_MS + 1);
}

/* ---- The sweep ------------------------------------------------------------------------------ */

static void idle_sessions_end_without_their_clients(void **state) {
    struct replica *r = *state;
    for (uint64_t client = 1; client <= 100; client++)
        replica_put_as(r, client, 1, "k", "v");
    replica_flush(r);
    r->now_ms += HOUR_MS + 1;
    for (uint64_t sequence = 1; sequence <= 26; sequence++)
        replica_put_as(r, 1000, sequence, "k", "v");
    assert_int_equal(replica_meta(r)->session_count, 1);
    assert_int_equal(replica_meta(r)->record_count, 1 + 1 + 26);
}

static void a_round_leaves_sessions_in_use_alone(void **state) {
    struct replica *r = *state;
    for (uint64_t client = 1; client <= 10; client++)
        replica_put_as(r, client, 1, "k", "v");
    r->now_ms += HOUR_MS / 2;
    for (uint64_t client = 2; client <= 10; client += 2)
        replica_put_as(r, client, 2, "k", "v");
    r->now_ms += HOUR_MS / 2 + 1;
    for (uint64_t sequence = 3; sequence < 10; sequence++)
        replica_put_as(r, 2, sequence, "k", "v");
    assert_int_equal(replica_meta(r)->session_count, 5);
    assert_applied(replica_put_as(r, 4, 2, "k", "v"), 12);
}

static void a_round_starts_again_ten_seconds_later(void **state) {
    struct replica *r = *state;
    replica_put_as(r, ANNA, 1, "k", "v");
    r->now_ms = 10000;
    replica_put_as(r, BERT, 1, "k", "v"); /* looks at the only session, and is at the end */
    assert_int_equal(replica_meta(r)->sweep_client, 0);
    r->now_ms = 19999;
    replica_put(r, "k", "v");
    assert_int_equal(replica_meta(r)->sweep_client, 0);
    r->now_ms = 20000;
    replica_put(r, "k", "v");
    assert_int_equal(replica_meta(r)->sweep_client, 1);
}

static void a_round_under_way_is_not_begun_anew(void **state) {
    struct replica *r = *state;
    for (uint64_t client = 1; client <= 10; client++)
        replica_put_as(r, client, 1, "k", "v");
    for (uint64_t looked_at = 4; looked_at <= 8; looked_at += 4) {
        r->now_ms += 10000;
        replica_put_as(r, ANNA, 1, "k", "v");
        assert_int_equal(replica_meta(r)->sweep_client, looked_at + 1);
    }
}

static void the_sweep_reaches_the_greatest_client(void **state) {
    struct replica *r = *state;
    replica_put_as(r, UINT64_MAX, 1, "k", "v");
    r->now_ms += HOUR_MS + 1;
    replica_put_as(r, ANNA, 1, "k", "v");
    assert_int_equal(replica_meta(r)->session_count, 1);
    assert_int_equal(replica_meta(r)->sweep_client, 0);
}

/* ---- The full table ------------------------------------------------------------------------- */

static void assert_table_is_full(struct kv_response response) {
    assert_int_equal(response.status, STATUS_OVERLOAD);
    assert_false(response.is_not_applied);
    assert_string_equal(response.detail, "request_id: the session table is full");
}

static void finish_round(struct replica *r) {
    do
        replica_put_as(r, 1, 1, "k", "v");
    while (replica_meta(r)->sweep_client != 0);
}

static void a_full_table_refuses_new_clients_until_old_ones_are_idle(void **state) {
    struct replica *r = *state;
    for (uint64_t client = 1; client <= SESSIONS_FULL; client++)
        assert_applied(replica_put_as(r, client, 1, "k", "v"), (int64_t)client);
    uint64_t records = replica_meta(r)->record_count;

    /* It refuses whoever is new, changes nothing, and evicts nobody. */
    assert_table_is_full(replica_put_as(r, SESSIONS_FULL + 1, 1, "k", "v"));
    assert_int_equal(replica_meta(r)->session_count, SESSIONS_FULL);
    assert_int_equal(replica_meta(r)->record_count, records);
    assert_int_equal(replica_meta(r)->revision, SESSIONS_FULL);
    assert_applied(replica_put_as(r, 1, 1, "k", "v"), 1);
    assert_applied(replica_put_as(r, SESSIONS_FULL, 1, "k", "v"), (int64_t)SESSIONS_FULL);
    assert_applied(replica_put(r, "k", "who has no request id"), (int64_t)SESSIONS_FULL + 1);

    /* An hour later, all but two are idle. */
    r->now_ms += HOUR_MS;
    assert_table_is_full(replica_put_as(r, SESSIONS_FULL + 1, 1, "k", "v"));
    assert_applied(replica_put_as(r, 1, 1, "k", "v"), 1);
    assert_applied(replica_put_as(r, SESSIONS_FULL, 1, "k", "v"), (int64_t)SESSIONS_FULL);
    r->now_ms += 1;
    assert_int_equal(replica_put_as(r, SESSIONS_FULL + 1, 1, "k", "v").status, STATUS_OK);
    finish_round(r);
    r->now_ms += 10000;
    finish_round(r); /* of those that the first one came to before they were idle */
    assert_int_equal(replica_meta(r)->session_count, 3);
}

/* ---- Damage --------------------------------------------------------------------------------- */

static struct bytes key_of_session(uint8_t memory[9], uint64_t client_id) {
    uint64_t big_endian = htobe64(client_id);
    memory[0] = KV_TABLE_SESSION;
    memcpy(memory + 1, &big_endian, 8);
    return bytes_of(memory, 9);
}

static enum status try_put_as(struct replica *r, uint64_t client_id, uint64_t sequence) {
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text("k"),
                                 .has_request_id = true,
                                 .client_id = client_id,
                                 .sequence = sequence};
    uint8_t payload[64];
    struct kv_response response;
    size_t size = kv_command_size(&request);
    kv_command_encode(&request, r->now_ms, payload, size);
    return replica_try(r, RAFT_ENTRY_COMMAND, bytes_of(payload, size), &response);
}

static void a_damaged_session_stops_the_machine(void **state) {
    struct replica *r = *state;
    uint8_t memory[9];
    replica_put_as(r, ANNA, 1, "k", "v");
    replica_flush(r);
    memory_base_damage(r->base, key_of_session(memory, ANNA));
    assert_int_equal(try_put_as(r, ANNA, 2), STATUS_CORRUPT);
    assert_int_equal(kv_machine_damaged(r->machine), 1);
    assert_int_equal(replica_meta(r)->revision, 1);
}

/* A record whose seal fits and whose body is of another version than ours. */
static void a_session_of_a_later_format_stops_the_machine(void **state) {
    struct replica *r = *state;
    uint8_t memory[9];
    uint8_t record[KV_SEAL_BYTES + 17] = {[KV_SEAL_BYTES] = 2};
    struct bytes key = key_of_session(memory, ANNA);
    kv__record_seal(key, record, sizeof record);
    memory_base_write(r->base, key, bytes_of(record, sizeof record));
    (void)memory_base_reopen(r->base);
    assert_int_equal(try_put_as(r, ANNA, 1), STATUS_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, replica_setup, replica_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_retried_put_takes_effect_once),
        TEST(a_retried_delete_still_says_that_the_key_was_there),
        TEST(a_failed_precondition_is_an_answer_like_any_other),
        TEST(a_retry_with_other_words_gets_the_first_answer),
        TEST(clients_do_not_know_of_each_other),
        TEST(sessions_survive_flush_and_restart),
        TEST(sequences_may_arrive_out_of_order),
        TEST(below_the_window_is_aborted_and_nothing_applied),
        TEST(a_gap_below_the_newest_is_still_open_inside_the_window),
        TEST(an_older_sequence_does_not_move_the_window_back),
        TEST(sequences_may_reach_the_greatest_number),
        TEST(an_unknown_client_may_start_anywhere_up_to_256),
        TEST(a_session_lives_for_exactly_an_hour_unused),
        TEST(being_used_keeps_a_session),
        TEST(a_retry_after_61_minutes_finds_no_session),
        TEST(nothing_of_the_old_session_is_left_in_the_new_one),
        TEST(time_passes_with_any_command_and_never_goes_back),
        TEST(idle_sessions_end_without_their_clients),
        TEST(a_round_leaves_sessions_in_use_alone),
        TEST(a_round_starts_again_ten_seconds_later),
        TEST(a_round_under_way_is_not_begun_anew),
        TEST(the_sweep_reaches_the_greatest_client),
        TEST(a_full_table_refuses_new_clients_until_old_ones_are_idle),
        TEST(a_damaged_session_stops_the_machine),
        TEST(a_session_of_a_later_format_stops_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
