#include "kv/machine.h"

#include "kv/session.h"
#include "wire.h"

#include <stdlib.h>

/* A client's key as a record's body: u8 format, i64 create revision, i64 modification revision,
 * i64 version, i64 lease (0: none), then the value. */
#define KEY_FORMAT_VERSION 1
#define KEY_HEAD_BYTES ((size_t)(1 + 4 * 8))

/* A start reads again what is not flushed: this many times the table's budget of log, at most
 * about, in which an entry takes so many bytes beside its payload. */
#define LOG_BUDGETS 3
#define ENTRY_OVERHEAD_BYTES 64

enum status kv_machine_new(const struct kv_machine_config *config,
                           struct kv_machine **ret_machine) {
    CHECK(config->overlay_bytes > 0);
    struct kv_machine *m = calloc(1, sizeof *m);
    if (!m)
        return STATUS_NO_MEMORY;
    m->view.base = config->base;
    m->meta = config->meta;
    m->overlay_bytes = config->overlay_bytes;
    m->frozen_index = config->meta.applied_index;
    m->flush.generation = config->generation;
    m->items = calloc(SCAN_ITEMS_MAX, sizeof *m->items);
    if (!m->items || kv__overlay_new(&m->view.active) != STATUS_OK) {
        kv_machine_free(m);
        return STATUS_NO_MEMORY;
    }
    *ret_machine = m;
    return STATUS_OK;
}

void kv_machine_free(struct kv_machine *m) {
    if (!m)
        return;
    kv__overlay_free(m->view.active);
    kv__overlay_free(m->view.frozen);
    free(m->items);
    free(m);
}

const struct kv_meta *kv_machine_meta(const struct kv_machine *m) {
    return &m->meta;
}

uint64_t kv_machine_damaged(const struct kv_machine *m) {
    return m->view.damaged;
}

/* ---- Records ------------------------------------------------------------------------------- */

static void forget(struct kv_machine *m, struct bytes old) {
    if (!old.data)
        return;
    m->meta.record_count--;
    m->meta.hash -= kv__record_hash(old);
}

enum status kv__machine_put(struct kv_machine *m, struct bytes key, struct bytes old,
                            struct bytes head, struct bytes tail) {
    /* The old record may lie where the new one goes. */
    uint64_t old_hash = old.data ? kv__record_hash(old) : 0;
    size_t len = KV_SEAL_BYTES + head.len + tail.len;
    uint8_t *record;
    enum status status = kv__overlay_put(m->view.active, key, len, &record);
    if (status != STATUS_OK)
        return status;
    memcpy(record + KV_SEAL_BYTES, head.data, head.len);
    if (tail.len > 0)
        memcpy(record + KV_SEAL_BYTES + head.len, tail.data, tail.len);
    kv__record_seal(key, record, len);
    m->meta.hash += kv__record_hash(bytes_of(record, len)) - old_hash;
    m->meta.record_count += old.data ? 0 : 1;
    return STATUS_OK;
}

enum status kv__machine_remove(struct kv_machine *m, struct bytes key, struct bytes old) {
    CHECK(old.data);
    enum status status = kv__overlay_delete(m->view.active, key);
    if (status == STATUS_OK)
        forget(m, old);
    return status;
}

/* ---- Clients' keys ------------------------------------------------------------------------- */

static struct kv_internal_key user_key(struct bytes key) {
    struct kv_internal_key internal = {.len = 1 + key.len};
    CHECK(internal.len <= sizeof internal.data);
    internal.data[0] = KV_TABLE_KEY;
    if (key.len > 0)
        memcpy(internal.data + 1, key.data, key.len);
    return internal;
}

/* A sealed record as what a client sees. */
static enum status decode_item(struct bytes key, struct bytes record, struct kv_item *ret_item) {
    struct wire_reader r = kv__machine_body(record);
    uint8_t version = wire_get_u8(&r);
    struct kv_item item = {.key = bytes_of(key.data + 1, key.len - 1)};
    item.create_revision = (int64_t)wire_get_u64(&r);
    item.mod_revision = (int64_t)wire_get_u64(&r);
    item.version = (int64_t)wire_get_u64(&r);
    (void)wire_get_u64(&r); /* the lease: kept for the API that grants them */
    item.value = bytes_of(r.data, r.len);
    if (r.has_failed || version != KEY_FORMAT_VERSION)
        return STATUS_CORRUPT;
    *ret_item = item;
    return STATUS_OK;
}

