#include "server/retention.h"

/* What an entry takes in the store beside its payload, about. */
#define ENTRY_OVERHEAD_BYTES 40

/* At least seven eighths of the tail that may be kept are. */
#define STEPS_IN_TAIL 8

void retention_init(struct retention *retention, uint64_t keep_entries, uint64_t keep_bytes) {
    *retention = (struct retention){.keep_entries = keep_entries, .keep_bytes = keep_bytes};
}

static void drop_oldest(struct retention *retention) {
    retention->bytes_floor = retention->marks[retention->first].index;
    retention->first = (retention->first + 1) % RETENTION_MARKS;
    retention->count--;
}

void retention_append(struct retention *retention, raft_index index, size_t payload_bytes) {
    retention->bytes += payload_bytes + ENTRY_OVERHEAD_BYTES;
    if (index % RETENTION_STRIDE != 0)
        return;
    if (retention->count == RETENTION_MARKS)
        drop_oldest(retention);
    size_t slot = (retention->first + retention->count) % RETENTION_MARKS;
    retention->marks[slot] = (struct retention_mark){.index = index, .bytes = retention->bytes};
    retention->count++;
}

void retention_truncate(struct retention *retention, raft_index from) {
    while (retention->count > 0) {
        size_t last = (retention->first + retention->count - 1) % RETENTION_MARKS;
        if (retention->marks[last].index < from)
            return;
        retention->count--;
    }
}

/* In steps: a cut is a synced transaction like any other, and one entry is not worth it. */
static raft_index floor_by_count(const struct retention *retention, raft_index last) {
    uint64_t step = retention->keep_entries / STEPS_IN_TAIL;
    if (last <= retention->keep_entries)
        return 0;
    raft_index floor = last - retention->keep_entries;
    return step > 1 ? (floor + step - 1) / step * step : floor;
}

raft_index retention_through(struct retention *retention, raft_index flushed, raft_index last) {
    while (retention->count > 0 &&
           retention->bytes - retention->marks[retention->first].bytes >= retention->keep_bytes)
        drop_oldest(retention);
    raft_index floor = floor_by_count(retention, last);
    if (retention->bytes_floor > floor)
        floor = retention->bytes_floor;
    return floor < flushed ? floor : flushed;
}
