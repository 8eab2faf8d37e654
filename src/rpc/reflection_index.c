#include "rpc/reflection_index.h"

#include "check.h"
#include "phalanx_descriptor_set.h"

#include <stdlib.h>

#include "google/protobuf/descriptor.upb.h"

/* Short names for upb's long ones. */
typedef google_protobuf_FileDescriptorProto file_proto;
typedef google_protobuf_DescriptorProto message_proto;
typedef google_protobuf_EnumDescriptorProto enum_proto;
typedef google_protobuf_ServiceDescriptorProto service_proto;

struct rpc__index {
    upb_Arena *arena;
    const file_proto *const *files;
    size_t file_count;
    struct bytes encoded[RPC__FILES_MAX];
    struct bytes services[RPC__SERVICES_MAX];
    size_t service_count;
};

/* ---- Made once ------------------------------------------------------------------------------ */

/* package.Service */
static struct bytes full_name(upb_Arena *arena, upb_StringView package, upb_StringView name) {
    size_t len = package.size + 1 + name.size;
    char *text = upb_Arena_Malloc(arena, len);
    CHECK(text != NULL);
    memcpy(text, package.data, package.size);
    text[package.size] = '.';
    memcpy(text + package.size + 1, name.data, name.size);
    return bytes_of(text, len);
}

static void add_services(struct rpc__index *index, const file_proto *file) {
    size_t count = 0;
    const service_proto *const *services =
        google_protobuf_FileDescriptorProto_service(file, &count);
    CHECK(index->service_count + count <= RPC__SERVICES_MAX);
    for (size_t i = 0; i < count; i++)
        index->services[index->service_count++] =
            full_name(index->arena, google_protobuf_FileDescriptorProto_package(file),
                      google_protobuf_ServiceDescriptorProto_name(services[i]));
}

static struct bytes encode_file(struct rpc__index *index, const file_proto *file) {
    size_t len = 0;
    const char *data = google_protobuf_FileDescriptorProto_serialize(file, index->arena, &len);
    CHECK(data != NULL);
    return bytes_of(data, len);
}

struct rpc__index *rpc__index_new(void) {
    struct rpc__index *index = calloc(1, sizeof *index);
    CHECK(index != NULL);
    index->arena = upb_Arena_New();
    const google_protobuf_FileDescriptorSet *set =
        google_protobuf_FileDescriptorSet_parse_ex((const char *)phalanx_descriptor_set,
                                                   phalanx_descriptor_set_len, NULL,
                                                   kUpb_DecodeOption_AliasString, index->arena);
    CHECK(set != NULL); /* the build made it */
    index->files = google_protobuf_FileDescriptorSet_file(set, &index->file_count);
    CHECK(index->file_count <= RPC__FILES_MAX);
    for (size_t i = 0; i < index->file_count; i++) {
        add_services(index, index->files[i]);
        index->encoded[i] = encode_file(index, index->files[i]);
    }
    return index;
}

void rpc__index_free(struct rpc__index *index) {
    if (index == NULL)
        return;
    upb_Arena_Free(index->arena);
    free(index);
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int by_name(const struct rpc__index *index, upb_StringView name) {
    for (size_t i = 0; i < index->file_count; i++) {
        if (upb_StringView_IsEqual(google_protobuf_FileDescriptorProto_name(index->files[i]), name))
            return (int)i;
    }
    return -1;
}

int rpc__index_by_name(const struct rpc__index *index, struct bytes name) {
    return by_name(index, upb_StringView_FromDataAndSize((const char *)name.data, name.len));
}

/* Append a file's number, unless it is there. */
static size_t add_once(int *files, size_t count, int file) {
    for (size_t i = 0; i < count; i++) {
        if (files[i] == file)
            return count;
    }
    CHECK(count < RPC__FILES_MAX);
    files[count] = file;
    return count + 1;
}

size_t rpc__index_closure(const struct rpc__index *index, int file,
                          struct bytes ret_files[RPC__FILES_MAX]) {
    int files[RPC__FILES_MAX] = {file};
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        ret_files[i] = index->encoded[files[i]];
        size_t import_count = 0;
        const upb_StringView *imports =
            google_protobuf_FileDescriptorProto_dependency(index->files[files[i]], &import_count);
        for (size_t j = 0; j < import_count; j++) {
            int import = by_name(index, imports[j]);
            CHECK(import >= 0); /* the set is complete */
            count = add_once(files, count, import);
        }
    }
    return count;
}

