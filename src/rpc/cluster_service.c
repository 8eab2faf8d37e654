#include "rpc/codec.h"
#include "rpc/codec_cluster.h"
#include "rpc/server.h"
#include "rpc/stream.h"

static bool has_empty_message(struct rpc_call *call) {
    struct bytes body;
    return rpc__call_body(call, &body) && rpc__decode_empty(body);
}

void rpc__status_on_call(struct rpc_call *call) {
    const struct rpc_handlers *handlers = &call->queue->server->handlers;
    if (!has_empty_message(call)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT, "the body is not a StatusRequest");
        return;
    }
    struct node_status status = {0};
    handlers->on_status(handlers->context, &status);
    uint8_t data[RPC__STATUS_BYTES_MAX];
    size_t len = rpc__status_encode(&status, data);
    grpc_slice body = grpc_slice_from_copied_buffer((const char *)data, len);
    rpc__call_answer(call,
                     &(struct rpc__answer){.code = GRPC_STATUS_OK, .has_body = true, .body = body});
}

void rpc__report_on_call(struct rpc_call *call) {
    const struct rpc_handlers *handlers = &call->queue->server->handlers;
    if (!has_empty_message(call)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT, "the body is not a GetReportRequest");
        return;
    }
    if (!handlers->on_report) {
        rpc__call_refuse(call, GRPC_STATUS_UNIMPLEMENTED, "this server makes no reports");
        return;
    }
    struct node_report report;
    handlers->on_report(handlers->context, &report);
    rpc__call_answer(call, &(struct rpc__answer){.code = GRPC_STATUS_OK,
                                                 .has_body = true,
                                                 .body = rpc__report_encode(&report)});
}

void rpc__snapshot_on_call(struct rpc_call *call) {
    struct rpc_server *server = call->queue->server;
    const struct rpc_handlers *handlers = &server->handlers;
    if (!has_empty_message(call)) {
        rpc__call_refuse(call, GRPC_STATUS_INVALID_ARGUMENT,
                         "the body is not a SaveSnapshotRequest");
        return;
    }
    if (rpc__refuse_if_draining(call))
        return;
    if (atomic_fetch_add(&server->snapshots, 1) >= RPC__SNAPSHOTS_MAX) {
        atomic_fetch_sub(&server->snapshots, 1);
        rpc__call_refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many snapshots are being read");
        return;
    }
    struct rpc_stream *stream = rpc__stream_new(server, rpc__call_detach(call));
    handlers->on_snapshot(handlers->context, stream);
}
