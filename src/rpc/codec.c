#include "rpc/codec.h"

#include "rpc/codec_cluster.h"
#include "version.h"

#include "phalanx/v1/cluster.upb.h"
#include "phalanx/v1/kv.upb.h"

/* Room for any request's own fields; only a client that sends unknown ones makes us allocate. */
#define BLOCK_BYTES 1024

/* upb parses this much of a message's end in a buffer of its own. */
#define UPB_TAIL_BYTES ((size_t)16)

/* Where one with the same bytes occurs more than once, any of them will do. */
struct bytes rpc__bytes_in_body(struct bytes body, const char *data, size_t len) {
    uintptr_t at = (uintptr_t)data;
    uintptr_t start = (uintptr_t)body.data;
    if (len == 0)
        return bytes_of(NULL, 0);
    if (at >= start && at < start + body.len)
        return bytes_of(data, len);
    CHECK(len <= UPB_TAIL_BYTES && len <= body.len);
    size_t from = body.len > UPB_TAIL_BYTES ? body.len - UPB_TAIL_BYTES : 0;
    while (memcmp(body.data + from, data, len) != 0) {
        from++;
        CHECK(from + len <= body.len);
    }
    return bytes_of(body.data + from, len);
}

static struct bytes to_bytes(struct bytes body, upb_StringView view) {
    return rpc__bytes_in_body(body, view.data, view.size);
}

/* ---- Requests ------------------------------------------------------------------------------ */

static void take_request_id(const phalanx_v1_RequestId *id, struct kv_request *request) {
    if (id == NULL)
        return;
    request->has_request_id = true;
    request->client_id = phalanx_v1_RequestId_client_id(id);
    request->sequence = phalanx_v1_RequestId_sequence(id);
}

/* An unknown consistency counts as the strictest, as the protocol's unset value does. */
static bool is_stale(int32_t consistency) {
    return consistency == phalanx_v1_CONSISTENCY_STALE;
}

static bool decode_put(struct bytes body, upb_Arena *arena, struct kv_request *request) {
    const phalanx_v1_PutRequest *put =
        phalanx_v1_PutRequest_parse_ex((const char *)body.data, body.len, NULL,
                                       kUpb_DecodeOption_AliasString, arena);
    if (put == NULL)
        return false;
    request->key = to_bytes(body, phalanx_v1_PutRequest_key(put));
    request->value = to_bytes(body, phalanx_v1_PutRequest_value(put));
    request->has_prev_revision = phalanx_v1_PutRequest_has_prev_revision(put);
    request->prev_revision = phalanx_v1_PutRequest_prev_revision(put);
    take_request_id(phalanx_v1_PutRequest_request_id(put), request);
    return true;
}

static bool decode_delete(struct bytes body, upb_Arena *arena, struct kv_request *request) {
    const phalanx_v1_DeleteRequest *delete =
        phalanx_v1_DeleteRequest_parse_ex((const char *)body.data, body.len, NULL,
                                          kUpb_DecodeOption_AliasString, arena);
    if (delete == NULL)
        return false;
    request->key = to_bytes(body, phalanx_v1_DeleteRequest_key(delete));
    request->has_prev_revision = phalanx_v1_DeleteRequest_has_prev_revision(delete);
    request->prev_revision = phalanx_v1_DeleteRequest_prev_revision(delete);
    take_request_id(phalanx_v1_DeleteRequest_request_id(delete), request);
    return true;
}

static bool decode_get(struct bytes body, upb_Arena *arena, struct kv_request *request) {
    const phalanx_v1_GetRequest *get =
        phalanx_v1_GetRequest_parse_ex((const char *)body.data, body.len, NULL,
                                       kUpb_DecodeOption_AliasString, arena);
    if (get == NULL)
        return false;
    request->key = to_bytes(body, phalanx_v1_GetRequest_key(get));
    request->is_stale = is_stale(phalanx_v1_GetRequest_consistency(get));
    return true;
}

static bool decode_scan(struct bytes body, upb_Arena *arena, struct kv_request *request) {
    const phalanx_v1_ScanRequest *scan =
        phalanx_v1_ScanRequest_parse_ex((const char *)body.data, body.len, NULL,
                                        kUpb_DecodeOption_AliasString, arena);
    if (scan == NULL)
        return false;
    request->key = to_bytes(body, phalanx_v1_ScanRequest_start(scan));
    request->end = to_bytes(body, phalanx_v1_ScanRequest_end(scan));
    request->limit = phalanx_v1_ScanRequest_limit(scan);
    request->is_stale = is_stale(phalanx_v1_ScanRequest_consistency(scan));
    return true;
}

