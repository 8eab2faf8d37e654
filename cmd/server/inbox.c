#include "server/inbox.h"

void inbox_init(struct inbox *inbox) {
    *inbox = (struct inbox){0};
    STAILQ_INIT(&inbox->events);
    CHECK(pthread_mutex_init(&inbox->mutex, NULL) == 0);
    clock_cond_init(&inbox->woken);
}

void inbox_close(struct inbox *inbox) {
    CHECK(pthread_cond_destroy(&inbox->woken) == 0);
    CHECK(pthread_mutex_destroy(&inbox->mutex) == 0);
}

static void lock(struct inbox *inbox) {
    CHECK(pthread_mutex_lock(&inbox->mutex) == 0);
}

static void unlock(struct inbox *inbox) {
    CHECK(pthread_mutex_unlock(&inbox->mutex) == 0);
}

/* Signalled without the mutex, so that the loop finds it free. */
static void unlock_and_wake(struct inbox *inbox) {
    inbox->loop = INBOX_AWAKE;
    unlock(inbox);
    CHECK(pthread_cond_signal(&inbox->woken) == 0);
}

/* Who is awake looks before he sleeps, and a borrower before he gives back: no call to the kernel
 * then. */
static void unlock_and_wake_sleeper(struct inbox *inbox) {
    if (inbox->loop == INBOX_ASLEEP)
        unlock_and_wake(inbox);
    else
        unlock(inbox);
}

/* ---- Putting --------------------------------------------------------------------------------- */

/* What makes a turn do nothing but what turns do. */
static bool is_for_turns(const struct turn_event *event) {
    return event->kind == TURN_REQUEST || event->kind == TURN_MESSAGE ||
           event->kind == TURN_LOG_DONE;
}

static void put(struct inbox *inbox, struct turn_event *event) {
    STAILQ_INSERT_TAIL(&inbox->events, event, link);
    inbox->loop_count += !is_for_turns(event);
}

void inbox_post(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    put(inbox, event);
    unlock_and_wake_sleeper(inbox);
}

void inbox_put(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    put(inbox, event);
    unlock(inbox);
}

static enum status put_request(struct inbox *inbox, struct turn_event *event) {
    if (inbox->is_closed)
        return STATUS_UNAVAILABLE;
    put(inbox, event);
    return STATUS_OK;
}

enum status inbox_put_request(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    enum status status = put_request(inbox, event);
    unlock(inbox);
    return status;
}

enum status inbox_post_request(struct inbox *inbox, struct turn_event *event) {
    lock(inbox);
    enum status status = put_request(inbox, event);
    if (status == STATUS_OK)
        unlock_and_wake_sleeper(inbox);
    else
        unlock(inbox);
    return status;
}

void inbox_refuse(struct inbox *inbox) {
    lock(inbox);
    inbox->is_closed = true;
    unlock(inbox);
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static void take(struct inbox *inbox, struct turn_events *ret_events) {
    STAILQ_INIT(ret_events);
    STAILQ_CONCAT(ret_events, &inbox->events);
    inbox->loop_count = 0;
}

/* The mutex is held. An early or spurious wake-up only makes for an empty turn. */
static void sleep_until(struct inbox *inbox, uint64_t deadline_ms) {
    uint64_t now_ms = clock_ms();
    if (deadline_ms <= now_ms)
        return;
    inbox->loop = INBOX_ASLEEP;
    inbox->wake_ms = deadline_ms;
    if (deadline_ms == UINT64_MAX) {
        CHECK(pthread_cond_wait(&inbox->woken, &inbox->mutex) == 0);
    } else {
        struct timespec until = clock_after(deadline_ms - now_ms);
        (void)pthread_cond_timedwait(&inbox->woken, &inbox->mutex, &until); /* 0 or ETIMEDOUT */
    }
    if (inbox->loop == INBOX_BORROWED)
        inbox->loop = INBOX_WAITING;
    while (inbox->loop == INBOX_WAITING)
        CHECK(pthread_cond_wait(&inbox->woken, &inbox->mutex) == 0);
    inbox->loop = INBOX_AWAKE;
}

void inbox_take(struct inbox *inbox, uint64_t deadline_ms, struct turn_events *ret_events) {
    lock(inbox);
    if (STAILQ_EMPTY(&inbox->events))
        sleep_until(inbox, deadline_ms);
    take(inbox, ret_events);
    unlock(inbox);
}

/* ---- Lending --------------------------------------------------------------------------------- */

void inbox_lend(struct inbox *inbox, inbox_turn *turn, void *context) {
    lock(inbox);
    inbox->turn = turn;
    inbox->context = context;
    unlock(inbox);
}

static void give_back(struct inbox *inbox, uint64_t deadline_ms) {
    lock(inbox);
    bool is_due = !STAILQ_EMPTY(&inbox->events) || deadline_ms < inbox->wake_ms;
    if (is_due || inbox->loop == INBOX_WAITING) {
        unlock_and_wake(inbox);
        return;
    }
    inbox->loop = INBOX_ASLEEP;
    unlock(inbox);
}

void inbox_run_or_wake(struct inbox *inbox) {
    struct turn_events events;
    lock(inbox);
    bool has_events = !STAILQ_EMPTY(&inbox->events);
    bool may_borrow = inbox->loop == INBOX_ASLEEP && inbox->turn && inbox->loop_count == 0;
    if (has_events && may_borrow) {
        inbox->loop = INBOX_BORROWED;
        take(inbox, &events);
        unlock(inbox);
        give_back(inbox, inbox->turn(inbox->context, &events));
    } else if (has_events) {
        unlock_and_wake_sleeper(inbox);
    } else {
        unlock(inbox);
    }
}
