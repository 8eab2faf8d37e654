#include "support/state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *data_file(const struct temporary *t) {
    return temporary_path(t, "data/state/data.mdb");
}

static void assert_body(struct state_fixture *f, const char *key, const char *text) {
    struct bytes body;
    assert_int_equal(state_get(f, key, &body), STATUS_OK);
    assert_true(bytes_equal(body, bytes_of_text(text)));
}

/* ---- Flushing ------------------------------------------------------------------------------ */

static void new_state_has_a_meta_of_zeros(void **state) {
    struct state_fixture f = {0};
    struct kv_meta zeros = {0};
    state_open(&f, *state);
    assert_memory_equal(&f.meta, &zeros, sizeof zeros);
    state_close(&f);
}

static void flush_survives_a_restart_with_its_meta(void **state) {
    struct state_fixture f = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 500);
    f.meta.revision = 77;
    state_flush(&f);
    struct kv_meta meta = f.meta;
    state_reopen(&f, *state);
    assert_memory_equal(&f.meta, &meta, sizeof meta);
    assert_body(&f, "key-000001", "body of number 000001.");
    assert_body(&f, "key-000500", "body of number 000500.");
    state_close(&f);
}

static void flush_replaces_and_deletes(void **state) {
    struct state_fixture f = {0};
    struct bytes body;
    state_open(&f, *state);
    state_put_text(&f, "kept", "1");
    state_put_text(&f, "changed", "1");
    state_put_text(&f, "deleted", "1");
    state_flush(&f);
    state_put_text(&f, "changed", "2");
    state_delete(&f, "deleted");
    state_delete(&f, "never was");
    state_flush(&f);
    assert_body(&f, "kept", "1");
    assert_body(&f, "changed", "2");
    assert_int_equal(state_get(&f, "deleted", &body), STATUS_NOT_FOUND);
    state_reopen(&f, *state);
    assert_int_equal(f.meta.record_count, 2);
    state_close(&f);
}

static void base_sees_a_flush_only_once_renewed(void **state) {
    struct state_fixture f = {0};
    struct bytes body;
    state_open(&f, *state);
    struct kv_base base = kv_state_base(f.state);
    state_put_text(&f, "a", "1");
    assert_int_equal(state_try_flush(&f), STATUS_OK);
    assert_int_equal(state_get(&f, "a", &body), STATUS_NOT_FOUND);
    assert_int_equal(base.ops->renew(base.context), STATUS_OK);
    assert_body(&f, "a", "1");
    state_close(&f);
}

static void base_seeks_in_key_order(void **state) {
    struct state_fixture f = {0};
    struct bytes key, record;
    state_open(&f, *state);
    state_put_text(&f, "b", "1");
    state_put_text(&f, "d", "1");
    state_flush(&f);
    struct kv_base base = kv_state_base(f.state);
    static const char *const from[] = {"\3a", "\3b", "\3c"};
    static const char *const found[] = {"\3b", "\3b", "\3d"};
    for (size_t i = 0; i < 3; i++) {
        enum status status = base.ops->seek(base.context, bytes_of_text(from[i]), &key, &record);
        assert_int_equal(status, STATUS_OK);
        assert_true(bytes_equal(key, bytes_of_text(found[i])));
    }
    assert_int_equal(base.ops->seek(base.context, bytes_of_text("\3e"), &key, &record),
                     STATUS_NOT_FOUND);
    state_close(&f);
}

static void keeps_the_largest_key_and_value(void **state) {
    struct state_fixture f = {0};
    struct bytes body;
    char key[KEY_BYTES_MAX + 1];
    uint8_t *large = malloc(VALUE_BYTES_MAX);
    assert_non_null(large);
    memset(large, 0xa5, VALUE_BYTES_MAX);
    memset(key, 'k', KEY_BYTES_MAX);
    key[KEY_BYTES_MAX] = '\0';
    state_open(&f, *state);
    state_put(&f, key, bytes_of(large, VALUE_BYTES_MAX));
    state_flush(&f);
    state_reopen(&f, *state);
    assert_int_equal(state_get(&f, key, &body), STATUS_OK);
    assert_true(bytes_equal(body, bytes_of(large, VALUE_BYTES_MAX)));
    free(large);
    state_close(&f);
}

