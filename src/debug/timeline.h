/* What has happened to a node, newest last: a ring. Not for several threads by itself. */
#ifndef PHALANX_DEBUG_TIMELINE_H
#define PHALANX_DEBUG_TIMELINE_H

#include "debug/debug.h"
#include "text.h"

/* A restless day's worth; older ones are in the log. */
#define TIMELINE_EVENTS ((uint64_t)256)

struct timeline_event {
    uint64_t number; /* from 1 */
    uint64_t unix_ms;
    enum debug_level level;
    const char *kind; /* constant */
    char text[DEBUG_EVENT_BYTES_MAX];
};

/* Zeroed before its first use, but for `run`. */
struct timeline {
    uint64_t run;   /* milliseconds since 1970 at the start: tells the ids of two runs apart */
    uint64_t count; /* events ever added */
    struct timeline_event events[TIMELINE_EVENTS];
};

void timeline_add(struct timeline *timeline, const struct timeline_event *event);

/* The first event after that number which is still kept; NULL: there is none. Valid until the next
 * is added. */
const struct timeline_event *timeline_after(const struct timeline *timeline, uint64_t number);

/* The number in an id that timeline_print() wrote; 0: it is of another run, or no id. */
uint64_t timeline_number(const struct timeline *timeline, const char *id);

/* One server-sent event, all of it. */
#define TIMELINE_PRINTED_BYTES_MAX (256 + 6 * DEBUG_EVENT_BYTES_MAX)
void timeline_print(uint64_t run, const struct timeline_event *event, struct text_writer *w);

#endif
