#include "server/log_writer.h"

#include "log.h"
#include "server/log_order.h"
#include "server/worker.h"

#include <stdlib.h>
#include <unistd.h>

/* What a client's batch should find free: two of the largest entries. */
#define CLIENT_ROOM_BYTES (2 * ENTRY_BYTES_MAX)

struct log_writer {
    struct kv_log *log;
    struct inbox *inbox;
    struct log_order order;
    struct worker worker;
    /* Under the worker's mutex: */
    struct turn_events batches;
    struct turn_cut *cut;   /* NULL: none asked for */
    struct turn_room *room; /* likewise */
    struct log_jobs jobs;
    struct durations syncs;
    _Atomic uint64_t worst_us; /* the longest of them since somebody looked */
};

/* What one round of the thread took over. */
struct log_work {
    struct turn_events batches;
    struct turn_cut *cut;
    struct turn_room *room;
    struct log_jobs jobs;
};

/* A node that cannot write must not vote. */
static _Noreturn void die(const char *what, enum status status) {
    log_error(what, log_status("status", status));
    _exit(EXIT_FAILURE);
}

static bool has_work(const struct log_writer *w) {
    return !STAILQ_EMPTY(&w->batches) || w->cut || w->room || !STAILQ_EMPTY(&w->jobs);
}

/* False when the writer stops and nothing is left. */
static bool take_work(struct log_writer *w, struct log_work *ret_work) {
    STAILQ_INIT(&ret_work->batches);
    STAILQ_INIT(&ret_work->jobs);
    worker_lock(&w->worker);
    while (!has_work(w) && !w->worker.is_stopping)
        worker_wait(&w->worker);
    bool is_working = has_work(w);
    STAILQ_CONCAT(&ret_work->batches, &w->batches);
    STAILQ_CONCAT(&ret_work->jobs, &w->jobs);
    ret_work->cut = w->cut;
    ret_work->room = w->room;
    w->cut = NULL;
    w->room = NULL;
    worker_unlock(&w->worker);
    return is_working;
}

static struct turn_batch *batch_of(struct turn_event *event) {
    CHECK(event->kind == TURN_LOG_DONE);
    return (struct turn_batch *)event;
}

static void give_back(struct log_writer *w, struct turn_batch *batch, enum status status) {
    batch->status = status;
    batch->has_room = kv_log_has_room(w->log, CLIENT_ROOM_BYTES);
    batch->file_bytes = kv_log_file_bytes(w->log);
    inbox_put(w->inbox, &batch->event);
}

/* As many batches as follow each other; the others go back unwritten. */
static size_t choose(struct log_writer *w, struct turn_events *from, struct turn_batch **batches,
                     struct log_order *ret_order) {
    size_t count = 0;
    struct log_order order = w->order;
    while (!STAILQ_EMPTY(from)) {
        struct turn_batch *batch = batch_of(STAILQ_FIRST(from));
        STAILQ_REMOVE_HEAD(from, link);
        if (!log_order_allows(&order, batch)) {
            give_back(w, batch, STATUS_DISK_FULL);
            continue;
        }
        log_order_written(&order, batch);
        batches[count++] = batch;
    }
    *ret_order = order;
    return count;
}

static void measure(struct log_writer *w, uint64_t us) {
    durations_add(&w->syncs, us);
    uint64_t worst_us = atomic_load(&w->worst_us);
    while (us > worst_us && !atomic_compare_exchange_weak(&w->worst_us, &worst_us, us))
        continue;
}

const struct durations *log_writer_syncs(const struct log_writer *w) {
    return &w->syncs;
}

uint64_t log_writer_take_worst_us(struct log_writer *w) {
    return atomic_exchange(&w->worst_us, 0);
}

static enum status write_group(struct log_writer *w, struct turn_batch *const *batches,
                               size_t count) {
    const struct kv_log_batch *writes[BATCHES_IN_FLIGHT_MAX];
    for (size_t i = 0; i < count; i++)
        writes[i] = &batches[i]->log;
    uint64_t begun_us = clock_us();
    enum status status = kv_log_write(w->log, writes, count);
    measure(w, clock_us() - begun_us);
    if (status != STATUS_OK && status != STATUS_DISK_FULL)
        die("log write failed", status);
    return status;
}

