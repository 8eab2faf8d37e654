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
    free(trail->entries);
    trail->entries = NULL;
}

bool trail_has_room(const struct trail *trail, size_t payload_bytes) {
    /* One place stays free for a new leader's no-op. */
    return trail->last + 1 - trail->first < UNAPPLIED_ENTRIES_MAX - 1 &&
           trail->payload_bytes + payload_bytes <= UNAPPLIED_BYTES_MAX;
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

void trail_pop(struct trail *trail) {
    struct trail_entry *first = trail_at(trail, trail->first);
    trail->payload_bytes -= first->entry.payload.len;
    free((void *)(uintptr_t)first->entry.payload.data);
    trail->first++;
}
