#include "support/log_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *data_file(const struct temporary *t) {
    return temporary_path(t, "data/log/00000001.seg");
}

/* ---- Identity ------------------------------------------------------------------------------ */

static void new_directory_gets_an_identity(void **state) {
    struct log_fixture f = {.options = {.name = "n1", .is_sole_voter = true}};
    fixture_open(&f, *state);
    assert_true(f.summary.is_new);
    assert_true(f.summary.identity.id != 0);
    assert_true(f.summary.identity.cluster_id != 0);
    assert_string_equal(f.summary.identity.name, "n1");
    assert_int_equal(f.summary.identity.start_counter, 1);
    assert_int_equal(f.summary.identity.previous_counter, 0);
    assert_int_equal(f.summary.first_index, 1);
    fixture_close(&f);
}

static void knows_no_cluster_unless_it_is_the_sole_voter(void **state) {
    struct log_fixture f = {.options = {.name = "n1"}};
    fixture_open(&f, *state);
    assert_int_equal(f.summary.identity.cluster_id, 0);
    assert_int_equal(f.summary.hard.term, 0);
    assert_int_equal(f.summary.last_index, 0);
    assert_int_equal(f.summary.configuration.count, 0);
    fixture_close(&f);
}

static void each_start_stores_a_new_pair_and_keeps_the_one_before(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    struct kv_identity before = f.summary.identity;
    for (uint64_t start = 2; start < 5; start++) {
        fixture_reopen(&f, *state);
        struct kv_identity now = f.summary.identity;
        assert_false(f.summary.is_new);
        assert_true(now.id == before.id);
        assert_int_equal(now.start_counter, start);
        assert_true(now.start_nonce != before.start_nonce);
        assert_int_equal(now.previous_counter, before.start_counter);
        assert_true(now.previous_nonce == before.start_nonce);
        before = now;
    }
    fixture_close(&f);
}

static void directory_name_wins_over_the_default(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    f.options.default_name = "container-2";
    fixture_reopen(&f, *state);
    assert_string_equal(f.summary.identity.name, "host");
    fixture_close(&f);
}

static void adopts_another_name_with_all_that_it_holds(void **state) {
    struct log_fixture f = {.options = {.name = "n1", .is_sole_voter = true}};
    fixture_open(&f, *state);
    fixture_append(&f, 2, 5, 1);
    struct kv_identity before = f.summary.identity;
    f.options = (struct kv_log_options){.name = "n2", .adopts_name = true};
    fixture_reopen(&f, *state);
    assert_string_equal(f.summary.identity.name, "n2");
    assert_true(f.summary.identity.id == before.id);
    assert_true(f.summary.identity.cluster_id == before.cluster_id);
    assert_true(f.summary.identity.previous_nonce == before.start_nonce);
    assert_int_equal(f.summary.last_index, 5);

    f.options = (struct kv_log_options){0};
    fixture_reopen(&f, *state);
    assert_string_equal(f.summary.identity.name, "n2"); /* for good */
    fixture_close(&f);
}

static void refuses_a_different_name_and_tells_its_own(void **state) {
    struct log_fixture f = {.options = {.name = "n1"}};
    fixture_open(&f, *state);
    fixture_close(&f);
    f.options.name = "n2";
    assert_int_equal(fixture_try_open(&f, *state), STATUS_INVALID);
    assert_string_equal(f.summary.identity.name, "n1");
    assert_non_null(strstr(kv_directory_problem(f.directory), "'n1'"));
    fixture_close(&f);

    f.options.name = "n1";
    fixture_open(&f, *state);
    assert_int_equal(f.summary.identity.start_counter, 2); /* the refused start left no pair */
    fixture_close(&f);
}

static void refuses_to_begin_anew_where_a_state_is(void **state) {
    struct log_fixture f = {0};
    struct kv_state_options options = {0};
    struct kv_state *store;
    struct kv_meta meta;
    struct kv_directory *directory;
    const char *path = temporary_path(*state, "data");
    assert_int_equal(kv_directory_open(path, &directory), STATUS_OK);
    assert_int_equal(kv_state_open(directory, 0, &options, &store, &meta), STATUS_OK);
    kv_state_close(store);
    kv_directory_close(directory);

    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
}

/* ---- Writing and reading ------------------------------------------------------------------- */

