/* grpc.reflection's messages. v1 and v1alpha are the same on the wire; so one code speaks both. */
#include "rpc/reflection_answer.h"

#include "check.h"

#include "grpc/reflection/v1/reflection.upb.h"

typedef grpc_reflection_v1_ServerReflectionRequest request_message;
typedef grpc_reflection_v1_ServerReflectionResponse response_message;

/* gRPC codes, which these messages carry too. */
enum { CODE_INVALID_ARGUMENT = 3, CODE_NOT_FOUND = 5 };

struct answer {
    const struct rpc__index *index;
    upb_Arena *arena;
    response_message *response;
};

static void answer_error(struct answer *a, int32_t code, const char *text) {
    grpc_reflection_v1_ErrorResponse *error =
        grpc_reflection_v1_ServerReflectionResponse_mutable_error_response(a->response, a->arena);
    CHECK(error != NULL);
    grpc_reflection_v1_ErrorResponse_set_error_code(error, code);
    grpc_reflection_v1_ErrorResponse_set_error_message(error, upb_StringView_FromString(text));
}

static upb_StringView to_view(struct bytes bytes) {
    return upb_StringView_FromDataAndSize((const char *)bytes.data, bytes.len);
}

static struct bytes to_bytes(upb_StringView view) {
    return bytes_of(view.data, view.size);
}

static void answer_file(struct answer *a, int file, const char *missing) {
    if (file < 0) {
        answer_error(a, CODE_NOT_FOUND, missing);
        return;
    }
    grpc_reflection_v1_FileDescriptorResponse *response =
        grpc_reflection_v1_ServerReflectionResponse_mutable_file_descriptor_response(a->response,
                                                                                     a->arena);
    CHECK(response != NULL);
    struct bytes files[RPC__FILES_MAX];
    size_t count = rpc__index_closure(a->index, file, files);
    for (size_t i = 0; i < count; i++)
        CHECK(grpc_reflection_v1_FileDescriptorResponse_add_file_descriptor_proto(response,
                                                                                  to_view(files[i]),
                                                                                  a->arena));
}

static void answer_services(struct answer *a) {
    grpc_reflection_v1_ListServiceResponse *list =
        grpc_reflection_v1_ServerReflectionResponse_mutable_list_services_response(a->response,
                                                                                   a->arena);
    CHECK(list != NULL);
    const struct bytes *names;
    size_t count = rpc__index_services(a->index, &names);
    for (size_t i = 0; i < count; i++) {
        grpc_reflection_v1_ServiceResponse *service =
            grpc_reflection_v1_ListServiceResponse_add_service(list, a->arena);
        CHECK(service != NULL);
        grpc_reflection_v1_ServiceResponse_set_name(service, to_view(names[i]));
    }
}

/* ---- One request ---------------------------------------------------------------------------- */

static int find_file(const struct rpc__index *index, const request_message *request) {
    return rpc__index_by_name(
        index, to_bytes(grpc_reflection_v1_ServerReflectionRequest_file_by_filename(request)));
}

static int find_symbol(const struct rpc__index *index, const request_message *request) {
    return rpc__index_by_symbol(
        index,
        to_bytes(grpc_reflection_v1_ServerReflectionRequest_file_containing_symbol(request)));
}

static void answer_question(struct answer *a, const request_message *request) {
    switch (grpc_reflection_v1_ServerReflectionRequest_message_request_case(request)) {
    case grpc_reflection_v1_ServerReflectionRequest_message_request_file_by_filename:
        answer_file(a, find_file(a->index, request), "unknown file");
        return;
    case grpc_reflection_v1_ServerReflectionRequest_message_request_file_containing_symbol:
        answer_file(a, find_symbol(a->index, request), "unknown symbol");
        return;
    case grpc_reflection_v1_ServerReflectionRequest_message_request_file_containing_extension:
    case grpc_reflection_v1_ServerReflectionRequest_message_request_all_extension_numbers_of_type:
        answer_error(a, CODE_NOT_FOUND, "there are no extensions"); /* proto3 has none */
        return;
    case grpc_reflection_v1_ServerReflectionRequest_message_request_list_services:
        answer_services(a);
        return;
    case grpc_reflection_v1_ServerReflectionRequest_message_request_NOT_SET: break;
    }
    answer_error(a, CODE_INVALID_ARGUMENT, "the request asks for nothing");
}

static grpc_slice encode(const struct answer *a) {
    size_t len = 0;
    const char *data =
        grpc_reflection_v1_ServerReflectionResponse_serialize(a->response, a->arena, &len);
    CHECK(data != NULL);
    return grpc_slice_from_copied_buffer(data, len);
}

bool rpc__reflection_answer(const struct rpc__index *index, struct bytes body,
                            grpc_slice *ret_answer) {
    struct answer a = {.index = index, .arena = upb_Arena_New()};
    const request_message *request =
        grpc_reflection_v1_ServerReflectionRequest_parse((const char *)body.data, body.len,
                                                         a.arena);
    if (request != NULL) {
        a.response = grpc_reflection_v1_ServerReflectionResponse_new(a.arena);
        CHECK(a.response != NULL);
        grpc_reflection_v1_ServerReflectionResponse_set_valid_host(
            a.response, grpc_reflection_v1_ServerReflectionRequest_host(request));
        grpc_reflection_v1_ServerReflectionResponse_set_original_request(
            a.response, (request_message *)(uintptr_t)request);
        answer_question(&a, request);
        *ret_answer = encode(&a);
    }
    upb_Arena_Free(a.arena);
    return request != NULL;
}
