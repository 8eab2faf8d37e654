/* The state machine: revisions, compare-and-set, reads, the hash, flushes. */
#include "kv/machine.h"
#include "support/death.h"
#include "support/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_done(struct kv_response response, int64_t revision) {
    assert_int_equal(response.status, STATUS_OK);
    assert_int_equal(response.revision, revision);
    assert_null(response.detail);
}

static void assert_item(struct kv_response response, const char *value, int64_t create, int64_t mod,
                        int64_t version) {
    assert_int_equal(response.status, STATUS_OK);
    assert_true(response.is_found);
    assert_true(bytes_equal(response.item.value, bytes_of_text(value)));
    assert_int_equal(response.item.create_revision, create);
    assert_int_equal(response.item.mod_revision, mod);
    assert_int_equal(response.item.version, version);
}

/* ---- Revisions ----------------------------------------------------------------------------- */

static void a_new_store_is_empty(void **state) {
    struct replica *r = *state;
    struct kv_response get = replica_get(r, "k");
    assert_int_equal(get.status, STATUS_OK);
    assert_false(get.is_found);
    assert_int_equal(replica_scan(r, "", "", 0).item_count, 0);
    assert_int_equal(replica_meta(r)->revision, 0);
    assert_int_equal(replica_meta(r)->hash, 0);
}

static void each_change_gets_the_next_revision(void **state) {
    struct replica *r = *state;
    assert_done(replica_put(r, "a", "1"), 1);
    assert_done(replica_put(r, "b", "1"), 2);
    assert_done(replica_put(r, "a", "1"), 3); /* the same value is a change too */
    assert_done(replica_delete(r, "b"), 4);
    assert_int_equal(replica_meta(r)->revision, 4);
}

static void an_item_tells_when_it_was_made_and_last_changed(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "first");
    replica_put(r, "other", "v");
    assert_item(replica_get(r, "k"), "first", 1, 1, 1);
    replica_put(r, "k", "second");
    assert_item(replica_get(r, "k"), "second", 1, 3, 2);
    replica_delete(r, "k");
    replica_put(r, "k", "third");
    assert_item(replica_get(r, "k"), "third", 5, 5, 1);
}

static void deleting_a_missing_key_changes_nothing(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "v");
    struct kv_meta before = *replica_meta(r);
    struct kv_response response = replica_delete(r, "none");
    assert_done(response, 1);
    assert_false(response.is_found);
    assert_int_equal(replica_meta(r)->revision, 1);
    assert_int_equal(replica_meta(r)->hash, before.hash);
    assert_int_equal(replica_meta(r)->record_count, 1);
}

static void a_delete_tells_whether_there_was_a_key(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "v");
    assert_true(replica_delete(r, "k").is_found);
    assert_false(replica_delete(r, "k").is_found);
    assert_false(replica_get(r, "k").is_found);
}

static void an_empty_value_is_a_value(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "");
    assert_item(replica_get(r, "k"), "", 1, 1, 1);
}

static void only_commands_change_keys(void **state) {
    struct replica *r = *state;
    struct kv_response response;
    assert_int_equal(replica_try(r, RAFT_ENTRY_NOOP, (struct bytes){0}, &response), STATUS_OK);
    assert_int_equal(replica_meta(r)->applied_index, 1);
    assert_int_equal(replica_meta(r)->applied_term, 1);
    assert_int_equal(replica_meta(r)->revision, 0);
    assert_int_equal(replica_meta(r)->record_count, 0);
}

/* ---- The configuration --------------------------------------------------------------------- */