static void keeps_entries_and_vote_over_a_restart(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 10, 3);
    struct raft_hard_state hard = {.term = 7, .vote = 99};
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.hard = &hard}), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, 1);
    assert_int_equal(f.summary.last_index, 10);
    assert_int_equal(f.summary.last_term, 3);
    assert_int_equal(f.summary.hard.term, 7);
    assert_int_equal(f.summary.hard.vote, 99);
    assert_int_equal(fixture_read(&f, 1, 10, &seen), STATUS_OK);
    assert_int_equal(seen.count, 10);
    fixture_close(&f);
}

static void keeps_empty_and_largest_payloads(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    uint8_t *large = malloc(ENTRY_BYTES_MAX);
    assert_non_null(large);
    memset(large, 0x5a, ENTRY_BYTES_MAX);
    struct raft_entry entries[] = {
        {.index = 1, .term = 1, .type = RAFT_ENTRY_NOOP},
        {.index = 2,
         .term = 1,
         .type = RAFT_ENTRY_COMMAND,
         .payload = bytes_of(large, ENTRY_BYTES_MAX)},
    };
    struct raft_hard_state hard = {.term = 1};
    struct kv_log_batch batch = {.hard = &hard, .entries = entries, .entry_count = 2};
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 2);
    free(large);
    fixture_close(&f);
}

static void truncates_and_appends_in_one_batch(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 20, 1);
    struct raft_entry entries[] = {fixture_entry(16, 2, "payload-16-2."),
                                   fixture_entry(17, 2, "payload-17-2.")};
    struct raft_hard_state hard = {.term = 2};
    struct kv_log_batch batch = {.hard = &hard,
                                 .truncate_from = 16,
                                 .entries = entries,
                                 .entry_count = 2};
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 17);
    assert_int_equal(f.summary.last_term, 2);
    assert_int_equal(fixture_read(&f, 1, 17, &seen), STATUS_OK);
    assert_int_equal(fixture_read(&f, 18, 18, &seen), STATUS_NOT_FOUND);
    fixture_close(&f);
}

static void writes_a_group_of_batches_in_order(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    struct raft_entry a[] = {fixture_entry(1, 1, "payload-1-1."),
                             fixture_entry(2, 1, "payload-2-1.")};
    struct raft_entry b[] = {fixture_entry(2, 2, "payload-2-2.")};
    struct raft_hard_state hard[] = {{.term = 1}, {.term = 2}};
    struct kv_log_batch first = {.hard = &hard[0], .entries = a, .entry_count = 2};
    struct kv_log_batch second = {.hard = &hard[1],
                                  .truncate_from = 2,
                                  .entries = b,
                                  .entry_count = 1};
    const struct kv_log_batch *group[] = {&first, &second};
    assert_int_equal(kv_log_write(f.log, group, 2), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.hard.term, 2);
    assert_int_equal(f.summary.last_index, 2);
    assert_int_equal(fixture_read(&f, 1, 2, &seen), STATUS_OK);
    assert_int_equal(seen.last_term, 2);
    fixture_close(&f);
}

static void reads_a_long_range_in_order(void **state) {
    enum { COUNT = 3000 };
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    static char payloads[COUNT][32];
    static struct raft_entry entries[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(payloads[i], sizeof payloads[i], "payload-%zu-1.", i + 1);
        entries[i] = fixture_entry(i + 1, 1, payloads[i]);
    }
    struct raft_hard_state hard = {.term = 1};
    struct kv_log_batch batch = {.hard = &hard, .entries = entries, .entry_count = COUNT};
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
    assert_int_equal(fixture_read(&f, 1, COUNT, &seen), STATUS_OK);
    assert_int_equal(seen.count, COUNT);
    assert_int_equal(fixture_read(&f, 1500, 1501, &seen), STATUS_OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(fixture_read(&f, COUNT, COUNT + 1, &seen), STATUS_NOT_FOUND);
    fixture_close(&f);
}

static enum status stop_at_three(void *context, const struct raft_entry *entry) {
    size_t *count = context;
    ++*count;
    return entry->index == 3 ? STATUS_OVERLOAD : STATUS_OK;
}

static void stops_reading_when_the_visitor_says_so(void **state) {
    struct log_fixture f = {0};
    size_t count = 0;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 5, 1);
    assert_int_equal(kv_log_read(f.log, 1, 5, stop_at_three, &count), STATUS_OVERLOAD);
    assert_int_equal(count, 3);
    fixture_close(&f);
}

