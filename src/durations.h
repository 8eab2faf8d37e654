/* How long something takes: counted in fixed buckets, cheap enough for every single time.
 *
 * Two buckets for each power of two, from a microsecond to 16 seconds, so that a quantile is within
 * a third, mostly much nearer. Any number of threads may add; nobody waits. */
#ifndef PHALANX_DURATIONS_H
#define PHALANX_DURATIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The last bucket has no upper end. */
#define DURATIONS_POWERS 24
#define DURATIONS_BUCKETS (2 * DURATIONS_POWERS + 1)

/* Zeroed before its first use. */
struct durations {
    _Atomic uint64_t counts[DURATIONS_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct durations_copy {
    uint64_t counts[DURATIONS_BUCKETS];
    uint64_t sum_us;
};

void durations_add(struct durations *durations, uint64_t us);
/* So many of the same length. */
void durations_add_many(struct durations *durations, uint64_t us, uint64_t count);

/* What was added in the meantime may be in it or not. */
void durations_read(const struct durations *durations, struct durations_copy *ret_copy);

/* The bucket's largest value; UINT64_MAX of the last one. */
uint64_t durations_bound_us(unsigned bucket);

uint64_t durations_count(const struct durations_copy *copy);

/* What came between two copies. */
void durations_since(const struct durations_copy *now, const struct durations_copy *before,
                     struct durations_copy *ret_difference);

/* What `percent` of all do not exceed, between two bounds by proportion; UINT64_MAX: there are
 * none. */
uint64_t durations_quantile_us(const struct durations_copy *copy, unsigned percent);

#endif
