#include "kv/snapshot_stream.h"
#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CLUSTER 4711

/* ---- A stream in memory -------------------------------------------------------------------- */

struct stream {
    uint8_t *data;
    size_t len;
    size_t largest_chunk;
};

static enum status collect(void *context, struct bytes chunk) {
    struct stream *s = context;
    s->data = realloc(s->data, s->len + chunk.len);
    assert_non_null(s->data);
    memcpy(s->data + s->len, chunk.data, chunk.len);
    s->len += chunk.len;
    if (chunk.len > s->largest_chunk)
        s->largest_chunk = chunk.len;
    return STATUS_OK;
}

static struct stream save(struct state_fixture *f) {
    struct stream s = {0};
    assert_int_equal(kv_snapshot_save(f->state, CLUSTER, 0, collect, &s), STATUS_OK);
    return s;
}

/* Feeds the stream in pieces of `piece` bytes. */
static enum status feed(struct kv_restore *restore, const struct stream *s, size_t piece,
                        struct kv_snapshot_info *ret_info) {
    for (size_t at = 0; at < s->len; at += piece) {
        size_t len = s->len - at < piece ? s->len - at : piece;
        enum status status = kv_restore_write(restore, bytes_of(s->data + at, len));
        if (status != STATUS_OK)
            return status;
    }
    return kv_restore_finish(restore, ret_info);
}

static enum status inspect(const struct stream *s, size_t piece,
                           struct kv_snapshot_info *ret_info) {
    struct kv_restore *restore;
    assert_int_equal(kv_restore_new(NULL, NULL, &restore), STATUS_OK);
    enum status status = feed(restore, s, piece, ret_info);
    kv_restore_free(restore);
    return status;
}

/* Into `<folder>/<name>`. */
static enum status restore_to(const struct temporary *t, const char *name, const struct stream *s) {
    struct kv_directory *directory;
    struct kv_restore *restore;
    struct kv_snapshot_info info;
    const char *path = temporary_path(t, name);
    assert_int_equal(kv_directory_open(path, &directory), STATUS_OK);
    enum status status = kv_restore_new(directory, "restored", &restore);
    if (status == STATUS_OK) {
        status = feed(restore, s, 10000, &info);
        kv_restore_free(restore);
    }
    kv_directory_close(directory);
    return status;
}

/* Small, but with a record that goes over several frames and a key of the largest size. */
static void fill(struct state_fixture *f) {
    static uint8_t large[VALUE_BYTES_MAX];
    char key[KEY_BYTES_MAX + 1];
    memset(key, 'z', KEY_BYTES_MAX);
    key[KEY_BYTES_MAX] = '\0';
    memset(large, 0x77, sizeof large);
    state_put_many(f, 1, 3000);
    state_put(f, "large", bytes_of(large, sizeof large));
    state_put_text(f, key, "of the largest key");
    f->meta.revision = 12;
    f->meta.applied_index = 99;
    state_flush(f);
}

/* ---- Saving and inspecting ----------------------------------------------------------------- */

static void inspecting_tells_what_was_saved(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    assert_true(s.largest_chunk <= 64 * KIB);
    static const size_t pieces[] = {1, 7, 4096, 1 << 20};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(inspect(&s, pieces[i], &info), STATUS_OK);
        assert_int_equal(info.version, 1);
        assert_int_equal(info.cluster_id, CLUSTER);
        assert_int_equal(info.records, 3002);
        assert_int_equal(info.configuration.count, 0);
        assert_int_equal(info.bytes, s.len);
        assert_true(info.hash == f.meta.hash);
        assert_memory_equal(&info.meta, &f.meta, sizeof info.meta);
    }
    free(s.data);
    state_close(&f);
}

static void empty_state_has_a_stream_too(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    struct stream s = save(&f);
    assert_int_equal(inspect(&s, s.len, &info), STATUS_OK);
    assert_int_equal(info.records, 0);
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    free(s.data);
    state_close(&f);
}

static enum status refuse(void *context, struct bytes chunk) {
    (void)chunk;
    size_t *left = context;
    return (*left)-- == 0 ? STATUS_UNAVAILABLE : STATUS_OK;
}

static void saving_ends_when_the_sink_says_so(void **state) {
    struct state_fixture f = {0};
    size_t left = 3;
    state_open(&f, *state);
    fill(&f);
    assert_int_equal(kv_snapshot_save(f.state, CLUSTER, 0, refuse, &left), STATUS_UNAVAILABLE);
    state_close(&f);
}

/* A sink so slow that flushes go on meanwhile. */
struct slow_sink {
    struct state_fixture *f;
    size_t chunks;
};