/* ---- Cutting ------------------------------------------------------------------------------- */

static void cut_keeps_the_last_term(void **state) {
    enum { COUNT = 2500 };
    struct log_fixture f = {0};
    struct seen seen;
    raft_index first;
    fixture_open(&f, *state);
    static struct raft_entry entries[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        entries[i] = fixture_entry(i + 1, 4, "x");
    struct raft_hard_state hard = {.term = 4};
    struct kv_log_batch batch = {.hard = &hard, .entries = entries, .entry_count = COUNT};
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);

    assert_int_equal(kv_log_cut(f.log, 2400, &first), STATUS_OK);
    assert_int_equal(first, 2401);
    assert_int_equal(kv_log_cut(f.log, 100, &first), STATUS_OK);
    assert_int_equal(first, 2401);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, 2401);
    assert_int_equal(f.summary.last_index, COUNT);
    assert_int_equal(fixture_read(&f, 2400, 2400, &seen), STATUS_NOT_FOUND);

    assert_int_equal(kv_log_cut(f.log, COUNT, &first), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, COUNT + 1);
    assert_int_equal(f.summary.last_index, COUNT);
    assert_int_equal(f.summary.last_term, 4);
    assert_int_equal(f.summary.hard.term, 4);
    fixture_append(&f, COUNT + 1, COUNT + 1, 5);
    fixture_close(&f);
}

/* 40 MB through the log, of which 200 KB are kept: segments go, and so does the beginning of the
 * first one that stays. */
static void disk_space_is_given_back_when_it_is_cut(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    fixture_open(&f, *state);
    static char text[20000];
    memset(text, 'x', sizeof text - 1);
    struct raft_hard_state hard = {.term = 1};
    for (raft_index i = 1; i <= 2000; i++) {
        struct raft_entry entry = fixture_entry(i, 1, text);
        struct kv_log_batch batch = {.hard = &hard, .entries = &entry, .entry_count = 1};
        assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
        if (i > 10)
            assert_int_equal(kv_log_cut(f.log, i - 10, &first), STATUS_OK);
        assert_true(kv_log_file_bytes(f.log) <= 8 * MIB);
    }
    assert_true(f.log->head.segments.newest > 1);
    assert_false(kv__path_exists(data_file(*state)));
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.first_index, 1991);
    assert_int_equal(f.summary.last_index, 2000);
    fixture_close(&f);
}

/* ---- Damage -------------------------------------------------------------------------------- */

static void flipped_bit_in_the_last_entry_stops_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 40, 1);
    fixture_close(&f);
    temporary_flip(data_file(*state), "payload-40-1.", 13, 2);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "log/"));
    fixture_close(&f);
}

static void flipped_bit_in_the_middle_stops_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 100, 1);
    fixture_close(&f);
    temporary_flip(data_file(*state), "payload-50-1.", 13, 2);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "log/00000001.seg at "));
    fixture_close(&f);
}

static void flipped_bit_is_met_by_the_reader(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 100, 1);
    temporary_flip(data_file(*state), "payload-50-1.", 13, 2);
    assert_int_equal(fixture_read(&f, 1, 100, &seen), STATUS_CORRUPT);
    assert_int_equal(seen.count, 49);
    fixture_close(&f);
}

static void record_of_a_later_version_is_told_from_damage(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 1, 1);
    struct raft_entry entry = {.index = 2, .term = 1, .type = (enum raft_entry_type)99};
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.entries = &entry, .entry_count = 1}),
                     STATUS_OK);
    fixture_close(&f);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_UNSUPPORTED);
    fixture_close(&f);
}

static enum status delete_one(struct log_fixture *f, struct bytes key) {
    struct kv_writer writer;
    struct kv_demand demand = {0};
    enum status status = kv__writer_begin(f->log->env, &demand, true, &writer);
    assert_int_equal(status, STATUS_OK);
    return kv__writer_end(&writer, kv__writer_delete(&writer, key));
}

static void missing_vote_stops_the_start(void **state) {
    struct log_fixture f = {0};
    uint8_t memory[KV_LOG_META_KEY_BYTES];
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    assert_int_equal(delete_one(&f, kv__log_meta_key(KV_LOG_HARD, memory)), STATUS_OK);
    fixture_close(&f);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
}

