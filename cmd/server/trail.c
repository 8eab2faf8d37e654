#include "server/trail.h"

#include <stdlib.h>

enum status trail_init(struct trail *trail, raft_index last) {
    struct trail_entry *entries = calloc(UNAPPLIED_ENTRIES_MAX, sizeof *entries);
    if (!entries)
        return STATUS_NO_MEMORY;
    *trail = (struct trail){.entries = entries, .first = last + 1, .last = last};
    return STATUS_OK;
}

void trail_close(struct trail *trail) {
    if (!trail->entries)
        return;
    while (trail->first <= trail->last)
        trail_pop(trail);
    trail_bury(trail);
    free(trail->entries);
    trail->entries = NULL;
}

/* Two places stay free for entries of the engine's own: a no-op, a configuration. */
bool trail_has_room_for(const struct trail *trail, size_t count, size_t payload_bytes) {
    return trail->last + 1 - trail->first + count <= UNAPPLIED_ENTRIES_MAX - 2 &&
           trail->payload_bytes + payload_bytes <= UNAPPLIED_BYTES_MAX;
}

bool trail_has_room(const struct trail *trail, size_t payload_bytes) {
    return trail_has_room_for(trail, 1, payload_bytes);
}

static struct trail_entry *slot(struct trail *trail, raft_index index) {
    return &trail->entries[index % UNAPPLIED_ENTRIES_MAX];
}

void trail_push(struct trail *trail, const struct raft_entry *entry, struct turn_request *request) {
    CHECK(entry->index == trail->last + 1);
    CHECK(trail->last + 1 - trail->first < UNAPPLIED_ENTRIES_MAX);
    *slot(trail, entry->index) = (struct trail_entry){.entry = *entry, .request = request};
    trail->last = entry->index;
    trail->payload_bytes += entry->payload.len;
}

bool trail_holds(const struct trail *trail, raft_index index) {
    return index >= trail->first && index <= trail->last;
}

struct trail_entry *trail_at(struct trail *trail, raft_index index) {
    CHECK(trail_holds(trail, index));
    return slot(trail, index);
}

static struct trail_payload *payload_of(const uint8_t *data) {
    return (struct trail_payload *)(uintptr_t)(data - offsetof(struct trail_payload, data));
}

uint8_t *trail_payload_new(size_t size) {
    struct trail_payload *payload = malloc(sizeof *payload + size);
    return payload ? payload->data : NULL;
}

void trail_payload_free(uint8_t *data) {
    if (data)
        free(payload_of(data));
}

void trail_pop(struct trail *trail) {
    struct trail_entry *first = trail_at(trail, trail->first);
    trail->payload_bytes -= first->entry.payload.len;
    if (first->entry.payload.data)
        free(payload_of(first->entry.payload.data));
    trail->first++;
}

void trail_drop_last(struct trail *trail) {
    struct trail_entry *last = trail_at(trail, trail->last);
    trail->payload_bytes -= last->entry.payload.len;
    trail->last--;
    if (!last->entry.payload.data)
        return;
    struct trail_payload *payload = payload_of(last->entry.payload.data);
    payload->next = trail->doomed;
    trail->doomed = payload;
}

void trail_bury(struct trail *trail) {
    while (trail->doomed) {
        struct trail_payload *payload = trail->doomed;
        trail->doomed = payload->next;
        free(payload);
    }
}

void trail_restart(struct trail *trail, raft_index last) {
    CHECK(trail->first == trail->last + 1);
    trail->first = last + 1;
    trail->last = last;
}
