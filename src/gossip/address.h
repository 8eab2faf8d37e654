/* Where a datagram goes to or comes from. */
#ifndef PHALANX_GOSSIP_ADDRESS_H
#define PHALANX_GOSSIP_ADDRESS_H

#include "bytes.h"
#include "check.h"

/* An address as text, with its final zero: [v6]:port. */
#define GOSSIP_ADDRESS_TEXT_BYTES_MAX ((size_t)56)

struct gossip_address {
    uint8_t ip[16]; /* IPv6; an IPv4 address as ::ffff:a.b.c.d */
    uint16_t port;  /* host byte order */
};

static inline bool gossip_address_equal(const struct gossip_address *a,
                                        const struct gossip_address *b) {
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* a.b.c.d or an IPv6 address without brackets; false: it is none, nothing written. */
MUST_USE bool gossip_address_parse(const char *ip, uint16_t port,
                                   struct gossip_address *ret_address);

/* a.b.c.d:port or [v6]:port; for the log and for gRPC. */
void gossip_address_print(const struct gossip_address *address,
                          char text[static GOSSIP_ADDRESS_TEXT_BYTES_MAX]);

#endif