static void apply_members(struct replica *r, size_t count) {
    struct raft_configuration configuration = {.count = count};
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    struct kv_response response;
    for (size_t i = 0; i < count; i++)
        configuration.members[i] = (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
    size_t len = raft_configuration_encode(&configuration, payload, sizeof payload);
    assert_int_equal(replica_try(r, RAFT_ENTRY_CONFIGURATION, bytes_of(payload, len), &response),
                     STATUS_OK);
}

static void assert_members(struct replica *r, size_t count, raft_index index) {
    struct raft_configuration configuration;
    assert_int_equal(kv_machine_configuration(r->machine, &configuration), STATUS_OK);
    assert_int_equal(configuration.count, count);
    assert_int_equal(configuration.index, index);
}

static void the_state_holds_the_newest_configuration(void **state) {
    struct replica *r = *state;
    struct raft_configuration none;
    assert_int_equal(kv_machine_configuration(r->machine, &none), STATUS_NOT_FOUND);
    apply_members(r, 3);
    assert_members(r, 3, 1);
    replica_put(r, "k", "v");
    apply_members(r, 2);
    assert_members(r, 2, 3);
    assert_int_equal(replica_meta(r)->record_count, 2);
    assert_int_equal(replica_meta(r)->key_count, 1);
}

static void the_configuration_is_part_of_the_state_on_disk(void **state) {
    struct replica *r = *state;
    apply_members(r, 3);
    replica_flush(r);
    replica_restart(r);
    assert_members(r, 3, 1);
    assert_int_equal(replica_scan(r, "", "", 0).item_count, 0);
}

static void what_is_no_configuration_is_not_applied(void **state) {
    struct replica *r = *state;
    struct kv_response response;
    assert_int_equal(replica_try(r, RAFT_ENTRY_CONFIGURATION, bytes_of("xyz", 3), &response),
                     STATUS_CORRUPT);
    assert_int_equal(replica_meta(r)->applied_index, 0);
}

static void what_is_no_command_is_not_applied(void **state) {
    struct replica *r = *state;
    struct kv_response response = {.revision = 77};
    struct bytes corrupt = bytes_of("\x01 no command", 12);
    struct bytes later = bytes_of("\x02 of a later version", 20);
    assert_int_equal(replica_try(r, RAFT_ENTRY_COMMAND, corrupt, &response), STATUS_CORRUPT);
    assert_int_equal(replica_meta(r)->applied_index, 0);
    replica_forget(r);
    assert_int_equal(replica_try(r, RAFT_ENTRY_COMMAND, later, &response), STATUS_UNSUPPORTED);
    assert_int_equal(replica_meta(r)->applied_index, 0);
    assert_int_equal(response.revision, 77);
}

static void the_largest_key_and_value_come_back(void **state) {
    struct replica *r = *state;
    static uint8_t key[KEY_BYTES_MAX], value[VALUE_BYTES_MAX];
    memset(key, 0xff, sizeof key);
    memset(value, 0xab, sizeof value);
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of(key, sizeof key),
                                 .value = bytes_of(value, sizeof value)};
    assert_done(replica_write(r, &request), 1);
    for (int pass = 0; pass < 2; pass++) {
        request.operation = KV_GET;
        struct kv_response response;
        kv_machine_read(r->machine, &request, &response);
        assert_true(response.is_found);
        assert_true(bytes_equal(response.item.value, bytes_of(value, sizeof value)));
        replica_flush(r);
    }
}

static void keys_hold_any_bytes(void **state) {
    struct replica *r = *state;
    struct kv_request request = {.operation = KV_PUT, .key = bytes_of("\0\xff\0", 3)};
    assert_done(replica_write(r, &request), 1);
    request.key.len = 2;
    request.operation = KV_GET;
    struct kv_response response;
    kv_machine_read(r->machine, &request, &response);
    assert_false(response.is_found);
}

/* ---- Compare and set ----------------------------------------------------------------------- */

/* The mark, and nothing changed but what was applied. */
static void assert_precondition(struct replica *r, struct kv_response response,
                                const struct kv_meta *before) {
    assert_int_equal(response.status, STATUS_PRECONDITION);
    assert_true(response.is_not_applied);
    assert_string_equal(response.detail,
                        "prev_revision: the key's modification revision is another");
    struct kv_meta expected = *before;
    expected.applied_index++;
    assert_memory_equal(replica_meta(r), &expected, sizeof expected);
}

static void a_put_at_the_right_revision_is_applied(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "1");
    assert_done(replica_put_at(r, "k", "2", 1), 2);
    assert_done(replica_put_at(r, "k", "3", 2), 3);
    assert_string_equal(replica_value(r, "k"), "3");
}

static void a_put_at_another_revision_changes_nothing(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "1");
    replica_put(r, "k", "2");
    struct kv_meta before = *replica_meta(r);
    assert_precondition(r, replica_put_at(r, "k", "x", 1), &before);
    before = *replica_meta(r);
    assert_precondition(r, replica_put_at(r, "k", "x", 3), &before);
    before = *replica_meta(r);
    assert_precondition(r, replica_put_at(r, "none", "x", 1), &before);
    assert_string_equal(replica_value(r, "k"), "2");
}

