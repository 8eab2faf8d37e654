/* One question of server reflection. Private to the room. */
#ifndef PHALANX_RPC_REFLECTION_ANSWER_H
#define PHALANX_RPC_REFLECTION_ANSWER_H

#include "bytes.h"
#include "check.h"
#include "rpc/reflection_index.h"

#include <grpc/slice.h>

/* Answers a ServerReflectionRequest with a ServerReflectionResponse, errors included. The slice
 * belongs to the caller. False: not that message. */
MUST_USE bool rpc__reflection_answer(const struct rpc__index *index, struct bytes body,
                                     grpc_slice *ret_answer);

#endif
