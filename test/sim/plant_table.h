/* Which planted bug of a simulation's list is switched on; see src/plant.h. */
#ifndef PHALANX_SIM_PLANT_TABLE_H
#define PHALANX_SIM_PLANT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct plant {
    const char *name;
    const char *what; /* a sentence without a full stop */
};

/* False: no such plant, or not in this build of `program`; says so. */
bool plant_table_choose(const struct plant *plants, size_t count, const char *program,
                        const char *name);

#endif
