#include "support/state_fixture.h"

#include "kv/machine.h"
#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum status state_try_open(struct state_fixture *f, const struct temporary *t) {
    enum status status = kv_directory_open(temporary_path(t, "data"), &f->directory);
    assert_int_equal(status, STATUS_OK);
    return kv_state_open(f->directory, 0, &f->options, &f->state, &f->meta);
}

void state_open(struct state_fixture *f, const struct temporary *t) {
    assert_int_equal(state_try_open(f, t), STATUS_OK);
    assert_int_equal(kv__overlay_new(&f->overlay), STATUS_OK);
}

void state_close(struct state_fixture *f) {
    if (f->overlay)
        kv__overlay_free(f->overlay);
    kv_state_close(f->state);
    kv_directory_close(f->directory);
    f->overlay = NULL;
    f->state = NULL;
    f->directory = NULL;
}

void state_reopen(struct state_fixture *f, const struct temporary *t) {
    state_close(f);
    state_open(f, t);
}

static struct bytes internal_key(const char *key, uint8_t memory[KV_INTERNAL_KEY_BYTES_MAX]) {
    size_t len = strlen(key);
    memory[0] = KV_TABLE_KEY;
    memcpy(memory + 1, key, len);
    return bytes_of(memory, len + 1);
}

/* The record under a key, overlay first. */
static bool find(struct state_fixture *f, struct bytes key, struct bytes *ret_record) {
    struct kv_base base = kv_state_base(f->state);
    const struct kv_overlay_node *node = kv__overlay_find(f->overlay, key);
    if (!node)
        return base.ops->get(base.context, key, ret_record) == STATUS_OK;
    *ret_record = kv__overlay_record(node);
    return !node->is_deleted;
}

static void forget(struct state_fixture *f, struct bytes key) {
    struct bytes record;
    if (!find(f, key, &record))
        return;
    f->meta.record_count--;
    f->meta.key_count--;
    f->meta.hash -= kv__record_hash(record);
}

static void put_record(struct state_fixture *f, struct bytes key, struct bytes body) {
    uint8_t *record;
    size_t len = KV_SEAL_BYTES + body.len;
    assert_int_equal(kv__overlay_put(f->overlay, key, len, &record), STATUS_OK);
    memcpy(record + KV_SEAL_BYTES, body.data, body.len);
    kv__record_seal(key, record, len);
    f->meta.record_count++;
    f->meta.hash += kv__record_hash(bytes_of(record, len));
}

void state_put(struct state_fixture *f, const char *name, struct bytes body) {
    uint8_t memory[KV_INTERNAL_KEY_BYTES_MAX];
    struct bytes key = internal_key(name, memory);
    forget(f, key);
    put_record(f, key, body);
    f->meta.key_count++;
}

void state_put_configuration(struct state_fixture *f, size_t voters, raft_index index) {
    uint8_t body[8 + RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration configuration = fixture_voters(voters, index);
    struct wire_writer w = wire_writer_of(body, sizeof body);
    wire_put_u64(&w, index);
    size_t len =
        w.len + raft_configuration_encode(&configuration, body + w.len, sizeof body - w.len);
    put_record(f, kv__configuration_key(), bytes_of(body, len));
}

void state_put_text(struct state_fixture *f, const char *key, const char *body) {
    state_put(f, key, bytes_of_text(body));
}

void state_delete(struct state_fixture *f, const char *name) {
    uint8_t memory[KV_INTERNAL_KEY_BYTES_MAX];
    struct bytes key = internal_key(name, memory);
    forget(f, key);
    assert_int_equal(kv__overlay_delete(f->overlay, key), STATUS_OK);
}

void state_put_many(struct state_fixture *f, size_t from, size_t to) {
    for (size_t i = from; i <= to; i++) {
        char key[32], body[64];
        (void)snprintf(key, sizeof key, "key-%06zu", i);
        (void)snprintf(body, sizeof body, "body of number %06zu.", i);
        state_put_text(f, key, body);
    }
}

enum status state_try_flush(struct state_fixture *f) {
    f->meta.applied_index++;
    f->meta.applied_term = 3;
    struct kv_flush flush = {.generation = 1,
                             .number = ++f->flushes,
                             .meta = f->meta,
                             .overlay = f->overlay};
    enum status status = STATUS_OK;
    bool is_done = false;
    while (status == STATUS_OK && !is_done)
        status = kv_state_flush(f->state, &flush, &is_done);
    if (status != STATUS_OK)
        f->meta.applied_index--;
    return status;
}

void state_flush(struct state_fixture *f) {
    struct kv_base base = kv_state_base(f->state);
    assert_int_equal(state_try_flush(f), STATUS_OK);
    assert_int_equal(base.ops->renew(base.context), STATUS_OK);
    kv__overlay_free(f->overlay);
    assert_int_equal(kv__overlay_new(&f->overlay), STATUS_OK);
}

enum status state_get(struct state_fixture *f, const char *name, struct bytes *ret_body) {
    uint8_t memory[KV_INTERNAL_KEY_BYTES_MAX];
    struct bytes key = internal_key(name, memory);
    struct kv_base base = kv_state_base(f->state);
    struct bytes record;
    enum status status = base.ops->get(base.context, key, &record);
    return status == STATUS_OK ? kv__record_open(key, record, ret_body) : status;
}
