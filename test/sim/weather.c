#include "sim/weather.h"

#include "sim/faults.h"
#include "sim/random.h"

static uint64_t one_of(struct sim_random *random, const uint64_t *values, size_t count) {
    return values[sim_random_below(random, count)];
}

#define ONE_OF(random, ...) \
    one_of(random, (const uint64_t[]){__VA_ARGS__}, \
           sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* Three and five voters are what people run; the others are for the odd corners. */
static void size_cluster(struct sim_weather *w, struct sim_random *random, size_t node_count) {
    w->node_count = node_count ? node_count : ONE_OF(random, 1, 2, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7);
    w->voter_count = w->node_count;
    if (w->node_count > 3 && sim_random_percent(random, 60))
        w->voter_count = 3;
    else if (w->node_count > 1 && sim_random_percent(random, 15))
        w->voter_count = (size_t)sim_random_between(random, 1, w->node_count);
    w->learner_count = (size_t)sim_random_below(random, w->node_count - w->voter_count + 1);
}

static void draw_clients(struct sim_weather *w, struct sim_random *random) {
    w->client_count = (size_t)sim_random_between(random, 2, SIM_CLIENTS_MAX);
    w->reader_count = (size_t)sim_random_below(random, w->client_count);
    w->key_count = (size_t)sim_random_between(random, 1, SIM_KEYS_MAX);
    w->think_us = ONE_OF(random, 5000, 20000, 60000, 200000);
    w->reads_percent = ONE_OF(random, 20, 50, 50, 70);
    w->request_ids_percent = ONE_OF(random, 0, 80, 100);
    w->wander_percent = ONE_OF(random, 5, 20, 50);
}

static void draw_time(struct sim_weather *w, struct sim_random *random) {
    w->election_ms = ONE_OF(random, 300, 500, 1000);
    w->heartbeat_ms = w->election_ms * ONE_OF(random, 2, 3, 3) / 10;
    w->has_lease_reads = sim_random_percent(random, 70);
    w->has_own_timeouts = sim_random_percent(random, 50);
    w->drift_percent = ONE_OF(random, 0, 5, 20, 20);
    w->turn_us = ONE_OF(random, 20, 100, 1000);
}

static void draw_network(struct sim_weather *w, struct sim_random *random) {
    w->delay_us = ONE_OF(random, 200, 1000, 5000, 20000);
    w->straggler_ppm = ONE_OF(random, 0, 0, 1000, 20000);
    w->loss_ppm = ONE_OF(random, 0, 0, 1000, 20000, 100000);
    w->double_ppm = ONE_OF(random, 0, 0, 10000, 100000);
    w->is_fifo = sim_random_percent(random, 50);
}

static void draw_delays(struct sim_weather *w, struct sim_random *random) {
    w->commit_tell_ms = ONE_OF(random, 0, 4, 4, 50);
}

static void draw_disk(struct sim_weather *w, struct sim_random *random) {
    w->sync_us = ONE_OF(random, 100, 1000, 5000, 30000);
    w->flush_ms = ONE_OF(random, 200, 1000, 5000);
    w->keep_entries = ONE_OF(random, 0, 10, 200, 2000);
    w->hold_bytes = ONE_OF(random, 0, 2000, 1 << 20);
}

static void draw_faults(struct sim_weather *w, struct sim_random *random) {
    w->fault_gap_us = ONE_OF(random, 150, 300, 600, 1500, 4000) * 1000;
    w->storm_us = sim_random_between(random, 8, 20) * 1000000;
    for (uint64_t kind = 0; kind < SIM_FAULT_KINDS; kind++)
        if (sim_random_percent(random, 60))
            w->fault_kinds |= UINT64_C(1) << kind;
}

struct sim_weather sim_weather_of(uint64_t seed, size_t node_count) {
    struct sim_random random = sim_random_of(seed, SIM_STREAM_WEATHER);
    struct sim_weather weather = {0};
    size_cluster(&weather, &random, node_count);
    draw_clients(&weather, &random);
    draw_time(&weather, &random);
    draw_network(&weather, &random);
    draw_disk(&weather, &random);
    draw_faults(&weather, &random);
    draw_delays(&weather, &random);
    return weather;
}
