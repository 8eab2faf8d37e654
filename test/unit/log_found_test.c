#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CLUSTER 4711

static struct bytes encode(const struct raft_configuration *configuration,
                           uint8_t memory[RAFT_CONFIGURATION_BYTES_MAX]) {
    size_t len = raft_configuration_encode(configuration, memory, RAFT_CONFIGURATION_BYTES_MAX);
    return bytes_of(memory, len);
}

static enum status found(struct log_fixture *f, uint64_t cluster_id, size_t voters) {
    uint8_t memory[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration configuration = fixture_voters(voters, 1);
    return kv_log_found(f->log, cluster_id, encode(&configuration, memory));
}

static void sole_voter_founds_a_cluster_of_itself(void **state) {
    struct log_fixture f = {.options = {.name = "n1", .is_sole_voter = true}};
    fixture_open(&f, *state);
    for (int start = 0; start < 2; start++) {
        const struct raft_configuration *configuration = &f.summary.configuration;
        assert_int_equal(f.summary.last_index, 1);
        assert_int_equal(f.summary.last_term, 1);
        assert_int_equal(f.summary.hard.term, 1);
        assert_int_equal(f.summary.hard.vote, 0);
        assert_int_equal(configuration->index, 1);
        assert_int_equal(configuration->count, 1);
        assert_true(configuration->members[0].id == f.summary.identity.id);
        assert_int_equal(configuration->members[0].rights, RAFT_VOTER_NEW);
        assert_string_equal(configuration->members[0].name, "n1");
        assert_int_equal(f.summary.configuration_before.count, 0);
        fixture_reopen(&f, *state);
    }
    fixture_append(&f, 2, 3, 2);
    fixture_close(&f);
}

static void founding_is_the_first_entry_and_the_cluster_in_one(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(found(&f, CLUSTER, 3), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.identity.cluster_id, CLUSTER);
    assert_int_equal(f.summary.first_index, 1);
    assert_int_equal(f.summary.last_index, 1);
    assert_int_equal(f.summary.last_term, 1);
    assert_int_equal(f.summary.hard.term, 1);
    assert_int_equal(f.summary.configuration.index, 1);
    assert_int_equal(f.summary.configuration.count, 3);
    fixture_append(&f, 2, 2, 2);
    fixture_close(&f);
}

static void founding_again_changes_nothing(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(found(&f, CLUSTER, 3), STATUS_OK);
    assert_int_equal(found(&f, CLUSTER + 1, 5), STATUS_BUSY);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.identity.cluster_id, CLUSTER);
    assert_int_equal(f.summary.configuration.count, 3);
    fixture_close(&f);
}

static void log_with_entries_founds_nothing(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 2, 1);
    assert_int_equal(found(&f, CLUSTER, 3), STATUS_BUSY);
    assert_int_equal(kv_log_join(f.log, CLUSTER), STATUS_BUSY);
    fixture_close(&f);
}

static void founding_keeps_a_higher_term(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    struct raft_hard_state hard = {.term = 6, .vote = 2};
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.hard = &hard}), STATUS_OK);
    assert_int_equal(found(&f, CLUSTER, 3), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.hard.term, 6);
    assert_int_equal(f.summary.hard.vote, 2);
    fixture_close(&f);
}

static void refuses_to_found_with_what_is_no_configuration(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(kv_log_found(f.log, CLUSTER, bytes_of_text("members?")), STATUS_INVALID);
    assert_int_equal(found(&f, CLUSTER, 0), STATUS_INVALID);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.identity.cluster_id, 0);
    assert_int_equal(f.summary.last_index, 0);
    fixture_close(&f);
}

static void blank_node_learns_the_cluster_it_joins(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(kv_log_join(f.log, CLUSTER), STATUS_OK);
    assert_int_equal(kv_log_join(f.log, CLUSTER), STATUS_OK);
    assert_int_equal(kv_log_join(f.log, CLUSTER + 1), STATUS_BUSY);
    assert_int_equal(found(&f, CLUSTER, 3), STATUS_BUSY);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.identity.cluster_id, CLUSTER);
    assert_int_equal(f.summary.last_index, 0);
    assert_int_equal(f.summary.hard.term, 0);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sole_voter_founds_a_cluster_of_itself),
        TEST(founding_is_the_first_entry_and_the_cluster_in_one),
        TEST(founding_again_changes_nothing),
        TEST(log_with_entries_founds_nothing),
        TEST(founding_keeps_a_higher_term),
        TEST(refuses_to_found_with_what_is_no_configuration),
        TEST(blank_node_learns_the_cluster_it_joins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