static enum status flush_meanwhile(void *context, struct bytes chunk) {
    struct slow_sink *sink = context;
    (void)chunk;
    state_put_many(sink->f, 1, 2000);
    state_flush(sink->f);
    sink->chunks++;
    return STATUS_OK;
}

static void saving_is_given_up_when_the_file_grows_too_much(void **state) {
    struct state_fixture f = {0};
    struct slow_sink sink = {.f = &f};
    state_open(&f, *state);
    fill(&f);
    assert_int_equal(kv_snapshot_save(f.state, CLUSTER, 256 * KIB, flush_meanwhile, &sink),
                     STATUS_OVERLOAD);
    assert_true(sink.chunks > 1);
    state_close(&f);
}

static enum status collect_and_flush(void *context, struct bytes chunk) {
    void **both = context;
    struct slow_sink *sink = both[1];
    if (sink->chunks++ < 5)
        (void)flush_meanwhile(sink, chunk);
    return collect(both[0], chunk);
}

static void stream_shows_one_moment_while_flushes_go_on(void **state) {
    struct state_fixture f = {0};
    struct slow_sink sink = {.f = &f};
    struct stream s = {0};
    void *both[] = {&s, &sink};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    fill(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(kv_snapshot_save(f.state, CLUSTER, 0, collect_and_flush, both), STATUS_OK);
    assert_int_equal(inspect(&s, 1000, &info), STATUS_OK);
    assert_memory_equal(&info.meta, &meta, sizeof meta);
    free(s.data);
    state_close(&f);
}

static void damaged_state_is_not_saved(void **state) {
    struct state_fixture f = {0};
    struct stream s = {0};
    state_open(&f, *state);
    fill(&f);
    state_close(&f);
    temporary_flip(temporary_path(*state, "data/state/data.mdb"), "body of number 000123.", 22, 3);
    state_open(&f, *state);
    assert_int_equal(kv_snapshot_save(f.state, CLUSTER, 0, collect, &s), STATUS_CORRUPT);
    free(s.data);
    state_close(&f);
}

/* ---- Damaged streams ----------------------------------------------------------------------- */

static void every_damaged_byte_is_noticed(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    state_put_many(&f, 1, 20);
    state_flush(&f);
    struct stream s = save(&f);
    for (size_t i = 0; i < s.len; i++) {
        s.data[i] ^= 0x04;
        enum status status = inspect(&s, s.len, &info);
        assert_true(status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED);
        s.data[i] ^= 0x04;
    }
    free(s.data);
    state_close(&f);
}

static void every_cut_off_end_is_noticed(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    state_put_many(&f, 1, 20);
    state_flush(&f);
    struct stream s = save(&f);
    size_t len = s.len;
    for (s.len = 0; s.len < len; s.len++)
        assert_int_equal(inspect(&s, 64, &info), STATUS_CORRUPT);
    struct stream longer = {.data = calloc(1, len + 1), .len = len + 1};
    memcpy(longer.data, s.data, len);
    assert_int_equal(inspect(&longer, 64, &info), STATUS_CORRUPT);
    free(longer.data);
    free(s.data);
    state_close(&f);
}

static void frame_left_out_is_noticed(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    static uint8_t large[VALUE_BYTES_MAX];
    state_open(&f, *state);
    state_put(&f, "large", bytes_of(large, sizeof large)); /* all its frames look alike */
    state_flush(&f);
    struct stream s = save(&f);
    uint8_t *third = s.data + s.len - 400 * KIB;
    while (third[0] != 'R' || third[1] != 0xf7 || third[2] != 0xff)
        third++;
    size_t after = (size_t)(s.data + s.len - third) - KV_FRAME_BYTES_MAX;
    memmove(third, third + KV_FRAME_BYTES_MAX, after);
    s.len -= KV_FRAME_BYTES_MAX;
    assert_int_equal(inspect(&s, s.len, &info), STATUS_CORRUPT);
    free(s.data);
    state_close(&f);
}

static void later_version_is_told_from_damage(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    struct stream s = save(&f);
    s.data[KV_STREAM_MAGIC_BYTES] = 2;
    assert_int_equal(inspect(&s, s.len, &info), STATUS_UNSUPPORTED);
    free(s.data);
    state_close(&f);
}

static void failure_stays(void **state) {
    (void)state;
    struct kv_restore *restore;
    struct kv_snapshot_info info;
    assert_int_equal(kv_restore_new(NULL, NULL, &restore), STATUS_OK);
    struct bytes junk = bytes_of_text("this is not a snapshot");
    assert_int_equal(kv_restore_write(restore, junk), STATUS_CORRUPT);
    assert_int_equal(kv_restore_write(restore, junk), STATUS_CORRUPT);
    assert_int_equal(kv_restore_finish(restore, &info), STATUS_CORRUPT);
    kv_restore_free(restore);
}

/* ---- Restoring ----------------------------------------------------------------------------- */

static void assert_alone(const struct kv_log_summary *summary, const struct kv_meta *meta) {
    const struct raft_configuration *configuration = &summary->configuration;
    assert_int_equal(configuration->index, meta->applied_index);
    assert_int_equal(configuration->count, 1);
    assert_true(configuration->members[0].id == summary->identity.id);
    assert_string_equal(configuration->members[0].name, "restored");
    assert_memory_equal(&summary->configuration_before, configuration, sizeof *configuration);
}

/* The scrub has compared count and hash with the records. */
static void assert_same_but_for_the_configuration(const struct kv_meta *read,
                                                  const struct kv_meta *meta) {
    struct kv_meta expected = *meta;
    assert_in_range(read->record_count, meta->record_count, meta->record_count + 1);
    expected.record_count = read->record_count;
    expected.hash = read->hash;
    assert_memory_equal(read, &expected, sizeof expected);
}

static void assert_restored(const struct temporary *t, const char *name,
                            const struct kv_meta *meta) {
    struct kv_directory *directory;
    struct kv_log *log;
    struct kv_state *store;
    struct kv_log_summary summary;
    struct kv_meta read;
    struct kv_log_options log_options = {.name = "restored"};
    struct kv_state_options state_options = {0};
    struct kv_scrub scrub = {0};
    assert_int_equal(kv_directory_open(temporary_path(t, name), &directory), STATUS_OK);
    assert_int_equal(kv_log_open(directory, &log_options, &log, &summary), STATUS_OK);
    assert_int_equal(kv_state_open(directory, 0, &state_options, &store, &read), STATUS_OK);
    assert_false(summary.is_new);
    assert_true(summary.identity.id != 0);
    assert_true(summary.identity.cluster_id != 0 && summary.identity.cluster_id != CLUSTER);
    assert_int_equal(summary.identity.start_counter, 1);
    assert_int_equal(summary.first_index, meta->applied_index + 1);
    assert_int_equal(summary.last_index, meta->applied_index);
    assert_int_equal(summary.last_term, meta->applied_term);
    assert_int_equal(summary.hard.term, meta->applied_term + 1);
    assert_int_equal(summary.hard.vote, summary.identity.id);
    assert_alone(&summary, &read);
    assert_int_equal(kv_state_scrub(store, &scrub, SIZE_MAX), STATUS_OK);
    assert_int_equal(scrub.checked, read.record_count);
    assert_int_equal(scrub.walks, 1);
    assert_same_but_for_the_configuration(&read, meta);
    kv_state_close(store);
    kv_log_close(log);
    kv_directory_close(directory);
}

static void restored_state_has_the_same_records(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);
    assert_false(kv__path_exists(temporary_path(*state, "copy/restore")));

    /* And again from the copy: the same records, and its configuration. */
    struct state_fixture copy = {0};
    assert_int_equal(kv_directory_open(temporary_path(*state, "copy"), &copy.directory), STATUS_OK);
    assert_int_equal(kv_state_open(copy.directory, 0, &copy.options, &copy.state, &copy.meta),
                     STATUS_OK);
    struct stream again = save(&copy);
    assert_int_equal(inspect(&again, 999, &info), STATUS_OK);
    assert_int_equal(info.records, meta.record_count + 1);
    assert_int_equal(info.configuration.index, meta.applied_index);
    assert_int_equal(info.configuration.count, 1);
    assert_string_equal(info.configuration.members[0].name, "restored");
    free(again.data);
    free(s.data);
    state_close(&copy);
    state_close(&f);
}