/* What together found no room goes one by one: a vote may still fit where a client's batch does
 * not. */
static void write_singly(struct log_writer *w, struct turn_batch **batches, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum status status = STATUS_DISK_FULL;
        if (log_order_allows(&w->order, batches[i])) {
            status = write_group(w, &batches[i], 1);
            if (status == STATUS_OK)
                log_order_written(&w->order, batches[i]);
            else
                log_order_refused(&w->order, batches[i]);
        }
        give_back(w, batches[i], status);
    }
}

static void write_batches(struct log_writer *w, struct turn_events *from) {
    struct turn_batch *batches[BATCHES_IN_FLIGHT_MAX];
    struct log_order order;
    size_t count = choose(w, from, batches, &order);
    if (count == 0)
        return;
    if (write_group(w, batches, count) != STATUS_OK) {
        write_singly(w, batches, count);
        return;
    }
    w->order = order;
    for (size_t i = 0; i < count; i++)
        give_back(w, batches[i], STATUS_OK);
}

/* One slice; the turn asks again for the rest, so that batches get in between. */
static void cut_slice(struct log_writer *w, struct turn_cut *cut) {
    /* Untouched when the disk is full: the turn sees that nothing was cut. */
    enum status status = kv_log_cut(w->log, cut->through, &cut->first_index);
    if (status != STATUS_OK && status != STATUS_DISK_FULL)
        die("log cut failed", status);
    inbox_post(w->inbox, &cut->event);
}

static void check_room(struct log_writer *w, struct turn_room *room) {
    room->log_has_room = kv_log_has_room(w->log, CLIENT_ROOM_BYTES);
    inbox_post(w->inbox, &room->event);
}

static void do_jobs(struct log_writer *w, struct log_jobs *jobs) {
    while (!STAILQ_EMPTY(jobs)) {
        struct log_job *job = STAILQ_FIRST(jobs);
        STAILQ_REMOVE_HEAD(jobs, link);
        job->status = job->write(job, w->log);
        if (job->status != STATUS_OK && job->status != STATUS_DISK_FULL)
            die("log write failed", job->status);
        inbox_post(w->inbox, job->done);
    }
}

static void *run(void *context) {
    struct log_writer *w = context;
    struct log_work work;
    while (take_work(w, &work)) {
        write_batches(w, &work.batches);
        inbox_run_or_wake(w->inbox); /* before anything else that may take long */
        do_jobs(w, &work.jobs);
        if (work.cut)
            cut_slice(w, work.cut);
        if (work.room)
            check_room(w, work.room);
    }
    return NULL;
}

enum status log_writer_new(struct kv_log *log, raft_index next, struct inbox *inbox,
                           struct log_writer **ret_writer) {
    struct log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return STATUS_NO_MEMORY;
    w->log = log;
    w->order.next = next;
    w->inbox = inbox;
    STAILQ_INIT(&w->batches);
    STAILQ_INIT(&w->jobs);
    worker_start(&w->worker, run, w);
    *ret_writer = w;
    return STATUS_OK;
}

void log_writer_free(struct log_writer *w) {
    if (!w)
        return;
    worker_stop(&w->worker);
    free(w);
}

void log_writer_submit(struct log_writer *w, struct turn_batch *batch) {
    worker_lock(&w->worker);
    STAILQ_INSERT_TAIL(&w->batches, &batch->event, link);
    worker_unlock_and_wake(&w->worker);
}

void log_writer_cut(struct log_writer *w, struct turn_cut *cut) {
    worker_lock(&w->worker);
    CHECK(!w->cut);
    w->cut = cut;
    worker_unlock_and_wake(&w->worker);
}

void log_writer_do(struct log_writer *w, struct log_job *job) {
    worker_lock(&w->worker);
    STAILQ_INSERT_TAIL(&w->jobs, job, link);
    worker_unlock_and_wake(&w->worker);
}

void log_writer_restart(struct log_writer *w, raft_index next) {
    w->order.next = next;
}

void log_writer_check_room(struct log_writer *w, struct turn_room *room) {
    worker_lock(&w->worker);
    CHECK(!w->room);
    w->room = room;
    worker_unlock_and_wake(&w->worker);
}
