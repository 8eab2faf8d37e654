#include "sim/random.h"

#include "mix.h"

uint64_t sim_mix(uint64_t digest, uint64_t value) {
    return mix_bits(digest * MIX_STEP + value + 0x632be59bd9b4e019);
}

struct sim_random sim_random_of(uint64_t seed, enum sim_stream stream) {
    return (struct sim_random){.state = sim_mix(sim_mix(seed + 1, stream), 0x5851f42d4c957f2d)};
}

uint64_t sim_random_next(struct sim_random *random) {
    return mix_next(&random->state);
}

uint64_t sim_random_below(struct sim_random *random, uint64_t bound) {
    return sim_random_next(random) % bound;
}

uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high) {
    return low + sim_random_below(random, high - low + 1);
}

uint64_t sim_random_one_in(struct sim_random *random, uint64_t n, uint64_t value) {
    return sim_random_below(random, n) == 0 ? value : 0;
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
