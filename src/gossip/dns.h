/* The addresses behind names, looked up for as long as a node lives: AAAA and A, over UDP, and over
 * TCP when an answer was cut.
 *
 * A thread of its own asks. What changes is asked for again soon, what stays or fails less and less
 * often, up to DNS_WAIT_MS_MAX; every wait is shortened by chance, so that nodes started together
 * do not ask together. A name that cannot be looked up, or has no addresses at the moment, keeps
 * those that it had: an unreachable name server must not make anybody forget the others. */
#ifndef PHALANX_GOSSIP_DNS_H
#define PHALANX_GOSSIP_DNS_H

#include "bounds.h"
#include "gossip/address.h"
#include "status.h"

/* Names asked for; and addresses kept of each, and told of all together. */
#define DNS_NAMES_MAX ((size_t)17)
#define DNS_ADDRESSES_MAX ((size_t)64)

/* Between two rounds; a round takes no longer than DNS_ROUND_MS_MAX. */
#define DNS_WAIT_MS_MIN 500
#define DNS_WAIT_MS_MAX 10000
#define DNS_ROUND_MS_MAX 8000

struct dns_name {
    char host[ADDRESS_BYTES_MAX]; /* a name, or an address as text, which is not asked for */
    uint16_t port;                /* of what is behind it */
};

struct dns_config {
    const struct dns_name *names; /* copied */
    size_t count;                 /* 1 .. DNS_NAMES_MAX */
    const char *name_servers;     /* ip[:port], with commas; copied; empty: the system's */
    void *context;
    /* On the thread: all addresses of all names, in order and without repetitions; at first, and
     * whenever they are others than before. Borrowed for the call. */
    void (*on_addresses)(void *context, const struct gossip_address *addresses, size_t count);
};

struct dns;

/* Starts asking at once. STATUS_INVALID: `name_servers` is no such list. */
MUST_USE enum status dns_new(const struct dns_config *config, struct dns **ret_dns);
/* Waits for the thread's end: at once, whatever it waits for. */
void dns_free(struct dns *dns);

#endif
