#include "mesh/network.h"

#include <stdio.h>

/* Of an IPv6 header (RFC 8200 section 3). */
#define HEADER_BYTES 40
#define HEADER_TARGET 24

void mesh_network_init(struct mesh_network *network, uint64_t seed) {
    *network = (struct mesh_network){.random = sim_random_of(seed, SIM_STREAM_NETWORK)};
    network->delays = mesh_delays_new(MESH_PACKETS_MAX);
}

void mesh_network_close(struct mesh_network *network) {
    mesh_delays_free(network->delays);
}

static bool find_address(const struct mesh_network *network, const void *address,
                         size_t *ret_place) {
    for (size_t i = 0; i < network->place_count; i++) {
        if (memcmp(&network->places[i].address, address, sizeof(struct in6_addr)) == 0) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}

bool mesh_network_find(const struct mesh_network *network, const char *name, size_t *ret_place) {
    for (size_t i = 0; i < network->place_count; i++) {
        if (strcmp(network->places[i].name, name) == 0) {
            *ret_place = i;
            return true;
        }
    }
    return false;
}

struct mesh_place *mesh_network_add(struct mesh_network *network, const char *name,
                                    const struct in6_addr *address) {
    size_t other;
    if (network->place_count == MESH_PLACES_MAX || strlen(name) >= MESH_NAME_BYTES)
        return NULL;
    if (mesh_network_find(network, name, &other) || find_address(network, address, &other))
        return NULL;
    struct mesh_place *place = &network->places[network->place_count++];
    snprintf(place->name, sizeof place->name, "%s", name);
    place->address = *address;
    place->device = -1;
    return place;
}

void mesh_network_send(struct mesh_network *network, size_t from, size_t len, uint64_t now_us) {
    CHECK(from < network->place_count);
    const uint8_t *packet = mesh_delays_room(network->delays);
    size_t to = 0;
    uint64_t due_us = 0;
    if (len < HEADER_BYTES || packet[0] >> 4 != 6 ||
        !find_address(network, packet + HEADER_TARGET, &to)) {
        network->strays++;
        return;
    }
    if (mesh_way_admit(&network->ways[from][to], &network->random, now_us, &due_us))
        mesh_delays_add(network->delays, len, to, due_us);
}
