#include "support/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Start and end ------------------------------------------------------------------------- */

static void start_machine(struct replica *r) {
    r->config.base = memory_base_view(r->base);
    r->config.meta = memory_base_reopen(r->base);
    assert_int_equal(kv_machine_new(&r->config, &r->machine), STATUS_OK);
}

struct replica *replica_new(void) {
    struct replica *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->config.generation = 1;
    r->config.overlay_bytes = 16 * MIB;
    r->base = memory_base_new();
    start_machine(r);
    return r;
}

void replica_free(struct replica *r) {
    kv_machine_free(r->machine);
    memory_base_free(r->base);
    for (size_t i = 0; i < r->log_count; i++)
        free((void *)r->log[i].payload.data);
    free(r->log);
    free(r);
}

int replica_setup(void **state) {
    *state = replica_new();
    return 0;
}

int replica_teardown(void **state) {
    replica_free(*state);
    return 0;
}

/* ---- Writes -------------------------------------------------------------------------------- */

/* The new entry; its payload is memory of `payload_len` bytes still to be filled. */
static struct raft_entry *append(struct replica *r, enum raft_entry_type type, size_t payload_len,
                                 uint8_t **ret_payload) {
    if (r->log_count == r->log_capacity) {
        r->log_capacity = 2 * r->log_capacity + 16;
        r->log = realloc(r->log, r->log_capacity * sizeof *r->log);
        assert_non_null(r->log);
    }
    uint8_t *payload = malloc(payload_len + 1);
    assert_non_null(payload);
    struct raft_entry *entry = &r->log[r->log_count++];
    *entry = (struct raft_entry){.index = r->log_count,
                                 .term = 1,
                                 .type = type,
                                 .payload = bytes_of(payload, payload_len)};
    *ret_payload = payload;
    return entry;
}

enum status replica_try(struct replica *r, enum raft_entry_type type, struct bytes payload,
                        struct kv_response *ret_response) {
    uint8_t *copy;
    struct raft_entry *entry = append(r, type, payload.len, &copy);
    if (payload.len > 0)
        memcpy(copy, payload.data, payload.len);
    return kv_machine_apply(r->machine, entry, ret_response);
}

void replica_forget(struct replica *r) {
    free((void *)r->log[--r->log_count].payload.data);
}

struct kv_response replica_write(struct replica *r, const struct kv_request *request) {
    size_t size = kv_command_size(request);
    uint8_t *payload;
    struct raft_entry *entry = append(r, RAFT_ENTRY_COMMAND, size, &payload);
    struct kv_response response;
    kv_command_encode(request, r->now_ms, payload, size);
    assert_int_equal(kv_machine_apply(r->machine, entry, &response), STATUS_OK);
    return response;
}

static struct kv_request request_of(enum kv_operation operation, const char *key,
                                    const char *value) {
    return (struct kv_request){.operation = operation,
                               .key = bytes_of_text(key),
                               .value = bytes_of_text(value)};
}

struct kv_response replica_put(struct replica *r, const char *key, const char *value) {
    struct kv_request request = request_of(KV_PUT, key, value);
    return replica_write(r, &request);
}

struct kv_response replica_delete(struct replica *r, const char *key) {
    struct kv_request request = request_of(KV_DELETE, key, "");
    return replica_write(r, &request);
}

struct kv_response replica_put_at(struct replica *r, const char *key, const char *value,
                                  int64_t prev_revision) {
    struct kv_request request = request_of(KV_PUT, key, value);
    request.has_prev_revision = true;
    request.prev_revision = prev_revision;
    return replica_write(r, &request);
}

struct kv_response replica_delete_at(struct replica *r, const char *key, int64_t prev_revision) {
    struct kv_request request = request_of(KV_DELETE, key, "");
    request.has_prev_revision = true;
    request.prev_revision = prev_revision;
    return replica_write(r, &request);
}

struct kv_response replica_put_as(struct replica *r, uint64_t client_id, uint64_t sequence,
                                  const char *key, const char *value) {
    struct kv_request request = request_of(KV_PUT, key, value);
    request.has_request_id = true;
    request.client_id = client_id;
    request.sequence = sequence;
    return replica_write(r, &request);
}

/* ---- Reads --------------------------------------------------------------------------------- */

struct kv_response replica_get(struct replica *r, const char *key) {
    struct kv_request request = request_of(KV_GET, key, "");
    struct kv_response response;
    kv_machine_read(r->machine, &request, &response);
    return response;
}

struct kv_response replica_scan(struct replica *r, const char *start, const char *end,
                                int64_t limit) {
    struct kv_request request = request_of(KV_SCAN, start, "");
    struct kv_response response;
    request.end = bytes_of_text(end);
    request.limit = limit;
    kv_machine_read(r->machine, &request, &response);
    return response;
}

const char *replica_value(struct replica *r, const char *key) {
    static char text[256];
    struct kv_response response = replica_get(r, key);
    assert_int_equal(response.status, STATUS_OK);
    if (!response.is_found)
        return "";
    struct bytes value = response.item.value;
    snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.data);
    return text;
}

const struct kv_meta *replica_meta(const struct replica *r) {
    return kv_machine_meta(r->machine);
}

/* ---- Flushes and restarts ------------------------------------------------------------------ */

void replica_freeze(struct replica *r) {
    r->flush = kv_machine_freeze(r->machine);
    assert_non_null(r->flush);
}

void replica_store(struct replica *r) {
    memory_base_flush(r->base, r->flush);
    r->is_stored = true;
}

void replica_finish(struct replica *r) {
    enum status status = kv_machine_flushed(r->machine, r->flush->generation, r->flush->number);
    assert_int_equal(status, STATUS_OK);
    r->flush = NULL;
    r->is_stored = false;
}

void replica_flush(struct replica *r) {
    replica_freeze(r);
    replica_store(r);
    replica_finish(r);
}

void replica_restart(struct replica *r) {
    kv_machine_free(r->machine);
    r->flush = NULL;
    r->is_stored = false;
    start_machine(r);
    for (size_t i = replica_meta(r)->applied_index; i < r->log_count; i++) {
        struct kv_response response;
        assert_int_equal(kv_machine_apply(r->machine, &r->log[i], &response), STATUS_OK);
    }
}
