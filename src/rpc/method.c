#include "rpc/server.h"

#include <stdio.h>

/* Hot methods await many calls, so that a burst finds somebody without taking gRPC's lock. */
static const struct rpc__method methods[RPC__METHOD_COUNT] = {
    [RPC__PUT] = {"/phalanx.v1.KVService/Put", true, 128, rpc__kv_on_call},
    [RPC__GET] = {"/phalanx.v1.KVService/Get", true, 128, rpc__kv_on_call},
    [RPC__DELETE] = {"/phalanx.v1.KVService/Delete", true, 32, rpc__kv_on_call},
    [RPC__SCAN] = {"/phalanx.v1.KVService/Scan", true, 32, rpc__kv_on_call},
    [RPC__STATUS] = {"/phalanx.v1.ClusterService/Status", true, 4, rpc__status_on_call},
    [RPC__GET_REPORT] = {"/phalanx.v1.ClusterService/GetReport", true, 2, rpc__report_on_call},
    [RPC__SAVE_SNAPSHOT] = {"/phalanx.v1.ClusterService/SaveSnapshot", true, 2,
                            rpc__snapshot_on_call},
    [RPC__LIST_MEMBERS] = {"/phalanx.v1.ClusterService/ListMembers", true, 2, rpc__members_on_call},
    [RPC__ADD_MEMBER] = {"/phalanx.v1.ClusterService/AddMember", true, 1, rpc__order_on_call},
    [RPC__PROMOTE_MEMBER] = {"/phalanx.v1.ClusterService/PromoteMember", true, 1,
                             rpc__order_on_call},
    [RPC__REMOVE_MEMBER] = {"/phalanx.v1.ClusterService/RemoveMember", true, 1, rpc__order_on_call},
    [RPC__REPLACE_MEMBER] = {"/phalanx.v1.ClusterService/ReplaceMember", true, 1,
                             rpc__order_on_call},
    [RPC__TRANSFER] = {"/phalanx.v1.ClusterService/TransferLeadership", true, 1,
                       rpc__order_on_call},
    [RPC__EXCHANGE] = {"/phalanx.v1.RaftService/Exchange", false, 2, rpc__exchange_on_call},
    [RPC__INSTALL] = {"/phalanx.v1.RaftService/InstallSnapshot", false, 2, rpc__install_on_call},
    [RPC__HEALTH_CHECK] = {"/grpc.health.v1.Health/Check", true, 4, rpc__health_on_check},
    [RPC__HEALTH_WATCH] = {"/grpc.health.v1.Health/Watch", true, 2, rpc__health_on_watch},
    [RPC__REFLECT] = {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", false, 2,
                      rpc__reflection_on_call},
    [RPC__REFLECT_ALPHA] = {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", false,
                            2, rpc__reflection_on_call},
    [RPC__UNKNOWN] = {NULL, false, 16, rpc__unknown_on_call},
};

const struct rpc__method *rpc__method(enum rpc__method_id id) {
    CHECK((int)id >= 0 && id < RPC__METHOD_COUNT);
    return &methods[id];
}

void rpc__unknown_on_call(struct rpc_call *call) {
    char detail[160];
    grpc_slice path = call->details.method;
    (void)snprintf(detail, sizeof detail, "unknown method %.*s",
                   (int)(GRPC_SLICE_LENGTH(path) < 128 ? GRPC_SLICE_LENGTH(path) : 128),
                   (const char *)GRPC_SLICE_START_PTR(path));
    rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, detail);
}
