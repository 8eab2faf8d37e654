/* The log writer with a real store: everything comes back, in order, and is in the log by then. */
#include "server/log_writer.h"

#include "container.h"
#include "support/log_fixture.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Only a broken writer reaches this. */
#define PATIENCE_MS 60000
#define HOLD_S 10

struct desk {
    struct log_fixture log;
    struct inbox inbox;
    struct log_writer *writer;
    struct turn_events arrived;
};

static void open_desk(struct desk *d, const struct temporary *t) {
    *d = (struct desk){0};
    fixture_open(&d->log, t);
    inbox_init(&d->inbox);
    STAILQ_INIT(&d->arrived);
    assert_int_equal(log_writer_new(d->log.log, d->log.summary.last_index + 1, &d->inbox,
                                    &d->writer),
                     STATUS_OK);
}

static void close_desk(struct desk *d) {
    log_writer_free(d->writer);
    inbox_close(&d->inbox);
    fixture_close(&d->log);
}

/* The next event that comes back. */
static struct turn_event *next(struct desk *d) {
    uint64_t end_ms = clock_ms() + PATIENCE_MS;
    while (STAILQ_EMPTY(&d->arrived) && clock_ms() < end_ms)
        inbox_take(&d->inbox, end_ms, &d->arrived);
    struct turn_event *event = STAILQ_FIRST(&d->arrived);
    assert_non_null(event);
    STAILQ_REMOVE_HEAD(&d->arrived, link);
    return event;
}

/* ---- Work ------------------------------------------------------------------------------------ */

struct batch {
    struct turn_batch turn; /* first: it comes back as this */
    struct raft_entry entry;
};

static void fill(struct batch *b, raft_index index) {
    *b = (struct batch){.turn = {.event.kind = TURN_LOG_DONE,
                                 .raft = {.number = index, .first = index, .last = index}},
                        .entry = fixture_entry(index, 1, "payload")};
    b->turn.log = (struct kv_log_batch){.entries = &b->entry, .entry_count = 1};
}

struct job {
    struct log_job log;
    struct turn_event done;
    raft_index seen_last; /* of the log, when it ran */
    enum status result;
    raft_index restart; /* 0: leave the log alone */
    struct log_writer *writer;
    bool is_held; /* it goes on when it is let go, */
    sem_t has_begun;
    sem_t let_go;
    bool was_held_up; /* or after a while, when nobody did that */
};

static enum status count(void *context, const struct raft_entry *entry) {
    *(raft_index *)context = entry->index;
    return STATUS_OK;
}

/* How far the log reaches can be told by what it still gives. */
static raft_index last_of(struct kv_log *log) {
    raft_index last = 0;
    for (raft_index index = 1; kv_log_read(log, index, index, count, &last) == STATUS_OK; index++)
        continue;
    return last;
}

