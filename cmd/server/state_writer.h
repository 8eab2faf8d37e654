/* The state writer: one thread that writes frozen tables to the state's store. */
#ifndef PHALANX_SERVER_STATE_WRITER_H
#define PHALANX_SERVER_STATE_WRITER_H

#include "server/inbox.h"
#include "server/log_writer.h"
#include "server/state_holder.h"
#include "server/turn.h"

struct state_writer;

/* Starts the thread. Borrows the store, the inbox, and the log writer, to which a question about
 * room is handed on. */
MUST_USE enum status state_writer_new(struct state_holder *states, struct inbox *inbox,
                                      struct log_writer *log_writer,
                                      struct state_writer **ret_writer);

/* Finishes what was handed over, and joins the thread. Before log_writer_free(). */
void state_writer_free(struct state_writer *writer);

/* From the loop; neither waits. Each comes back through the inbox. */
void state_writer_flush(struct state_writer *writer, struct turn_flush *flush);
void state_writer_check_room(struct state_writer *writer, struct turn_room *room);

#endif
