/* Planted bugs: one can be switched on in the simulator's second build, to see that it is caught.
 * In every other build PLANTED() is false, and what it guards is gone. */
#ifndef PHALANX_PLANT_H
#define PHALANX_PLANT_H

#ifdef PHALANX_PLANTS
#include <stdbool.h>
bool plant_is(const char *name); /* test/sim/plants.c */
#define PLANTED(name) plant_is(#name)
#else
#define PLANTED(name) 0
#endif

#endif
