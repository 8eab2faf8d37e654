#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What tests do to a segment -------------------------------------------------------------- */

static const char *segment_path(const struct temporary *t, uint64_t number) {
    char name[64];
    (void)snprintf(name, sizeof name, "data/log/%08llu.seg", (unsigned long long)number);
    return temporary_path(t, name);
}

/* Bytes `from` to `to` become zeros, or lose a bit. */
static void change(const char *path, uint64_t from, uint64_t to, bool is_flip) {
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (uint64_t at = from; at < to; at++) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        byte = is_flip ? byte ^ 0x08 : 0;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    assert_int_equal(close(fd), 0);
}

/* Large entries, until there is a segment of that number; returns the last index. */
static raft_index write_until_segment(struct log_fixture *f, raft_index next, uint64_t number) {
    static char text[400000];
    memset(text, 'x', sizeof text - 1);
    struct raft_hard_state hard = {.term = 3, .vote = 5};
    while (f->log->head.segments.newest < number) {
        struct raft_entry entry = fixture_entry(next++, 3, text);
        struct kv_log_batch batch = {.hard = &hard, .entries = &entry, .entry_count = 1};
        assert_int_equal(fixture_write(f, &batch), STATUS_OK);
    }
    return next - 1;
}

/* ---- A torn end ------------------------------------------------------------------------------ */

/* Its power went while the last batch was written: any one of its sectors is missing. */
static void unfinished_batch_is_dropped_and_written_again(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 7, 1);
    uint64_t from = f.log->next.offset;
    struct raft_entry entries[40];
    for (size_t i = 0; i < 40; i++)
        entries[i] = fixture_entry(8 + i, 2, "a payload of some bytes, none of them zero");
    struct raft_hard_state hard = {.term = 2, .vote = 4};
    struct kv_log_batch batch = {.hard = &hard, .entries = entries, .entry_count = 40};
    for (uint64_t sector = from / 512; sector * 512 < from + 40 * 80; sector++) {
        assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
        uint64_t to = f.log->next.offset;
        fixture_close(&f);
        change(segment_path(*state, 1), sector * 512 < from ? from : sector * 512,
               (sector + 1) * 512 < to ? (sector + 1) * 512 : to, false);
        fixture_open(&f, *state);
        assert_int_equal(f.summary.last_index, 7);
        assert_int_equal(f.summary.hard.term, 1);
        assert_int_equal(f.log->next.offset, from);
    }
    fixture_append(&f, 8, 8, 2);
    fixture_reopen(&f, *state);
    assert_int_equal(fixture_read(&f, 1, 8, &seen), STATUS_OK);
    fixture_close(&f);
}

static void every_flipped_bit_of_a_small_log_stops_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    uint64_t end = f.log->next.offset;
    fixture_close(&f);
    for (uint64_t at = KV_SEGMENT_HEAD_BYTES - 64; at < end; at++) {
        change(segment_path(*state, 1), at, at + 1, true);
        assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
        fixture_close(&f);
        change(segment_path(*state, 1), at, at + 1, true);
    }
    fixture_open(&f, *state);
    assert_int_equal(f.summary.last_index, 3);
    fixture_close(&f);
}

/* ---- Several segments ------------------------------------------------------------------------ */

static void entries_and_vote_come_back_from_several_segments(void **state) {
    struct log_fixture f = {0};
    struct raft_term_run runs[4];
    size_t count;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 2);
    raft_index last = write_until_segment(&f, 4, 3);
    for (int i = 0; i < 2; i++) {
        fixture_reopen(&f, *state);
        assert_int_equal(f.summary.first_index, 1);
        assert_int_equal(f.summary.last_index, last);
        assert_int_equal(f.summary.last_term, 3);
        assert_int_equal(f.summary.hard.vote, 5);
        assert_int_equal(kv_log_runs(f.log, 1, last, runs, 4, &count), STATUS_OK);
        assert_int_equal(count, 2);
        assert_int_equal(runs[0].first, 1);
        assert_int_equal(runs[1].first, 4);
        assert_int_equal(kv_log_runs(f.log, 2, 2, runs, 4, &count), STATUS_OK);
        assert_int_equal(count, 1);
        assert_int_equal(runs[0].first, 2);
        assert_int_equal(runs[0].term, 2);
        assert_int_equal(kv_log_runs(f.log, 1, last, runs, 1, &count), STATUS_OVERLOAD);
        assert_int_equal(kv_log_runs(f.log, 1, last + 1, runs, 4, &count), STATUS_NOT_FOUND);
    }
    fixture_close(&f);
}

