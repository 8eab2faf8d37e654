/* The current state's store, and whoever still looks at the one before it: an installed snapshot
 * takes its place while scrubs, snapshots and the turn go on reading. */
#ifndef PHALANX_SERVER_STATE_HOLDER_H
#define PHALANX_SERVER_STATE_HOLDER_H

#include "kv/kv.h"

struct state_holder;

/* One store, held by any number of readers; closed when the last one lets go. */
struct held_state {
    struct kv_state *store;
    uint64_t generation;
    unsigned holds;
};

/* Takes over `store`. NULL: no memory; the store is the caller's still. */
struct state_holder *state_holder_new(struct kv_state *store, uint64_t generation);
/* Nobody holds anything any more. */
void state_holder_free(struct state_holder *holder);

/* Any thread. */
struct held_state *state_hold(struct state_holder *holder);
void state_release(struct state_holder *holder, struct held_state *held);

/* A new store is the current one from now on; taken over. */
void state_replace(struct state_holder *holder, struct kv_state *store, uint64_t generation);

#endif
