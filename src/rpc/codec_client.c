#include "rpc/codec_client.h"

#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

/* Room for a request or an answer with a short value, so that most need no allocation. */
#define BLOCK_BYTES ((size_t)2048)

struct rpc__memory {
    upb_Arena *arena; /* NULL before the first decoding */
    alignas(max_align_t) char block[BLOCK_BYTES];
};

struct rpc__memory *rpc__memory_new(void) {
    struct rpc__memory *memory = malloc(sizeof *memory);
    if (memory != NULL)
        memory->arena = NULL;
    return memory;
}

void rpc__memory_free(struct rpc__memory *memory) {
    if (memory == NULL)
        return;
    if (memory->arena != NULL)
        upb_Arena_Free(memory->arena);
    free(memory);
}

static upb_Arena *memory_start(struct rpc__memory *memory) {
    if (memory->arena != NULL)
        upb_Arena_Free(memory->arena);
    memory->arena = upb_Arena_Init(memory->block, sizeof memory->block, &upb_alloc_global);
    return memory->arena;
}

static upb_StringView view_of(struct bytes bytes) {
    return upb_StringView_FromDataAndSize((const char *)bytes.data, bytes.len);
}

static struct bytes bytes_of_view(upb_StringView view) {
    return bytes_of(view.data, view.size);
}

/* ---- Encoding ------------------------------------------------------------------------------ */

static phalanx_v1_RequestId *encode_request_id(const struct kv_request *request, upb_Arena *arena) {
    phalanx_v1_RequestId *id = phalanx_v1_RequestId_new(arena);
    if (id == NULL)
        return NULL;
    phalanx_v1_RequestId_set_client_id(id, request->client_id);
    phalanx_v1_RequestId_set_sequence(id, request->sequence);
    return id;
}

static char *encode_put(const struct kv_request *request, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_PutRequest *put = phalanx_v1_PutRequest_new(arena);
    phalanx_v1_RequestId *id = encode_request_id(request, arena);
    if (put == NULL || id == NULL)
        return NULL;
    phalanx_v1_PutRequest_set_key(put, view_of(request->key));
    phalanx_v1_PutRequest_set_value(put, view_of(request->value));
    if (request->has_prev_revision)
        phalanx_v1_PutRequest_set_prev_revision(put, request->prev_revision);
    if (request->has_request_id)
        phalanx_v1_PutRequest_set_request_id(put, id);
    return phalanx_v1_PutRequest_serialize(put, arena, ret_size);
}

static char *encode_delete(const struct kv_request *request, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_DeleteRequest *delete = phalanx_v1_DeleteRequest_new(arena);
    phalanx_v1_RequestId *id = encode_request_id(request, arena);
    if (delete == NULL || id == NULL)
        return NULL;
    phalanx_v1_DeleteRequest_set_key(delete, view_of(request->key));
    if (request->has_prev_revision)
        phalanx_v1_DeleteRequest_set_prev_revision(delete, request->prev_revision);
    if (request->has_request_id)
        phalanx_v1_DeleteRequest_set_request_id(delete, id);
    return phalanx_v1_DeleteRequest_serialize(delete, arena, ret_size);
}

/* Linearizable is what an unset field means, so it costs no bytes. */
static int consistency_of(const struct kv_request *request) {
    return request->is_stale ? phalanx_v1_CONSISTENCY_STALE : phalanx_v1_CONSISTENCY_UNSPECIFIED;
}

static char *encode_get(const struct kv_request *request, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_GetRequest *get = phalanx_v1_GetRequest_new(arena);
    if (get == NULL)
        return NULL;
    phalanx_v1_GetRequest_set_key(get, view_of(request->key));
    phalanx_v1_GetRequest_set_consistency(get, consistency_of(request));
    return phalanx_v1_GetRequest_serialize(get, arena, ret_size);
}

static char *encode_scan(const struct kv_request *request, upb_Arena *arena, size_t *ret_size) {
    phalanx_v1_ScanRequest *scan = phalanx_v1_ScanRequest_new(arena);
    if (scan == NULL)
        return NULL;
    phalanx_v1_ScanRequest_set_start(scan, view_of(request->key));
    phalanx_v1_ScanRequest_set_end(scan, view_of(request->end));
    phalanx_v1_ScanRequest_set_limit(scan, request->limit);
    phalanx_v1_ScanRequest_set_consistency(scan, consistency_of(request));
    return phalanx_v1_ScanRequest_serialize(scan, arena, ret_size);
}

