#include "server/log_order.h"

/* Where the log ends once the batch has truncated it. */
static raft_index end_of(const struct log_order *order, const struct turn_batch *batch) {
    raft_index from = batch->log.truncate_from;
    return from != 0 && from < order->next ? from : order->next;
}

bool log_order_allows(const struct log_order *order, const struct turn_batch *batch) {
    raft_index end = end_of(order, batch);
    bool has_entries = batch->log.entry_count > 0;
    if (has_entries && order->lacks_term && !batch->log.hard)
        return false;
    if (!has_entries)
        return batch->log.truncate_from <= end;
    return batch->log.entries[0].index == end;
}

void log_order_written(struct log_order *order, const struct turn_batch *batch) {
    order->next = end_of(order, batch) + batch->log.entry_count;
    if (batch->log.hard) /* terms only grow, and what is tried again brings the newest */
        order->lacks_term = false;
}

/* What it should have deleted is still there, but it is no longer of the log: nothing may be
 * written behind it. */
void log_order_refused(struct log_order *order, const struct turn_batch *batch) {
    order->next = end_of(order, batch);
    order->lacks_term = order->lacks_term || batch->log.hard;
}
