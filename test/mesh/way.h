/* One direction of a link between two places: how long a packet takes, and whether it arrives. */
#ifndef PHALANX_MESH_WAY_H
#define PHALANX_MESH_WAY_H

#include "check.h"
#include "sim/random.h"

#include <stdbool.h>
#include <stdint.h>

struct mesh_way {
    uint64_t delay_us;
    uint64_t jitter_us;   /* up to this is added, anew for each packet */
    uint64_t loss_ppm;    /* packets in a million that never arrive */
    uint64_t reorder_ppm; /* packets in a million that later ones overtake */
    bool is_cut;
    uint64_t last_due_us; /* of those in order */
    uint64_t passed;      /* packets */
    uint64_t lost;        /* packets, by chance and by the cut */
};

/* When a packet that enters now comes out. Packets stay in order, whatever their jitter, except
 * those chosen to be late. False: it never comes out. */
MUST_USE bool mesh_way_admit(struct mesh_way *way, struct sim_random *random, uint64_t now_us,
                             uint64_t *ret_due_us);

#endif
