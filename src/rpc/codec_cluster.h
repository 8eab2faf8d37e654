/* ClusterService's messages about members (codec_cluster.c) and GetReport's (codec_report.c), as
 * bytes and back. Private to the room. */
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

grpc_slice rpc__report_encode(const struct node_report *report);
/* Likewise; what the message does not carry is 0. */
MUST_USE enum status rpc__report_decode(struct bytes body, struct node_report *ret_report);

/* What both share. False: too long, or with a zero inside. */
bool rpc__copy_text(struct bytes text, char *ret_text, size_t size);
int32_t rpc__role_number(enum node_role role);
/* A role of a later version is not one that leads. */
enum node_role rpc__role_of(int32_t role);

#endif