static bool decode(enum kv_operation operation, struct bytes body, upb_Arena *arena,
                   struct kv_request *request) {
    switch (operation) {
    case KV_PUT: return decode_put(body, arena, request);
    case KV_DELETE: return decode_delete(body, arena, request);
    case KV_GET: return decode_get(body, arena, request);
    case KV_SCAN: return decode_scan(body, arena, request);
    }
    return false;
}

bool rpc__decode_request(enum kv_operation operation, struct bytes body,
                         struct kv_request *ret_request) {
    _Alignas(max_align_t) char block[BLOCK_BYTES];
    *ret_request = (struct kv_request){.operation = operation};
    upb_Arena *arena = upb_Arena_Init(block, sizeof block, &upb_alloc_global);
    bool is_ok = decode(operation, body, arena, ret_request);
    upb_Arena_Free(arena); /* the strings lie in `body` */
    return is_ok;
}

bool rpc__decode_empty(struct bytes body) {
    upb_Arena *arena = upb_Arena_New();
    bool is_ok = phalanx_v1_StatusRequest_parse((const char *)body.data, body.len, arena) != NULL;
    upb_Arena_Free(arena);
    return is_ok;
}

/* ---- Status -------------------------------------------------------------------------------- */

static void fill_node(phalanx_v1_StatusResponse *to, const struct node_status *from) {
    phalanx_v1_StatusResponse_set_node_id(to, upb_StringView_FromString(from->name));
    phalanx_v1_StatusResponse_set_identity(to, from->identity);
    phalanx_v1_StatusResponse_set_cluster_id(to, from->cluster_id);
    phalanx_v1_StatusResponse_set_version(to, upb_StringView_FromString(PHALANX_VERSION));
    phalanx_v1_StatusResponse_set_commit(to, upb_StringView_FromString(PHALANX_COMMIT));
    phalanx_v1_StatusResponse_set_role(to, rpc__role_number(from->role));
    phalanx_v1_StatusResponse_set_term(to, from->term);
    phalanx_v1_StatusResponse_set_leader_id(to, upb_StringView_FromString(from->leader_name));
    phalanx_v1_StatusResponse_set_leader_address(to,
                                                 upb_StringView_FromString(from->leader_address));
    phalanx_v1_StatusResponse_set_uptime_ms(to, from->uptime_ms);
    phalanx_v1_StatusResponse_set_waiting_for(to, upb_StringView_FromString(from->waiting));
    phalanx_v1_StatusResponse_set_voter_count(to, from->voter_count);
    phalanx_v1_StatusResponse_set_learner_count(to, from->learner_count);
}

static void fill_state(phalanx_v1_StatusResponse *to, const struct node_status *from) {
    phalanx_v1_StatusResponse_set_first_index(to, from->first_index);
    phalanx_v1_StatusResponse_set_last_index(to, from->last_index);
    phalanx_v1_StatusResponse_set_commit_index(to, from->commit_index);
    phalanx_v1_StatusResponse_set_applied_index(to, from->applied_index);
    phalanx_v1_StatusResponse_set_flushed_index(to, from->flushed_index);
    phalanx_v1_StatusResponse_set_revision(to, from->revision);
    phalanx_v1_StatusResponse_set_key_count(to, from->key_count);
    phalanx_v1_StatusResponse_set_key_value_bytes(to, from->key_value_bytes);
    phalanx_v1_StatusResponse_set_state_hash(to, from->state_hash);
    phalanx_v1_StatusResponse_set_session_count(to, from->session_count);
    phalanx_v1_StatusResponse_set_log_file_bytes(to, from->log_file_bytes);
    phalanx_v1_StatusResponse_set_state_file_bytes(to, from->state_file_bytes);
    phalanx_v1_StatusResponse_set_disk_is_full(to, from->disk_is_full);
    phalanx_v1_StatusResponse_set_damaged_records(to, from->damaged_records);
}

size_t rpc__status_encode(const struct node_status *status, uint8_t data[RPC__STATUS_BYTES_MAX]) {
    upb_Arena *arena = upb_Arena_New();
    phalanx_v1_StatusResponse *message = phalanx_v1_StatusResponse_new(arena);
    CHECK(message != NULL);
    fill_node(message, status);
    fill_state(message, status);
    size_t len = 0;
    const char *encoded = phalanx_v1_StatusResponse_serialize(message, arena, &len);
    CHECK(encoded != NULL && len <= RPC__STATUS_BYTES_MAX);
    memcpy(data, encoded, len);
    upb_Arena_Free(arena);
    return len;
}
