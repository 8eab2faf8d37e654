/* A state store, and flushes for it made by hand: records with text in them, and a meta that fits.
 */
#ifndef PHALANX_TEST_STATE_FIXTURE_H
#define PHALANX_TEST_STATE_FIXTURE_H

#include "kv/overlay.h"
#include "kv/stores.h"
#include "support/temporary.h"

struct state_fixture {
    struct kv_directory *directory;
    struct kv_state *state;
    struct kv_state_options options;
    struct kv_meta meta; /* as the next flush will write it */
    struct kv_overlay *overlay;
    uint64_t flushes; /* begun */
};

/* The store in `<folder>/data`. */
enum status state_try_open(struct state_fixture *f, const struct temporary *t);
void state_open(struct state_fixture *f, const struct temporary *t);
void state_close(struct state_fixture *f);
void state_reopen(struct state_fixture *f, const struct temporary *t);

/* Put or delete a client's key in the overlay; meta follows. */
void state_put(struct state_fixture *f, const char *key, struct bytes body);
void state_put_text(struct state_fixture *f, const char *key, const char *body);
void state_delete(struct state_fixture *f, const char *key);

/* The configuration's record: voters 1 .. `voters`, as of `index`. */
void state_put_configuration(struct state_fixture *f, size_t voters, raft_index index);

/* Keys "key-<from>" to "key-<to>", each with a body that tells its number. */
void state_put_many(struct state_fixture *f, size_t from, size_t to);

/* Write the overlay, renew the base, start a new overlay. */
enum status state_try_flush(struct state_fixture *f);
void state_flush(struct state_fixture *f);

/* The body under a client's key as the base has it now. */
enum status state_get(struct state_fixture *f, const char *key, struct bytes *ret_body);

#endif