static void missing_segment_stops_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    fixture_close(&f);
    assert_int_equal(kv__segment_remove(temporary_path(*state, "data/log"), 1), STATUS_OK);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "missing"));
    fixture_close(&f);
}

static void lost_meta_records_stop_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    fixture_close(&f);
    assert_int_equal(remove(temporary_path(*state, "data/log/data.mdb")), 0);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT); /* and again */
    fixture_close(&f);
}

/* To every length from the head to a page behind the last frame. */
static void shortened_segment_is_refused_instead_of_read(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 5, 1);
    size_t end = (size_t)f.log->next.offset;
    fixture_close(&f);
    for (size_t len = end + KV_SEGMENT_SLACK_BYTES; len-- > KV_SEGMENT_HEAD_BYTES - 2;) {
        temporary_truncate(data_file(*state), len);
        assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
        fixture_close(&f);
        if (len > end + 100 && len < end + KV_SEGMENT_SLACK_BYTES - 100)
            len -= 97; /* nothing but zeros there */
    }
}

static void shortened_environment_is_refused_instead_of_read(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    for (int i = 0; i < 20; i++)
        assert_int_equal(kv_log_join(f.log, 7), STATUS_OK);
    fixture_close(&f);
    temporary_truncate(temporary_path(*state, "data/log/data.mdb"), 2 * 4096);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "missing at its end"));
    fixture_close(&f);
    temporary_truncate(temporary_path(*state, "data/log/data.mdb"), 100);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
}

static void nothing_is_written_after_a_failed_commit(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    f.log->has_failed = true; /* as a failed sync leaves it */
    struct raft_hard_state hard = {.term = 2};
    struct kv_log_batch vote = {.hard = &hard, .is_essential = true};
    assert_int_equal(fixture_write(&f, &vote), STATUS_IO);
    assert_int_equal(kv_log_cut(f.log, 2, &first), STATUS_IO);
    assert_int_equal(kv_log_note_write(f.log, bytes_of_text("a"), bytes_of_text("b")), STATUS_IO);
    fixture_close(&f);
}

/* ---- A full disk --------------------------------------------------------------------------- */

#define DISK_BYTES (8 * MIB)

static void open_on_small_disk(struct log_fixture *f, struct temporary *t) {
    if (!temporary_mount(t, DISK_BYTES)) {
        print_message("skipped: no permission to mount a tmpfs\n");
        skip();
    }
    f->options.reserve_bytes = 1 * MIB;
    fixture_open(f, t);
    fixture_append(f, 1, 3, 1);
    temporary_fill(t, 0);
}

/* Writes client entries until the disk has no more room; returns the next index. */
static raft_index write_until_full(struct log_fixture *f, raft_index next) {
    static char text[30000];
    memset(text, 'y', sizeof text - 1);
    struct raft_entry entry = fixture_entry(next, 1, text);
    struct kv_log_batch batch = {.entries = &entry, .entry_count = 1};
    enum status status;
    while ((status = fixture_write(f, &batch)) == STATUS_OK)
        entry.index++;
    assert_int_equal(status, STATUS_DISK_FULL);
    return entry.index;
}

static void full_disk_refuses_clients_and_still_takes_votes(void **state) {
    struct log_fixture f = {0};
    open_on_small_disk(&f, *state);
    raft_index next = write_until_full(&f, 4);
    assert_int_equal(kv__log_index_last(&f.log->index), next - 1);
    assert_false(kv_log_has_room(f.log, 30000));

    for (raft_term term = 2; term < 60; term++) {
        struct raft_hard_state hard = {.term = term, .vote = term};
        struct raft_entry noop = {.index = next, .term = term, .type = RAFT_ENTRY_NOOP};
        struct kv_log_batch vote = {.hard = &hard, .is_essential = true};
        struct kv_log_batch first = {.truncate_from = term % 2 ? next : 0,
                                     .entries = &noop,
                                     .entry_count = term % 2,
                                     .is_essential = true};
        const struct kv_log_batch *group[] = {&vote, &first};
        assert_int_equal(kv_log_write(f.log, group, 2), STATUS_OK);
    }
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.hard.term, 59);
    assert_int_equal(f.summary.last_index, next);
    fixture_close(&f);
}

