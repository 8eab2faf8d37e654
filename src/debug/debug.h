/* The debug room: shows. An HTTP server for people, probes and Prometheus; it only reads a
 * published copy of the node's status, so that nothing asked here can hold up the loop.
 *
 *     /              a list of these paths
 *     /health        200 while the process is sound, leader or not; says what it waits for
 *     /ready         200 only while the node is ready to serve, else 503
 *     /debug/status  the status as JSON
 *     /metrics       the same for Prometheus
 *
 * GET and HEAD only. No path shows keys or values. */
#ifndef PHALANX_DEBUG_H
#define PHALANX_DEBUG_H

#include "check.h"
#include "node_status.h"
#include "status.h"

struct debug_server;

/* Borrowed for the call to debug_server_new(); `context` until debug_server_free(). */
struct debug_server_config {
    const char *address; /* host:port; "[::]:8080" is dual-stack; port 0: a free one */
    const char *region;  /* NODE_REGION; may be empty */
    /* A published copy older than this means that the loop stands still: /health and /ready answer
     * 503. Milliseconds; it must be well above what lies between two publications of an idle loop.
     * 0: never. */
    uint64_t stall_ms;
    /* Copy what is published. On any of the room's threads, at any time: must not wait. Before the
     * first publication `uptime_ms` is 0. */
    void (*read_status)(void *context, struct node_status *ret_status);
    void *context;
};

/* Listens and answers from here on, on threads of its own. Where it does not, it logs why.
 *
 * STATUS_BUSY       the port is taken.
 * STATUS_INVALID    the address cannot be understood or does not belong to this host.
 * STATUS_NO_MEMORY  no memory or no threads. */
MUST_USE enum status debug_server_new(const struct debug_server_config *config,
                                      struct debug_server **ret_server);

/* The bound port, for addresses with port 0. */
int debug_server_port(const struct debug_server *server);

/* Stops listening, lets running answers end, joins the threads. */
void debug_server_free(struct debug_server *server);

#endif