static void tells_the_size_of_its_file(void **state) {
    struct state_fixture f = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 5000);
    state_flush(&f);
    assert_true(kv_state_file_bytes(f.state) > 5000 * 40);
    state_close(&f);
}

/* The bound that the reserve rests on: no flush adds more pages than was asked for. */
static void flush_never_takes_more_pages_than_its_demand(void **state) {
    struct state_fixture f = {0};
    static uint8_t body[9000];
    uint64_t random = 88172645463325252;
    state_open(&f, *state);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 300; i++) {
            char key[32];
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            (void)snprintf(key, sizeof key, "%08llu", (unsigned long long)(random % 2000));
            if (random % 5 == 0)
                state_delete(&f, key);
            else
                state_put(&f, key, bytes_of(body, random / 2000 % (i % 7 ? 900 : sizeof body)));
        }
        state_flush(&f);
        uint64_t used = atomic_load(&f.state->env->used_pages) * f.state->env->page_bytes;
        assert_true(used <= atomic_load(&f.state->env->reserve.allocated));
    }
    state_reopen(&f, *state);
    state_close(&f);
}

/* ---- Damage -------------------------------------------------------------------------------- */

static void flipped_bit_in_a_record_is_met_by_its_reader(void **state) {
    struct state_fixture f = {0};
    struct bytes body;
    state_open(&f, *state);
    state_put_many(&f, 1, 300);
    state_flush(&f);
    state_close(&f);
    temporary_flip(data_file(*state), "body of number 000123.", 22, 3);
    state_open(&f, *state);
    assert_int_equal(state_get(&f, "key-000123", &body), STATUS_CORRUPT);
    assert_body(&f, "key-000124", "body of number 000124.");
    state_close(&f);
}

static enum status write_raw(struct state_fixture *f, struct bytes key, struct bytes record) {
    struct kv_writer writer;
    struct kv_demand demand = {0};
    assert_int_equal(kv__writer_begin(f->state->env, &demand, true, &writer), STATUS_OK);
    enum status status =
        record.data ? kv__writer_put(&writer, key, record) : kv__writer_delete(&writer, key);
    return kv__writer_end(&writer, status);
}

static void damaged_meta_is_refused(void **state) {
    struct state_fixture f = {0};
    uint8_t memory[KV_META_RECORD_BYTES];
    state_open(&f, *state);
    state_put_many(&f, 1, 3);
    state_flush(&f);
    struct bytes record = kv__state_meta_record(&f.meta, memory);
    memory[20] ^= 1;
    assert_int_equal(write_raw(&f, kv__state_meta_key(), record), STATUS_OK);
    state_close(&f);
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "meta"));
    state_close(&f);
}

static void later_meta_version_is_told_from_damage(void **state) {
    struct state_fixture f = {0};
    uint8_t memory[KV_META_RECORD_BYTES];
    state_open(&f, *state);
    state_put_many(&f, 1, 3);
    state_flush(&f);
    struct bytes record = kv__state_meta_record(&f.meta, memory);
    memory[KV_SEAL_BYTES] = 2;
    kv__record_seal(kv__state_meta_key(), memory, sizeof memory);
    assert_int_equal(write_raw(&f, kv__state_meta_key(), record), STATUS_OK);
    state_close(&f);
    assert_int_equal(state_try_open(&f, *state), STATUS_UNSUPPORTED);
    state_close(&f);
}

