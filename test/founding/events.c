#include "founding/world.h"

#include <stdlib.h>

static bool is_before(const struct event *a, const struct event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct event *a, struct event *b) {
    struct event kept = *a;
    *a = *b;
    *b = kept;
}

void events_add(struct world *w, uint64_t delay_ms, struct event event) {
    if (w->event_count == EVENTS_MAX) {
        verdict_fail(&w->verdict, "too many events");
        free(event.bytes);
        return;
    }
    event.at_ms = w->now_ms + delay_ms;
    event.order = ++w->order;
    size_t at = w->event_count++;
    w->events[at] = event;
    for (; at > 0 && is_before(&w->events[at], &w->events[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&w->events[at], &w->events[(at - 1) / 2]);
}

bool events_take(struct world *w, struct event *ret_event) {
    if (w->event_count == 0)
        return false;
    *ret_event = w->events[0];
    w->events[0] = w->events[--w->event_count];
    for (size_t at = 0;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < w->event_count && is_before(&w->events[child], &w->events[first]))
                first = child;
        if (first == at)
            return true;
        swap(&w->events[at], &w->events[first]);
        at = first;
    }
}

void events_clear(struct world *w) {
    for (size_t i = 0; i < w->event_count; i++)
        free(w->events[i].bytes);
    w->event_count = 0;
}
