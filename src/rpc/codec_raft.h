/* RaftService's messages, as bytes and back. Private to the room. */
#ifndef PHALANX_RPC_CODEC_RAFT_H
#define PHALANX_RPC_CODEC_RAFT_H

#include "rpc/rpc.h"

#include <grpc/slice.h>

/* ---- Out ----------------------------------------------------------------------------------- */

/* Each is a whole Exchange message with one frame; such messages laid end to end are one message
 * with all their frames. */
grpc_slice rpc__hello_encode(const struct rpc_hello *hello);
grpc_slice rpc__raft_message_encode(const struct raft_message *message,
                                    const struct raft_entry *entries, size_t count);
grpc_slice rpc__link_bytes_encode(enum rpc_bytes_kind kind, struct bytes bytes);

/* ---- In ------------------------------------------------------------------------------------ */

/* A parsed Exchange message; what its frames point to lies in its body or in itself. */
struct rpc__exchange {
    size_t frame_count;
    const void *const *frames; /* codec_raft.c's */
};

/* `body` is borrowed until rpc__exchange_free(). NULL: not such a message, or one that takes
 * unreasonably much memory. */
struct rpc__exchange *rpc__exchange_parse(struct bytes body);
void rpc__exchange_free(struct rpc__exchange *exchange);

enum rpc__frame_kind {
    RPC__FRAME_HELLO,
    RPC__FRAME_MESSAGE,
    RPC__FRAME_BYTES,
    RPC__FRAME_UNKNOWN, /* of a later version; ignored */
};

struct rpc__frame {
    enum rpc__frame_kind kind;
    union {
        struct {
            uint32_t protocol_version; /* another than ours: only its refusal was read */
            struct rpc_hello hello;
        };
        struct raft_message message;
        struct {
            enum rpc_bytes_kind bytes_kind;
            struct bytes bytes;
        };
    };
};

/* STATUS_CORRUPT: malformed, or beyond a bound. One thread at a time. */
MUST_USE enum status rpc__exchange_frame(struct rpc__exchange *exchange, size_t index,
                                         struct rpc__frame *ret_frame);

#endif