static void revision_0_means_that_the_key_is_absent(void **state) {
    struct replica *r = *state;
    assert_done(replica_put_at(r, "k", "1", 0), 1);
    struct kv_meta before = *replica_meta(r);
    assert_precondition(r, replica_put_at(r, "k", "2", 0), &before);
    replica_delete(r, "k");
    assert_done(replica_put_at(r, "k", "3", 0), 3);
}

static void a_delete_compares_as_well(void **state) {
    struct replica *r = *state;
    replica_put(r, "k", "1");
    struct kv_meta before = *replica_meta(r);
    assert_precondition(r, replica_delete_at(r, "k", 2), &before);
    before = *replica_meta(r);
    assert_precondition(r, replica_delete_at(r, "k", 0), &before);
    struct kv_response response = replica_delete_at(r, "k", 1);
    assert_done(response, 2);
    assert_true(response.is_found);
    response = replica_delete_at(r, "k", 0);
    assert_done(response, 2);
    assert_false(response.is_found);
}

/* ---- Counts and hash ------------------------------------------------------------------------ */

/* The hash is a sum over the records: it tells what they are, and not how they came to be. */
static void equal_records_have_equal_hashes_whatever_came_between(void **state) {
    struct replica *r = *state;
    struct replica *other = replica_new();
    replica_put(r, "a", "1");
    replica_put(r, "passing", "x");
    replica_delete(r, "passing");
    replica_put(r, "b", "2");

    replica_put(other, "a", "1");
    replica_put(other, "also passing", "yy");
    replica_flush(other);
    replica_delete(other, "also passing");
    replica_put(other, "b", "2");
    assert_int_equal(replica_meta(r)->hash, replica_meta(other)->hash);
    assert_int_equal(replica_meta(r)->record_count, replica_meta(other)->record_count);
    replica_free(other);
}

static void a_hash_returns_to_what_it_was_when_a_change_is_undone(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    uint64_t before = replica_meta(r)->hash;
    replica_put(r, "b", "2");
    assert_int_not_equal(replica_meta(r)->hash, before);
    replica_delete(r, "b");
    assert_int_equal(replica_meta(r)->hash, before);
    replica_put(r, "a", "changed");
    assert_int_not_equal(replica_meta(r)->hash, before);
    replica_delete(r, "a");
    assert_int_equal(replica_meta(r)->hash, 0);
}

static uint64_t hash_after(const char *key, const char *value, bool is_twice) {
    struct replica *r = replica_new();
    replica_put(r, key, value);
    if (is_twice)
        replica_put(r, key, value);
    uint64_t hash = replica_meta(r)->hash;
    replica_free(r);
    return hash;
}

static void any_difference_in_a_record_changes_the_hash(void **state) {
    (void)state;
    uint64_t hash = hash_after("key", "value", false);
    assert_int_equal(hash_after("key", "value", false), hash);
    assert_int_not_equal(hash_after("kez", "value", false), hash);
    assert_int_not_equal(hash_after("key", "valud", false), hash);
    assert_int_not_equal(hash_after("key", "value\x01", false), hash);
    assert_int_not_equal(hash_after("keyv", "alue", false), hash);
    assert_int_not_equal(hash_after("key", "value", true), hash); /* another revision */
}

static void the_meta_counts_keys_and_their_bytes(void **state) {
    struct replica *r = *state;
    replica_put(r, "ab", "123");
    replica_put(r, "c", "");
    assert_int_equal(replica_meta(r)->key_count, 2);
    assert_int_equal(replica_meta(r)->key_value_bytes, 6);
    replica_flush(r);
    replica_put(r, "ab", "1");
    assert_int_equal(replica_meta(r)->key_value_bytes, 4);
    replica_delete(r, "ab");
    assert_int_equal(replica_meta(r)->key_count, 1);
    assert_int_equal(replica_meta(r)->key_value_bytes, 1);
    replica_delete(r, "c");
    assert_int_equal(replica_meta(r)->key_value_bytes, 0);
    assert_int_equal(replica_meta(r)->record_count, 0);
}

/* ---- Scans ---------------------------------------------------------------------------------- */

