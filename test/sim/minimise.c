#include "sim/minimise.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool fails(const struct sim_options *options, const bool *is_spared) {
    struct sim_options quiet = *options;
    struct sim_result result;
    quiet.is_verbose = false;
    quiet.is_spared = is_spared;
    sim_run(&quiet, &result);
    return result.has_failed;
}

/* Halves first, then quarters, down to single faults; again while that helps. */
static void shrink(const struct sim_options *options, bool *is_spared, size_t count) {
    bool *attempt = calloc(count + 1, sizeof *attempt);
    CHECK(attempt);
    for (size_t size = count; size > 0; size /= 2) {
        for (size_t from = 0; from < count; from += size) {
            memcpy(attempt, is_spared, count * sizeof *attempt);
            bool has_changed = false;
            for (size_t i = from; i < from + size && i < count; i++) {
                has_changed = has_changed || !attempt[i];
                attempt[i] = true;
            }
            if (has_changed && fails(options, attempt))
                memcpy(is_spared, attempt, count * sizeof *attempt);
        }
    }
    free(attempt);
}

static void print_faults(const struct sim_options *options, const bool *is_spared) {
    struct sim *sim = calloc(1, sizeof *sim);
    CHECK(sim);
    sim->options = *options;
    sim->weather = sim_weather_of(options->seed, options->node_count);
    sim_faults_open(&sim->faults, sim);
    for (size_t i = 0; i < sim->faults.count; i++) {
        char text[128];
        sim_fault_print(&sim->faults.faults[i], text, sizeof text);
        if (!is_spared[i])
            printf("  fault %zu: %s\n", i, text);
    }
    sim_faults_close(&sim->faults);
    free(sim);
}

void sim_minimise(const struct sim_options *options) {
    struct sim_options last = *options;
    struct sim_result result;
    last.is_verbose = false;
    sim_run(&last, &result);
    bool *is_spared = calloc(result.fault_count + 1, sizeof *is_spared);
    CHECK(is_spared);
    shrink(options, is_spared, result.fault_count);
    printf("seed %" PRIu64 " still fails with these faults:\n", options->seed);
    print_faults(options, is_spared);
    last = *options;
    last.is_spared = is_spared;
    sim_run(&last, &result);
    printf("  %s\n", result.failure);
    free(is_spared);
}
