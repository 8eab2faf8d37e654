/* InstallSnapshot's messages, as bytes and back. Private to the room. */
#ifndef PHALANX_RPC_CODEC_INSTALL_H
#define PHALANX_RPC_CODEC_INSTALL_H

#include "rpc/rpc.h"

#include <grpc/slice.h>

grpc_slice rpc__install_head_encode(const struct rpc_install_head *head);
grpc_slice rpc__install_chunk_encode(struct bytes chunk);
grpc_slice rpc__install_answer_encode(raft_index index);

/* STATUS_CORRUPT: not that message, or not that part of it. A chunk lies in `body`. */
MUST_USE enum status rpc__install_head_decode(struct bytes body, struct rpc_install_head *ret_head);
MUST_USE enum status rpc__install_chunk_decode(struct bytes body, struct bytes *ret_chunk);
MUST_USE enum status rpc__install_answer_decode(struct bytes body, raft_index *ret_index);

#endif
