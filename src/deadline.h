/* Deadlines, of one clock; UINT64_MAX is never. */
#ifndef PHALANX_DEADLINE_H
#define PHALANX_DEADLINE_H

#include <stdint.h>

static inline uint64_t earliest(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

#endif
