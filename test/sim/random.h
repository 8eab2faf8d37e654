/* Chance from a seed: the same seed gives the same run. Each part of the simulation draws from a
 * stream of its own, so that leaving out a fault disturbs the others little. */
#ifndef PHALANX_SIM_RANDOM_H
#define PHALANX_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

enum sim_stream {
    SIM_STREAM_WEATHER = 1,
    SIM_STREAM_FAULTS,
    SIM_STREAM_NETWORK,
    SIM_STREAM_DISK,
    SIM_STREAM_NODES,
    SIM_STREAM_CLIENTS,
};

struct sim_random sim_random_of(uint64_t seed, enum sim_stream stream);
uint64_t sim_random_next(struct sim_random *random);
uint64_t sim_random_below(struct sim_random *random, uint64_t bound);

/* low .. high, both included. */
uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high);
/* Once in `n` times `value`, else 0. */
uint64_t sim_random_one_in(struct sim_random *random, uint64_t n, uint64_t value);
bool sim_random_percent(struct sim_random *random, uint64_t percent);
bool sim_random_ppm(struct sim_random *random, uint64_t parts_per_million);

/* Mostly around `median`, at times a small multiple of it. */
uint64_t sim_random_latency(struct sim_random *random, uint64_t median);

/* Mixes a value into a digest. */
uint64_t sim_mix(uint64_t digest, uint64_t value);

#endif