static char *encode(const struct kv_request *request, upb_Arena *arena, size_t *ret_size) {
    switch (request->operation) {
    case KV_PUT: return encode_put(request, arena, ret_size);
    case KV_DELETE: return encode_delete(request, arena, ret_size);
    case KV_GET: return encode_get(request, arena, ret_size);
    case KV_SCAN: return encode_scan(request, arena, ret_size);
    }
    CHECK(!"a KV operation");
    return NULL;
}

enum status rpc__encode_kv_request(const struct kv_request *request, grpc_slice *ret_body) {
    alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    if (arena == NULL)
        return STATUS_NO_MEMORY;
    size_t size = 0;
    const char *data = encode(request, arena, &size);
    if (data != NULL)
        *ret_body = grpc_slice_from_copied_buffer(data, size);
    upb_Arena_Free(arena);
    return data == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

/* ---- Decoding ------------------------------------------------------------------------------ */

/* Parse a message of `type` in place; NULL when it is none. */
#define PARSE(type, body, arena) \
    type##_parse_ex((body).len == 0 ? "" : (const char *)(body).data, (body).len, NULL, \
                    kUpb_DecodeOption_AliasString, (arena))

static bool decode_put(struct bytes body, upb_Arena *arena, struct kv_response *ret_response) {
    const phalanx_v1_PutResponse *put = PARSE(phalanx_v1_PutResponse, body, arena);
    if (put == NULL)
        return false;
    *ret_response = (struct kv_response){.revision = phalanx_v1_PutResponse_revision(put)};
    return true;
}

static bool decode_delete(struct bytes body, upb_Arena *arena, struct kv_response *ret_response) {
    const phalanx_v1_DeleteResponse *delete = PARSE(phalanx_v1_DeleteResponse, body, arena);
    if (delete == NULL)
        return false;
    *ret_response = (struct kv_response){
        .is_found = phalanx_v1_DeleteResponse_deleted(delete),
        .revision = phalanx_v1_DeleteResponse_revision(delete),
    };
    return true;
}

static bool decode_get(struct bytes body, upb_Arena *arena, struct kv_response *ret_response) {
    const phalanx_v1_GetResponse *get = PARSE(phalanx_v1_GetResponse, body, arena);
    if (get == NULL)
        return false;
    *ret_response = (struct kv_response){
        .is_found = phalanx_v1_GetResponse_found(get),
        .item =
            {
                .value = bytes_of_view(phalanx_v1_GetResponse_value(get)),
                .create_revision = phalanx_v1_GetResponse_create_revision(get),
                .mod_revision = phalanx_v1_GetResponse_mod_revision(get),
                .version = phalanx_v1_GetResponse_version(get),
            },
    };
    return true;
}

static struct kv_item item_of(const phalanx_v1_KeyValue *message) {
    return (struct kv_item){
        .key = bytes_of_view(phalanx_v1_KeyValue_key(message)),
        .value = bytes_of_view(phalanx_v1_KeyValue_value(message)),
        .create_revision = phalanx_v1_KeyValue_create_revision(message),
        .mod_revision = phalanx_v1_KeyValue_mod_revision(message),
        .version = phalanx_v1_KeyValue_version(message),
    };
}

