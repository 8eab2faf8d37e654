/* Shrinks the faults of a failing run: leaves out one after the other while it still fails. */
#ifndef PHALANX_SIM_MINIMISE_H
#define PHALANX_SIM_MINIMISE_H

#include "sim/sim.h"

/* `options` is that of a run that fails. Prints what is left, and the trace of it when asked. */
void sim_minimise(const struct sim_options *options);

#endif
