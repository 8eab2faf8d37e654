/* When calls begin that wait for no answer: at random moments, as callers come who know nothing of
 * each other (a Poisson process). The same rate and seed give the same moments, so that two servers
 * can be asked alike. */
#ifndef PHALANX_BENCH_SCHEDULE_H
#define PHALANX_BENCH_SCHEDULE_H

#include "mix.h"

#include <math.h>
#include <stdint.h>

struct schedule {
    double gap_ns;   /* from one moment to the next, on average */
    double after_ns; /* the newest moment, since the start; exact for a hundred days */
    uint64_t random;
};

/* `rate`: a second, above 0. */
static inline void schedule_init(struct schedule *s, double rate, uint64_t seed) {
    *s = (struct schedule){.gap_ns = 1e9 / rate, .random = mix_bits(seed)};
}

/* The next moment, in nanoseconds since the start; never before the one before it. */
static inline uint64_t schedule_next(struct schedule *s) {
    double share = (double)((mix_next(&s->random) >> 11) + 1) * 0x1p-53; /* above 0, at most 1 */
    s->after_ns -= log(share) * s->gap_ns;
    return (uint64_t)s->after_ns;
}

#endif
