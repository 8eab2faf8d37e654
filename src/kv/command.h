/* Commands: what a log entry carries. Little-endian.
 *
 *     u8  format version (1)
 *     u8  flags: 1 = has a request id
 *     u64 logged time, ms
 *     u64 client id, u64 sequence        with flag 1
 *     u32 operations                     1 so far; the format holds several
 *     per operation:
 *         u8  1 = put, 2 = delete
 *         u8  flags: 1 = has a previous revision
 *         i64 previous revision          with flag 1
 *         u32 key bytes, u32 value bytes
 *         key, value */
#ifndef PHALANX_KV_COMMAND_H
#define PHALANX_KV_COMMAND_H

#include "kv/kv.h"

struct kv_command {
    uint64_t logged_ms;
    struct kv_request request; /* borrows from the payload */
};

/* STATUS_CORRUPT: not a command. STATUS_UNSUPPORTED: of a later version. */
MUST_USE enum status kv__command_decode(struct bytes payload, struct kv_command *ret_command);

#endif
