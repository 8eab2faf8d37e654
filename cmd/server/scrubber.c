#include "server/scrubber.h"

#include "log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Slices a second: short enough that no read transaction keeps pages for long. */
#define SLICES_PER_SECOND 20

/* Between two walks, so that a small store is not read without end. */
#define REST_SECONDS 60

struct scrubber {
    struct kv_log *log;
    struct kv_state *state;
    size_t slice_records;
    struct kv_scrub log_scrub;
    struct kv_scrub state_scrub;
    _Atomic uint64_t damaged;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stop; /* on CLOCK_MONOTONIC */
    bool is_stopping;
};

/* False when it is time to stop. */
static bool sleep_ms(struct scrubber *s, uint64_t ms) {
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    int woken = 0;
    while (!s->is_stopping && woken == 0)
        woken = pthread_cond_timedwait(&s->stop, &s->mutex, &until);
    bool is_stopping = s->is_stopping;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return !is_stopping;
}

/* "A node that may have forgotten an ack may return only as a new identity." */
static _Noreturn void die_of_log_damage(const struct kv_scrub *scrub) {
    log_error("the log is damaged; this node stops and must not run with it again",
              log_u64("damaged", scrub->damaged));
    _exit(EXIT_FAILURE);
}

static void report_state_damage(struct scrubber *s) {
    log_error("the state is damaged", log_u64("damaged", s->state_scrub.damaged),
              log_u64("mismatches", s->state_scrub.mismatches),
              log_u64("walks", s->state_scrub.walks));
    atomic_store(&s->damaged, s->state_scrub.damaged + s->state_scrub.mismatches);
}

/* One slice of each store; true when both have come to the end of a walk. */
static bool scrub_slice(struct scrubber *s) {
    uint64_t log_walks = s->log_scrub.walks;
    uint64_t state_walks = s->state_scrub.walks;
    enum status status = kv_log_scrub(s->log, &s->log_scrub, s->slice_records);
    if (status == STATUS_CORRUPT)
        die_of_log_damage(&s->log_scrub);
    if (status != STATUS_OK)
        log_warn("log scrub", log_status("status", status));
    status = kv_state_scrub(s->state, &s->state_scrub, s->slice_records);
    if (status == STATUS_CORRUPT)
        report_state_damage(s);
    else if (status != STATUS_OK)
        log_warn("state scrub", log_status("status", status));
    return s->log_scrub.walks > log_walks && s->state_scrub.walks > state_walks;
}

static void *run(void *context) {
    struct scrubber *s = context;
    bool is_running = true;
    while (is_running) {
        bool is_walked = scrub_slice(s);
        is_running = sleep_ms(s, is_walked ? REST_SECONDS * 1000 : 1000 / SLICES_PER_SECOND);
    }
    return NULL;
}

enum status scrubber_new(struct kv_log *log, struct kv_state *state, uint64_t records_per_second,
                         struct scrubber **ret_scrubber) {
    struct scrubber *s = calloc(1, sizeof *s);
    if (!s)
        return STATUS_NO_MEMORY;
    s->log = log;
    s->state = state;
    s->slice_records = (size_t)(records_per_second / SLICES_PER_SECOND) + 1;
    pthread_condattr_t attributes;
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&s->stop, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    CHECK(pthread_create(&s->thread, NULL, run, s) == 0);
    *ret_scrubber = s;
    return STATUS_OK;
}

void scrubber_free(struct scrubber *s) {
    if (!s)
        return;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->is_stopping = true;
    CHECK(pthread_cond_signal(&s->stop) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    CHECK(pthread_join(s->thread, NULL) == 0);
    CHECK(pthread_cond_destroy(&s->stop) == 0);
    CHECK(pthread_mutex_destroy(&s->mutex) == 0);
    free(s);
}

uint64_t scrubber_damaged(const struct scrubber *s) {
    return s ? atomic_load(&s->damaged) : 0;
}
