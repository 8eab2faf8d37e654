/* Latencies in a log-linear histogram: 64 steps for each power of two, so that any quantile is
 * within 1.6 %, in a fixed 30 KB however many there are. */
#ifndef PHALANX_BENCH_HISTOGRAM_H
#define PHALANX_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_STEPS (1U << HISTOGRAM_STEP_BITS)
#define HISTOGRAM_SLOTS ((64 - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t counts[HISTOGRAM_SLOTS];
    uint64_t total;
    uint64_t max;
};

/* Values below HISTOGRAM_STEPS have a slot each; from then on a slot has the leading bits in
 * common. */
static inline unsigned histogram_slot(uint64_t value) {
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return (shift << HISTOGRAM_STEP_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a slot. */
static inline uint64_t histogram_value(unsigned slot) {
    if (slot < HISTOGRAM_STEPS)
        return slot;
    unsigned shift = (slot >> HISTOGRAM_STEP_BITS) - 1;
    uint64_t leading = (slot & (HISTOGRAM_STEPS - 1)) + HISTOGRAM_STEPS;
    return (leading << shift) + (((uint64_t)1 << shift) - 1);
}

static inline void histogram_add(struct histogram *h, uint64_t value) {
    h->counts[histogram_slot(value)]++;
    h->total++;
    if (value > h->max)
        h->max = value;
}

/* The value that `share` of all do not exceed; 0 when there are none. */
static inline uint64_t histogram_quantile(const struct histogram *h, double share) {
    uint64_t wanted = (uint64_t)(share * (double)h->total + 0.5);
    uint64_t seen = 0;
    for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += h->counts[slot];
        if (seen > 0 && seen >= wanted)
            return histogram_value(slot) < h->max ? histogram_value(slot) : h->max;
    }
    return h->max;
}

#endif
