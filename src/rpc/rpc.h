/* The gRPC room: speaks. Servers and clients on the gRPC C core's completion queues, messages by
 * upb. No gRPC or upb name leaves this room.
 *
 * A server decodes what arrives, checks it against the limits, answers by itself what is malformed,
 * unknown or too much, and hands over the rest. It decides nothing else. */
#ifndef PHALANX_RPC_H
#define PHALANX_RPC_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "kv/kv.h"
#include "node_report.h"
#include "raft/raft.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once in a process, before and after everything else here. */
void rpc_init(void);
void rpc_shutdown(void);

/* ---- TLS -----------------------------------------------------------------------------------
 *
 * Everything is in the clear unless this process is told who it is. Then all its servers and
 * channels speak TLS (1.2 or later), both sides show a certificate of one authority, and who has
 * none is turned away before any call. A holder of such a certificate is a client; whether it is
 * also taken for a node is for `server_name` to say. */

#define RPC_PROBLEM_BYTES_MAX ((size_t)512)

/* Paths of files in PEM. They are watched: what is renewed there is used by new connections. */
struct rpc_tls {
    const char *certificate_path; /* this process's own, with those between it and the authority */
    const char *key_path;
    const char *ca_path; /* whoever signs certificates for nodes and clients */
    /* A DNS name that the certificate of every node carries, whatever its address: servers are
     * known by it, and only who carries it may join or speak as a node. Empty: a server is known by
     * the host that was dialled, and every certificate may be a node's. */
    const char *server_name;
};

/* After rpc_init(), before the first server and channel.
 *
 * STATUS_INVALID  a file is not what it should be: one line in `ret_problem`. */
MUST_USE enum status rpc_use_tls(const struct rpc_tls *tls,
                                 char ret_problem[static RPC_PROBLEM_BYTES_MAX]);

/* ---- Outcomes ------------------------------------------------------------------------------ */

/* The gRPC status codes, so that callers can tell them apart. Values are gRPC's. */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};
const char *rpc_code_name(enum rpc_code code);

/* What became of a call. `detail` and `leader` are texts, cut to fit. */
struct rpc_outcome {
    enum rpc_code code;
    bool is_not_applied;            /* the server's mark, or the request was certainly never sent */
    char detail[256];               /* why it failed, for people */
    char leader[ADDRESS_BYTES_MAX]; /* host:port where to go next time; empty: not told */
};

/* ---- Links: streams between nodes ------------------------------------------------------------
 *
 * A link is one stream to another node, dialled by us or accepted by our server; it carries frames
 * both ways. A frame is a hello, a Raft message, or bytes that the room does not look into.
 *
 * The first frame of each side is its hello: send it as soon as the link is up. A peer's other
 * frames are handed over once its hello was; a peer that begins with something else is cut off, and
 * so is one that sends what cannot be decoded. A hello of another protocol version is answered here
 * with a refusal that says so.
 *
 * Frames arrive whole, and in the order they were sent, but for one liberty: appends and bytes may
 * be overtaken by hellos and by Raft's other, small messages, so that a heartbeat never waits for
 * megabytes. A link that breaks loses what was on its way.
 *
 * Ownership: from on_link_up() on the link is its holder's too, until rpc_link_release(), which is
 * due after on_link_down() has begun. In between every function may be called, from any thread,
 * also when the link is down. Links and messages may outlive the server, not rpc_shutdown(). */

struct rpc_link;
struct rpc_server;

/* One start of a node: the how manieth of its directory, and a random number. All 0: none. */
struct rpc_start {
    uint64_t counter;
    uint64_t nonce;
};

/* Why a link is refused for good; values as on the wire. */
enum rpc_refusal {
    RPC_REFUSAL_NONE = 0,
    RPC_REFUSAL_PROTOCOL = 1, /* another protocol version; said by the room itself */
    RPC_REFUSAL_CLUSTER = 2,
    RPC_REFUSAL_RECEIVER = 3,    /* it was meant for another identity */
    RPC_REFUSAL_REMOVED = 4,     /* the identity was removed from the cluster */
    RPC_REFUSAL_ROLLED_BACK = 5, /* the directory was copied or rolled back */
    RPC_REFUSAL_DUPLICATE = 6,   /* two nodes of one name or identity */
    RPC_REFUSAL_OTHER = 7,       /* read the text; also a code of a later version */
};

#define RPC_PROTOCOL_VERSION 1