/* What is there under a client's key: `ret_record` with data NULL when there is nothing. */
static enum status find_item(struct kv_machine *m, struct bytes key, struct bytes *ret_record,
                             struct kv_item *ret_item) {
    enum status status = kv__view_get(&m->view, key, ret_record);
    if (status == STATUS_NOT_FOUND) {
        *ret_record = (struct bytes){0};
        *ret_item = (struct kv_item){0};
        return STATUS_OK;
    }
    return status == STATUS_OK ? decode_item(key, *ret_record, ret_item) : status;
}

struct kv_response kv__precondition_failed(void) {
    return (struct kv_response){
        .status = STATUS_PRECONDITION,
        .is_not_applied = true,
        .detail = "prev_revision: the key's modification revision is another",
    };
}

static bool revision_matches(const struct kv_request *request, const struct kv_item *item) {
    return !request->has_prev_revision || request->prev_revision == item->mod_revision;
}

static enum status apply_put(struct kv_machine *m, const struct kv_request *request,
                             struct bytes key, struct bytes old, const struct kv_item *item,
                             struct kv_response *response) {
    int64_t revision = m->meta.revision + 1;
    size_t old_bytes = old.data ? request->key.len + item->value.len : 0;
    uint8_t head[KEY_HEAD_BYTES];
    struct wire_writer w = wire_writer_of(head, sizeof head);
    wire_put_u8(&w, KEY_FORMAT_VERSION);
    wire_put_u64(&w, (uint64_t)(old.data ? item->create_revision : revision));
    wire_put_u64(&w, (uint64_t)revision);
    wire_put_u64(&w, (uint64_t)(item->version + 1));
    wire_put_u64(&w, 0);
    enum status status = kv__machine_put(m, key, old, bytes_of(head, w.len), request->value);
    if (status != STATUS_OK)
        return status;
    m->meta.revision = revision;
    m->meta.key_count += old.data ? 0 : 1;
    m->meta.key_value_bytes += request->key.len + request->value.len - old_bytes;
    response->revision = revision;
    return STATUS_OK;
}

static enum status apply_delete(struct kv_machine *m, const struct kv_request *request,
                                struct bytes key, struct bytes old, const struct kv_item *item,
                                struct kv_response *response) {
    response->revision = m->meta.revision;
    if (!old.data)
        return STATUS_OK;
    size_t old_bytes = request->key.len + item->value.len;
    enum status status = kv__machine_remove(m, key, old);
    if (status != STATUS_OK)
        return status;
    m->meta.revision++;
    m->meta.key_count--;
    m->meta.key_value_bytes -= old_bytes;
    response->is_found = true;
    response->revision = m->meta.revision;
    return STATUS_OK;
}

/* The effect of one write, sessions aside. */
static enum status apply_write(struct kv_machine *m, const struct kv_request *request,
                               struct kv_response *response) {
    struct kv_internal_key internal = user_key(request->key);
    struct bytes key = kv__internal_key(&internal);
    struct bytes old;
    struct kv_item item;
    enum status status = find_item(m, key, &old, &item);
    if (status != STATUS_OK)
        return status;
    if (!revision_matches(request, &item)) {
        *response = kv__precondition_failed();
        return STATUS_OK;
    }
    *response = (struct kv_response){.status = STATUS_OK};
    return request->operation == KV_PUT ? apply_put(m, request, key, old, &item, response)
                                        : apply_delete(m, request, key, old, &item, response);
}

static enum status apply_in_session(struct kv_machine *m, const struct kv_request *request,
                                    struct kv_response *response) {
    struct kv_session session;
    enum kv_session_verdict verdict;
    enum status status = kv__session_sweep(m);
    if (status == STATUS_OK)
        status = kv__session_begin(m, request, &session, response, &verdict);
    if (status != STATUS_OK || verdict != KV_SESSION_APPLY)
        return status;
    status = apply_write(m, request, response);
    return status == STATUS_OK ? kv__session_record(m, request, &session, response) : status;
}

