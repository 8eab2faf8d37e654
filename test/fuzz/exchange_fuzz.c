/* Any bytes as a message of another node: what decodes is within the bounds, and a Raft message
 * says the same after another round. */
#include "rpc/codec_raft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct raft_message *m) {
    bool is_append = m->kind == RAFT_APPEND;
    size_t count = is_append ? m->append.count : 0;
    grpc_slice slice = rpc__raft_message_encode(m, is_append ? m->append.entries : NULL, count);
    struct rpc__exchange *again =
        rpc__exchange_parse(bytes_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)));
    struct rpc__frame frame;
    CHECK(again != NULL && again->frame_count == 1);
    CHECK(rpc__exchange_frame(again, 0, &frame) == STATUS_OK);
    CHECK(frame.kind == RPC__FRAME_MESSAGE && frame.message.kind == m->kind);
    CHECK(frame.message.term == m->term && (!is_append || frame.message.append.count == count));
    rpc__exchange_free(again);
    grpc_slice_unref(slice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rpc__exchange *exchange = rpc__exchange_parse(bytes_of(data, size));
    if (exchange == NULL)
        return 0;
    for (size_t i = 0; i < exchange->frame_count; i++) {
        struct rpc__frame frame;
        if (rpc__exchange_frame(exchange, i, &frame) == STATUS_OK &&
            frame.kind == RPC__FRAME_MESSAGE)
            check_again(&frame.message);
    }
    rpc__exchange_free(exchange);
    return 0;
}
