/* Server-side messages of KVService and ClusterService, as bytes. Private to the room. */
#ifndef PHALANX_RPC_CODEC_H
#define PHALANX_RPC_CODEC_H

#include "bytes.h"
#include "kv/kv.h"
#include "node_status.h"

#include <grpc/slice.h>

/* A request's message. What `ret_request` points to lies in `body`. False: not that message, or
 * one that says something we do not know; then `ret_request` is undefined. */
bool rpc__decode_request(enum kv_operation operation, struct bytes body,
                         struct kv_request *ret_request);

/* A string that was parsed out of `body`, as it lies there: upb copies strings in a message's last
 * bytes into the arena, whatever it is told about aliasing, and the arena is gone before the
 * request is. */
struct bytes rpc__bytes_in_body(struct bytes body, const char *data, size_t len);

/* A response's message, for gRPC to send; the caller's. Copies what it needs of `response`. */
grpc_slice rpc__response_encode(enum kv_operation operation, const struct kv_response *response);

/* SaveSnapshotResponse, likewise. */
grpc_slice rpc__chunk_encode(struct bytes chunk);

/* StatusResponse. Its size is bounded by that of its texts. */
#define RPC__STATUS_BYTES_MAX ((size_t)2048)
size_t rpc__status_encode(const struct node_status *status, uint8_t data[RPC__STATUS_BYTES_MAX]);

/* Whether `body` is a message at all, for requests without fields. */
bool rpc__decode_empty(struct bytes body);

#endif