static enum status apply_command(struct kv_machine *m, struct bytes payload,
                                 struct kv_response *response) {
    struct kv_command command;
    enum status status = kv__command_decode(payload, &command);
    if (status != STATUS_OK)
        return status;
    kv__session_clock(m, command.logged_ms);
    return command.request.has_request_id ? apply_in_session(m, &command.request, response)
                                          : apply_write(m, &command.request, response);
}

/* ---- The configuration --------------------------------------------------------------------- */

struct bytes kv__configuration_key(void) {
    static const uint8_t key[] = {KV_TABLE_CONFIGURATION};
    return bytes_of(key, sizeof key);
}

enum status kv__configuration_decode(struct bytes body,
                                     struct raft_configuration *ret_configuration) {
    struct wire_reader r = wire_reader_of(body);
    raft_index index = wire_get_u64(&r);
    struct raft_configuration configuration;
    if (r.has_failed ||
        raft_configuration_decode(bytes_of(r.data, r.len), &configuration) != STATUS_OK)
        return STATUS_CORRUPT;
    configuration.index = index;
    *ret_configuration = configuration;
    return STATUS_OK;
}

enum status kv_machine_configuration(struct kv_machine *m,
                                     struct raft_configuration *ret_configuration) {
    struct bytes record;
    enum status status = kv__view_get(&m->view, kv__configuration_key(), &record);
    if (status != STATUS_OK)
        return status;
    struct wire_reader r = kv__machine_body(record);
    return kv__configuration_decode(bytes_of(r.data, r.len), ret_configuration);
}

/* Kept in the state, so that a snapshot says who the members were at its index. */
static enum status apply_configuration(struct kv_machine *m, const struct raft_entry *entry) {
    struct bytes old = {0};
    struct raft_configuration configuration;
    if (raft_configuration_decode(entry->payload, &configuration) != STATUS_OK)
        return STATUS_CORRUPT;
    enum status status = kv__view_get(&m->view, kv__configuration_key(), &old);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    uint8_t head[8];
    struct wire_writer w = wire_writer_of(head, sizeof head);
    wire_put_u64(&w, entry->index);
    return kv__machine_put(m, kv__configuration_key(), old, bytes_of(head, sizeof head),
                           entry->payload);
}

/* What an entry does; those of the engine's own have no answer. */
static enum status apply_effect(struct kv_machine *m, const struct raft_entry *entry,
                                struct kv_response *response) {
    switch (entry->type) {
    case RAFT_ENTRY_NOOP: return STATUS_OK;
    case RAFT_ENTRY_COMMAND: return apply_command(m, entry->payload, response);
    case RAFT_ENTRY_CONFIGURATION: return apply_configuration(m, entry);
    }
    return STATUS_UNSUPPORTED;
}

enum status kv_machine_apply(struct kv_machine *m, const struct raft_entry *entry,
                             struct kv_response *ret_response) {
    CHECK(entry->index == m->meta.applied_index + 1);
    CHECK(entry->term >= m->meta.applied_term);
    struct kv_response response = {.status = STATUS_OK};
    enum status status = apply_effect(m, entry, &response);
    if (status != STATUS_OK)
        return status;
    m->meta.applied_index = entry->index;
    m->meta.applied_term = entry->term;
    m->unflushed_log_bytes += entry->payload.len + ENTRY_OVERHEAD_BYTES;
    *ret_response = response;
    return STATUS_OK;
}

/* ---- Reads --------------------------------------------------------------------------------- */

static void read_get(struct kv_machine *m, const struct kv_request *request,
                     struct kv_response *response) {
    struct kv_internal_key key = user_key(request->key);
    struct bytes record;
    response->status = find_item(m, kv__internal_key(&key), &record, &response->item);
    if (response->status != STATUS_OK)
        return;
    response->is_found = record.data != NULL;
    response->item.key = request->key;
}

static bool is_in_range(const struct kv_cursor *cursor, const struct kv_request *request) {
    if (cursor->key.data[0] != KV_TABLE_KEY)
        return false;
    struct bytes key = bytes_of(cursor->key.data + 1, cursor->key.len - 1);
    return request->end.len == 0 || bytes_compare(key, request->end) < 0;
}