static void restored_cluster_has_its_own_configuration_alone(void **state) {
    struct state_fixture f = {0};
    struct kv_snapshot_info info;
    state_open(&f, *state);
    fill(&f);
    state_put_configuration(&f, 3, 40);
    state_flush(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(inspect(&s, 4096, &info), STATUS_OK);
    assert_int_equal(info.configuration.index, 40);
    assert_int_equal(info.configuration.count, 3);
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);
    free(s.data);
    state_close(&f);
}

static void restore_takes_several_transactions(void **state) {
    struct state_fixture f = {0};
    static uint8_t body[900 * KIB];
    state_open(&f, *state);
    for (int i = 0; i < 25; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "%03d", i);
        state_put(&f, key, bytes_of(body, sizeof body));
    }
    state_flush(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);
    free(s.data);
    state_close(&f);
}

static void restore_refuses_a_directory_in_use(void **state) {
    struct state_fixture f = {0};
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    struct kv_meta meta = f.meta;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_BUSY);
    assert_restored(*state, "copy", &meta);
    state_close(&f);
    assert_int_equal(restore_to(*state, "data", &s), STATUS_BUSY); /* a state alone */
    assert_true(kv__path_exists(temporary_path(*state, "data/state/data.mdb")));
    free(s.data);
}

static void failed_restore_leaves_nothing_behind(void **state) {
    struct state_fixture f = {0};
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    s.data[s.len - 3] ^= 1;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_CORRUPT);
    assert_false(kv__path_exists(temporary_path(*state, "copy/restore")));
    assert_false(kv__path_exists(temporary_path(*state, "copy/state")));
    s.data[s.len - 3] ^= 1;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);
    free(s.data);
    state_close(&f);
}