/* Texts end with a zero; empty: not known. */
struct rpc_hello {
    char software_version[NAME_BYTES_MAX];
    char cluster_label[ADDRESS_BYTES_MAX];
    uint64_t cluster_id; /* 0: blank */
    raft_id sender;
    raft_id receiver; /* 0: the sender does not know who answers there */
    char name[NAME_BYTES_MAX];
    struct rpc_start start;        /* of the sender, at present */
    struct rpc_start start_before; /* the one before it */
    struct rpc_start remembered;   /* the receiver's newest that the sender has seen */
    struct rpc_start proof;        /* the sender's, of the counter that the receiver remembered */
    char address[ADDRESS_BYTES_MAX];
    char http_address[ADDRESS_BYTES_MAX];
    char region[NAME_BYTES_MAX];
    bool is_blank;
    enum rpc_refusal refusal; /* set: the sender ends the link after this */
    char refusal_text[256];
};

/* What the room carries without looking. At most RPC_LINK_BYTES_MAX at a time. */
enum rpc_bytes_kind { RPC_BYTES_FOUNDING, RPC_BYTES_NOTE };
#define RPC_LINK_BYTES_MAX (256 * KIB)

/* A peer's message with its entries and their payloads; the holder's until
 * rpc_peer_message_free(). */
struct rpc_peer_message;

/* All on completion-queue threads, those of one link on one thread: hand over and return. A link
 * that is up always comes down; when the dialling machine vanished without a word, the accepting
 * side learns of it within 40 s only, and the next link of that peer may be up before. */
struct rpc_link_handlers {
    void (*on_link_up)(void *context, struct rpc_link *link);
    /* `hello` is borrowed for the call. Hellos may be repeated. */
    void (*on_link_hello)(void *context, struct rpc_link *link, const struct rpc_hello *hello);
    void (*on_link_message)(void *context, struct rpc_link *link, struct rpc_peer_message *message);
    /* `bytes` are borrowed for the call. */
    void (*on_link_bytes)(void *context, struct rpc_link *link, enum rpc_bytes_kind kind,
                          struct bytes bytes);
    /* The last of this link. */
    void (*on_link_down)(void *context, struct rpc_link *link);
};

/* The holder's memory beside the message: `message_user_bytes` of the server's config, zeroed,
 * aligned for anything. */
void *rpc_peer_message_user(struct rpc_peer_message *message);
/* Well-formed: kinds and types are known, indexes and terms are below 2^62, and an append's entries
 * follow each other. Whether the rest makes sense is for the engine. */
const struct raft_message *rpc_peer_message_raft(const struct rpc_peer_message *message);
/* Any thread. A link whose messages are not given back stops receiving at a bound (4 MiB), and its
 * peer has to wait; no other link does. */
void rpc_peer_message_free(struct rpc_peer_message *message);

/* Send. Copies what it needs; never waits.
 *
 * STATUS_OVERLOAD     too much waits already; nothing was queued. Appends and bytes have 8 MiB, the
 *                     small messages 1024 places of their own.
 * STATUS_UNAVAILABLE  the link is down, or being closed.
 * STATUS_INVALID      larger than a frame may be (RPC_LINK_BYTES_MAX; 3 MiB for an append). */
MUST_USE enum status rpc_link_send_hello(struct rpc_link *link, const struct rpc_hello *hello);
/* `entries` are an append's, prev_index + 1 and on, with their payloads; `message->append.entries`
 * is not looked at. At most RAFT_APPEND_ENTRIES_MAX. */
MUST_USE enum status rpc_link_send_message(struct rpc_link *link,
                                           const struct raft_message *message,
                                           const struct raft_entry *entries, size_t count);
MUST_USE enum status rpc_link_send_bytes(struct rpc_link *link, enum rpc_bytes_kind kind,
                                         struct bytes bytes);

/* End the link once what is queued has left. on_link_down() follows. A dialled link's successor is
 * opened after a pause. Calling it again does nothing. */
void rpc_link_close(struct rpc_link *link);
/* The same at once. */
void rpc_link_cancel(struct rpc_link *link);
void rpc_link_release(struct rpc_link *link);

/* At first a dialled link's is that of its dialer's config, an accepted one's is NULL. */
void *rpc_link_user(const struct rpc_link *link);
void rpc_link_set_user(struct rpc_link *link, void *user);
bool rpc_link_is_incoming(const struct rpc_link *link);
/* The other end of the connection as the network sees it, for people. */
const char *rpc_link_remote(const struct rpc_link *link);
/* Its host, as it stands in front of a port: a.b.c.d or [v6]. False, and nothing written: it is no
 * such address. */
