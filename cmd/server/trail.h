/* Entries that were proposed and are not yet applied: their bytes, and who waits for each. A ring
 * by index, taken at the start and never grown. */
#ifndef PHALANX_SERVER_TRAIL_H
#define PHALANX_SERVER_TRAIL_H

#include "raft/raft.h"
#include "server/turn.h"

struct trail_entry {
    struct raft_entry entry;      /* payload owned by the trail */
    struct turn_request *request; /* NULL: nobody waits (any more) */
};

struct trail {
    struct trail_entry *entries; /* UNAPPLIED_ENTRIES_MAX */
    raft_index first;            /* of the entries held */
    raft_index last;             /* first - 1 when empty */
    size_t payload_bytes;
};

/* Empty, and going on after `last`. */
MUST_USE enum status trail_init(struct trail *trail, raft_index last);
void trail_close(struct trail *trail);

/* Whether one more payload of that size may come in. */
bool trail_has_room(const struct trail *trail, size_t payload_bytes);

/* Append; takes over entry->payload, which is from malloc, or NULL. */
void trail_push(struct trail *trail, const struct raft_entry *entry, struct turn_request *request);

/* The entry at an index that is held. */
struct trail_entry *trail_at(struct trail *trail, raft_index index);
bool trail_holds(const struct trail *trail, raft_index index);

/* Forget the first entry, and free its payload. */
void trail_pop(struct trail *trail);

#endif
