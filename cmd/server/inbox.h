/* The loop's inbox: everyone hands it events here, in order; nobody waits but the loop.
 *
 * An event lies in memory of whoever posts it, so there is always room for it; how many there can
 * be is bounded where they are made (REQUESTS_MAX calls, one completion per batch, flush and cut).
 */
#ifndef PHALANX_SERVER_INBOX_H
#define PHALANX_SERVER_INBOX_H

#include "server/clock.h"
#include "server/turn.h"

#include <pthread.h>

struct inbox {
    pthread_mutex_t mutex;
    pthread_cond_t arrived; /* on CLOCK_MONOTONIC */
    struct turn_events events;
    bool is_waiting;
    bool is_closed; /* to requests */
};

void inbox_init(struct inbox *inbox);
void inbox_close(struct inbox *inbox);

/* Any thread. */
void inbox_post(struct inbox *inbox, struct turn_event *event);

/* The same for a client's request; STATUS_UNAVAILABLE after inbox_refuse(). Any thread. */
MUST_USE enum status inbox_post_request(struct inbox *inbox, struct turn_event *event);
void inbox_refuse(struct inbox *inbox);

/* Wait for an event, until `deadline_ms` at the latest, and take all there are. */
void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events);

#endif
