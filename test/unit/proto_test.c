/* What the build makes of the protos: generated code that links and works with
 * the system's upb, and descriptors for reflection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "google/protobuf/descriptor.upb.h"
#include "grpc/health/v1/health.upb.h"
#include "phalanx_descriptor_set.h"

static void decodes_what_it_encoded(void **state) {
    (void)state;
    upb_Arena *arena = upb_Arena_New();
    grpc_health_v1_HealthCheckRequest *request = grpc_health_v1_HealthCheckRequest_new(arena);
    grpc_health_v1_HealthCheckRequest_set_service(request,
                                                  upb_StringView_FromString("phalanx.v1.KV"));

    size_t size = 0;
    char *bytes = grpc_health_v1_HealthCheckRequest_serialize(request, arena, &size);
    assert_non_null(bytes);
    const grpc_health_v1_HealthCheckRequest *decoded =
        grpc_health_v1_HealthCheckRequest_parse(bytes, size, arena);
    assert_non_null(decoded);

    upb_StringView service = grpc_health_v1_HealthCheckRequest_service(decoded);
    assert_int_equal(service.size, strlen("phalanx.v1.KV"));
    assert_memory_equal(service.data, "phalanx.v1.KV", service.size);
    upb_Arena_Free(arena);
}

static void embeds_the_descriptor_of_each_proto(void **state) {
    (void)state;
    upb_Arena *arena = upb_Arena_New();
    const google_protobuf_FileDescriptorSet *set =
        google_protobuf_FileDescriptorSet_parse((const char *)phalanx_descriptor_set,
                                                phalanx_descriptor_set_len, arena);
    assert_non_null(set);

    static const char *const wanted[] = {
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    };
    size_t count = 0;
    const google_protobuf_FileDescriptorProto *const *files =
        google_protobuf_FileDescriptorSet_file(set, &count);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t found = 0;
        for (size_t j = 0; j < count; j++) {
            upb_StringView name = google_protobuf_FileDescriptorProto_name(files[j]);
            found += upb_StringView_IsEqual(name, upb_StringView_FromString(wanted[i]));
        }
        assert_int_equal(found, 1);
    }
    upb_Arena_Free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_what_it_encoded),
        cmocka_unit_test(embeds_the_descriptor_of_each_proto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
