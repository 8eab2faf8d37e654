#include "kv/machine.h"
#include "support/log_fixture.h"
#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CLUSTER 4711

/* ---- The other node, whose state is sent ----------------------------------------------------- */

struct stream {
    uint8_t data[256 * KIB];
    size_t len;
};

static enum status collect(void *context, struct bytes chunk) {
    struct stream *s = context;
    assert_true(s->len + chunk.len <= sizeof s->data);
    memcpy(s->data + s->len, chunk.data, chunk.len);
    s->len += chunk.len;
    return STATUS_OK;
}

/* 100 keys and a configuration of three, as of entry 50; its folder is gone afterwards. */
static struct stream *make_stream(const struct temporary *t, struct kv_meta *ret_meta) {
    struct state_fixture f = {0};
    struct stream *s = calloc(1, sizeof *s);
    assert_non_null(s);
    state_open(&f, t);
    state_put_many(&f, 1, 100);
    state_put_configuration(&f, 3, 40);
    f.meta.applied_index = 49;
    state_flush(&f);
    assert_int_equal(kv_snapshot_save(f.state, CLUSTER, 0, collect, s), STATUS_OK);
    *ret_meta = f.meta;
    state_close(&f);
    assert_int_equal(kv__store_remove(temporary_path(t, "data/state")), STATUS_OK);
    return s;
}

/* ---- This node ------------------------------------------------------------------------------- */

static enum status build(struct log_fixture *f, uint64_t generation, const struct stream *s,
                         size_t len, struct kv_snapshot_info *ret_info) {
    struct kv_install *install;
    assert_int_equal(kv_install_new(f->directory, generation, &install), STATUS_OK);
    enum status status = kv_install_write(install, bytes_of(s->data, len / 2));
    if (status == STATUS_OK)
        status = kv_install_write(install, bytes_of(s->data + len / 2, len - len / 2));
    if (status == STATUS_OK)
        status = kv_install_finish(install, ret_info);
    kv_install_free(install);
    return status;
}

static void name_in_the_log(struct log_fixture *f, uint64_t generation,
                            const struct kv_snapshot_info *info) {
    struct kv_log_installed installed;
    struct kv_log_install install = {.index = info->meta.applied_index,
                                     .term = info->meta.applied_term,
                                     .configuration = &info->configuration,
                                     .state_generation = generation};
    assert_int_equal(kv_log_install(f->log, &install, &installed), STATUS_OK);
}

/* What a start, or the switch, finds; -1: it cannot be opened. */
static long applied_index(struct log_fixture *f, uint64_t generation) {
    struct kv_state_options options = {0};
    struct kv_state *store;
    struct kv_meta meta;
    struct kv_scrub scrub = {0};
    if (kv_state_open(f->directory, generation, &options, &store, &meta) != STATUS_OK)
        return -1;
    assert_int_equal(kv_state_scrub(store, &scrub, SIZE_MAX), STATUS_OK);
    kv_state_close(store);
    return (long)meta.applied_index;
}

static bool is_there(void **state, const char *name) {
    return kv__path_exists(temporary_path(*state, name));
}

/* ---- Stories --------------------------------------------------------------------------------- */

static void installed_state_is_the_sent_one(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(applied_index(&f, 0), 0);
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_OK);
    assert_memory_equal(&info.meta, &meta, sizeof meta);
    assert_int_equal(info.configuration.index, 40);
    assert_int_equal(info.configuration.count, 3);
    name_in_the_log(&f, 1, &info);
    assert_int_equal(applied_index(&f, 1), 50);
    assert_false(is_there(state, "data/state"));
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.state_generation, 1);
    assert_int_equal(f.summary.last_index, 50);
    assert_int_equal(applied_index(&f, f.summary.state_generation), 50);
    free(s);
    fixture_close(&f);
}

static void crash_before_the_log_names_it_leaves_the_old_state(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(applied_index(&f, 0), 0);
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_OK);
    fixture_reopen(&f, *state);
    assert_int_equal(f.summary.state_generation, 0);
    assert_true(is_there(state, "data/state.1"));
    assert_int_equal(applied_index(&f, 0), 0);
    assert_false(is_there(state, "data/state.1"));
    free(s);
    fixture_close(&f);
}

static void crash_after_the_log_names_it_leaves_the_new_state(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(applied_index(&f, 0), 0);
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_OK);
    name_in_the_log(&f, 1, &info);
    fixture_reopen(&f, *state);
    assert_true(is_there(state, "data/state"));
    assert_int_equal(applied_index(&f, f.summary.state_generation), 50);
    assert_false(is_there(state, "data/state"));
    free(s);
    fixture_close(&f);
}

static void stream_cut_short_leaves_nothing(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(build(&f, 1, s, s->len - 1, &info), STATUS_CORRUPT);
    assert_false(is_there(state, "data/state.1"));
    s->data[s->len / 3] ^= 1;
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_CORRUPT);
    assert_false(is_there(state, "data/state.1"));
    free(s);
    fixture_close(&f);
}

static void another_attempt_replaces_what_a_crash_left(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_OK);
    assert_int_equal(build(&f, 1, s, s->len, &info), STATUS_OK);
    name_in_the_log(&f, 1, &info);
    assert_int_equal(applied_index(&f, 1), 50);
    free(s);
    fixture_close(&f);
}

static void missing_generation_is_damage_and_removes_no_other(void **state) {
    struct log_fixture f = {0};
    fixture_open(&f, *state);
    assert_int_equal(applied_index(&f, 0), 0);
    assert_int_equal(applied_index(&f, 7), -1);
    assert_true(is_there(state, "data/state"));
    fixture_close(&f);
}

static void lost_log_is_noticed_by_any_generation(void **state) {
    struct log_fixture f = {0};
    struct kv_meta meta;
    struct kv_snapshot_info info;
    struct stream *s = make_stream(*state, &meta);
    fixture_open(&f, *state);
    assert_int_equal(build(&f, 12, s, s->len, &info), STATUS_OK);
    name_in_the_log(&f, 12, &info);
    fixture_close(&f);
    assert_int_equal(kv__store_remove(temporary_path(*state, "data/log")), STATUS_OK);
    assert_int_equal(fixture_try_open(&f, *state), STATUS_CORRUPT);
    free(s);
    fixture_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(installed_state_is_the_sent_one),
        TEST(crash_before_the_log_names_it_leaves_the_old_state),
        TEST(crash_after_the_log_names_it_leaves_the_new_state),
        TEST(stream_cut_short_leaves_nothing),
        TEST(another_attempt_replaces_what_a_crash_left),
        TEST(missing_generation_is_damage_and_removes_no_other),
        TEST(lost_log_is_noticed_by_any_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
