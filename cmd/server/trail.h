/* Entries that were proposed and are not yet applied: their bytes, and who waits for each. A ring
 * by index, taken at the start and never grown. */
#ifndef PHALANX_SERVER_TRAIL_H
#define PHALANX_SERVER_TRAIL_H

#include "raft/raft.h"
#include "server/turn.h"

/* In front of every payload, in the same piece of memory. */
struct trail_payload {
    struct trail_payload *next; /* among the doomed */
    uint8_t data[];
};

struct trail_entry {
    struct raft_entry entry;      /* payload owned by the trail */
    struct turn_request *request; /* NULL: nobody waits (any more) */
};

struct trail {
    struct trail_entry *entries; /* UNAPPLIED_ENTRIES_MAX */
    raft_index first;            /* of the entries held */
    raft_index last;             /* first - 1 when empty */
    size_t payload_bytes;
    struct trail_payload *doomed; /* dropped, and perhaps still being written */
};

/* Empty, and going on after `last`. */
MUST_USE enum status trail_init(struct trail *trail, raft_index last);
void trail_close(struct trail *trail);

/* Whether one more payload of that size may come in, or `count` of them with so many bytes in all.
 */
bool trail_has_room(const struct trail *trail, size_t payload_bytes);
bool trail_has_room_for(const struct trail *trail, size_t count, size_t payload_bytes);

/* Memory for a payload; NULL: none left. */
uint8_t *trail_payload_new(size_t size);
void trail_payload_free(uint8_t *data);

/* Append; takes over entry->payload, which is from trail_payload_new(), or NULL. */
void trail_push(struct trail *trail, const struct raft_entry *entry, struct turn_request *request);

/* The entry at an index that is held. */
struct trail_entry *trail_at(struct trail *trail, raft_index index);
bool trail_holds(const struct trail *trail, raft_index index);

/* Forget the first entry, which was applied and so is durable, and free its payload. */
void trail_pop(struct trail *trail);

/* Forget the last entry. Its payload may still be with the log writer: it is freed once
 * trail_bury() says that nobody holds it. */
void trail_drop_last(struct trail *trail);
void trail_bury(struct trail *trail);

/* An empty trail goes on after `last`. */
void trail_restart(struct trail *trail, raft_index last);

#endif
