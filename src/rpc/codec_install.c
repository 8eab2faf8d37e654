#include "rpc/codec_install.h"

#include "rpc/codec.h"
#include "rpc/server.h"

#include "phalanx/v1/raft.upb.h"

#include <stdlib.h>

/* Room for a message, and for the bytes of a small one. */
#define BLOCK_BYTES 1024

/* ---- Out ----------------------------------------------------------------------------------- */

grpc_slice rpc__install_head_encode(const struct rpc_install_head *head) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    phalanx_v1_InstallSnapshotRequest *request = phalanx_v1_InstallSnapshotRequest_new(arena);
    phalanx_v1_SnapshotHead *to = phalanx_v1_InstallSnapshotRequest_mutable_head(request, arena);
    CHECK(to != NULL);
    phalanx_v1_SnapshotHead_set_cluster_id(to, head->cluster_id);
    phalanx_v1_SnapshotHead_set_from(to, head->from);
    phalanx_v1_SnapshotHead_set_to(to, head->to);
    phalanx_v1_SnapshotHead_set_term(to, head->term);
    phalanx_v1_SnapshotHead_set_index(to, head->index);
    phalanx_v1_SnapshotHead_set_index_term(to, head->index_term);
    size_t size = 0;
    char *data = phalanx_v1_InstallSnapshotRequest_serialize(request, arena, &size);
    CHECK(data != NULL);
    grpc_slice slice = grpc_slice_from_copied_buffer(data, size);
    upb_Arena_Free(arena);
    return slice;
}

static void free_arena(void *arena) {
    upb_Arena_Free(arena);
}

grpc_slice rpc__install_chunk_encode(struct bytes chunk) {
    upb_Arena *arena = upb_Arena_New();
    CHECK(arena != NULL);
    phalanx_v1_InstallSnapshotRequest *request = phalanx_v1_InstallSnapshotRequest_new(arena);
    CHECK(request != NULL);
    phalanx_v1_InstallSnapshotRequest_set_chunk(
        request, upb_StringView_FromDataAndSize((const char *)chunk.data, chunk.len));
    size_t size = 0;
    char *data = phalanx_v1_InstallSnapshotRequest_serialize(request, arena, &size);
    CHECK(data != NULL);
    return grpc_slice_new_with_user_data(data, size, free_arena, arena);
}

grpc_slice rpc__install_answer_encode(raft_index index) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    phalanx_v1_InstallSnapshotResponse *response = phalanx_v1_InstallSnapshotResponse_new(arena);
    CHECK(response != NULL);
    phalanx_v1_InstallSnapshotResponse_set_index(response, index);
    size_t size = 0;
    char *data = phalanx_v1_InstallSnapshotResponse_serialize(response, arena, &size);
    CHECK(data != NULL);
    grpc_slice slice = grpc_slice_from_copied_buffer(data, size);
    upb_Arena_Free(arena);
    return slice;
}

/* ---- In ------------------------------------------------------------------------------------ */

static const char *start_of(struct bytes body) {
    return body.len == 0 ? "" : (const char *)body.data;
}

static const phalanx_v1_InstallSnapshotRequest *parse(struct bytes body, upb_Arena *arena) {
    return phalanx_v1_InstallSnapshotRequest_parse_ex(start_of(body), body.len, NULL,
                                                      kUpb_DecodeOption_AliasString, arena);
}

static struct rpc_install_head head_of(const phalanx_v1_SnapshotHead *from) {
    return (struct rpc_install_head){
        .cluster_id = phalanx_v1_SnapshotHead_cluster_id(from),
        .from = phalanx_v1_SnapshotHead_from(from),
        .to = phalanx_v1_SnapshotHead_to(from),
        .term = phalanx_v1_SnapshotHead_term(from),
        .index = phalanx_v1_SnapshotHead_index(from),
        .index_term = phalanx_v1_SnapshotHead_index_term(from),
    };
}

enum status rpc__install_head_decode(struct bytes body, struct rpc_install_head *ret_head) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    const phalanx_v1_InstallSnapshotRequest *request = parse(body, arena);
    const phalanx_v1_SnapshotHead *head =
        request == NULL ? NULL : phalanx_v1_InstallSnapshotRequest_head(request);
    bool is_ok = head != NULL;
    struct rpc_install_head taken = {0};
    if (is_ok)
        taken = head_of(head);
    upb_Arena_Free(arena);
    if (!is_ok || taken.index == 0 || taken.index >= RPC__NUMBER_MAX ||
        taken.term >= RPC__NUMBER_MAX || taken.index_term > taken.term)
        return STATUS_CORRUPT;
    *ret_head = taken;
    return STATUS_OK;
}

enum status rpc__install_chunk_decode(struct bytes body, struct bytes *ret_chunk) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    const phalanx_v1_InstallSnapshotRequest *request = parse(body, arena);
    bool is_ok = request != NULL && phalanx_v1_InstallSnapshotRequest_has_chunk(request);
    if (is_ok) {
        upb_StringView chunk = phalanx_v1_InstallSnapshotRequest_chunk(request);
        *ret_chunk = rpc__bytes_in_body(body, chunk.data, chunk.size);
    }
    upb_Arena_Free(arena);
    return is_ok ? STATUS_OK : STATUS_CORRUPT;
}

enum status rpc__install_answer_decode(struct bytes body, raft_index *ret_index) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    const phalanx_v1_InstallSnapshotResponse *response =
        phalanx_v1_InstallSnapshotResponse_parse(start_of(body), body.len, arena);
    if (response != NULL)
        *ret_index = phalanx_v1_InstallSnapshotResponse_index(response);
    upb_Arena_Free(arena);
    return response != NULL ? STATUS_OK : STATUS_CORRUPT;
}