static void missing_meta_or_record_is_refused(void **state) {
    struct state_fixture f = {0};
    uint8_t memory[KV_META_RECORD_BYTES];
    state_open(&f, *state);
    state_put_many(&f, 1, 3);
    state_flush(&f);
    struct kv_meta meta = f.meta;
    assert_int_equal(write_raw(&f, kv__state_meta_key(), (struct bytes){0}), STATUS_OK);
    state_close(&f);
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    state_close(&f);

    f = (struct state_fixture){0};
    assert_int_equal(kv_directory_open(temporary_path(*state, "data"), &f.directory), STATUS_OK);
    struct kv_env_options options = {0};
    struct kv_state raw = {0};
    f.state = &raw;
    assert_int_equal(kv__env_open(f.directory, "state", &options, &raw.env), STATUS_OK);
    assert_int_equal(write_raw(&f, kv__state_meta_key(), kv__state_meta_record(&meta, memory)),
                     STATUS_OK);
    assert_int_equal(write_raw(&f, bytes_of_text("\3key-000002"), (struct bytes){0}), STATUS_OK);
    kv__env_close(raw.env);
    kv_directory_close(f.directory);
    f = (struct state_fixture){0};
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    assert_non_null(strstr(kv_directory_problem(f.directory), "3 records"));
    state_close(&f);
}

static void shortened_file_is_refused_instead_of_read(void **state) {
    struct state_fixture f = {0};
    state_open(&f, *state);
    state_put_many(&f, 1, 1000);
    state_flush(&f);
    state_close(&f);
    temporary_truncate(data_file(*state), 5 * 4096);
    assert_int_equal(state_try_open(&f, *state), STATUS_CORRUPT);
    state_close(&f);
}

/* ---- A full disk --------------------------------------------------------------------------- */

static void open_on_small_disk(struct state_fixture *f, struct temporary *t) {
    if (!temporary_mount(t, 8 * MIB)) {
        print_message("skipped: no permission to mount a tmpfs\n");
        skip();
    }
    f->options.reserve_bytes = 3 * MIB;
    state_open(f, t);
    assert_true(kv_state_has_room(f->state));
    temporary_fill(t, 0);
}

static void full_disk_still_takes_a_flush_from_the_reserve(void **state) {
    struct state_fixture f = {0};
    open_on_small_disk(&f, *state);
    state_put_many(&f, 1, 25000);
    state_flush(&f);
    assert_false(kv_state_has_room(f.state));
    state_put_many(&f, 25001, 25010);
    state_flush(&f);
    temporary_unfill(*state);
    assert_true(kv_state_has_room(f.state));
    state_reopen(&f, *state);
    assert_int_equal(f.meta.record_count, 25010);
    state_close(&f);
}

static void flush_beyond_the_reserve_changes_nothing_and_may_be_tried_again(void **state) {
    struct state_fixture f = {0};
    struct bytes body;
    static uint8_t large[5 * MIB];
    open_on_small_disk(&f, *state);
    state_put_text(&f, "small", "1");
    state_put(&f, "large", bytes_of(large, sizeof large));
    assert_int_equal(state_try_flush(&f), STATUS_DISK_FULL);
    assert_int_equal(state_get(&f, "small", &body), STATUS_NOT_FOUND);
    temporary_unfill(*state);
    state_flush(&f);
    assert_body(&f, "small", "1");
    state_close(&f);
}

/* The pages that a flush replaces can be used again by a later one: a full disk never stops the
 * state from following the log. */
static void full_disk_takes_any_number_of_flushes_that_replace(void **state) {
    struct state_fixture f = {0};
    open_on_small_disk(&f, *state);
    for (int i = 0; i < 100; i++) {
        state_put_many(&f, 1, 2000);
        state_flush(&f);
    }
    assert_body(&f, "key-001000", "body of number 001000.");
    state_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(new_state_has_a_meta_of_zeros),
        TEST(flush_survives_a_restart_with_its_meta),
        TEST(flush_replaces_and_deletes),
        TEST(base_sees_a_flush_only_once_renewed),
        TEST(base_seeks_in_key_order),
        TEST(keeps_the_largest_key_and_value),
        TEST(tells_the_size_of_its_file),
        TEST(flush_never_takes_more_pages_than_its_demand),
        TEST(flipped_bit_in_a_record_is_met_by_its_reader),
        TEST(damaged_meta_is_refused),
        TEST(later_meta_version_is_told_from_damage),
        TEST(missing_meta_or_record_is_refused),
        TEST(shortened_file_is_refused_instead_of_read),
        TEST(full_disk_still_takes_a_flush_from_the_reserve),
        TEST(flush_beyond_the_reserve_changes_nothing_and_may_be_tried_again),
        TEST(full_disk_takes_any_number_of_flushes_that_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
