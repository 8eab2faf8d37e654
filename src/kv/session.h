/* Sessions: a request with a request id takes effect once (thesis 6.3).
 *
 * Both kinds of records lie in the session table, and so are flushed and sent like any other:
 *
 *     client id (8, big-endian)             u8 format, u64 last sequence, u64 last use (logged ms)
 *     client id, slot (1) = sequence % 256  u8 format, u64 sequence, u8 status, u8 found, i64 revision
 *
 * Everything here is decided by what is in the log: logged time, never a clock. */
#ifndef PHALANX_KV_SESSION_H
#define PHALANX_KV_SESSION_H

#include "kv/machine.h"

enum kv_session_verdict {
    KV_SESSION_APPLY,   /* not seen: apply it, then kv__session_record() */
    KV_SESSION_SEEN,    /* the answer given then is in ret_response */
    KV_SESSION_REFUSED, /* ret_response says why; nothing applied */
};

/* Look a request up before it is applied. Opens the session when the client is new, and ends one
 * that was idle for too long. STATUS_CORRUPT, STATUS_IO, STATUS_NO_MEMORY: could not be decided. */
MUST_USE enum status kv__session_begin(struct kv_machine *m, const struct kv_request *request,
                                       struct kv_response *ret_response,
                                       enum kv_session_verdict *ret_verdict);

/* Keep the answer of a request that was just applied. */
MUST_USE enum status kv__session_record(struct kv_machine *m, const struct kv_request *request,
                                        const struct kv_response *response);

/* Look at the next few sessions in turn and end those that were idle for too long. */
MUST_USE enum status kv__session_sweep(struct kv_machine *m);

#endif