/* Past the range a scan is at its end, whatever is there: a damaged record too. */
static enum status end_at_range(enum status status, const struct kv_cursor *cursor,
                                const struct kv_request *request) {
    bool is_at_record = status == STATUS_OK || status == STATUS_CORRUPT;
    return is_at_record && !is_in_range(cursor, request) ? STATUS_NOT_FOUND : status;
}

/* Whether one more item of `bytes` still goes into the answer; the first one always does. */
static bool has_space(const struct kv_request *request, size_t count, size_t bytes) {
    if (count == 0)
        return true;
    size_t limit = request->limit > 0 && (uint64_t)request->limit < SCAN_ITEMS_MAX
                       ? (size_t)request->limit
                       : SCAN_ITEMS_MAX;
    return count < limit && bytes <= SCAN_BYTES_MAX;
}

static void read_scan(struct kv_machine *m, const struct kv_request *request,
                      struct kv_response *response) {
    struct kv_internal_key from = user_key(request->key);
    struct kv_cursor cursor;
    size_t count = 0;
    size_t bytes = 0;
    enum status status = kv__cursor_seek(&cursor, &m->view, kv__internal_key(&from));
    status = end_at_range(status, &cursor, request);
    while (status == STATUS_OK) {
        bytes += cursor.key.len + cursor.record.len;
        response->has_more = !has_space(request, count, bytes);
        if (response->has_more)
            break;
        status = decode_item(cursor.key, cursor.record, &m->items[count++]);
        if (status == STATUS_OK)
            status = end_at_range(kv__cursor_next(&cursor), &cursor, request);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        *response = (struct kv_response){.status = status};
        return;
    }
    response->items = m->items;
    response->item_count = count;
}

void kv_machine_read(struct kv_machine *m, const struct kv_request *request,
                     struct kv_response *ret_response) {
    CHECK(!kv_request_is_write(request));
    *ret_response = (struct kv_response){0};
    if (request->operation == KV_GET)
        read_get(m, request, ret_response);
    else
        read_scan(m, request, ret_response);
}

/* ---- Flushes ------------------------------------------------------------------------------- */

static bool is_at_budget(const struct kv_machine *m) {
    return kv__overlay_bytes(m->view.active) >= m->overlay_bytes;
}

bool kv_machine_has_room(const struct kv_machine *m) {
    return !is_at_budget(m);
}

bool kv_machine_is_dirty(const struct kv_machine *m) {
    return m->meta.applied_index > m->frozen_index;
}

/* What is written again and again fills the log and not the table. */
static bool is_log_long(const struct kv_machine *m) {
    return m->unflushed_log_bytes >= LOG_BUDGETS * m->overlay_bytes;
}

bool kv_machine_wants_flush(const struct kv_machine *m) {
    return !m->view.frozen && (is_at_budget(m) || is_log_long(m));
}

const struct kv_flush *kv_machine_freeze(struct kv_machine *m) {
    CHECK(!m->view.frozen);
    struct kv_overlay *fresh;
    if (kv__overlay_new(&fresh) != STATUS_OK)
        return NULL;
    m->view.frozen = m->view.active;
    m->view.active = fresh;
    m->frozen_index = m->meta.applied_index;
    m->unflushed_log_bytes = 0;
    m->flush = (struct kv_flush){
        .generation = m->flush.generation,
        .number = m->flush.number + 1,
        .meta = m->meta,
        .overlay = m->view.frozen,
        .bytes = kv__overlay_bytes(m->view.frozen),
    };
    return &m->flush;
}

enum status kv_machine_flush_renew(struct kv_machine *m, uint64_t generation, uint64_t number) {
    if (!m->view.frozen || generation != m->flush.generation || number != m->flush.number)
        return STATUS_STALE;
    return m->view.base.ops->renew(m->view.base.context);
}

enum status kv_machine_flushed(struct kv_machine *m, uint64_t generation, uint64_t number) {
    enum status status = kv_machine_flush_renew(m, generation, number);
    if (status != STATUS_OK)
        return status;
    kv__overlay_free(m->view.frozen);
    m->view.frozen = NULL;
    return STATUS_OK;
}
