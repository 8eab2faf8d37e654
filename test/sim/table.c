#include "sim/table.h"

#include "check.h"
#include "sim/random.h"

#include <stdlib.h>

void sim_table_close(struct sim_table *table) {
    free(table->slots);
}

/* Where the key is, or would be. */
static struct sim_slot *slot_of(const struct sim_table *table, uint64_t key) {
    size_t at = (size_t)sim_mix(key, 0) & (table->capacity - 1);
    while (table->slots[at].key != 0 && table->slots[at].key != key)
        at = (at + 1) & (table->capacity - 1);
    return &table->slots[at];
}

static void grow(struct sim_table *table) {
    struct sim_table larger = {.capacity = table->capacity == 0 ? 256 : 2 * table->capacity,
                               .count = table->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    CHECK(larger.slots);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].key != 0)
            *slot_of(&larger, table->slots[i].key) = table->slots[i];
    free(table->slots);
    *table = larger;
}

uint64_t sim_table_settle(struct sim_table *table, uint64_t key, uint64_t value) {
    CHECK(key != 0);
    if (2 * table->count >= table->capacity)
        grow(table);
    struct sim_slot *slot = slot_of(table, key);
    if (slot->key == 0) {
        *slot = (struct sim_slot){.key = key, .value = value};
        table->count++;
    }
    return slot->value;
}

uint64_t sim_table_get(const struct sim_table *table, uint64_t key, uint64_t missing) {
    if (table->capacity == 0)
        return missing;
    const struct sim_slot *slot = slot_of(table, key);
    return slot->key == 0 ? missing : slot->value;
}
