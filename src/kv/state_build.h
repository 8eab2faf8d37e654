/* Builds a state from a stream, in a folder of its own: records come in key order, so the pages are
 * filled one after the other. */
#ifndef PHALANX_KV_STATE_BUILD_H
#define PHALANX_KV_STATE_BUILD_H

#include "kv/snapshot_stream.h"
#include "kv/stores.h"

struct kv_build;

/* In `<directory>/<name>`, whose parent is there and which is not. `directory` NULL: only check the
 * stream. */
MUST_USE enum status kv__build_new(struct kv_directory *directory, const char *name,
                                   struct kv_build **ret_build);
MUST_USE enum status kv__build_write(struct kv_build *build, struct bytes chunk);

/* The stream has ended; complete and sync the state. `configuration`, unless NULL, takes the place
 * of the stream's own. STATUS_OK: whole, closed, and durable with its name. */
MUST_USE enum status kv__build_finish(struct kv_build *build,
                                      const struct raft_configuration *configuration);
const struct kv_snapshot_info *kv__build_info(const struct kv_build *build);

/* What was written stays in its folder. */
void kv__build_free(struct kv_build *build);

#endif
