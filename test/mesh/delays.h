/* Packets under way, by the time at which they come out. All memory is taken at the start. */
#ifndef PHALANX_MESH_DELAYS_H
#define PHALANX_MESH_DELAYS_H

#include "bytes.h"
#include "check.h"

/* What an interface of 1420 bytes sends at most, with room to spare. */
#define MESH_PACKET_BYTES_MAX ((size_t)2048)

struct mesh_delays;

struct mesh_delays *mesh_delays_new(size_t packets_max);
void mesh_delays_free(struct mesh_delays *delays);

/* Where the next packet's bytes are to be put: MESH_PACKET_BYTES_MAX. The same until it is added.
 * NULL: as many packets as there may be are under way. */
uint8_t *mesh_delays_room(struct mesh_delays *delays);

/* Of what was put there, `len` bytes come out at `due_us`, for the place with that number. Of two
 * that are due at once, the one added first comes first. */
void mesh_delays_add(struct mesh_delays *delays, size_t len, size_t target, uint64_t due_us);

/* Takes the next packet that is due. False: none is. The bytes are borrowed until the next call of
 * any of these. */
MUST_USE bool mesh_delays_take(struct mesh_delays *delays, uint64_t now_us, size_t *ret_target,
                               struct bytes *ret_packet);

/* When the next packet is due; UINT64_MAX: none is under way. */
uint64_t mesh_delays_next_us(const struct mesh_delays *delays);

#endif