#define RPC_HOST_BYTES_MAX ((size_t)64)
MUST_USE bool rpc_link_remote_host(const struct rpc_link *link,
                                   char ret_host[static RPC_HOST_BYTES_MAX]);

/* Keeps one link open to an address, over a TCP connection of its own: for as long as it lives it
 * opens the next when one breaks. A peer that comes back is reached within 0.5 s. */
struct rpc_dial;

struct rpc_dial_config {
    const char *address; /* host:port; copied */
    void *user;          /* of its links at first */
    /* When the connection was silent for keepalive_ms the peer is asked, and the link breaks when
     * it does not answer within keepalive_timeout_ms. Both at least 10. Together they bound how
     * long a vanished machine goes unnoticed; on a slow line the answer queues behind what is being
     * sent.
     */
    uint64_t keepalive_ms;
    uint64_t keepalive_timeout_ms;
};

/* The handlers are those of the server, which has been started; its threads do the work.
 *
 * STATUS_INVALID    the address is not host:port.
 * STATUS_NO_MEMORY  nothing was made. */
MUST_USE enum status rpc_dial_new(struct rpc_server *server, const struct rpc_dial_config *config,
                                  struct rpc_dial **ret_dial);
/* The peer has moved: the link breaks, and the next goes there. The same address changes nothing.
 * Any thread.
 *
 * STATUS_INVALID  the address is not host:port; nothing changed. */
MUST_USE enum status rpc_dial_set_address(struct rpc_dial *dial, const char *address);
/* Cuts the link off, waits for its last event, and forgets the peer. Before rpc_server_free(), and
 * not on a completion-queue thread. */
void rpc_dial_free(struct rpc_dial *dial);

/* ---- Snapshots to other nodes ----------------------------------------------------------------
 *
 * One stream over a TCP connection of its own, so that it delays no heartbeat: a head that says
 * what it is, then the portable snapshot stream (kv.h), then one answer. Both sides run on threads
 * that may wait, one thread at a time for each transfer. */

struct rpc_install_head {
    uint64_t cluster_id;
    raft_id from;
    raft_id to;
    raft_term term;       /* the sender's */
    raft_index index;     /* of the last entry in the snapshot; not 0 */
    raft_term index_term; /* not above `term` */
};

struct rpc_upload;
struct rpc_upload_config {
    const char *address; /* host:port; copied */
    struct rpc_install_head head;
    /* A receiver that takes nothing for so long is given up, and so is one that has everything and
     * does not answer: installing takes two syncs of all of it. */
    uint64_t stall_ms;
    uint64_t bytes_per_second; /* no faster than this; 0: as fast as it goes */
};

/* Begins to connect and to send the head, and waits for neither. That it could not connect or was
 * refused is told by the first write and by rpc_upload_finish(), which ends every upload.
 *
 * STATUS_INVALID    the address is not host:port.
 * STATUS_NO_MEMORY  nothing was made. */
MUST_USE enum status rpc_upload_new(const struct rpc_upload_config *config,
                                    struct rpc_upload **ret_upload);
/* The next bytes of the stream, any number; waits for flow control and for the pace.
 *
 * STATUS_ABORTED  the other side has ended it: finish it to learn why. */
MUST_USE enum status rpc_upload_write(struct rpc_upload *upload, struct bytes chunk);
/* End the stream and wait for the answer, or when not everything was written (`is_whole` false) cut
 * it off; then forget it. On RPC_OK the receiver holds the snapshot or something newer, and its
 * state stands at `ret_index`. */
void rpc_upload_finish(struct rpc_upload *upload, bool is_whole, struct rpc_outcome *ret_outcome,
                       raft_index *ret_index);
/* Cut it off at once: writes under way return. Any thread, before rpc_upload_finish() is called. */
void rpc_upload_cancel(struct rpc_upload *upload);

/* A snapshot that arrives; owned by whoever took it until rpc_incoming_finish(). */
struct rpc_incoming;

/* The next bytes, borrowed until the next call; none: the sender has said everything, or its
 * connection broke at that moment, which the stream's own end tells apart.
 *
 * STATUS_TIMEOUT  nothing came for timeout_ms.
 * STATUS_ABORTED  the sender is gone, or the server stops.
 * STATUS_CORRUPT  what came is no piece of a snapshot. */
MUST_USE enum status rpc_incoming_read(struct rpc_incoming *incoming, uint64_t timeout_ms,
                                       struct bytes *ret_chunk);