static void truncation_reaches_back_over_segments(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 2);
    (void)write_until_segment(&f, 4, 3);
    assert_int_equal(fixture_write(&f, &(struct kv_log_batch){.truncate_from = 3}), STATUS_OK);
    fixture_append(&f, 3, 6, 4);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 6);
    assert_int_equal(fixture_read(&f, 1, 6, &seen), STATUS_OK);
    assert_int_equal(seen.last_term, 4);
    fixture_close(&f);
}

static void older_segment_that_is_damaged_shortened_or_missing_stops_the_start(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    (void)write_until_segment(&f, 1, 3);
    fixture_close(&f);
    struct stat info;
    assert_int_equal(stat(segment_path(*state, 2), &info), 0);
    uint64_t size = (uint64_t)info.st_size;
    change(segment_path(*state, 2), 70000, 70001, true);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
    change(segment_path(*state, 2), 70000, 70001, true);
    fixture_open(&f, *state);
    fixture_close(&f);
    change(segment_path(*state, 2), size - 1000, size,
           false); /* what would be a torn end in the newest */
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
    assert_int_equal(unlink(segment_path(*state, 2)), 0);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    fixture_close(&f);
}

struct reading {
    struct kv_log *log;
    raft_index last;
    size_t count;
};

static enum status count_entry(void *context, const struct raft_entry *entry) {
    struct reading *reading = context;
    assert_int_equal(entry->term, 3);
    reading->count++;
    return STATUS_OK;
}

/* Over and over, until what it reads was cut away. */
static void *read_until_it_is_gone(void *context) {
    struct reading *reading = context;
    enum status status = STATUS_OK;
    while (status == STATUS_OK)
        status = kv_log_read(reading->log, 1, reading->last, count_entry, reading);
    assert_int_equal(status, STATUS_NOT_FOUND);
    return NULL;
}

static void segments_go_while_another_thread_reads_them(void **state) {
    struct log_fixture f = {0};
    pthread_t reader;
    raft_index first;
    fixture_open(&f, *state);
    struct reading reading = {.last = write_until_segment(&f, 1, 3)};
    reading.log = f.log;
    assert_int_equal(pthread_create(&reader, NULL, read_until_it_is_gone, &reading), 0);
    for (raft_index through = 0; through < reading.last; through += 7)
        assert_int_equal(kv_log_cut(f.log, through, &first), STATUS_OK);
    assert_int_equal(kv_log_cut(f.log, reading.last, &first), STATUS_OK);
    assert_int_equal(pthread_join(reader, NULL), 0);
    fixture_close(&f);
}

/* ---- A crash between two steps --------------------------------------------------------------- */

static void segment_that_was_made_and_never_named_is_removed(void **state) {
    struct log_fixture f = {0};
    struct kv_segment *segment;
    struct kv_segment_head head = {.number = 2, .salt = 9, .first_frame = 4};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    head.node = f.summary.identity.id;
    head.previous_end = f.log->next.offset;
    assert_int_equal(kv__segment_create(f.log->folder, &head, 4096, &segment), STATUS_OK);
    kv__segment_close(segment);
    fixture_reopen(&f, *state);
    assert_false(kv__path_exists(segment_path(*state, 2)));
    assert_int_equal(f.summary.last_index, 3);
    fixture_close(&f);
}

static void segment_that_was_named_and_never_written_goes_on(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    assert_int_equal(kv__log_segments_rotate(f.log), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 3);
    fixture_append(&f, 4, 4, 1);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 4);
    fixture_close(&f);
}

