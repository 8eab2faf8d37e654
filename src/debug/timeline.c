#include "debug/timeline.h"

#include "debug/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void timeline_add(struct timeline *timeline, const struct timeline_event *event) {
    struct timeline_event *place = &timeline->events[timeline->count % TIMELINE_EVENTS];
    *place = *event;
    place->number = ++timeline->count;
}

const struct timeline_event *timeline_after(const struct timeline *timeline, uint64_t number) {
    if (number >= timeline->count)
        return NULL;
    bool is_gone = timeline->count - number > TIMELINE_EVENTS;
    uint64_t index = is_gone ? timeline->count - TIMELINE_EVENTS : number;
    return &timeline->events[index % TIMELINE_EVENTS];
}

uint64_t timeline_number(const struct timeline *timeline, const char *id) {
    uint64_t run = 0;
    uint64_t number = 0;
    if (sscanf(id, "%" SCNu64 "-%" SCNu64, &run, &number) != 2)
        return 0;
    return run == timeline->run && number <= timeline->count ? number : 0;
}

static const char *level_name(enum debug_level level) {
    switch (level) {
    case DEBUG_INFO: return "info";
    case DEBUG_WARN: return "warn";
    case DEBUG_ERROR: return "error";
    }
    return "info";
}

void timeline_print(uint64_t run, const struct timeline_event *event, struct text_writer *w) {
    char id[48];
    struct debug_json j = {.w = w};
    snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, run, event->number);
    text_put(w, "event: timeline\nid: ");
    text_put(w, id);
    text_put(w, "\ndata: ");
    debug__json_open(&j, NULL, '{');
    debug__json_text(&j, "id", id);
    debug__json_u64(&j, "at_ms", event->unix_ms);
    debug__json_text(&j, "level", level_name(event->level));
    debug__json_text(&j, "kind", event->kind);
    debug__json_text(&j, "text", event->text);
    debug__json_close(&j, '}');
    text_put(w, "\n\n");
}
