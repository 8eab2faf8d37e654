/* The log writer: one thread that syncs what the loop hands it, all that waits in one transaction
 * (group commit), and cuts the log in slices in between. */
#ifndef PHALANX_SERVER_LOG_WRITER_H
#define PHALANX_SERVER_LOG_WRITER_H

#include "server/inbox.h"
#include "server/turn.h"

struct log_writer;

/* Starts the thread. Borrows the store and the inbox; `next` is the index after the last entry. */
MUST_USE enum status log_writer_new(struct kv_log *log, raft_index next, struct inbox *inbox,
                                    struct log_writer **ret_writer);

/* Finishes what was handed over, and joins the thread. */
void log_writer_free(struct log_writer *writer);

/* From the loop; none waits. Each comes back through the inbox. */
void log_writer_submit(struct log_writer *writer, struct turn_batch *batch);
void log_writer_cut(struct log_writer *writer, struct turn_cut *cut);

/* Whether a client's write still fits; any thread, but only one at a time. */
void log_writer_check_room(struct log_writer *writer, struct turn_room *room);

#endif
