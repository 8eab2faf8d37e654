/* Numbers that look random, from numbers that do not: SplitMix64 (Steele, Lea, Flood 2014). */
#ifndef PHALANX_MIX_H
#define PHALANX_MIX_H

#include <stdint.h>

#define MIX_STEP 0x9e3779b97f4a7c15

/* Each bit of the result hangs on every bit of `z`. */
static inline uint64_t mix_bits(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* The next number of the sequence that `state` stands in. */
static inline uint64_t mix_next(uint64_t *state) {
    return mix_bits(*state += MIX_STEP);
}

#endif
