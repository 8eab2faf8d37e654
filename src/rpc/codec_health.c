#include "rpc/codec_health.h"

#include "check.h"
#include "rpc/codec.h"

#include "grpc/health/v1/health.upb.h"

_Static_assert((int)RPC__HEALTH_UNKNOWN == grpc_health_v1_HealthCheckResponse_UNKNOWN &&
                   (int)RPC__HEALTH_SERVING == grpc_health_v1_HealthCheckResponse_SERVING &&
                   (int)RPC__HEALTH_NOT_SERVING == grpc_health_v1_HealthCheckResponse_NOT_SERVING &&
                   (int)RPC__HEALTH_SERVICE_UNKNOWN ==
                       grpc_health_v1_HealthCheckResponse_SERVICE_UNKNOWN,
               "the protocol's values");

bool rpc__health_decode(struct bytes body, struct bytes *ret_service) {
    upb_Arena *arena = upb_Arena_New();
    const grpc_health_v1_HealthCheckRequest *request =
        grpc_health_v1_HealthCheckRequest_parse_ex((const char *)body.data, body.len, NULL,
                                                   kUpb_DecodeOption_AliasString, arena);
    if (request != NULL) {
        upb_StringView service = grpc_health_v1_HealthCheckRequest_service(request);
        *ret_service = rpc__bytes_in_body(body, service.data, service.size);
    }
    upb_Arena_Free(arena);
    return request != NULL;
}

size_t rpc__health_encode(enum rpc__health_status status, uint8_t data[RPC__HEALTH_BYTES_MAX]) {
    upb_Arena *arena = upb_Arena_New();
    grpc_health_v1_HealthCheckResponse *response = grpc_health_v1_HealthCheckResponse_new(arena);
    CHECK(response != NULL);
    grpc_health_v1_HealthCheckResponse_set_status(response, (int32_t)status);
    size_t len = 0;
    const char *encoded = grpc_health_v1_HealthCheckResponse_serialize(response, arena, &len);
    CHECK(encoded != NULL && len <= RPC__HEALTH_BYTES_MAX);
    memcpy(data, encoded, len);
    upb_Arena_Free(arena);
    return len;
}
