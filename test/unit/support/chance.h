/* Random numbers for property tests. Each test says its seed and how to run it once more. */
#ifndef PHALANX_TEST_CHANCE_H
#define PHALANX_TEST_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* From TEST_SEED when that is set, else of the kernel; printed. */
struct chance chance_new(void);

uint64_t chance_next(struct chance *chance);
/* 0 to `bound` - 1 */
uint64_t chance_below(struct chance *chance, uint64_t bound);
/* True once in `n`. */
bool chance_one_in(struct chance *chance, uint64_t n);

#endif