static void wait_until_let_go(struct job *job) {
    struct timespec until;
    assert_int_equal(sem_post(&job->has_begun), 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HOLD_S;
    job->was_held_up = sem_timedwait(&job->let_go, &until) != 0;
}

static void hold(struct job *job) {
    *job = (struct job){.is_held = true};
    assert_int_equal(sem_init(&job->has_begun, 0, 0), 0);
    assert_int_equal(sem_init(&job->let_go, 0, 0), 0);
}

static enum status write_job(struct log_job *log_job, struct kv_log *log) {
    struct job *job = CONTAINER_OF(log_job, struct job, log);
    job->seen_last = last_of(log);
    if (job->restart != 0)
        log_writer_restart(job->writer, job->restart);
    if (job->is_held)
        wait_until_let_go(job);
    return job->result;
}

static void hand_over(struct desk *d, struct job *job) {
    job->log.write = write_job;
    job->log.done = &job->done;
    job->writer = d->writer;
    log_writer_do(d->writer, &job->log);
}

/* ---- Stories --------------------------------------------------------------------------------- */

static void a_batch_is_in_the_log_when_it_comes_back(void **state) {
    struct desk d;
    struct batch b;
    open_desk(&d, *state);
    fill(&b, 1);
    log_writer_submit(d.writer, &b.turn);
    assert_ptr_equal(next(&d), &b.turn.event);
    assert_int_equal(b.turn.status, STATUS_OK);
    assert_true(b.turn.has_room);
    assert_int_equal(last_of(d.log.log), 1);
    close_desk(&d);
}

static void a_job_finds_what_was_handed_over_before_it(void **state) {
    struct desk d;
    struct batch b[8];
    struct job job = {0};
    open_desk(&d, *state);
    for (raft_index i = 0; i < BATCHES_IN_FLIGHT_MAX; i++) {
        fill(&b[i], i + 1);
        log_writer_submit(d.writer, &b[i].turn);
    }
    hand_over(&d, &job);
    for (size_t i = 0; i < BATCHES_IN_FLIGHT_MAX; i++)
        assert_ptr_equal(next(&d), &b[i].turn.event);
    assert_ptr_equal(next(&d), &job.done);
    assert_int_equal(job.log.status, STATUS_OK);
    assert_int_equal(job.seen_last, BATCHES_IN_FLIGHT_MAX);
    close_desk(&d);
}

/* Both are there when the writer looks: the batch comes back all the same while the job takes long.
 */
static void a_batch_does_not_wait_for_a_job_behind_it(void **state) {
    struct desk d;
    struct batch b;
    struct job first, second;
    open_desk(&d, *state);
    hold(&first);
    hold(&second);
    hand_over(&d, &first);
    assert_int_equal(sem_wait(&first.has_begun), 0);
    fill(&b, 1);
    log_writer_submit(d.writer, &b.turn);
    hand_over(&d, &second);
    assert_int_equal(sem_post(&first.let_go), 0);
    assert_ptr_equal(next(&d), &first.done);
    assert_ptr_equal(next(&d), &b.turn.event);
    assert_int_equal(sem_post(&second.let_go), 0);
    assert_ptr_equal(next(&d), &second.done);
    assert_false(second.was_held_up);
    close_desk(&d);
}

static void jobs_come_back_in_order(void **state) {
    struct desk d;
    struct job jobs[16] = {0};
    open_desk(&d, *state);
    for (size_t i = 0; i < 16; i++)
        hand_over(&d, &jobs[i]);
    for (size_t i = 0; i < 16; i++)
        assert_ptr_equal(next(&d), &jobs[i].done);
    close_desk(&d);
}

static void a_full_disk_is_told_to_who_asked(void **state) {
    struct desk d;
    struct job full = {.result = STATUS_DISK_FULL}, fine = {0};
    open_desk(&d, *state);
    hand_over(&d, &full);
    hand_over(&d, &fine);
    (void)next(&d);
    (void)next(&d);
    assert_int_equal(full.log.status, STATUS_DISK_FULL);
    assert_int_equal(fine.log.status, STATUS_OK);
    close_desk(&d);
}

static void after_an_installation_the_next_batch_follows_its_end(void **state) {
    struct desk d;
    struct batch gap, fits;
    struct job job = {.restart = 1};
    open_desk(&d, *state);
    fill(&gap, 7);
    log_writer_submit(d.writer, &gap.turn);
    (void)next(&d);
    assert_int_equal(gap.turn.status, STATUS_DISK_FULL); /* a gap: not written */
    hand_over(&d, &job);
    (void)next(&d);
    fill(&fits, 1);
    log_writer_submit(d.writer, &fits.turn);
    (void)next(&d);
    assert_int_equal(fits.turn.status, STATUS_OK);
    close_desk(&d);
}

static void what_was_handed_over_is_finished_before_it_ends(void **state) {
    struct desk d;
    struct batch b;
    struct job job = {0};
    open_desk(&d, *state);
    fill(&b, 1);
    log_writer_submit(d.writer, &b.turn);
    hand_over(&d, &job);
    log_writer_free(d.writer);
    assert_ptr_equal(next(&d), &b.turn.event);
    assert_ptr_equal(next(&d), &job.done);
    d.writer = NULL;
    close_desk(&d);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WRITER_TEST(a_batch_is_in_the_log_when_it_comes_back),
        WRITER_TEST(a_job_finds_what_was_handed_over_before_it),
        WRITER_TEST(a_batch_does_not_wait_for_a_job_behind_it),
        WRITER_TEST(jobs_come_back_in_order),
        WRITER_TEST(a_full_disk_is_told_to_who_asked),
        WRITER_TEST(after_an_installation_the_next_batch_follows_its_end),
        WRITER_TEST(what_was_handed_over_is_finished_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
