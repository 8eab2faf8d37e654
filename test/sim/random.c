#include "sim/random.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t scramble(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t sim_mix(uint64_t digest, uint64_t value) {
    return scramble(digest * 0x9e3779b97f4a7c15 + value + 0x632be59bd9b4e019);
}

struct sim_random sim_random_of(uint64_t seed, enum sim_stream stream) {
    return (struct sim_random){.state = sim_mix(sim_mix(seed + 1, stream), 0x5851f42d4c957f2d)};
}

uint64_t sim_random_next(struct sim_random *random) {
    return scramble(random->state += 0x9e3779b97f4a7c15);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t bound) {
    return sim_random_next(random) % bound;
}

uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high) {
    return low + sim_random_below(random, high - low + 1);
}

bool sim_random_percent(struct sim_random *random, uint64_t percent) {
    return sim_random_below(random, 100) < percent;
}

bool sim_random_ppm(struct sim_random *random, uint64_t parts_per_million) {
    return parts_per_million > 0 && sim_random_below(random, 1000000) < parts_per_million;
}

uint64_t sim_random_latency(struct sim_random *random, uint64_t median) {
    uint64_t latency = median / 2 + sim_random_below(random, median + 1);
    while (sim_random_below(random, 16) == 0)
        latency += 2 * median;
    return latency;
}
