/* The loop's inbox: everyone hands it events here, in order; nobody waits but the loop.
 *
 * While the loop sleeps, its turn is lent: a thread that has put events in may borrow it and run
 * one turn on them in the loop's stead. No thread is woken then, and what the turn sends or answers
 * leaves at once. There is one turn at a time, whoever runs it, each sees all that the ones before
 * it did, and what is not for the turn is left to the loop.
 *
 * An event lies in memory of whoever posts it, so there is always room for it; how many there can
 * be is bounded where they are made (REQUESTS_MAX calls, one completion per batch, flush and cut).
 */
#ifndef PHALANX_SERVER_INBOX_H
#define PHALANX_SERVER_INBOX_H

#include "server/clock.h"
#include "server/turn.h"

#include <pthread.h>

/* Runs one turn on these events; returns when the loop has to be awake. */
typedef uint64_t inbox_turn(void *context, struct turn_events *events);

/*   AWAKE    -> ASLEEP     nothing is there
 *   ASLEEP   -> AWAKE      somebody wakes it, or its time is up
 *   ASLEEP   -> BORROWED   somebody runs a turn
 *   BORROWED -> ASLEEP     the turn is over, and nothing is due
 *   BORROWED -> AWAKE      the turn is over, and something is
 *   BORROWED -> WAITING    the loop's time is up
 *   WAITING  -> AWAKE      the turn is over */
enum inbox_loop {
    INBOX_AWAKE,    /* runs turns itself, and looks into the inbox before it sleeps */
    INBOX_ASLEEP,   /* nobody has woken it */
    INBOX_BORROWED, /* asleep, and another thread runs a turn */
    INBOX_WAITING,  /* awake again, until that turn is over */
};

struct inbox {
    pthread_mutex_t mutex;
    pthread_cond_t woken; /* on CLOCK_MONOTONIC */
    struct turn_events events;
    size_t loop_count; /* those among them that are the loop's alone */
    bool is_closed;    /* to requests */
    enum inbox_loop loop;
    uint64_t wake_ms; /* until when it sleeps */
    inbox_turn *turn; /* NULL: it is not lent */
    void *context;    /* the turn's */
};

void inbox_init(struct inbox *inbox);
void inbox_close(struct inbox *inbox);

/* ---- Putting: any thread --------------------------------------------------------------------- */

void inbox_post(struct inbox *inbox, struct turn_event *event);
/* The same for a client's request. STATUS_UNAVAILABLE after inbox_refuse(). */
MUST_USE enum status inbox_post_request(struct inbox *inbox, struct turn_event *event);

/* The same, but the loop is not woken: the caller calls inbox_run_or_wake() soon. */
void inbox_put(struct inbox *inbox, struct turn_event *event);
MUST_USE enum status inbox_put_request(struct inbox *inbox, struct turn_event *event);

/* Run a turn on what was put, or wake the loop for it; nothing, if there is nothing. The caller
 * holds no lock, and nothing in a turn waits for his thread. */
void inbox_run_or_wake(struct inbox *inbox);

/* ---- The loop's ------------------------------------------------------------------------------ */

/* Wait for an event, until `deadline_ms` at the latest, and take all there are. */
void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events);

/* From now on others may run `turn` while the loop sleeps; NULL: nobody may. */
void inbox_lend(struct inbox *inbox, inbox_turn *turn, void *context);

/* Requests are refused from now on. */
void inbox_refuse(struct inbox *inbox);

#endif
