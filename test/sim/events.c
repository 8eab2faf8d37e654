#include "sim/events.h"

#include "check.h"

#include <stdlib.h>

static bool is_before(const struct sim_event *a, const struct sim_event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void sim_events_close(struct sim_events *events) {
    for (size_t i = 0; i < events->count; i++)
        if (events->heap[i].is_owned)
            free(events->heap[i].data);
    free(events->heap);
}

static void grow(struct sim_events *events) {
    if (events->count < events->capacity)
        return;
    events->capacity = events->capacity == 0 ? 256 : 2 * events->capacity;
    events->heap = realloc(events->heap, events->capacity * sizeof *events->heap);
    CHECK(events->heap);
}

void sim_events_add(struct sim_events *events, struct sim_event event) {
    grow(events);
    event.number = ++events->planned;
    size_t at = events->count++;
    while (at > 0 && is_before(&event, &events->heap[(at - 1) / 2])) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = event;
}

/* Puts the last event where there is a hole at the top. */
static void sink(struct sim_events *events) {
    struct sim_event last = events->heap[--events->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= events->count)
            break;
        if (child + 1 < events->count && is_before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!is_before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
}

bool sim_events_take(struct sim_events *events, struct sim_event *ret_event) {
    if (events->count == 0)
        return false;
    *ret_event = events->heap[0];
    sink(events);
    return true;
}
