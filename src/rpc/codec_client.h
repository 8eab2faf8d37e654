/* The messages of the client half: what it sends encoded, what it hears decoded. */
#ifndef PHALANX_RPC_CODEC_CLIENT_H
#define PHALANX_RPC_CODEC_CLIENT_H

#include "rpc/rpc.h"

#include <grpc/slice.h>

/* What one decoded message lives in; the next decoding into it ends the one before. Strings are
 * not copied: they stay in the body, which has to live as long. */
struct rpc__memory;

struct rpc__memory *rpc__memory_new(void); /* NULL: no memory */
void rpc__memory_free(struct rpc__memory *memory);

/* The request as bytes of its own. STATUS_NO_MEMORY: nothing was made. */
MUST_USE enum status rpc__encode_kv_request(const struct kv_request *request, grpc_slice *ret_body);

/* STATUS_CORRUPT: the body is not that message. */
MUST_USE enum status rpc__decode_kv_response(struct rpc__memory *memory, struct bytes body,
                                             enum kv_operation operation,
                                             struct kv_response *ret_response);
MUST_USE enum status rpc__decode_status(struct rpc__memory *memory, struct bytes body,
                                        struct node_status *ret_status, char *ret_version,
                                        size_t version_size);
MUST_USE enum status rpc__decode_chunk(struct rpc__memory *memory, struct bytes body,
                                       struct bytes *ret_chunk);

#endif
