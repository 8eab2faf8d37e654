/* How much of the log to keep behind the flush: entries, as far as their bytes allow. */
#ifndef PHALANX_SERVER_RETENTION_H
#define PHALANX_SERVER_RETENTION_H

#include "raft/raft.h"

/* A mark every so many entries, and marks enough for a long tail. */
#define RETENTION_STRIDE 64
#define RETENTION_MARKS 4096

struct retention_mark {
    raft_index index;
    uint64_t bytes; /* appended since the start, up to this index */
};

/* Entries that were there at the start count no bytes: only their number bounds them. */
struct retention {
    uint64_t keep_entries;
    uint64_t keep_bytes;
    uint64_t bytes;                               /* appended since the start */
    raft_index bytes_floor;                       /* up to here may go by bytes */
    struct retention_mark marks[RETENTION_MARKS]; /* a ring, oldest first */
    size_t first;
    size_t count;
};

void retention_init(struct retention *retention, uint64_t keep_entries, uint64_t keep_bytes);

void retention_append(struct retention *retention, raft_index index, size_t payload_bytes);

/* The entries from here on are gone. */
void retention_truncate(struct retention *retention, raft_index from);

/* The entries up to here may be cut: flushed, and beyond the tail that is kept. Moves in steps of
 * an eighth of the tail. */
raft_index retention_through(struct retention *retention, raft_index flushed, raft_index last);

#endif