static void assert_keys(struct kv_response response, const char *keys, bool has_more) {
    char text[256] = "";
    assert_int_equal(response.status, STATUS_OK);
    for (size_t i = 0; i < response.item_count; i++) {
        struct bytes key = response.items[i].key;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ", (int)key.len,
                 (const char *)key.data);
    }
    assert_string_equal(text, keys);
    assert_int_equal(response.has_more, has_more);
}

static void put_letters(struct replica *r) {
    for (char letter = 'e'; letter >= 'a'; letter--)
        replica_put(r, (char[]){letter, '\0'}, "v");
}

static void a_scan_takes_its_start_and_leaves_its_end(void **state) {
    struct replica *r = *state;
    put_letters(r);
    assert_keys(replica_scan(r, "", "", 0), "a b c d e ", false);
    assert_keys(replica_scan(r, "b", "d", 0), "b c ", false);
    assert_keys(replica_scan(r, "bb", "dd", 0), "c d ", false);
    assert_keys(replica_scan(r, "d", "", 0), "d e ", false);
    assert_keys(replica_scan(r, "", "b", 0), "a ", false);
    assert_keys(replica_scan(r, "f", "", 0), "", false);
}

static void an_empty_range_has_no_items(void **state) {
    struct replica *r = *state;
    put_letters(r);
    assert_keys(replica_scan(r, "b", "b", 0), "", false);
    assert_keys(replica_scan(r, "b", "b", 1), "", false);
    assert_keys(replica_scan(r, "bb", "bc", 0), "", false);
}

static void a_limit_says_exactly_whether_there_is_more(void **state) {
    struct replica *r = *state;
    put_letters(r);
    assert_keys(replica_scan(r, "", "", 4), "a b c d ", true);
    assert_keys(replica_scan(r, "", "", 5), "a b c d e ", false);
    assert_keys(replica_scan(r, "", "", INT64_MAX), "a b c d e ", false);
    assert_keys(replica_scan(r, "b", "d", 1), "b ", true);
    assert_keys(replica_scan(r, "b", "d", 2), "b c ", false);
    replica_flush(r);
    replica_delete(r, "e");
    assert_keys(replica_scan(r, "", "", 4), "a b c d ", false);
}

static void a_scan_sees_all_three_layers_once(void **state) {
    struct replica *r = *state;
    put_letters(r);
    replica_flush(r);
    replica_put(r, "b", "frozen");
    replica_delete(r, "d");
    replica_freeze(r);
    replica_put(r, "bb", "active");
    replica_delete(r, "a");
    replica_put(r, "d", "risen");
    assert_keys(replica_scan(r, "", "", 0), "b bb c d e ", false);
    assert_string_equal(replica_value(r, "b"), "frozen");
    assert_string_equal(replica_value(r, "d"), "risen");
}

static void a_scan_does_not_see_sessions(void **state) {
    struct replica *r = *state;
    replica_put_as(r, UINT64_MAX, 1, "a", "v");
    assert_keys(replica_scan(r, "", "", 0), "a ", false);
}

static void scanned_items_are_whole(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    replica_put(r, "a", "22");
    struct kv_response response = replica_scan(r, "", "", 0);
    assert_int_equal(response.item_count, 1);
    response.item = response.items[0];
    response.is_found = true;
    assert_item(response, "22", 1, 2, 2);
}

static void put_sized(struct replica *r, const char *key, size_t value_len) {
    static uint8_t value[VALUE_BYTES_MAX];
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text(key),
                                 .value = bytes_of(value, value_len)};
    assert_int_equal(replica_write(r, &request).status, STATUS_OK);
}

static void a_scan_answers_a_mebibyte_at_most_but_one_item_always(void **state) {
    struct replica *r = *state;
    put_sized(r, "a", VALUE_BYTES_MAX);
    put_sized(r, "b", VALUE_BYTES_MAX);
    assert_keys(replica_scan(r, "", "", 0), "a ", true);
    assert_keys(replica_scan(r, "b", "", 0), "b ", false);
    put_sized(r, "c", VALUE_BYTES_MAX / 2);
    put_sized(r, "d", VALUE_BYTES_MAX / 2 - 200);
    put_sized(r, "e", 1);
    put_sized(r, "f", 100);
    assert_keys(replica_scan(r, "c", "", 0), "c d e ", true);
    assert_keys(replica_scan(r, "c", "f", 0), "c d e ", false);
}

