#include "rpc/server.h"

void rpc__reflection_on_call(struct rpc_call *call) {
    rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, "reflection is not there yet");
}
