/* The socket that gossip goes through: datagrams out from any thread, in on a thread of its own.
 *
 * One socket serves IPv4 and IPv6; where the machine has no IPv6, it is one of IPv4 alone. */
#ifndef PHALANX_GOSSIP_UDP_H
#define PHALANX_GOSSIP_UDP_H

#include "bytes.h"
#include "gossip/address.h"
#include "status.h"

/* A datagram, in either direction: it fits every path that IPv6 knows, tunnels included. */
#define UDP_BYTES_MAX ((size_t)1200)

struct udp_config {
    const char *ip;      /* to bind, an address without a port; "::" takes in both families */
    uint16_t port;       /* the first one to try */
    uint16_t port_count; /* how many, one after another, until one is free; 1: only that */
    void *context;
    /* On the thread: `bytes` is borrowed for the call. It must not wait. */
    void (*on_datagram)(void *context, const struct gossip_address *from, struct bytes bytes);
};

struct udp;

/* Bind. STATUS_BUSY: all these ports are taken. STATUS_INVALID: `ip` is none, or not this
 * machine's. STATUS_IO: no socket, and errno says why. */
MUST_USE enum status udp_new(const struct udp_config *config, struct udp **ret_udp);
/* Begin to receive. */
void udp_start(struct udp *udp);
/* Waits for the thread's end: at once. */
void udp_free(struct udp *udp);

/* The port that was bound. */
uint16_t udp_port(const struct udp *udp);

/* Any thread; never waits. What cannot be sent is as if the network had lost it. */
void udp_send(struct udp *udp, const struct gossip_address *to, struct bytes bytes);

/* Datagrams that did not go out, and those that were too long to be any of ours. */
uint64_t udp_unsent_total(const struct udp *udp);
uint64_t udp_oversize_total(const struct udp *udp);

#endif