static void a_scan_answers_16384_items_at_most(void **state) {
    struct replica *r = *state;
    char key[16];
    for (unsigned i = 0; i <= SCAN_ITEMS_MAX; i++) {
        snprintf(key, sizeof key, "%06u", i);
        replica_put(r, key, "");
    }
    struct kv_response response = replica_scan(r, "", "", 0);
    assert_int_equal(response.item_count, SCAN_ITEMS_MAX);
    assert_true(response.has_more);
    response = replica_scan(r, "", "", INT64_MAX);
    assert_int_equal(response.item_count, SCAN_ITEMS_MAX);
    response = replica_scan(r, "", key, 0);
    assert_int_equal(response.item_count, SCAN_ITEMS_MAX);
    assert_false(response.has_more);
}

/* Keys of the greatest length that differ in their last byte, from 0 to 4. */
static struct bytes long_key(uint8_t memory[KEY_BYTES_MAX], uint8_t last) {
    memset(memory, 0xff, KEY_BYTES_MAX);
    memory[KEY_BYTES_MAX - 1] = last;
    return bytes_of(memory, KEY_BYTES_MAX);
}

static void a_scan_walks_keys_of_the_greatest_length_in_any_layer(void **state) {
    struct replica *r = *state;
    uint8_t start[KEY_BYTES_MAX], end[KEY_BYTES_MAX];
    for (uint8_t last = 0; last < 5; last++) {
        struct kv_request put = {.operation = KV_PUT, .key = long_key(start, last)};
        replica_write(r, &put);
        if (last == 2)
            replica_flush(r);
    }
    struct kv_request scan = {.operation = KV_SCAN,
                              .key = long_key(start, 1),
                              .end = long_key(end, 4)};
    struct kv_response response;
    kv_machine_read(r->machine, &scan, &response);
    assert_int_equal(response.item_count, 3);
    assert_false(response.has_more);
    for (uint8_t i = 0; i < 3; i++)
        assert_true(bytes_equal(response.items[i].key, long_key(start, (uint8_t)(i + 1))));
    scan = (struct kv_request){.operation = KV_SCAN, .key = bytes_of(start, KEY_BYTES_MAX - 1)};
    kv_machine_read(r->machine, &scan, &response);
    assert_int_equal(response.item_count, 5);
}

/* ---- Damage --------------------------------------------------------------------------------- */

static void damage_flushed_key(struct replica *r, char letter) {
    const uint8_t key[] = {KV_TABLE_KEY, (uint8_t)letter};
    memory_base_damage(r->base, bytes_of(key, sizeof key));
}

static void a_damaged_record_is_never_answered(void **state) {
    struct replica *r = *state;
    put_letters(r);
    replica_flush(r);
    damage_flushed_key(r, 'c');
    struct kv_response get = replica_get(r, "c");
    assert_int_equal(get.status, STATUS_CORRUPT);
    assert_false(get.is_found);
    assert_int_equal(kv_machine_damaged(r->machine), 1);
    struct kv_response scan = replica_scan(r, "", "", 0);
    assert_int_equal(scan.status, STATUS_CORRUPT);
    assert_int_equal(scan.item_count, 0);
    assert_int_equal(kv_machine_damaged(r->machine), 2);
    assert_keys(replica_scan(r, "", "c", 0), "a b ", false);
    assert_string_equal(replica_value(r, "d"), "v");
}

static enum status try_put(struct replica *r, const char *key) {
    uint8_t payload[64];
    struct kv_request request = {.operation = KV_PUT, .key = bytes_of_text(key)};
    struct kv_response response;
    size_t size = kv_command_size(&request);
    kv_command_encode(&request, 0, payload, size);
    return replica_try(r, RAFT_ENTRY_COMMAND, bytes_of(payload, size), &response);
}

static void a_damaged_record_is_not_built_upon(void **state) {
    struct replica *r = *state;
    put_letters(r);
    replica_flush(r);
    damage_flushed_key(r, 'c');
    assert_int_equal(try_put(r, "c"), STATUS_CORRUPT);
    assert_int_equal(replica_meta(r)->applied_index, 5);
    assert_int_equal(kv_machine_damaged(r->machine), 1);
}

