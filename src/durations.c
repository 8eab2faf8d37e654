#include "durations.h"

#include "check.h"

/* Bucket 0 holds 0 and 1; then 2^k is followed by 1.5 * 2^k, as upper bounds: 1, 2, 3, 4, 6, 8, 12
 * and so on. */
uint64_t durations_bound_us(unsigned bucket) {
    CHECK(bucket < DURATIONS_BUCKETS);
    if (bucket == DURATIONS_BUCKETS - 1)
        return UINT64_MAX;
    if (bucket == 0)
        return 1;
    unsigned power = (bucket + 1) / 2;
    bool is_half = bucket % 2 == 0;
    return is_half ? ((uint64_t)3 << (power - 1)) : (uint64_t)1 << power;
}

static unsigned bucket_of(uint64_t us) {
    if (us <= 1)
        return 0;
    unsigned power = 64 - (unsigned)__builtin_clzll(us - 1); /* us <= 2^power */
    if (power > DURATIONS_POWERS)
        return DURATIONS_BUCKETS - 1;
    bool is_low = power >= 2 && us <= (uint64_t)3 << (power - 2);
    return 2 * power - 1 - is_low;
}

void durations_add_many(struct durations *durations, uint64_t us, uint64_t count) {
    atomic_fetch_add_explicit(&durations->counts[bucket_of(us)], count, memory_order_relaxed);
    atomic_fetch_add_explicit(&durations->sum_us, us * count, memory_order_relaxed);
}

void durations_add(struct durations *durations, uint64_t us) {
    durations_add_many(durations, us, 1);
}

void durations_read(const struct durations *durations, struct durations_copy *ret_copy) {
    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++)
        ret_copy->counts[i] = atomic_load_explicit(&durations->counts[i], memory_order_relaxed);
    ret_copy->sum_us = atomic_load_explicit(&durations->sum_us, memory_order_relaxed);
}

uint64_t durations_count(const struct durations_copy *copy) {
    uint64_t count = 0;
    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++)
        count += copy->counts[i];
    return count;
}

void durations_since(const struct durations_copy *now, const struct durations_copy *before,
                     struct durations_copy *ret_difference) {
    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++)
        ret_difference->counts[i] = now->counts[i] - before->counts[i];
    ret_difference->sum_us = now->sum_us - before->sum_us;
}

/* As if a bucket's times lay evenly between its bounds. */
static uint64_t between(unsigned bucket, uint64_t part, uint64_t whole) {
    uint64_t low = bucket == 0 ? 0 : durations_bound_us(bucket - 1);
    if (bucket == DURATIONS_BUCKETS - 1)
        return low; /* all that is known */
    return low + (durations_bound_us(bucket) - low) * part / whole;
}

uint64_t durations_quantile_us(const struct durations_copy *copy, unsigned percent) {
    CHECK(percent <= 100);
    uint64_t total = durations_count(copy);
    uint64_t wanted = (total * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < DURATIONS_BUCKETS; i++) {
        uint64_t count = copy->counts[i];
        if (count > 0 && seen + count >= wanted)
            return between(i, wanted - seen, count);
        seen += count;
    }
    return UINT64_MAX;
}
