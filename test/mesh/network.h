/* The places and the ways between them. It knows nothing of devices and clocks: packets and the
 * time are handed in. */
#ifndef PHALANX_MESH_NETWORK_H
#define PHALANX_MESH_NETWORK_H

#include "mesh/delays.h"
#include "mesh/way.h"

#include <netinet/in.h>

#define MESH_PLACES_MAX 32
#define MESH_NAME_BYTES ((size_t)32) /* with the final zero */

/* Under way at once: two seconds of 8 MB a second, in packets of a kilobyte. */
#define MESH_PACKETS_MAX ((size_t)16384)

struct mesh_place {
    char name[MESH_NAME_BYTES];
    struct in6_addr address;
    int device; /* a tun device's file, or -1; belongs to whoever put it here */
};

struct mesh_network {
    struct mesh_place places[MESH_PLACES_MAX];
    size_t place_count;
    struct mesh_way ways[MESH_PLACES_MAX][MESH_PLACES_MAX]; /* [from][to] */
    struct mesh_delays *delays;
    struct sim_random random;
    uint64_t overflows;   /* packets for which there was no room */
    uint64_t undelivered; /* packets that a device did not take */
    uint64_t strays;      /* packets to nobody here, such as multicast */
};

void mesh_network_init(struct mesh_network *network, uint64_t seed);
void mesh_network_close(struct mesh_network *network);

/* NULL: there are too many, or one has this name or address. Its ways take no time. */
struct mesh_place *mesh_network_add(struct mesh_network *network, const char *name,
                                    const struct in6_addr *address);

/* False: there is no such place. */
MUST_USE bool mesh_network_find(const struct mesh_network *network, const char *name,
                                size_t *ret_place);

/* A packet of `len` bytes, which lies in mesh_delays_room(), leaves the place `from`. */
void mesh_network_send(struct mesh_network *network, size_t from, size_t len, uint64_t now_us);

#endif