static void a_base_that_cannot_be_read_is_said_so(void **state) {
    struct replica *r = *state;
    put_letters(r);
    replica_flush(r);
    replica_put(r, "f", "in memory");
    memory_base_fail(r->base, STATUS_IO);
    assert_int_equal(replica_get(r, "a").status, STATUS_IO);
    assert_int_equal(replica_scan(r, "", "", 0).status, STATUS_IO);
    assert_string_equal(replica_value(r, "f"), "in memory");
    assert_int_equal(try_put(r, "a"), STATUS_IO);
    assert_int_equal(replica_meta(r)->applied_index, 6);
}

/* ---- Flushes -------------------------------------------------------------------------------- */

static void a_flush_carries_the_records_and_their_meta(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    replica_put(r, "b", "2");
    replica_freeze(r);
    replica_put(r, "c", "3");
    assert_int_equal(r->flush->number, 1);
    assert_int_equal(r->flush->generation, 1);
    assert_int_equal(r->flush->meta.applied_index, 2);
    assert_int_equal(r->flush->meta.key_count, 2);
    assert_true(r->flush->bytes > 2 * 37);
    replica_store(r);
    assert_int_equal(memory_base_count(r->base), 2);
    replica_finish(r);
    assert_string_equal(replica_value(r, "a"), "1");
    assert_string_equal(replica_value(r, "c"), "3");
}

static void a_flush_ends_only_for_its_own_number_and_generation(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    assert_int_equal(kv_machine_flushed(r->machine, 1, 0), STATUS_STALE);
    replica_flush(r);
    assert_int_equal(kv_machine_flushed(r->machine, 1, 1), STATUS_STALE);
    replica_put(r, "a", "2");
    replica_freeze(r);
    assert_int_equal(kv_machine_flushed(r->machine, 1, 1), STATUS_STALE);
    assert_int_equal(kv_machine_flushed(r->machine, 1, 3), STATUS_STALE);
    assert_int_equal(kv_machine_flushed(r->machine, 2, 2), STATUS_STALE);
    assert_int_equal(kv_machine_flushed(r->machine, 0, 2), STATUS_STALE);
    assert_string_equal(replica_value(r, "a"), "2");
    replica_store(r);
    replica_finish(r);
    assert_string_equal(replica_value(r, "a"), "2");
}

static void a_base_that_cannot_renew_keeps_the_frozen_table(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    replica_freeze(r);
    replica_store(r);
    memory_base_fail(r->base, STATUS_IO);
    assert_int_equal(kv_machine_flushed(r->machine, 1, 1), STATUS_IO);
    assert_string_equal(replica_value(r, "a"), "1");
    memory_base_fail(r->base, STATUS_OK);
    replica_finish(r);
    assert_string_equal(replica_value(r, "a"), "1");
}

static void freeze_again(void *context) {
    (void)kv_machine_freeze(context);
}

static void there_is_one_flush_at_a_time(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    replica_freeze(r);
    assert_true(death_follows(freeze_again, r->machine));
}

static void apply_the_same_entry_again(void *context) {
    struct replica *r = context;
    struct kv_response response;
    enum status status = kv_machine_apply(r->machine, &r->log[0], &response);
    (void)status; /* it does not come to that */
}

static void entries_are_applied_one_after_the_other(void **state) {
    struct replica *r = *state;
    replica_put(r, "a", "1");
    assert_true(death_follows(apply_the_same_entry_again, r));
}

static void it_is_dirty_from_the_first_entry_to_the_freeze(void **state) {
    struct replica *r = *state;
    struct kv_response response;
    assert_false(kv_machine_is_dirty(r->machine));
    assert_int_equal(replica_try(r, RAFT_ENTRY_NOOP, (struct bytes){0}, &response), STATUS_OK);
    assert_true(kv_machine_is_dirty(r->machine));
    replica_freeze(r);
    assert_false(kv_machine_is_dirty(r->machine));
    replica_put(r, "a", "1");
    assert_true(kv_machine_is_dirty(r->machine));
    replica_store(r);
    replica_finish(r);
    assert_true(kv_machine_is_dirty(r->machine));
    replica_flush(r);
    replica_restart(r);
    assert_false(kv_machine_is_dirty(r->machine));
}

static void restart_with(struct replica *r, size_t overlay_bytes) {
    r->config.overlay_bytes = overlay_bytes;
    replica_restart(r);
}

