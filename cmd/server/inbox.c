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

/* The mutex is held. A loop that is awake looks before it sleeps: no call to the kernel then. */
static bool put(struct inbox *inbox, struct turn_event *event) {
    STAILQ_INSERT_TAIL(&inbox->events, event, link);
    bool is_waiting = inbox->is_waiting;
    inbox->is_waiting = false;
    return is_waiting;
}

static void wake(struct inbox *inbox, bool is_waiting) {
    if (is_waiting)
        CHECK(pthread_cond_signal(&inbox->arrived) == 0);
}

void inbox_post(struct inbox *inbox, struct turn_event *event) {
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
    bool is_waiting = put(inbox, event);
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
    wake(inbox, is_waiting);
}

enum status inbox_post_request(struct inbox *inbox, struct turn_event *event) {
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
    bool is_closed = inbox->is_closed;
    bool is_waiting = !is_closed && put(inbox, event);
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
    wake(inbox, is_waiting);
    return is_closed ? STATUS_UNAVAILABLE : STATUS_OK;
}

void inbox_refuse(struct inbox *inbox) {
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
    inbox->is_closed = true;
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
}

/* The mutex is held. An early or spurious wake-up only makes for an empty turn. */
static void wait_for_event(struct inbox *inbox, uint64_t deadline_ms) {
    uint64_t now_ms = clock_ms();
    if (deadline_ms <= now_ms)
        return;
    inbox->is_waiting = true;
    if (deadline_ms == UINT64_MAX) {
        CHECK(pthread_cond_wait(&inbox->arrived, &inbox->mutex) == 0);
    } else {
        struct timespec until = clock_after(deadline_ms - now_ms);
        (void)pthread_cond_timedwait(&inbox->arrived, &inbox->mutex, &until); /* 0 or ETIMEDOUT */
    }
    inbox->is_waiting = false;
}

void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events) {
    STAILQ_INIT(ret_events);
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
    if (STAILQ_EMPTY(&inbox->events))
        wait_for_event(inbox, deadline_ms);
    STAILQ_CONCAT(ret_events, &inbox->events);
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
}
