#include "mesh/way.h"

/* What a packet that is overtaken is late by: a part of the way, and at least this. */
#define LATE_US_MIN 1000

static bool is_lost(const struct mesh_way *way, struct sim_random *random) {
    return way->is_cut || sim_random_ppm(random, way->loss_ppm);
}

bool mesh_way_admit(struct mesh_way *way, struct sim_random *random, uint64_t now_us,
                    uint64_t *ret_due_us) {
    if (is_lost(way, random)) {
        way->lost++;
        return false;
    }
    way->passed++;
    uint64_t due_us = now_us + way->delay_us + sim_random_between(random, 0, way->jitter_us);
    if (sim_random_ppm(random, way->reorder_ppm)) {
        *ret_due_us = due_us + LATE_US_MIN + way->delay_us / 8;
        return true;
    }
    if (due_us < way->last_due_us)
        due_us = way->last_due_us;
    way->last_due_us = due_us;
    *ret_due_us = due_us;
    return true;
}
