/* What kind of world a seed makes: how large, how slow, how bad. Each seed leaves some dangers out
 * (swarm testing: a bug hides behind another fault as often as behind none). */
#ifndef PHALANX_SIM_WEATHER_H
#define PHALANX_SIM_WEATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NODES_MAX ((size_t)7)
#define SIM_CLIENTS_MAX ((size_t)8)
#define SIM_KEYS_MAX ((size_t)4)

struct sim_weather {
    size_t node_count;
    size_t voter_count;   /* of the founding configuration */
    size_t learner_count; /* likewise; the nodes after these are blank */
    size_t client_count;
    size_t reader_count; /* of them: these only read, so that no write ever holds them up */
    size_t key_count;
    uint64_t think_us; /* between two operations of a client */
    uint64_t reads_percent;
    uint64_t request_ids_percent; /* writes that carry one */
    uint64_t wander_percent;      /* requests that go to any node */

    uint64_t election_ms;
    uint64_t heartbeat_ms;
    uint64_t commit_tell_ms;
    bool has_lease_reads;
    bool has_own_timeouts;  /* each start of a node declares a timeout of its own */
    uint64_t drift_percent; /* clocks run so much too fast or too slow at most */
    uint64_t turn_us;       /* from an event to the turn that takes it */

    uint64_t delay_us;      /* of a message, median */
    uint64_t straggler_ppm; /* messages that take up to three election timeouts */
    uint64_t loss_ppm;
    uint64_t double_ppm;
    bool is_fifo; /* links keep the order of what they do not lose */

    uint64_t sync_us; /* of the disk, median */
    uint64_t flush_ms;
    uint64_t keep_entries; /* in the log behind the flush */
    uint64_t hold_bytes;   /* for a transfer that is under way */

    uint64_t fault_gap_us; /* between the beginnings of two faults, mean */
    uint64_t fault_kinds;  /* enum sim_fault_kind, bits */
    uint64_t storm_us;     /* how long there are faults */
};

/* `node_count` 0: the seed decides. */
struct sim_weather sim_weather_of(uint64_t seed, size_t node_count);

#endif
