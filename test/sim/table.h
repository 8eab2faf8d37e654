/* A growing table from one number to another. */
#ifndef PHALANX_SIM_TABLE_H
#define PHALANX_SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_slot {
    uint64_t key; /* 0: free */
    uint64_t value;
};

struct sim_table {
    struct sim_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void sim_table_close(struct sim_table *table);

/* The value under `key`, which is not 0; when there is none, it is set to `value`. */
uint64_t sim_table_settle(struct sim_table *table, uint64_t key, uint64_t value);

/* `missing` when there is none. */
uint64_t sim_table_get(const struct sim_table *table, uint64_t key, uint64_t missing);

#endif
