#include "server/inbox.h"

void inbox_init(struct inbox *inbox) {
    *inbox = (struct inbox){0};
    STAILQ_INIT(&inbox->events);
    CHECK(pthread_mutex_init(&inbox->mutex, NULL) == 0);
    clock_cond_init(&inbox->arrived);
}

void inbox_close(struct inbox *inbox) {
    CHECK(pthread_cond_destroy(&inbox->arrived) == 0);
    CHECK(pthread_mutex_destroy(&inbox->mutex) == 0);
}

static void lock(struct inbox *inbox) {
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
}

/* A loop that is awake looks before it sleeps, and a guest before he leaves: no call to the kernel
 * then. */
static void unlock_and_wake(struct inbox *inbox, bool is_due) {
    bool is_to_wake = is_due && inbox->is_asleep && !inbox->is_visited;
    inbox->is_asleep = inbox->is_asleep && !is_to_wake;
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
    if (is_to_wake)
        CHECK(pthread_cond_signal(&inbox->arrived) == 0);
}

/* ---- Putting --------------------------------------------------------------------------------- */

/* What can do no more than a turn does. */
static bool is_for_guests(const struct turn_event *event) {
    return event->kind == TURN_REQUEST || event->kind == TURN_MESSAGE ||
           event->kind == TURN_LOG_DONE;
}

static void put(struct inbox *inbox, struct turn_event *event) {
    STAILQ_INSERT_TAIL(&inbox->events, event, link);
    inbox->loop_count += !is_for_guests(event);
}

void inbox_post(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    put(inbox, event);
    unlock_and_wake(inbox, true);
}

void inbox_put(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    put(inbox, event);
    unlock_and_wake(inbox, false);
}

static enum status put_request(struct inbox *inbox, struct turn_event *event, bool is_due) {
    lock(inbox);
    bool is_closed = inbox->is_closed;
    if (!is_closed)
        put(inbox, event);
    unlock_and_wake(inbox, is_due && !is_closed);
    return is_closed ? STATUS_UNAVAILABLE : STATUS_OK;
}

enum status inbox_post_request(struct inbox *inbox, struct turn_event *event) {
    return put_request(inbox, event, true);
}

enum status inbox_put_request(struct inbox *inbox, struct turn_event *event) {
    return put_request(inbox, event, false);
}

void inbox_refuse(struct inbox *inbox) {
    lock(inbox);
    inbox->is_closed = true;
    unlock_and_wake(inbox, false);
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static void take(struct inbox *inbox, struct turn_events *ret_events) {
    STAILQ_INIT(ret_events);
    STAILQ_CONCAT(ret_events, &inbox->events);
    inbox->loop_count = 0;
}

/* The mutex is held. An early or spurious wake-up only makes for an empty turn. */
static void wait_for_event(struct inbox *inbox, uint64_t deadline_ms) {
    uint64_t now_ms = clock_ms();
    if (deadline_ms <= now_ms)
        return;
    inbox->is_asleep = true;
    inbox->wake_ms = deadline_ms;
    if (deadline_ms == UINT64_MAX) {
        CHECK(pthread_cond_wait(&inbox->arrived, &inbox->mutex) == 0);
    } else {
        struct timespec until = clock_after(deadline_ms - now_ms);
        (void)pthread_cond_timedwait(&inbox->arrived, &inbox->mutex, &until); /* 0 or ETIMEDOUT */
    }
    inbox->is_asleep = false;
    while (inbox->is_visited)
        CHECK(pthread_cond_wait(&inbox->arrived, &inbox->mutex) == 0);
}

void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events) {
    lock(inbox);
    if (STAILQ_EMPTY(&inbox->events))
        wait_for_event(inbox, deadline_ms);
    take(inbox, ret_events);
    unlock_and_wake(inbox, false);
}

/* ---- Guests ---------------------------------------------------------------------------------- */

void inbox_open(struct inbox *inbox, inbox_guest *guest, void *context) {
    lock(inbox);
    inbox->is_open = true;
    inbox->guest = guest;
    inbox->context = context;
    unlock_and_wake(inbox, false);
}

/* The loop is awake, so nobody is in there. */
void inbox_shut(struct inbox *inbox) {
    lock(inbox);
    inbox->is_open = false;
    unlock_and_wake(inbox, false);
}

/* The mutex is held. */
static bool may_visit(const struct inbox *inbox) {
    return inbox->is_open && inbox->is_asleep && !inbox->is_visited && inbox->loop_count == 0 &&
           !STAILQ_EMPTY(&inbox->events);
}

/* A loop that woke up in the meantime waits for the guest to leave. */
static void leave(struct inbox *inbox, uint64_t deadline_ms) {
    lock(inbox);
    inbox->is_visited = false;
    bool is_due = !STAILQ_EMPTY(&inbox->events) || deadline_ms < inbox->wake_ms;
    bool is_waited_for = !inbox->is_asleep;
    unlock_and_wake(inbox, is_due);
    if (is_waited_for)
        CHECK(pthread_cond_signal(&inbox->arrived) == 0);
}

void inbox_settle(struct inbox *inbox) {
    struct turn_events events;
    lock(inbox);
    if (!may_visit(inbox)) {
        unlock_and_wake(inbox, !STAILQ_EMPTY(&inbox->events));
        return;
    }
    inbox->is_visited = true;
    take(inbox, &events);
    unlock_and_wake(inbox, false);
    leave(inbox, inbox->guest(inbox->context, &events));
}
