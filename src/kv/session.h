/* Sessions: a request with a request id takes effect once (thesis 6.3).
 *
 * Both kinds of records lie in the session table, and so are flushed and sent like any other:
 *
 *     client id (8, big-endian)             u8 format, u64 last sequence, u64 last use (logged ms)
 *     client id, slot (1) = sequence % 256  u8 format, u64 sequence, u8 status, u8 found, i64
 * revision
 *
 * Everything here is decided by what is in the log: logged time, never a clock. A session that is
 * idle for too long ends when its client comes back, or when a round of the sweep comes by. Rounds
 * look at each session once, a few per command, and begin as logged time goes on: while no round is
 * under way (meta.sweep_client 0), a command does not pay for the sweep. */
#ifndef PHALANX_KV_SESSION_H
#define PHALANX_KV_SESSION_H

#include "kv/machine.h"

enum kv_session_verdict {
    KV_SESSION_APPLY,   /* not seen: apply it, then kv__session_record() */
    KV_SESSION_SEEN,    /* the answer given then is in ret_response */
    KV_SESSION_REFUSED, /* ret_response says why; nothing applied */
};

/* A session as one request finds it. The records are borrowed from the view: no other session may
 * change from kv__session_begin() to kv__session_record(), and clients' keys do not matter. */
struct kv_session {
    uint64_t last_sequence;
    uint64_t last_used_ms;
    struct bytes header; /* sealed; data NULL: the client is new */
    struct bytes answer; /* likewise, in the request's slot: of this sequence or of an older one */
};

/* Logged time goes on, never back. */
void kv__session_clock(struct kv_machine *m, uint64_t logged_ms);

/* Look a request up before it is applied; ends a session that was idle for too long.
 *
 * STATUS_CORRUPT, STATUS_IO, STATUS_NO_MEMORY: could not be decided. */
MUST_USE enum status kv__session_begin(struct kv_machine *m, const struct kv_request *request,
                                       struct kv_session *ret_session,
                                       struct kv_response *ret_response,
                                       enum kv_session_verdict *ret_verdict);

/* Keep the answer of a request that was just applied; opens the session of a new client. */
MUST_USE enum status kv__session_record(struct kv_machine *m, const struct kv_request *request,
                                        const struct kv_session *session,
                                        const struct kv_response *response);

/* Look at the next few sessions of a round, if one is under way, and end those that were idle for
 * too long. */
MUST_USE enum status kv__session_sweep(struct kv_machine *m);

#endif