static void works_again_once_there_is_room(void **state) {
    struct log_fixture f = {0};
    open_on_small_disk(&f, *state);
    raft_index next = write_until_full(&f, 4);
    temporary_unfill(*state);
    assert_true(kv_log_has_room(f.log, 64 * KIB));
    struct raft_entry entry = fixture_entry(next, 1, "again");
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.entries = &entry, .entry_count = 1}),
                     STATUS_OK);
    fixture_close(&f);
}

static void cutting_makes_room_on_a_full_disk(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    open_on_small_disk(&f, *state);
    temporary_unfill(*state);
    temporary_fill(*state, 3 * MIB);
    raft_index next = write_until_full(&f, 4);
    assert_int_equal(kv_log_cut(f.log, next - 1, &first), STATUS_OK);
    struct raft_hard_state hard = {.term = 2};
    struct kv_log_batch vote = {.hard = &hard, .is_essential = true};
    assert_int_equal(fixture_write(&f, &vote), STATUS_OK);
    assert_int_equal(fixture_write(&f, &vote), STATUS_OK);
    assert_true(kv_log_has_room(f.log, 4096));
    fixture_append(&f, next, next + 20, 2);
    fixture_close(&f);
}

static void starts_on_a_full_disk(void **state) {
    struct log_fixture f = {0};
    open_on_small_disk(&f, *state);
    (void)write_until_full(&f, 4);
    for (int i = 0; i < 20; i++)
        fixture_reopen(&f, *state);
    assert_int_equal(f.summary.identity.start_counter, 21);
    fixture_close(&f);
}

/* ---- Threads ------------------------------------------------------------------------------- */

static enum status count_entry(void *context, const struct raft_entry *entry) {
    size_t *count = context;
    *count += entry->payload.len > 0;
    return STATUS_OK;
}

static void *read_again_and_again(void *context) {
    struct log_fixture *f = context;
    for (int i = 0; i < 200; i++) {
        size_t count = 0;
        assert_int_equal(kv_log_read(f->log, 1, 10, count_entry, &count), STATUS_OK);
        assert_int_equal(count, 10);
        (void)kv_log_has_room(f->log, 4096);
        (void)kv_log_file_bytes(f->log);
    }
    return NULL;
}

static void another_thread_reads_while_it_is_written(void **state) {
    struct log_fixture f = {0};
    pthread_t reader;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 10, 1);
    assert_int_equal(pthread_create(&reader, NULL, read_again_and_again, &f), 0);
    fixture_append(&f, 11, 100, 1);
    assert_int_equal(pthread_join(reader, NULL), 0);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(new_directory_gets_an_identity),
        TEST(knows_no_cluster_unless_it_is_the_sole_voter),
        TEST(each_start_stores_a_new_pair_and_keeps_the_one_before),
        TEST(directory_name_wins_over_the_default),
        TEST(adopts_another_name_with_all_that_it_holds),
        TEST(refuses_a_different_name_and_tells_its_own),
        TEST(refuses_to_begin_anew_where_a_state_is),
        TEST(keeps_entries_and_vote_over_a_restart),
        TEST(keeps_empty_and_largest_payloads),
        TEST(truncates_and_appends_in_one_batch),
        TEST(writes_a_group_of_batches_in_order),
        TEST(reads_a_long_range_in_order),
        TEST(stops_reading_when_the_visitor_says_so),
        TEST(cut_keeps_the_last_term),
        TEST(disk_space_is_given_back_when_it_is_cut),
        TEST(flipped_bit_in_the_last_entry_stops_the_start),
        TEST(flipped_bit_in_the_middle_stops_the_start),
        TEST(flipped_bit_is_met_by_the_reader),
        TEST(record_of_a_later_version_is_told_from_damage),
        TEST(missing_vote_stops_the_start),
        TEST(missing_segment_stops_the_start),
        TEST(lost_meta_records_stop_the_start),
        TEST(shortened_segment_is_refused_instead_of_read),
        TEST(shortened_environment_is_refused_instead_of_read),
        TEST(nothing_is_written_after_a_failed_commit),
        TEST(full_disk_refuses_clients_and_still_takes_votes),
        TEST(works_again_once_there_is_room),
        TEST(cutting_makes_room_on_a_full_disk),
        TEST(starts_on_a_full_disk),
        TEST(another_thread_reads_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
