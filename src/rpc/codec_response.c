/* What the server says, as bytes for gRPC to send.
 *
 * Messages are built in a block on the stack. Where the bytes are few they lie there too and are
 * copied out, so that a common answer costs no more memory than its slice; where they may be many,
 * they get an arena of their own, which the slice takes with it. */
#include "rpc/codec.h"

#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"

/* The block has room for any message with a value of this length, and its bytes. */
#define BLOCK_BYTES 2048
#define SHORT_VALUE_BYTES_MAX ((size_t)512)

static upb_StringView view_of(struct bytes bytes) {
    return upb_StringView_FromDataAndSize((const char *)bytes.data, bytes.len);
}

/* ---- Messages: built in one arena, their bytes in another ------------------------------------ */

static char *encode_put(const struct kv_response *response, upb_Arena *arena, upb_Arena *bytes,
                        size_t *ret_size) {
    phalanx_v1_PutResponse *put = phalanx_v1_PutResponse_new(arena);
    CHECK(put != NULL);
    phalanx_v1_PutResponse_set_revision(put, response->revision);
    return phalanx_v1_PutResponse_serialize(put, bytes, ret_size);
}

static char *encode_delete(const struct kv_response *response, upb_Arena *arena, upb_Arena *bytes,
                           size_t *ret_size) {
    phalanx_v1_DeleteResponse *delete = phalanx_v1_DeleteResponse_new(arena);
    CHECK(delete != NULL);
    phalanx_v1_DeleteResponse_set_deleted(delete, response->is_found);
    phalanx_v1_DeleteResponse_set_revision(delete, response->revision);
    return phalanx_v1_DeleteResponse_serialize(delete, bytes, ret_size);
}

static char *encode_get(const struct kv_response *response, upb_Arena *arena, upb_Arena *bytes,
                        size_t *ret_size) {
    const struct kv_item *item = &response->item;
    phalanx_v1_GetResponse *get = phalanx_v1_GetResponse_new(arena);
    CHECK(get != NULL);
    if (response->is_found) {
        phalanx_v1_GetResponse_set_found(get, true);
        phalanx_v1_GetResponse_set_value(get, view_of(item->value));
        phalanx_v1_GetResponse_set_mod_revision(get, item->mod_revision);
        phalanx_v1_GetResponse_set_create_revision(get, item->create_revision);
        phalanx_v1_GetResponse_set_version(get, item->version);
    }
    return phalanx_v1_GetResponse_serialize(get, bytes, ret_size);
}

static phalanx_v1_KeyValue *make_item(const struct kv_item *from, upb_Arena *arena) {
    phalanx_v1_KeyValue *item = phalanx_v1_KeyValue_new(arena);
    CHECK(item != NULL);
    phalanx_v1_KeyValue_set_key(item, view_of(from->key));
    phalanx_v1_KeyValue_set_value(item, view_of(from->value));
    phalanx_v1_KeyValue_set_mod_revision(item, from->mod_revision);
    phalanx_v1_KeyValue_set_create_revision(item, from->create_revision);
    phalanx_v1_KeyValue_set_version(item, from->version);
    return item;
}

static char *encode_scan(const struct kv_response *response, upb_Arena *arena, upb_Arena *bytes,
                         size_t *ret_size) {
    phalanx_v1_ScanResponse *scan = phalanx_v1_ScanResponse_new(arena);
    CHECK(scan != NULL);
    phalanx_v1_KeyValue **items =
        phalanx_v1_ScanResponse_resize_items(scan, response->item_count, arena);
    CHECK(items != NULL);
    for (size_t i = 0; i < response->item_count; i++)
        items[i] = make_item(&response->items[i], arena);
    phalanx_v1_ScanResponse_set_more(scan, response->has_more);
    return phalanx_v1_ScanResponse_serialize(scan, bytes, ret_size);
}

static char *encode(enum kv_operation operation, const struct kv_response *response,
                    upb_Arena *arena, upb_Arena *bytes, size_t *ret_size) {
    switch (operation) {
    case KV_PUT: return encode_put(response, arena, bytes, ret_size);
    case KV_DELETE: return encode_delete(response, arena, bytes, ret_size);
    case KV_GET: return encode_get(response, arena, bytes, ret_size);
    case KV_SCAN: return encode_scan(response, arena, bytes, ret_size);
    }
    CHECK(!"a KV operation");
    return NULL;
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static bool is_short(enum kv_operation operation, const struct kv_response *response) {
    switch (operation) {
    case KV_PUT:
    case KV_DELETE: return true;
    case KV_GET: return response->item.value.len <= SHORT_VALUE_BYTES_MAX;
    case KV_SCAN: return false;
    }
    return false;
}

static void free_arena(void *arena) {
    upb_Arena_Free(arena);
}

/* The arena goes with its bytes. */
static grpc_slice take_slice(upb_Arena *bytes, char *data, size_t size) {
    return grpc_slice_new_with_user_data(data, size, free_arena, bytes);
}

grpc_slice rpc__response_encode(enum kv_operation operation, const struct kv_response *response) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    bool is_in_block = is_short(operation, response);
    upb_Arena *bytes = is_in_block ? arena : upb_Arena_New();
    CHECK(bytes != NULL);
    size_t size = 0;
    char *data = encode(operation, response, arena, bytes, &size);
    CHECK(data != NULL);
    grpc_slice slice =
        is_in_block ? grpc_slice_from_copied_buffer(data, size) : take_slice(bytes, data, size);
    upb_Arena_Free(arena);
    return slice;
}

grpc_slice rpc__chunk_encode(struct bytes chunk) {
    upb_Arena *arena = upb_Arena_New();
    CHECK(arena != NULL);
    phalanx_v1_SaveSnapshotResponse *message = phalanx_v1_SaveSnapshotResponse_new(arena);
    CHECK(message != NULL);
    phalanx_v1_SaveSnapshotResponse_set_chunk(message, view_of(chunk));
    size_t size = 0;
    char *data = phalanx_v1_SaveSnapshotResponse_serialize(message, arena, &size);
    CHECK(data != NULL);
    return take_slice(arena, data, size);
}