/* Answer and give it back. STATUS_OK: the state stands at `index`. Else: refused, `detail` says
 * why, or is NULL; it is copied. Also right after on_install(), without reading. */
void rpc_incoming_finish(struct rpc_incoming *incoming, enum status status, const char *detail,
                         raft_index index);

/* ---- Members: what operators see and change ---------------------------------------------------
 */

struct rpc_member {
    raft_id id;
    char name[NAME_BYTES_MAX];
    enum node_role role; /* as far as the asked node knows */
    bool is_voter;       /* else a learner */
    bool is_leader;
    char address[ADDRESS_BYTES_MAX]; /* empty: not known */
    bool has_progress;               /* the next two are known: to a leader */
    raft_index match_index;
    uint64_t lag;  /* entries that it lacks */
    bool is_heard; /* it was, silent_ms ago */
    uint64_t silent_ms;
    bool has_gossip; /* gossip knows it, as: */
    enum node_gossip_state gossip;
    char region[NAME_BYTES_MAX];  /* empty: it has none, or was not met yet */
    char version[NAME_BYTES_MAX]; /* of its software; empty: it was not met yet */
};

struct rpc_members {
    size_t count;
    struct rpc_member members[MEMBERS_MAX];
    raft_index configuration_index;
    bool is_joint;
    raft_term term;
    raft_id leader; /* 0: none known */
};

/* By identity (0: not given), by name (empty: not given), or by both, which must agree. */
struct rpc_member_name {
    raft_id id;
    char name[NAME_BYTES_MAX];
};

enum rpc_order_kind {
    RPC_ORDER_ADD,     /* `member` comes in as a learner */
    RPC_ORDER_PROMOTE, /* `member`, a learner, becomes a voter */
    RPC_ORDER_REMOVE,  /* `member` leaves */
    RPC_ORDER_REPLACE, /* `member` leaves and `next` votes in its place, in one change */
    RPC_ORDER_TRANSFER /* `member` leads; not given: whoever is furthest */
};

struct rpc_order {
    enum rpc_order_kind kind;
    struct rpc_member_name member;
    struct rpc_member_name next;     /* RPC_ORDER_REPLACE */
    char address[ADDRESS_BYTES_MAX]; /* RPC_ORDER_ADD: host:port; empty: not given */
};

/* ---- Server -------------------------------------------------------------------------------- */

struct rpc_server;
struct rpc_call; /* one unary request; the holder's until it is answered by one of rpc_reply...() */
struct rpc_stream; /* one server-streaming answer; belongs to the thread that writes it */

struct rpc_handlers {
    void *context;
    /* A well-formed, checked KV request. On a completion-queue thread: hand it over and return.
     * `request` stays valid until rpc_reply(call). `wait_ms`: how long an answer may take to reach
     * the caller before its deadline, at most REQUEST_WAIT_MS_MAX. STATUS_OVERLOAD,
     * STATUS_UNAVAILABLE: not taken; the room refuses it with that status and the not-applied mark.
     */
    enum status (*on_request)(void *context, struct rpc_call *call,
                              const struct kv_request *request, uint64_t wait_ms);
    /* SaveSnapshot was called. Hand the stream to a thread that may wait, or finish it. */
    void (*on_snapshot)(void *context, struct rpc_stream *stream);
    /* Copy what is published. */
    void (*on_status)(void *context, struct node_status *ret_status);
    /* The same for GetReport. NULL: such calls are UNIMPLEMENTED. */
    void (*on_report)(void *context, struct node_report *ret_report);
    /* An operator's order: named, and well-formed. Borrowed for the call; otherwise as
     * on_request(). Answered by rpc_reply_status(). NULL: such calls are UNIMPLEMENTED. */
    enum status (*on_order)(void *context, struct rpc_call *call, const struct rpc_order *order,
                            uint64_t wait_ms);
    /* ListMembers. Answered by rpc_reply_members() or, with what went wrong, rpc_reply_status(). */
    enum status (*on_members)(void *context, struct rpc_call *call, uint64_t wait_ms);
    /* A leader brings a snapshot. On a completion-queue thread: hand it to a thread that may wait,
     * or finish it. `head` is borrowed for the call. NULL: there are no peers. */
    void (*on_install)(void *context, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head);
    /* On a completion-queue thread, with no lock held: nothing more is there to be handed over for
     * now, or much has been. NULL: nobody needs to know. */
    void (*on_pause)(void *context);
    /* Streams from and to other nodes; without an on_link_up() there are none. */
    struct rpc_link_handlers links;
};