static void cut_that_removed_no_file_yet_is_redone(void **state) {
    struct log_fixture f = {0};
    raft_index first;
    fixture_open(&f, *state);
    raft_index last = write_until_segment(&f, 1, 3);
    assert_int_equal(link(segment_path(*state, 1), temporary_path(*state, "kept")), 0);
    assert_int_equal(kv_log_cut(f.log, last - 1, &first), STATUS_OK);
    assert_false(kv__path_exists(segment_path(*state, 1)));
    fixture_close(&f);
    assert_int_equal(link(temporary_path(*state, "kept"), segment_path(*state, 1)), 0);
    fixture_open(&f, *state);
    assert_false(kv__path_exists(segment_path(*state, 1)));
    assert_int_equal(f.summary.first_index, last);
    assert_int_equal(f.summary.last_index, last);
    assert_int_equal(f.summary.hard.vote, 5);
    fixture_close(&f);
}

static void founding_without_its_entry_is_redone(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    struct kv_log_head head = f.log->head;
    head.identity.cluster_id = 4711;
    head.hard.term = 1;
    head.founding = fixture_voters(3, 1);
    assert_int_equal(kv__log_head_save(f.log, &head), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 1);
    assert_int_equal(f.summary.configuration.count, 3);
    assert_int_equal(f.summary.hard.term, 1);
    fixture_append(&f, 2, 2, 2);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 2);
    fixture_close(&f);
}

static void start_that_was_killed_before_its_identity_begins_anew(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    fixture_close(&f);
    assert_int_equal(unlink(temporary_path(*state, "data/log/data.mdb")), 0);
    fixture_open(&f, *state);
    assert_true(f.summary.is_new);
    fixture_append(&f, 1, 2, 1);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.last_index, 2);
    fixture_close(&f);
}

static void segment_of_another_node_stops_the_start(void **state) {
    struct log_fixture f = {0};
    struct kv_segment *segment;
    struct kv_segment_head head = {.number = 1, .salt = 9, .node = 12, .first_frame = 1};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 3, 1);
    fixture_close(&f);
    const char *folder = temporary_path(*state, "data/log");
    assert_int_equal(kv__segment_create(folder, &head, 4096, &segment), STATUS_OK);
    kv__segment_close(segment);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "another node"));
    fixture_close(&f);
}

/* A frame has entries on both sides of the cut, and a truncation. */
static void cut_in_the_middle_of_a_frame_keeps_the_rest(void **state) {
    struct log_fixture f = {0};
    struct seen seen;
    raft_index first;
    struct raft_entry entries[] = {fixture_entry(5, 2, "payload-5-2."),
                                   fixture_entry(6, 2, "payload-6-2."),
                                   fixture_entry(7, 2, "payload-7-2.")};
    struct raft_hard_state hard = {.term = 2, .vote = 3};
    struct kv_log_batch batch = {.hard = &hard,
                                 .truncate_from = 5,
                                 .entries = entries,
                                 .entry_count = 3};
    fixture_open(&f, *state);
    fixture_append(&f, 1, 10, 1);
    assert_int_equal(fixture_write(&f, &batch), STATUS_OK);
    fixture_append(&f, 8, 9, 2);
    for (raft_index through = 3; through <= 9; through++) {
        assert_int_equal(kv_log_cut(f.log, through, &first), STATUS_OK);
        fixture_reopen(&f, *state);
        assert_int_equal(f.summary.first_index, through + 1);
        assert_int_equal(f.summary.last_index, 9);
        assert_int_equal(f.summary.hard.term, 2);
        assert_int_equal(fixture_read(&f, through + 1, 9, &seen), STATUS_OK);
        assert_int_equal(seen.count, 9 - through);
    }
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(unfinished_batch_is_dropped_and_written_again),
        TEST(every_flipped_bit_of_a_small_log_stops_the_start),
        TEST(entries_and_vote_come_back_from_several_segments),
        TEST(truncation_reaches_back_over_segments),
        TEST(older_segment_that_is_damaged_shortened_or_missing_stops_the_start),
        TEST(segments_go_while_another_thread_reads_them),
        TEST(segment_that_was_made_and_never_named_is_removed),
        TEST(segment_that_was_named_and_never_written_goes_on),
        TEST(cut_that_removed_no_file_yet_is_redone),
        TEST(founding_without_its_entry_is_redone),
        TEST(start_that_was_killed_before_its_identity_begins_anew),
        TEST(segment_of_another_node_stops_the_start),
        TEST(cut_in_the_middle_of_a_frame_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