static void at_the_tables_budget_it_wants_a_flush_and_takes_no_more(void **state) {
    struct replica *r = *state;
    restart_with(r, MIB);
    put_sized(r, "a", MIB - 10 * KIB);
    assert_false(kv_machine_wants_flush(r->machine));
    assert_true(kv_machine_has_room(r->machine));
    put_sized(r, "b", 10 * KIB);
    assert_true(kv_machine_wants_flush(r->machine));
    assert_false(kv_machine_has_room(r->machine));

    replica_freeze(r);
    assert_false(kv_machine_wants_flush(r->machine));
    assert_true(kv_machine_has_room(r->machine));
    put_sized(r, "a", MIB);
    assert_false(kv_machine_wants_flush(r->machine)); /* one is under way */
    assert_false(kv_machine_has_room(r->machine));
    replica_store(r);
    replica_finish(r);
    assert_true(kv_machine_wants_flush(r->machine));
}

static void a_long_log_of_a_hot_key_wants_a_flush(void **state) {
    struct replica *r = *state;
    restart_with(r, 64 * KIB);
    for (int i = 0; i < 3 * 16 - 3; i++)
        put_sized(r, "hot", 4 * KIB);
    assert_false(kv_machine_wants_flush(r->machine));
    for (int i = 0; i < 3; i++)
        put_sized(r, "hot", 4 * KIB);
    assert_true(kv_machine_wants_flush(r->machine));
    assert_true(kv_machine_has_room(r->machine));
    replica_flush(r);
    assert_false(kv_machine_wants_flush(r->machine));
}

static void a_hot_key_fills_no_budget(void **state) {
    struct replica *r = *state;
    replica_put(r, "hot", "12345");
    replica_flush(r);
    restart_with(r, KIB);
    for (int i = 0; i < 1000; i++)
        replica_put(r, "hot", "67890");
    assert_true(kv_machine_has_room(r->machine));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, replica_setup, replica_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_is_empty),
        TEST(each_change_gets_the_next_revision),
        TEST(an_item_tells_when_it_was_made_and_last_changed),
        TEST(deleting_a_missing_key_changes_nothing),
        TEST(a_delete_tells_whether_there_was_a_key),
        TEST(an_empty_value_is_a_value),
        TEST(only_commands_change_keys),
        TEST(the_state_holds_the_newest_configuration),
        TEST(the_configuration_is_part_of_the_state_on_disk),
        TEST(what_is_no_configuration_is_not_applied),
        TEST(what_is_no_command_is_not_applied),
        TEST(the_largest_key_and_value_come_back),
        TEST(keys_hold_any_bytes),
        TEST(a_put_at_the_right_revision_is_applied),
        TEST(a_put_at_another_revision_changes_nothing),
        TEST(revision_0_means_that_the_key_is_absent),
        TEST(a_delete_compares_as_well),
        TEST(equal_records_have_equal_hashes_whatever_came_between),
        TEST(a_hash_returns_to_what_it_was_when_a_change_is_undone),
        TEST(any_difference_in_a_record_changes_the_hash),
        TEST(the_meta_counts_keys_and_their_bytes),
        TEST(a_scan_takes_its_start_and_leaves_its_end),
        TEST(an_empty_range_has_no_items),
        TEST(a_limit_says_exactly_whether_there_is_more),
        TEST(a_scan_sees_all_three_layers_once),
        TEST(a_scan_does_not_see_sessions),
        TEST(scanned_items_are_whole),
        TEST(a_scan_answers_a_mebibyte_at_most_but_one_item_always),
        TEST(a_scan_answers_16384_items_at_most),
        TEST(a_scan_walks_keys_of_the_greatest_length_in_any_layer),
        TEST(a_damaged_record_is_never_answered),
        TEST(a_damaged_record_is_not_built_upon),
        TEST(a_base_that_cannot_be_read_is_said_so),
        TEST(a_flush_carries_the_records_and_their_meta),
        TEST(a_flush_ends_only_for_its_own_number_and_generation),
        TEST(a_base_that_cannot_renew_keeps_the_frozen_table),
        TEST(there_is_one_flush_at_a_time),
        TEST(entries_are_applied_one_after_the_other),
        TEST(it_is_dirty_from_the_first_entry_to_the_freeze),
        TEST(at_the_tables_budget_it_wants_a_flush_and_takes_no_more),
        TEST(a_long_log_of_a_hot_key_wants_a_flush),
        TEST(a_hot_key_fills_no_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
