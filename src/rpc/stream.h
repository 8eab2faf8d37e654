/* Snapshot streams, as the cluster service opens them. Private to the room. */
#ifndef PHALANX_RPC_STREAM_H
#define PHALANX_RPC_STREAM_H

#include "rpc/server.h"

/* Takes over gRPC's call. Ends by rpc_stream_finish(). */
struct rpc_stream *rpc__stream_new(struct rpc_server *server, grpc_call *grpc);

#endif
