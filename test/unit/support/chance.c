#include "support/chance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static uint64_t new_seed(void) {
    uint64_t seed;
    return getrandom(&seed, sizeof seed, 0) == sizeof seed ? seed : 1;
}

struct chance chance_new(void) {
    const char *given = getenv("TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : new_seed();
    printf("[   SEED   ] TEST_SEED=%" PRIu64 " %s\n", seed, program_invocation_name);
    return (struct chance){.state = seed};
}

/* SplitMix64: any seed will do. */
uint64_t chance_next(struct chance *chance) {
    uint64_t z = chance->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t chance_below(struct chance *chance, uint64_t bound) {
    return chance_next(chance) % bound;
}

bool chance_one_in(struct chance *chance, uint64_t n) {
    return chance_below(chance, n) == 0;
}
