/* What goes out on streams: the status, printed at most once a second however many streams there
 * are, and the timeline. Streams wait here, each on a thread of its own; nobody waits for them. */
#ifndef PHALANX_DEBUG_HUB_H
#define PHALANX_DEBUG_HUB_H

#include "debug/timeline.h"

#include <pthread.h>

/* Open at one time. */
#define HUB_STREAMS_MAX 64

/* A printed status, shared by all streams that send it. */
struct hub_page {
    uint64_t number; /* from 1 */
    unsigned refs;   /* under the hub's mutex */
    size_t len;
    char text[];
};

struct hub_config {
    void (*print)(void *context, struct text_writer *w); /* one server-sent event */
    size_t print_bytes_max;
    void *context;
    uint64_t interval_ms; /* between two printed statuses */
    uint64_t hurry_ms;    /* when something has happened */
};

struct hub {
    struct hub_config config;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stopping;
    unsigned streams;
    struct timeline timeline;
    struct hub_page *page;   /* the newest; NULL: none yet */
    uint64_t printed_ms;     /* when, on CLOCK_MONOTONIC */
    uint64_t printed_events; /* events there were then */
    bool is_printing;        /* some stream's thread is at it */
};

/* Where a stream is. */
struct hub_cursor {
    uint64_t event_number; /* sent up to here */
    uint64_t page_number;
};

/* What it is to send next; exactly one of the two is set. */
struct hub_piece {
    struct hub_page *page; /* the caller's, until hub_release() */
    struct timeline_event event;
    bool has_event;
};

void hub_init(struct hub *hub, const struct hub_config *config, uint64_t run);
/* No stream is left. */
void hub_close(struct hub *hub);

/* Any thread; waits for nobody. */
void hub_tell(struct hub *hub, const struct timeline_event *event);

/* Begin a stream after the event of that id; NULL: after none. False: there are too many. */
bool hub_enter(struct hub *hub, const char *last_id, struct hub_cursor *ret_cursor);
void hub_leave(struct hub *hub);

/* Wait for what is next. False: the hub stops, or there is no memory. */
bool hub_next(struct hub *hub, struct hub_cursor *cursor, struct hub_piece *ret_piece);
void hub_release(struct hub *hub, struct hub_page *page);

/* All waits end, now and later. */
void hub_stop(struct hub *hub);

#endif