size_t rpc__index_services(const struct rpc__index *index, const struct bytes **ret_names) {
    *ret_names = index->services;
    return index->service_count;
}

/* ---- Symbols: a name is its first part, a dot, and the rest ---------------------------------- */

/* Step over `part` at the front of `*path`, and over a dot with more behind it. */
static bool step(upb_StringView *path, upb_StringView part) {
    if (path->size < part.size || memcmp(path->data, part.data, part.size) != 0)
        return false;
    if (path->size > part.size && path->data[part.size] != '.')
        return false;
    if (path->size == part.size + 1)
        return false;
    size_t taken = path->size > part.size ? part.size + 1 : part.size;
    *path = upb_StringView_FromDataAndSize(path->data + taken, path->size - taken);
    return true;
}

/* The same for a part that must be the last. */
static bool is_last(upb_StringView path, upb_StringView part) {
    return upb_StringView_IsEqual(path, part);
}

/* The values of an enum live beside it, not inside. */
static bool in_enums(const enum_proto *const *enums, size_t count, upb_StringView path) {
    for (size_t i = 0; i < count; i++) {
        if (is_last(path, google_protobuf_EnumDescriptorProto_name(enums[i])))
            return true;
        size_t value_count = 0;
        const google_protobuf_EnumValueDescriptorProto *const *values =
            google_protobuf_EnumDescriptorProto_value(enums[i], &value_count);
        for (size_t j = 0; j < value_count; j++) {
            if (is_last(path, google_protobuf_EnumValueDescriptorProto_name(values[j])))
                return true;
        }
    }
    return false;
}

static bool in_fields(const message_proto *message, upb_StringView path) {
    size_t count = 0;
    const google_protobuf_FieldDescriptorProto *const *fields =
        google_protobuf_DescriptorProto_field(message, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_last(path, google_protobuf_FieldDescriptorProto_name(fields[i])))
            return true;
    }
    return false;
}

/* How deep messages nest is up to our own protos. */
static bool in_messages(const message_proto *const *messages, size_t count, upb_StringView path) {
    for (size_t i = 0; i < count; i++) {
        upb_StringView rest = path;
        if (!step(&rest, google_protobuf_DescriptorProto_name(messages[i])))
            continue;
        size_t nested_count = 0;
        size_t enum_count = 0;
        const message_proto *const *nested =
            google_protobuf_DescriptorProto_nested_type(messages[i], &nested_count);
        const enum_proto *const *enums =
            google_protobuf_DescriptorProto_enum_type(messages[i], &enum_count);
        return rest.size == 0 || in_fields(messages[i], rest) ||
               in_enums(enums, enum_count, rest) || in_messages(nested, nested_count, rest);
    }
    return false;
}

static bool in_services(const service_proto *const *services, size_t count, upb_StringView path) {
    for (size_t i = 0; i < count; i++) {
        upb_StringView rest = path;
        if (!step(&rest, google_protobuf_ServiceDescriptorProto_name(services[i])))
            continue;
        size_t method_count = 0;
        const google_protobuf_MethodDescriptorProto *const *methods =
            google_protobuf_ServiceDescriptorProto_method(services[i], &method_count);
        for (size_t j = 0; j < method_count; j++) {
            if (is_last(rest, google_protobuf_MethodDescriptorProto_name(methods[j])))
                return true;
        }
        return rest.size == 0;
    }
    return false;
}

static bool defines(const file_proto *file, upb_StringView symbol) {
    size_t message_count = 0;
    size_t enum_count = 0;
    size_t service_count = 0;
    const message_proto *const *messages =
        google_protobuf_FileDescriptorProto_message_type(file, &message_count);
    const enum_proto *const *enums =
        google_protobuf_FileDescriptorProto_enum_type(file, &enum_count);
    const service_proto *const *services =
        google_protobuf_FileDescriptorProto_service(file, &service_count);
    upb_StringView package = google_protobuf_FileDescriptorProto_package(file);
    if (package.size > 0 && !step(&symbol, package))
        return false;
    return in_messages(messages, message_count, symbol) || in_enums(enums, enum_count, symbol) ||
           in_services(services, service_count, symbol);
}

int rpc__index_by_symbol(const struct rpc__index *index, struct bytes symbol) {
    upb_StringView name = upb_StringView_FromDataAndSize((const char *)symbol.data, symbol.len);
    for (size_t i = 0; i < index->file_count; i++) {
        if (defines(index->files[i], name))
            return (int)i;
    }
    return -1;
}