/* ---- A crash at each step (restore.c) ------------------------------------------------------ */

static enum status open_as_a_server(const struct temporary *t, bool *ret_is_new) {
    struct kv_directory *directory;
    struct kv_log *log = NULL;
    struct kv_log_summary summary = {0};
    struct kv_log_options options = {.name = "server"};
    assert_int_equal(kv_directory_open(temporary_path(t, "copy"), &directory), STATUS_OK);
    enum status status = kv_log_open(directory, &options, &log, &summary);
    *ret_is_new = summary.is_new;
    kv_log_close(log);
    kv_directory_close(directory);
    return status;
}

static void move(const struct temporary *t, const char *from, const char *to) {
    assert_int_equal(rename(temporary_path(t, from), temporary_path(t, to)), 0);
}

static void crash_between_the_two_moves_is_refused_and_can_be_redone(void **state) {
    struct state_fixture f = {0};
    bool is_new;
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_int_equal(mkdir(temporary_path(*state, "copy/restore"), 0750), 0);
    move(*state, "copy/log", "copy/restore/log");

    assert_int_equal(open_as_a_server(*state, &is_new), STATUS_CORRUPT);
    assert_false(kv__path_exists(temporary_path(*state, "copy/log")));
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);
    free(s.data);
    state_close(&f);
}

static void crash_before_the_first_move_leaves_an_empty_directory(void **state) {
    struct state_fixture f = {0};
    bool is_new;
    state_open(&f, *state);
    fill(&f);
    struct stream s = save(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_int_equal(mkdir(temporary_path(*state, "copy/restore"), 0750), 0);
    move(*state, "copy/log", "copy/restore/log");
    move(*state, "copy/state", "copy/restore/state");
    assert_int_equal(restore_to(*state, "copy", &s), STATUS_OK);
    assert_restored(*state, "copy", &meta);

    assert_int_equal(mkdir(temporary_path(*state, "copy/restore"), 0750), 0);
    move(*state, "copy/log", "copy/restore/log");
    move(*state, "copy/state", "copy/restore/state");
    assert_int_equal(open_as_a_server(*state, &is_new), STATUS_OK);
    assert_true(is_new);
    free(s.data);
    state_close(&f);
}

static void full_disk_ends_a_restore_cleanly(void **state) {
    struct state_fixture f = {0};
    struct temporary *t = *state;
    state_open(&f, t);
    fill(&f);
    struct stream s = save(&f);
    state_close(&f);
    if (!temporary_mount(t, 4 * MIB)) {
        print_message("skipped: no permission to mount a tmpfs\n");
        free(s.data);
        skip();
    }
    assert_int_equal(restore_to(t, "copy", &s), STATUS_DISK_FULL);
    assert_false(kv__path_exists(temporary_path(t, "copy/restore")));
    free(s.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(inspecting_tells_what_was_saved),
        TEST(empty_state_has_a_stream_too),
        TEST(saving_ends_when_the_sink_says_so),
        TEST(saving_is_given_up_when_the_file_grows_too_much),
        TEST(stream_shows_one_moment_while_flushes_go_on),
        TEST(damaged_state_is_not_saved),
        TEST(every_damaged_byte_is_noticed),
        TEST(every_cut_off_end_is_noticed),
        TEST(frame_left_out_is_noticed),
        TEST(later_version_is_told_from_damage),
        TEST(failure_stays),
        TEST(restored_state_has_the_same_records),
        TEST(restored_cluster_has_its_own_configuration_alone),
        TEST(restore_takes_several_transactions),
        TEST(restore_refuses_a_directory_in_use),
        TEST(failed_restore_leaves_nothing_behind),
        TEST(crash_between_the_two_moves_is_refused_and_can_be_redone),
        TEST(crash_before_the_first_move_leaves_an_empty_directory),
        TEST(full_disk_ends_a_restore_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
