/* Links, as their files share them. Private to the room.
 *
 *   link.c      a link's life, and the batches that carry it
 *   link_send.c what waits to be sent
 *   packet.c    what was received, until its last message is given back
 *   exchange.c  links that others dial
 *   dial.c      links that we dial, again and again
 *
 * A link's events all come on its queue's thread, which starts its batches; only those that send a
 * message are started by whoever finds none under way. Other threads put frames in its queues, give
 * messages back, or ask for its end, all under `lock`; for the latter two they wake the thread by
 * an empty batch on the call. */
#ifndef PHALANX_RPC_LINK_H
#define PHALANX_RPC_LINK_H

#include "rpc/codec_raft.h"
#include "rpc/server.h"

#include <sys/queue.h>

#define RPC__EXCHANGE_PATH "/phalanx.v1.RaftService/Exchange"
/* Initial metadata of an answer that takes the stream. */
#define RPC__EXCHANGE_MARK "phalanx-exchange"

/* Links that others dialled; twice the members, one that broke unnoticed beside its successor, and
 * room for strangers. */
#define RPC__LINKS_MAX ((size_t)64)

/* Frames that wait to be sent: appends and bytes by their size, the small ones by their number. */
#define RPC__BULK_BYTES_MAX (8 * MIB)
#define RPC__URGENT_MAX ((size_t)1024)

/* Bytes of frames sent as one gRPC message, so that an urgent one never waits for more than this;
 * or one frame, however large. */
#define RPC__PACKET_BYTES_MAX (256 * KIB)
#define RPC__FRAME_BYTES_MAX (3 * MIB)
_Static_assert(RPC__PACKET_BYTES_MAX + RPC__FRAME_BYTES_MAX <= MESSAGE_BYTES_MAX,
               "what is sent is received");

/* Bytes received whose messages were not given back; past it nothing more is received. */
#define RPC__HELD_BYTES_MAX (4 * MIB)

struct rpc__out_frame {
    STAILQ_ENTRY(rpc__out_frame) next;
    grpc_slice slice;
};
STAILQ_HEAD(rpc__out_frames, rpc__out_frame);

struct rpc_link {
    struct rpc_server *server; /* until it is down */
    struct rpc__queue *queue;
    struct rpc_dial *dial; /* NULL: it was accepted */
    grpc_call *grpc;
    char remote[80];
    atomic_uint refs; /* the room's, the holder's, one for each packet */
    _Atomic(void *) user;
    atomic_bool is_known; /* it has said hello, and is not being closed */

    /* Batches. The thread's own. */
    struct rpc__event opened; /* initial metadata has come and gone */
    struct rpc__event sent;
    struct rpc__event received;
    struct rpc__event closed; /* the call is over */
    struct rpc__event woken;
    grpc_metadata_array initial; /* dialled: what gRPC writes at its opening and its end */
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice detail;
    int cancelled;
    grpc_byte_buffer *body; /* what is being received */
    bool is_opening;
    bool is_up; /* on_link_up() was called */
    bool is_receiving;
    bool has_heard_all; /* the other side says no more */
    bool has_ended;     /* our end was sent */
    bool is_closed;
    grpc_status_code end_code; /* why we end it */
    const char *end_detail;

    pthread_mutex_t lock;
    bool is_down;    /* nothing may be started on the call any more */
    bool is_closing; /* nothing more is queued */
    bool is_waking;  /* `woken` is on its way */
    bool is_sending; /* a batch that sends is under way */
    bool is_paused;  /* receiving waits for messages to be given back */
    size_t held_bytes;
    struct rpc__out_frames urgent;
    size_t urgent_count;
    struct rpc__out_frames bulk;
    size_t bulk_bytes;

    /* Accepted ones: in server->links, under its lock. */
    LIST_ENTRY(rpc_link) place;
    bool has_place;
};

/* ---- Life: link.c -------------------------------------------------------------------------- */

/* Takes over gRPC's call. Not up yet. On the queue's thread, as all in this section. */
struct rpc_link *rpc__link_new(struct rpc__queue *queue, grpc_call *grpc);

/* It did not come to anything; gRPC's call is the caller's again. */
void rpc__link_forget(struct rpc_link *link);

/* The other side is there: tell the holder, and start to receive. */
void rpc__link_up(struct rpc_link *link);

/* After each event: send, receive or end, whatever is due. The link may be gone afterwards. */
void rpc__link_go_on(struct rpc_link *link);

/* End it for a reason that the other side is told. `detail` must be static. */
void rpc__link_fail(struct rpc_link *link, grpc_status_code code, const char *detail);

/* From any thread: */
void rpc__link_ref(struct rpc_link *link);
void rpc__link_unref(struct rpc_link *link);
/* With the lock: whether the caller has to call rpc__link_wake() once it has let go of it. */
bool rpc__link_is_to_wake(struct rpc_link *link);
void rpc__link_wake(struct rpc_link *link);

/* Its last event has come: an accepted one leaves its place, a dialled one has a successor. */
void rpc__exchange_over(struct rpc_link *link);
void rpc__dial_over(struct rpc_link *link);

/* ---- Sending: link_send.c ------------------------------------------------------------------ */

/* With the lock. */
bool rpc__link_has_frames(const struct rpc_link *link);
/* With the lock: what goes next, as one message; NULL: nothing waits. The caller's. */
grpc_byte_buffer *rpc__link_take_frames(struct rpc_link *link);
/* Send what waits, unless a batch that sends is under way: its end looks for more. Any thread. */
void rpc__link_send_next(struct rpc_link *link);
/* With the lock: forget what waits. */
void rpc__link_drop_frames(struct rpc_link *link);

/* ---- Receiving: packet.c ------------------------------------------------------------------- */

/* Hand over what is in a message; takes it. */
void rpc__link_take_message(struct rpc_link *link, grpc_byte_buffer *body);

#endif
