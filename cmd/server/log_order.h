/* In what order batches may reach the log. One that found no room leaves a gap: of those behind it
 * only what does without it may be written. The log writer asks, and so does the simulator's. */
#ifndef PHALANX_SERVER_LOG_ORDER_H
#define PHALANX_SERVER_LOG_ORDER_H

#include "server/turn.h"

struct log_order {
    raft_index next; /* up to here, excluded, the log is what the engine takes it for */
    bool lacks_term; /* a term found no room: its entries must not come before it */
};

/* Whether nothing is missing before the batch; a vote needs nothing but itself. */
bool log_order_allows(const struct log_order *order, const struct turn_batch *batch);

/* The batch was written; it found no room. */
void log_order_written(struct log_order *order, const struct turn_batch *batch);
void log_order_refused(struct log_order *order, const struct turn_batch *batch);

#endif
