/* A simulator's command line: numbers and ranges of seeds. What is neither ends the program, which
 * says why and how it is used. */
#ifndef PHALANX_SIM_USAGE_H
#define PHALANX_SIM_USAGE_H

#include <stdint.h>

struct usage {
    const char *program;
    const char *text; /* all lines of it */
};

/* Ends with status 2. */
_Noreturn void usage_refuse(const struct usage *usage, const char *what);

/* A decimal number and nothing else. */
uint64_t usage_number(const struct usage *usage, const char *text);

/* A..B */
void usage_range(const struct usage *usage, const char *text, uint64_t *ret_first,
                 uint64_t *ret_last);

#endif
