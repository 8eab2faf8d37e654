/* The log writer: one thread that syncs what the loop hands it, all that waits in one transaction
 * (group commit), and cuts the log in slices in between. */
#ifndef PHALANX_SERVER_LOG_WRITER_H
#define PHALANX_SERVER_LOG_WRITER_H

#include "durations.h"
#include "server/inbox.h"
#include "server/turn.h"

struct log_writer;

/* Something else to be written to the log's store, after the batches and jobs that were handed over
 * before it. `write` runs on the writer's thread; `done` then goes to the loop. STATUS_DISK_FULL
 * changes nothing and is for `done` to see; any other failure ends the process. */
struct log_job {
    STAILQ_ENTRY(log_job) link;
    enum status (*write)(struct log_job *job, struct kv_log *log);
    struct turn_event *done;
    enum status status;
};
STAILQ_HEAD(log_jobs, log_job);

/* Starts the thread. Borrows the store and the inbox; `next` is the index after the last entry. */
MUST_USE enum status log_writer_new(struct kv_log *log, raft_index next, struct inbox *inbox,
                                    struct log_writer **ret_writer);

/* Finishes what was handed over, and joins the thread. */
void log_writer_free(struct log_writer *writer);

/* From the loop; none waits. Each comes back through the inbox. */
void log_writer_submit(struct log_writer *writer, struct turn_batch *batch);
void log_writer_cut(struct log_writer *writer, struct turn_cut *cut);

/* Also from the loop: write a job. Belongs to the writer until its `done` has come. After an
 * installation the next batch follows `install`'s end: see kv_log_install(). */
void log_writer_do(struct log_writer *writer, struct log_job *job);

/* On the writer's thread, in a job that replaced the log: the entry that may come next. */
void log_writer_restart(struct log_writer *writer, raft_index next);

/* How long its synced writes take; the longest since the last call, in microseconds. Any thread. */
const struct durations *log_writer_syncs(const struct log_writer *writer);
uint64_t log_writer_take_worst_us(struct log_writer *writer);

/* Whether a client's write still fits; any thread, but only one at a time. */
void log_writer_check_room(struct log_writer *writer, struct turn_room *room);

#endif
