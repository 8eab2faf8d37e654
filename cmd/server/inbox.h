/* The loop's inbox: everyone hands it events here, in order; nobody waits but the loop.
 *
 * While the loop sleeps, a thread that has put events in may run a turn on them in its stead, as
 * its guest: no thread is woken, and what the turn sends or answers leaves at once. There is one
 * turn at a time, whoever runs it, each sees all that the ones before it did, and what is not for
 * the turn is left to the loop.
 *
 * An event lies in memory of whoever posts it, so there is always room for it; how many there can
 * be is bounded where they are made (REQUESTS_MAX calls, one completion per batch, flush and cut).
 */
#ifndef PHALANX_SERVER_INBOX_H
#define PHALANX_SERVER_INBOX_H

#include "server/clock.h"
#include "server/turn.h"

#include <pthread.h>

/* Runs a turn on these events; returns when the loop has to be awake. */
typedef uint64_t inbox_guest(void *context, struct turn_events *events);

struct inbox {
    pthread_mutex_t mutex;
    pthread_cond_t arrived; /* on CLOCK_MONOTONIC */
    struct turn_events events;
    size_t loop_count; /* those among them that are not for a guest */
    bool is_asleep;    /* the loop, and nobody has woken it */
    bool is_visited;   /* a guest runs a turn */
    bool is_closed;    /* to requests */

    bool is_open;     /* to guests, while the loop sleeps */
    uint64_t wake_ms; /* until when it sleeps */
    inbox_guest *guest;
    void *context; /* the guest's */
};

void inbox_init(struct inbox *inbox);
void inbox_close(struct inbox *inbox);

/* Any thread. */
void inbox_post(struct inbox *inbox, struct turn_event *event);

/* Any thread, which calls inbox_settle() soon: the loop is not woken before. */
void inbox_put(struct inbox *inbox, struct turn_event *event);
MUST_USE enum status inbox_put_request(struct inbox *inbox, struct turn_event *event);

/* Be the loop's guest if that can be, or wake it; nothing, if nothing was put. The caller holds no
 * lock. */
void inbox_settle(struct inbox *inbox);

/* The same for a client's request; STATUS_UNAVAILABLE after inbox_refuse(). Any thread. */
MUST_USE enum status inbox_post_request(struct inbox *inbox, struct turn_event *event);
void inbox_refuse(struct inbox *inbox);

/* Wait for an event, until `deadline_ms` at the latest, and take all there are. */
void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events);

/* From now on open to guests, while the loop waits. */
void inbox_open(struct inbox *inbox, inbox_guest *guest, void *context);
/* No guest is in there, nor comes from now on. The loop. */
void inbox_shut(struct inbox *inbox);

#endif
