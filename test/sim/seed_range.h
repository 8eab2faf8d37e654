/* Numbers and ranges of seeds on a simulation's command line. */
#ifndef PHALANX_SIM_SEED_RANGE_H
#define PHALANX_SIM_SEED_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number and nothing else; false: it is none, nothing written. */
bool seed_number_parse(const char *text, uint64_t *ret_number);

/* A..B */
bool seed_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last);

#endif
