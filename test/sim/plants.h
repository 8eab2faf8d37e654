/* Which planted bug is switched on; see src/plant.h. */
#ifndef PHALANX_SIM_PLANTS_H
#define PHALANX_SIM_PLANTS_H

#include <stdbool.h>

/* False: no such plant, or not in this build; says so. */
bool plant_choose(const char *name);

#endif
