/* A few nodes, each with a clock of its own, and an adversary who chooses what happens next: any
 * message in any order or never, any timer at any time, any crash. Nobody is wiped, so all that is
 * ever founded must be one cluster; and once the adversary plays fair, all found it. It meets far
 * more races between ballots than the world does, where time passes for all. */
#ifndef PHALANX_FOUNDING_DUEL_H
#define PHALANX_FOUNDING_DUEL_H

#include <stdint.h>

/* NULL: all went well; else what did not. */
const char *duel_run(uint64_t seed);

#endif