static bool decode_scan(struct bytes body, upb_Arena *arena, struct kv_response *ret_response) {
    const phalanx_v1_ScanResponse *scan = PARSE(phalanx_v1_ScanResponse, body, arena);
    if (scan == NULL)
        return false;
    size_t count = 0;
    const phalanx_v1_KeyValue *const *messages = phalanx_v1_ScanResponse_items(scan, &count);
    struct kv_item *items = upb_Arena_Malloc(arena, (count + 1) * sizeof *items);
    if (items == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        items[i] = item_of(messages[i]);
    *ret_response = (struct kv_response){
        .has_more = phalanx_v1_ScanResponse_more(scan),
        .items = items,
        .item_count = count,
    };
    return true;
}

static bool decode(struct bytes body, enum kv_operation operation, upb_Arena *arena,
                   struct kv_response *ret_response) {
    switch (operation) {
    case KV_PUT: return decode_put(body, arena, ret_response);
    case KV_DELETE: return decode_delete(body, arena, ret_response);
    case KV_GET: return decode_get(body, arena, ret_response);
    case KV_SCAN: return decode_scan(body, arena, ret_response);
    }
    CHECK(!"a KV operation");
    return false;
}

enum status rpc__decode_kv_response(struct rpc__memory *memory, struct bytes body,
                                    enum kv_operation operation, struct kv_response *ret_response) {
    upb_Arena *arena = memory_start(memory);
    if (arena == NULL || !decode(body, operation, arena, ret_response))
        return STATUS_CORRUPT;
    return STATUS_OK;
}

static void copy_text(upb_StringView view, char *ret_text, size_t size) {
    snprintf(ret_text, size, "%.*s", (int)(view.size < size ? view.size : size - 1), view.data);
}

static enum node_role role_of(int role) {
    switch (role) {
    case phalanx_v1_ROLE_LEADER: return NODE_LEADER;
    case phalanx_v1_ROLE_CANDIDATE: return NODE_CANDIDATE;
    case phalanx_v1_ROLE_LEARNER: return NODE_LEARNER;
    default: return NODE_FOLLOWER; /* a role of a later version is not one that leads */
    }
}

static struct node_status status_of(const phalanx_v1_StatusResponse *message) {
    struct node_status status = {
        .identity = phalanx_v1_StatusResponse_identity(message),
        .cluster_id = phalanx_v1_StatusResponse_cluster_id(message),
        .role = role_of(phalanx_v1_StatusResponse_role(message)),
        .term = phalanx_v1_StatusResponse_term(message),
        .first_index = phalanx_v1_StatusResponse_first_index(message),
        .last_index = phalanx_v1_StatusResponse_last_index(message),
        .commit_index = phalanx_v1_StatusResponse_commit_index(message),
        .applied_index = phalanx_v1_StatusResponse_applied_index(message),
        .flushed_index = phalanx_v1_StatusResponse_flushed_index(message),
        .revision = phalanx_v1_StatusResponse_revision(message),
        .key_count = phalanx_v1_StatusResponse_key_count(message),
        .key_value_bytes = phalanx_v1_StatusResponse_key_value_bytes(message),
        .state_hash = phalanx_v1_StatusResponse_state_hash(message),
        .session_count = phalanx_v1_StatusResponse_session_count(message),
        .log_file_bytes = phalanx_v1_StatusResponse_log_file_bytes(message),
        .state_file_bytes = phalanx_v1_StatusResponse_state_file_bytes(message),
        .disk_is_full = phalanx_v1_StatusResponse_disk_is_full(message),
        .damaged_records = phalanx_v1_StatusResponse_damaged_records(message),
        .uptime_ms = phalanx_v1_StatusResponse_uptime_ms(message),
        .voter_count = phalanx_v1_StatusResponse_voter_count(message),
        .learner_count = phalanx_v1_StatusResponse_learner_count(message),
    };
    copy_text(phalanx_v1_StatusResponse_node_id(message), status.name, sizeof status.name);
    copy_text(phalanx_v1_StatusResponse_leader_id(message), status.leader_name,
              sizeof status.leader_name);
    copy_text(phalanx_v1_StatusResponse_leader_address(message), status.leader_address,
              sizeof status.leader_address);
    copy_text(phalanx_v1_StatusResponse_waiting_for(message), status.waiting,
              sizeof status.waiting);
    return status;
}

enum status rpc__decode_status(struct rpc__memory *memory, struct bytes body,
                               struct node_status *ret_status, char *ret_version,
                               size_t version_size) {
    upb_Arena *arena = memory_start(memory);
    const phalanx_v1_StatusResponse *message =
        arena == NULL ? NULL : PARSE(phalanx_v1_StatusResponse, body, arena);
    if (message == NULL)
        return STATUS_CORRUPT;
    *ret_status = status_of(message);
    copy_text(phalanx_v1_StatusResponse_version(message), ret_version, version_size);
    return STATUS_OK;
}

enum status rpc__decode_chunk(struct rpc__memory *memory, struct bytes body,
                              struct bytes *ret_chunk) {
    upb_Arena *arena = memory_start(memory);
    const phalanx_v1_SaveSnapshotResponse *message =
        arena == NULL ? NULL : PARSE(phalanx_v1_SaveSnapshotResponse, body, arena);
    if (message == NULL)
        return STATUS_CORRUPT;
    *ret_chunk = bytes_of_view(phalanx_v1_SaveSnapshotResponse_chunk(message));
    return STATUS_OK;
}
