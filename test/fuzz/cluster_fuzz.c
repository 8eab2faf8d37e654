/* Any bytes as an order, a list of members, or a part of a snapshot's transfer: what decodes is
 * within the bounds, and an order says the same after another round. */
#include "rpc/codec_cluster.h"
#include "rpc/codec_install.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(enum rpc_order_kind kind, struct bytes body) {
    struct rpc_order order;
    struct rpc_order again;
    if (rpc__order_decode(kind, body, &order) != NULL)
        return;
    grpc_slice slice = rpc__order_encode(&order);
    struct bytes encoded = bytes_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
    CHECK(rpc__order_decode(kind, encoded, &again) == NULL);
    CHECK(again.kind == kind && again.member.id == order.member.id);
    CHECK(strcmp(again.member.name, order.member.name) == 0);
    grpc_slice_unref(slice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct rpc_members members;
    struct bytes body = bytes_of(data, size);
    struct rpc_install_head head;
    struct bytes chunk;
    raft_index index;
    for (int kind = RPC_ORDER_ADD; kind <= RPC_ORDER_TRANSFER; kind++)
        check_order((enum rpc_order_kind)kind, body);
    if (rpc__members_decode(body, &members) == STATUS_OK)
        CHECK(members.count <= MEMBERS_MAX);
    if (rpc__install_head_decode(body, &head) == STATUS_OK)
        CHECK(head.index != 0 && head.index_term <= head.term);
    if (rpc__install_chunk_decode(body, &chunk) == STATUS_OK)
        CHECK(chunk.len == 0 || (chunk.data >= data && chunk.data + chunk.len <= data + size));
    (void)!rpc__install_answer_decode(body, &index);
    return 0;
}
