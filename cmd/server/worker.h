/* A thread with a mutex, a condition, and a wish to stop: what the writers and the scrubber have in
 * common. */
#ifndef PHALANX_SERVER_WORKER_H
#define PHALANX_SERVER_WORKER_H

#include "check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    bool is_stopping;       /* under the mutex */
};

/* Run `run(context)` on a thread of its own. */
void worker_start(struct worker *worker, void *(*run)(void *context), void *context);

/* Ask the thread to end, and wait for it. */
void worker_stop(struct worker *worker);

void worker_lock(struct worker *worker);
void worker_unlock(struct worker *worker);

/* Unlock after a change that the thread waits for. */
void worker_unlock_and_wake(struct worker *worker);

/* On the thread, locked: wait for a change. */
void worker_wait(struct worker *worker);

/* On the thread, unlocked: false when it was asked to stop in the meantime. */
bool worker_sleep(struct worker *worker, uint64_t ms);

#endif
