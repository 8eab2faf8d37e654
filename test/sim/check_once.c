#include "sim/checks.h"

#include <stdio.h>

/* The effects that a key which only one client writes, and never deletes, must and may have seen.
 * Its version counts them. */
struct tally {
    uint64_t must;
    uint64_t may; /* beyond those */
};

static bool is_own_put(const struct sim_op *op, size_t key) {
    return op->kind == SIM_PUT && op->key == key;
}

static bool tally_holds(struct tally tally, int64_t version) {
    return version >= 0 && (uint64_t)version >= tally.must &&
           (uint64_t)version <= tally.must + tally.may;
}

/* Of two revisions at which the same value was seen, one is too many. */
static bool check_revisions(const struct sim_history *history, char *text, size_t capacity) {
    struct sim_table revisions = {0};
    bool is_sound = true;
    for (size_t i = 0; i < history->count && is_sound; i++) {
        const struct sim_op *op = &history->ops[i];
        uint64_t value = op->kind == SIM_PUT ? op->value : op->read_value;
        if (op->outcome != SIM_OK || value == 0)
            continue;
        uint64_t revision = (uint64_t)op->revision;
        is_sound = sim_table_settle(&revisions, value, revision) == revision;
        if (!is_sound) {
            char line[256];
            sim_op_print(op, line, sizeof line);
            snprintf(text, capacity, "took effect twice: %s", line);
        }
    }
    sim_table_close(&revisions);
    return is_sound;
}

/* Put after put, the version that a read finds must fit what came before. */
static bool check_versions(const struct sim_history *history, size_t key, char *text,
                           size_t capacity) {
    struct tally tally = {0};
    for (size_t i = 0; i < history->count; i++) {
        const struct sim_op *op = &history->ops[i];
        if (is_own_put(op, key) && op->outcome == SIM_OK)
            tally.must++;
        else if (is_own_put(op, key) && op->outcome == SIM_UNKNOWN)
            tally.may++;
        if (op->kind != SIM_GET || op->key != key || op->outcome != SIM_OK)
            continue;
        if (!tally_holds(tally, op->version)) {
            char line[256];
            sim_op_print(op, line, sizeof line);
            snprintf(text, capacity, "%llu to %llu effects expected: %s",
                     (unsigned long long)tally.must, (unsigned long long)(tally.must + tally.may),
                     line);
            return false;
        }
    }
    return true;
}

static bool is_private(const struct sim_history *history, size_t key) {
    size_t client = SIZE_MAX;
    for (size_t i = 0; i < history->count; i++) {
        const struct sim_op *op = &history->ops[i];
        if (op->key != key)
            continue;
        if (op->kind == SIM_DELETE || op->has_prev || (client != SIZE_MAX && op->client != client))
            return false;
        client = op->client;
    }
    return client != SIZE_MAX;
}

bool sim_check_once(const struct sim_history *history, size_t keys, char *text, size_t capacity) {
    bool is_sound = check_revisions(history, text, capacity);
    for (size_t key = 0; key < keys && is_sound; key++)
        if (is_private(history, key))
            is_sound = check_versions(history, key, text, capacity);
    return is_sound;
}
