/* Datagrams on their way from the socket's thread to the loop, in memory of a fixed size.
 *
 * What finds no place is dropped and counted. Strangers may take some of the places only: so a
 * flood of theirs leaves room for the datagrams of those that are known. */
#ifndef PHALANX_SERVER_ARRIVALS_H
#define PHALANX_SERVER_ARRIVALS_H

#include "gossip/gossip.h"

#include <pthread.h>

/* Places; and how many of them strangers may take. */
#define ARRIVALS_MAX ((size_t)256)
#define ARRIVALS_STRANGERS_MAX ((size_t)64)

/* Addresses that count as known. */
#define ARRIVALS_KNOWN_MAX (GOSSIP_MEMBERS_MAX + GOSSIP_SEEDS_MAX)

struct arrival {
    struct gossip_address from;
    size_t len;
    uint8_t bytes[GOSSIP_PACKET_BYTES_MAX];
};

struct arrivals {
    pthread_mutex_t mutex;
    struct arrival *ring; /* ARRIVALS_MAX */
    size_t first;
    size_t count;
    struct gossip_address known[ARRIVALS_KNOWN_MAX];
    size_t known_count;
    uint64_t dropped_total;
    bool is_called; /* somebody is on the way to take them */
};

/* STATUS_NO_MEMORY: nothing was made. */
MUST_USE enum status arrivals_init(struct arrivals *a);
void arrivals_close(struct arrivals *a);

/* Any thread. True: call the taker, who is not on the way. */
MUST_USE bool arrivals_put(struct arrivals *a, const struct arrival *arrival);
/* It has no place here in the first place. */
void arrivals_drop(struct arrivals *a);

/* The taker: the oldest; false: there is none. */
MUST_USE bool arrivals_take(struct arrivals *a, struct arrival *ret_arrival);
/* The taker goes. True: there is more, and it is on the way again. */
MUST_USE bool arrivals_leave(struct arrivals *a);

/* These are known from now on; at most ARRIVALS_KNOWN_MAX, copied. */
void arrivals_set_known(struct arrivals *a, const struct gossip_address *known, size_t count);

uint64_t arrivals_dropped_total(struct arrivals *a);

#endif
