/* The embedded descriptors, by file and by symbol. Read-only once made, from any thread. Private
 * to the room. */
#ifndef PHALANX_RPC_REFLECTION_INDEX_H
#define PHALANX_RPC_REFLECTION_INDEX_H

#include "bytes.h"

struct rpc__index;

/* Files with all that they import, and services. Our protos have fewer. */
#define RPC__FILES_MAX ((size_t)16)
#define RPC__SERVICES_MAX ((size_t)16)

struct rpc__index *rpc__index_new(void);
void rpc__index_free(struct rpc__index *index);

/* The number of a file, or -1. `symbol` is a full name: of a service, method, message, field, enum
 * or enum value. */
int rpc__index_by_name(const struct rpc__index *index, struct bytes name);
int rpc__index_by_symbol(const struct rpc__index *index, struct bytes symbol);

/* A file, what it imports, what those import, and so on: serialized FileDescriptorProtos. */
size_t rpc__index_closure(const struct rpc__index *index, int file,
                          struct bytes ret_files[RPC__FILES_MAX]);

/* The full names of all services. */
size_t rpc__index_services(const struct rpc__index *index, const struct bytes **ret_names);

#endif
