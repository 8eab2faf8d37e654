/* Messages of grpc.health.v1, as bytes. Private to the room. */
#ifndef PHALANX_RPC_CODEC_HEALTH_H
#define PHALANX_RPC_CODEC_HEALTH_H

#include "bytes.h"

/* HealthCheckResponse.ServingStatus; values are the protocol's. */
enum rpc__health_status {
    RPC__HEALTH_UNKNOWN = 0,
    RPC__HEALTH_SERVING = 1,
    RPC__HEALTH_NOT_SERVING = 2,
    RPC__HEALTH_SERVICE_UNKNOWN = 3,
};

/* HealthCheckRequest: the service's name, which lies in `body`. False: not that message. */
bool rpc__health_decode(struct bytes body, struct bytes *ret_service);

/* HealthCheckResponse; returns its length. */
#define RPC__HEALTH_BYTES_MAX ((size_t)16)
size_t rpc__health_encode(enum rpc__health_status status, uint8_t data[RPC__HEALTH_BYTES_MAX]);

#endif
