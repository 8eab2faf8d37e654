#include "debug/hub.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void lock(struct hub *hub) {
    CHECK(pthread_mutex_lock(&hub->mutex) == 0);
}

static void unlock(struct hub *hub) {
    CHECK(pthread_mutex_unlock(&hub->mutex) == 0);
}

static uint64_t clock_ms(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void hub_init(struct hub *hub, const struct hub_config *config, uint64_t run) {
    pthread_condattr_t attributes;
    hub->config = *config;
    hub->timeline.run = run;
    CHECK(pthread_mutex_init(&hub->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&hub->changed, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
}

void hub_close(struct hub *hub) {
    CHECK(hub->streams == 0);
    free(hub->page);
    CHECK(pthread_cond_destroy(&hub->changed) == 0);
    CHECK(pthread_mutex_destroy(&hub->mutex) == 0);
}

void hub_stop(struct hub *hub) {
    lock(hub);
    hub->is_stopping = true;
    CHECK(pthread_cond_broadcast(&hub->changed) == 0);
    unlock(hub);
}

void hub_tell(struct hub *hub, const struct timeline_event *event) {
    lock(hub);
    timeline_add(&hub->timeline, event);
    CHECK(pthread_cond_broadcast(&hub->changed) == 0);
    unlock(hub);
}

bool hub_enter(struct hub *hub, const char *last_id, struct hub_cursor *ret_cursor) {
    lock(hub);
    bool has_room = hub->streams < HUB_STREAMS_MAX && !hub->is_stopping;
    if (has_room) {
        hub->streams++;
        *ret_cursor = (struct hub_cursor){0};
        if (last_id)
            ret_cursor->event_number = timeline_number(&hub->timeline, last_id);
    }
    unlock(hub);
    return has_room;
}

void hub_leave(struct hub *hub) {
    lock(hub);
    CHECK(hub->streams > 0);
    hub->streams--;
    unlock(hub);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static void unref(struct hub_page *page) {
    if (page && --page->refs == 0)
        free(page);
}

void hub_release(struct hub *hub, struct hub_page *page) {
    lock(hub);
    unref(page);
    unlock(hub);
}

static struct hub_page *print(struct hub *hub) {
    char *text = malloc(hub->config.print_bytes_max);
    struct hub_page *page = NULL;
    if (!text)
        return NULL;
    struct text_writer w = text_writer_of(text, hub->config.print_bytes_max);
    hub->config.print(hub->config.context, &w);
    CHECK(!w.is_cut);
    page = malloc(sizeof *page + w.len);
    if (page) {
        *page = (struct hub_page){.refs = 1, .len = w.len};
        memcpy(page->text, w.data, w.len);
    }
    free(text);
    return page;
}

/* Locked; printing itself is not. False: no memory. */
static bool renew_page(struct hub *hub) {
    hub->is_printing = true;
    hub->printed_ms = clock_ms();
    hub->printed_events = hub->timeline.count;
    unlock(hub);
    struct hub_page *page = print(hub);
    lock(hub);
    hub->is_printing = false;
    if (!page)
        return false;
    page->number = hub->page ? hub->page->number + 1 : 1;
    unref(hub->page);
    hub->page = page;
    CHECK(pthread_cond_broadcast(&hub->changed) == 0);
    return true;
}

/* When the next page is due: soon after an event, which has most likely changed it. */
static uint64_t due_ms(const struct hub *hub) {
    bool is_behind = hub->timeline.count > hub->printed_events;
    return hub->printed_ms + (is_behind ? hub->config.hurry_ms : hub->config.interval_ms);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static bool take_piece(struct hub *hub, struct hub_cursor *cursor, struct hub_piece *ret_piece) {
    const struct timeline_event *event = timeline_after(&hub->timeline, cursor->event_number);
    if (event) {
        cursor->event_number = event->number;
        *ret_piece = (struct hub_piece){.event = *event, .has_event = true};
        return true;
    }
    if (!hub->page || hub->page->number == cursor->page_number)
        return false;
    cursor->page_number = hub->page->number;
    hub->page->refs++;
    *ret_piece = (struct hub_piece){.page = hub->page};
    return true;
}

static void wait(struct hub *hub) {
    uint64_t until_ms = due_ms(hub);
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    if (hub->is_printing)
        CHECK(pthread_cond_wait(&hub->changed, &hub->mutex) == 0);
    else
        (void)pthread_cond_timedwait(&hub->changed, &hub->mutex, &until); /* the clock is read */
}

bool hub_next(struct hub *hub, struct hub_cursor *cursor, struct hub_piece *ret_piece) {
    bool has_piece = false;
    bool has_memory = true;
    lock(hub);
    while (!hub->is_stopping && has_memory) {
        bool is_due = !hub->is_printing && (!hub->page || clock_ms() >= due_ms(hub));
        if (is_due)
            has_memory = renew_page(hub);
        has_piece = has_memory && take_piece(hub, cursor, ret_piece);
        if (has_piece)
            break;
        if (!is_due)
            wait(hub);
    }
    unlock(hub);
    return has_piece;
}
