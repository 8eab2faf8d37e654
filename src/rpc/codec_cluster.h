/* ClusterService's messages about members, as bytes and back. Private to the room. */
#ifndef PHALANX_RPC_CODEC_CLUSTER_H
#define PHALANX_RPC_CODEC_CLUSTER_H

#include "rpc/rpc.h"

#include <grpc/slice.h>

grpc_slice rpc__order_encode(const struct rpc_order *order);
/* NULL: `ret_order` is filled. Else what is wrong with it, a static sentence for people. */
const char *rpc__order_decode(enum rpc_order_kind kind, struct bytes body,
                              struct rpc_order *ret_order);

grpc_slice rpc__members_encode(const struct rpc_members *members);
/* STATUS_CORRUPT: not that message, or beyond a bound. */
MUST_USE enum status rpc__members_decode(struct bytes body, struct rpc_members *ret_members);

#endif
