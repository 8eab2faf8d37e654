/* The forwarder: passes requests on to the leader, and its answers back. Any node takes any
 * request; what one cannot answer, the leader does. */
#ifndef PHALANX_SERVER_FORWARDER_H
#define PHALANX_SERVER_FORWARDER_H

#include "rpc/rpc.h"
#include "server/inbox.h"

struct forwarder;

/* Starts the thread that takes the answers. `call_of` tells a request's call. */
MUST_USE enum status forwarder_new(struct inbox *inbox,
                                   struct rpc_call *(*call_of)(struct turn_request *request),
                                   struct forwarder **ret_forwarder);

/* Whether anything is under way; none takes longer than its caller waits. Any thread. */
bool forwarder_is_busy(struct forwarder *forwarder);

/* Ends what is under way, as unknown, and joins the thread. After the last forwarder_send(), before
 * the server of the calls is freed. */
void forwarder_free(struct forwarder *forwarder);

/* Both from the loop, with a node's address, NULL when that is not known. */

/* Pass a request on. It is answered, or comes back through the inbox a little later: it was
 * certainly not taken, and there may be another leader by then. */
void forwarder_send(struct forwarder *forwarder, struct turn_request *request, const char *address);

/* Pass any other call on, and answer it. */
void forwarder_send_call(struct forwarder *forwarder, struct rpc_call *call, uint64_t deadline_ms,
                         const char *address);

/* There will soon be something to pass on to this address: connect. */
void forwarder_warm(struct forwarder *forwarder, const char *address);

#endif
