/* What the stores need of the data directory: paths, durable names, and where to say what is wrong.
 */
#ifndef PHALANX_KV_DIRECTORY_H
#define PHALANX_KV_DIRECTORY_H

#include "kv/kv.h"

#include <limits.h>

/* Say what is wrong and where: kv_directory_problem(). Returns `status`. */
__attribute__((format(printf, 3, 4))) enum status
kv__directory_problem(struct kv_directory *directory, enum status status, const char *format, ...);

/* `<directory>/<name>`. STATUS_INVALID: longer than a path may be. */
MUST_USE enum status kv__directory_join(const struct kv_directory *directory, const char *name,
                                        char ret_path[PATH_MAX]);

bool kv__path_exists(const char *path);

/* Sync what a directory lists; and the one that lists `path`. */
MUST_USE enum status kv__directory_sync(const char *path);
MUST_USE enum status kv__parent_sync(const char *path);

/* Remove an environment's folder with its files; a missing one is fine. */
MUST_USE enum status kv__store_remove(const char *path);

#endif
