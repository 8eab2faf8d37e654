/* Whether a simulated world kept its promises, and what went wrong first if it did not. */
#ifndef PHALANX_SIM_VERDICT_H
#define PHALANX_SIM_VERDICT_H

#include <stdbool.h>

struct verdict {
    bool has_failed;
    char failure[256];
};

/* Only the first failure counts: what follows may be its consequence. */
void verdict_fail(struct verdict *verdict, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
