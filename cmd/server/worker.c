#include "server/worker.h"

#include "server/clock.h"

void worker_start(struct worker *worker, void *(*run)(void *context), void *context) {
    worker->is_stopping = false;
    CHECK(pthread_mutex_init(&worker->mutex, NULL) == 0);
    clock_cond_init(&worker->changed);
    CHECK(pthread_create(&worker->thread, NULL, run, context) == 0);
}

void worker_stop(struct worker *worker) {
    worker_lock(worker);
    worker->is_stopping = true;
    worker_unlock_and_wake(worker);
    CHECK(pthread_join(worker->thread, NULL) == 0);
    CHECK(pthread_cond_destroy(&worker->changed) == 0);
    CHECK(pthread_mutex_destroy(&worker->mutex) == 0);
}

void worker_lock(struct worker *worker) {
    CHECK(pthread_mutex_lock(&worker->mutex) == 0);
}

void worker_unlock(struct worker *worker) {
    CHECK(pthread_mutex_unlock(&worker->mutex) == 0);
}

/* In this order, so that whoever wakes finds the mutex free. */
void worker_unlock_and_wake(struct worker *worker) {
    worker_unlock(worker);
    CHECK(pthread_cond_signal(&worker->changed) == 0);
}

void worker_wait(struct worker *worker) {
    CHECK(pthread_cond_wait(&worker->changed, &worker->mutex) == 0);
}

bool worker_sleep(struct worker *worker, uint64_t ms) {
    struct timespec until = clock_after(ms);
    int result = 0;
    worker_lock(worker);
    while (!worker->is_stopping && result == 0)
        result = pthread_cond_timedwait(&worker->changed, &worker->mutex, &until);
    bool is_stopping = worker->is_stopping;
    worker_unlock(worker);
    return !is_stopping;
}