struct rpc_server_config {
    const char *address;       /* host:port; "[::]:9000" is dual-stack; port 0: a free one */
    unsigned threads;          /* completion-queue threads, 1 to 16 */
    size_t user_bytes;         /* zeroed memory beside each call for its holder: rpc_call_user() */
    size_t message_user_bytes; /* likewise beside each peer's message: rpc_peer_message_user() */
    struct rpc_handlers handlers;
};

/* Binds the address; nothing is answered before rpc_server_start().
 *
 * STATUS_BUSY     the port is taken.
 * STATUS_INVALID  the address cannot be understood or does not belong to this host. */
MUST_USE enum status rpc_server_new(const struct rpc_server_config *config,
                                    struct rpc_server **ret_server);
void rpc_server_start(struct rpc_server *server);

/* The bound port, for addresses with port 0. */
int rpc_server_port(const struct rpc_server *server);

/* What goes out as `phalanx-leader` on every answer from now on; empty: none known. Any thread. */
void rpc_server_set_leader(struct rpc_server *server, const char *address);

/* Whether the health service says SERVING (for "" and for each service). Any thread. */
void rpc_server_set_serving(struct rpc_server *server, bool is_serving);

/* What was called since the start, `max` methods at most; returns how many. Any thread. */
size_t rpc_server_read_use(const struct rpc_server *server, struct node_method *methods,
                           size_t max);

/* Take no new requests (they see UNAVAILABLE, and health says NOT_SERVING); those in flight go on,
 * but snapshot streams are told to end. Returns at once. */
void rpc_server_drain(struct rpc_server *server);

/* Lets answers leave, cancels what is left, waits for it, joins the threads. All calls handed over
 * must have been answered, all streams finished. */
void rpc_server_free(struct rpc_server *server);

/* The holder's memory beside the call: `user_bytes`, aligned for anything. */
void *rpc_call_user(struct rpc_call *call);

/* Answer and give the call back. Copies what it needs of `response`. Any thread. */
void rpc_reply(struct rpc_call *call, const struct kv_response *response);

/* Likewise for orders and lists. STATUS_OK: the order is carried out. `detail` says why not; it is
 * copied, NULL: the status's own text. */
void rpc_reply_status(struct rpc_call *call, enum status status, bool is_not_applied,
                      const char *detail);
void rpc_reply_members(struct rpc_call *call, const struct rpc_members *members);

/* Whether another node handed it on: then it is answered here, or refused. */
bool rpc_call_is_forwarded(const struct rpc_call *call);
/* Answer with what the other node answered: its message, status, detail and mark, unchanged.
 * `completion` is that of rpc_client_forward(), the newest of its queue. */
struct rpc_completion;
void rpc_reply_forwarded(struct rpc_call *call, const struct rpc_completion *completion);

/* Send one message of a snapshot stream; waits for flow control. STATUS_ABORTED: the caller is
 * gone. Not on a completion-queue thread. */
MUST_USE enum status rpc_stream_write(struct rpc_stream *stream, struct bytes chunk);
/* End the stream with a status and give it back. `detail` may be NULL. */
void rpc_stream_finish(struct rpc_stream *stream, enum status status, const char *detail);

/* ---- Client -------------------------------------------------------------------------------- */

/* A client is one TCP connection of its own to one address; it connects when first used, and after
 * a failure again within 0.5 s. A call is one attempt, never repeated in here; while connecting
 * fails, calls fail at once.
 *
 * Blocking: rpc_client_new(), then rpc_client_kv() and its neighbours; one thread at a time. They
 * send nothing before there is a connection, so what fails until then is_not_applied.
 * Asynchronous: one queue for any number of clients, rpc_client_start() from any thread, and one
 * thread in rpc_queue_next(). The two do not mix on one client. */
struct rpc_client;

/* `address` is host:port or [IPv6]:port. STATUS_INVALID: it is not. */
MUST_USE enum status rpc_client_new(const char *address, struct rpc_client **ret_client);
/* Every call started has come out of its queue. */
void rpc_client_free(struct rpc_client *client);

/* Wait up to timeout_ms for a connection that failed: it comes about only while somebody waits,
 * here or for an answer. True: it came; false: not in time, or it is there already. */
bool rpc_client_connects(struct rpc_client *client, uint64_t timeout_ms);

/* One KV request, waiting for its answer up to timeout_ms. On RPC_OK `ret_response` is filled (the
 * item of a get without its key) and valid until the next call on this client. */
