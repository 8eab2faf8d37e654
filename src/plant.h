/* Planted bugs: one can be switched on in the second builds of the simulators and of some tests, to
 * see that it is caught. In every other build PLANTED() is false, and what it guards is gone. */
#ifndef PHALANX_PLANT_H
#define PHALANX_PLANT_H

#ifdef PHALANX_PLANTS
#include <stdbool.h>
bool plant_is(const char *name); /* test/sim/plant_table.c, test/planted/chosen.c */
#define PLANTED(name) plant_is(#name)
#else
#define PLANTED(name) 0
#endif

#endif
