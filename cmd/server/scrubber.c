#include "server/scrubber.h"

#include "log.h"
#include "server/worker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Slices a second: short enough that no read transaction keeps pages for long. */
#define SLICES_PER_SECOND 20

/* Between two walks, so that a small store is not read without end. */
#define REST_SECONDS 60

struct scrubber {
    struct kv_log *log;
    struct state_holder *states;
    size_t slice_records;
    struct kv_scrub log_scrub;
    struct kv_scrub state_scrub;
    _Atomic uint64_t damaged;
    struct worker worker;
};

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
    struct held_state *held = state_hold(s->states);
    status = kv_state_scrub(held->store, &s->state_scrub, s->slice_records);
    state_release(s->states, held);
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
        uint64_t rest_ms = is_walked ? REST_SECONDS * 1000 : 1000 / SLICES_PER_SECOND;
        is_running = worker_sleep(&s->worker, rest_ms);
    }
    return NULL;
}

enum status scrubber_new(struct kv_log *log, struct state_holder *states,
                         uint64_t records_per_second, struct scrubber **ret_scrubber) {
    struct scrubber *s = calloc(1, sizeof *s);
    if (!s)
        return STATUS_NO_MEMORY;
    s->log = log;
    s->states = states;
    s->slice_records = (size_t)(records_per_second / SLICES_PER_SECOND) + 1;
    worker_start(&s->worker, run, s);
    *ret_scrubber = s;
    return STATUS_OK;
}

void scrubber_free(struct scrubber *s) {
    if (!s)
        return;
    worker_stop(&s->worker);
    free(s);
}

uint64_t scrubber_damaged(const struct scrubber *s) {
    return s ? atomic_load(&s->damaged) : 0;
}