void rpc_client_kv(struct rpc_client *client, const struct kv_request *request, uint64_t timeout_ms,
                   struct kv_response *ret_response, struct rpc_outcome *ret_outcome);

/* ClusterService.Status; filled on RPC_OK. */
void rpc_client_status(struct rpc_client *client, uint64_t timeout_ms,
                       struct node_status *ret_status, char *ret_version, size_t version_size,
                       struct rpc_outcome *ret_outcome);

/* ClusterService.GetReport; filled on RPC_OK with what it carries, the rest is 0. */
void rpc_client_report(struct rpc_client *client, uint64_t timeout_ms,
                       struct node_report *ret_report, struct rpc_outcome *ret_outcome);

/* Carry out an order; RPC_OK: it is committed. */
void rpc_client_order(struct rpc_client *client, const struct rpc_order *order, uint64_t timeout_ms,
                      struct rpc_outcome *ret_outcome);

/* ClusterService.ListMembers; filled on RPC_OK. */
void rpc_client_members(struct rpc_client *client, uint64_t timeout_ms,
                        struct rpc_members *ret_members, struct rpc_outcome *ret_outcome);

/* ClusterService.SaveSnapshot into `sink`. A transfer takes as long as it takes: timeout_ms bounds
 * the wait for each next piece. A sink that returns something else than STATUS_OK ends the call:
 * RPC_CANCELLED. */
void rpc_client_snapshot(struct rpc_client *client, uint64_t timeout_ms, kv_sink *sink,
                         void *context, struct rpc_outcome *ret_outcome);

/* Where the answers to asynchronous calls arrive. */
struct rpc_queue;

struct rpc_completion {
    void *tag; /* as given to the start */
    struct rpc_outcome outcome;
    struct bytes body; /* the answer, encoded; only on RPC_OK. Borrowed until rpc_queue_next() */
};

MUST_USE enum status rpc_queue_new(struct rpc_queue **ret_queue);
/* Its clients have been freed. */
void rpc_queue_free(struct rpc_queue *queue);

/* A client whose answers arrive in `queue`, which it borrows for life. Otherwise as
 * rpc_client_new(). */
MUST_USE enum status rpc_client_new_on(struct rpc_queue *queue, const char *address,
                                       struct rpc_client **ret_client);

/* Send a KV request; its completion comes within timeout_ms and a little. Borrows `request` for
 * this call only. Any thread.
 *
 * STATUS_NO_MEMORY  not sent; no completion follows. */
MUST_USE enum status rpc_client_start(struct rpc_client *client, const struct kv_request *request,
                                      uint64_t timeout_ms, void *tag);
/* Likewise for any unary method, named "/package.Service/Method" by a static text, with a message
 * already encoded. */
MUST_USE enum status rpc_client_start_method(struct rpc_client *client, const char *method,
                                             struct bytes body, uint64_t timeout_ms, void *tag);

/* Hand a request on, KV or about members, as it came, marked so that it is not handed on again. Its
 * completion is for rpc_reply_forwarded(), but for failures that the holder knows better: when a
 * connection breaks the outcome is RPC_UNAVAILABLE, and a write may have happened. `call` stays the
 * holder's, and may even be answered before the completion comes. timeout_ms: what is left of the
 * caller's time. Statuses as above. */
MUST_USE enum status rpc_client_forward(struct rpc_client *client, struct rpc_call *call,
                                        uint64_t timeout_ms, void *tag);

/* Whether there is a connection at this moment; if not, connecting begins. A request that fails
 * after its start may have been received, even when there was no connection at first: who must know
 * that it was not sent asks here and does not start it. Any thread. */
bool rpc_client_is_connected(struct rpc_client *client);

/* End all calls under way, as RPC_CANCELLED; their completions follow. Any thread. */
void rpc_client_cancel(struct rpc_client *client);

/* Wait for a completion, up to timeout_ms; 0 only looks. One thread at a time.
 *
 * STATUS_TIMEOUT  there is none. */
MUST_USE enum status rpc_queue_next(struct rpc_queue *queue, uint64_t timeout_ms,
                                    struct rpc_completion *ret_completion);

/* Decode the answer to a KV request; `completion` is the newest of this queue. The response is
 * borrowed until rpc_queue_next().
 *
 * STATUS_CORRUPT  the body is not that message. */
MUST_USE enum status rpc_queue_decode(struct rpc_queue *queue,
                                      const struct rpc_completion *completion,
                                      enum kv_operation operation,
                                      struct kv_response *ret_response);

#endif
