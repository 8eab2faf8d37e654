#include "server/digest.h"

#include "check.h"
#include "wire.h"

static void put_text(struct wire_writer *w, const char *text) {
    size_t len = strlen(text);
    CHECK(len < 256);
    wire_put_u8(w, (uint8_t)len);
    wire_put(w, text, len);
}

static void get_text(struct wire_reader *r, char *field, size_t capacity) {
    struct bytes text = wire_get(r, wire_get_u8(r));
    if (r->has_failed || text.len >= capacity) {
        r->has_failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(field, text.data, text.len);
    field[text.len] = '\0';
}

/* The numbers, in the order of the wire. */
#define NUMBERS 16

static void list_numbers(struct node_digest *digest, uint64_t *numbers[NUMBERS]) {
    uint64_t *all[] = {
        &digest->term,
        &digest->leader,
        &digest->log.first,
        &digest->log.snapshot,
        &digest->log.applied,
        &digest->log.commit,
        &digest->log.last,
        &digest->key_count,
        &digest->log_file_bytes,
        &digest->state_file_bytes,
        &digest->memory_bytes,
        &digest->uptime_ms,
        &digest->writes_per_1000s,
        &digest->reads_per_1000s,
        &digest->commit_p99_us,
        &digest->sync_p99_us,
    };
    _Static_assert(sizeof all / sizeof all[0] == NUMBERS, "all of them");
    memcpy(numbers, all, sizeof all);
}

size_t digest_encode(const struct node_digest *digest, uint8_t *data, size_t capacity) {
    struct wire_writer w = wire_writer_of(data, capacity);
    struct node_digest copy = *digest;
    uint64_t *numbers[NUMBERS];
    list_numbers(&copy, numbers);
    CHECK(digest->trip_count <= MEMBERS_MAX);
    put_text(&w, digest->version);
    put_text(&w, digest->region);
    put_text(&w, digest->http_address);
    wire_put_u8(&w, (uint8_t)digest->role);
    wire_put_u8(&w, digest->is_ready);
    wire_put_u8(&w, digest->disk_is_full);
    for (size_t i = 0; i < NUMBERS; i++)
        wire_put_u64(&w, *numbers[i]);
    wire_put_u8(&w, (uint8_t)digest->trip_count);
    for (size_t i = 0; i < digest->trip_count; i++) {
        wire_put_u64(&w, digest->trips[i].identity);
        wire_put_u64(&w, digest->trips[i].us);
    }
    CHECK(!w.has_failed);
    return w.len;
}

static void get_trips(struct wire_reader *r, struct node_digest *digest) {
    size_t count = wire_get_u8(r);
    if (count > MEMBERS_MAX) {
        r->has_failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        digest->trips[i].identity = wire_get_u64(r);
        digest->trips[i].us = wire_get_u64(r);
    }
    digest->trip_count = count;
}

enum status digest_decode(struct bytes bytes, struct node_digest *ret_digest) {
    struct wire_reader r = wire_reader_of(bytes);
    struct node_digest digest = {0};
    uint64_t *numbers[NUMBERS];
    list_numbers(&digest, numbers);
    get_text(&r, digest.version, sizeof digest.version);
    get_text(&r, digest.region, sizeof digest.region);
    get_text(&r, digest.http_address, sizeof digest.http_address);
    uint8_t role = wire_get_u8(&r);
    digest.is_ready = wire_get_u8(&r) != 0;
    digest.disk_is_full = wire_get_u8(&r) != 0;
    for (size_t i = 0; i < NUMBERS; i++)
        *numbers[i] = wire_get_u64(&r);
    get_trips(&r, &digest);
    if (r.has_failed || role > NODE_LEARNER)
        return STATUS_CORRUPT;
    digest.role = role;
    *ret_digest = digest;
    return STATUS_OK;
}
