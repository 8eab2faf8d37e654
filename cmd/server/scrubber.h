/* The scrubber: one thread that slowly reads what nobody reads, and reports damage. */
#ifndef PHALANX_SERVER_SCRUBBER_H
#define PHALANX_SERVER_SCRUBBER_H

#include "kv/kv.h"
#include "server/state_holder.h"

struct scrubber;

/* Starts the thread; borrows both stores. `records_per_second` above 0. */
MUST_USE enum status scrubber_new(struct kv_log *log, struct state_holder *states,
                                  uint64_t records_per_second, struct scrubber **ret_scrubber);

/* Stops and joins the thread. */
void scrubber_free(struct scrubber *scrubber);

/* Damaged records and walks that did not add up, found so far. Any thread. */
uint64_t scrubber_damaged(const struct scrubber *scrubber);

#endif
