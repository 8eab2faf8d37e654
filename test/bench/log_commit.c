/* What one synced commit of the log costs, with nothing around it: a thread that writes batches of
 * puts, one after the other, as the log writer does. Prints a line of JSON.
 *
 *   log_commit DIRECTORY SECONDS [EARLIER]
 *
 * The directory must be new or empty. EARLIER entries are written first, in larger batches, and cut
 * as a server would: a log that has lived has been through several segments. */
#include "histogram.h"
#include "kv/kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A put of a 16-byte key and a 256-byte value, as a command. */
#define PAYLOAD_BYTES ((size_t)304)

#define RESERVE_BYTES (16 * MIB) /* the server's default */
#define KEEP_ENTRIES ((raft_index)10000)
#define EARLIER_PER_BATCH ((size_t)64)

struct bench {
    struct kv_log *log;
    struct raft_entry entries[EARLIER_PER_BATCH];
    raft_index last;
    raft_index first;
    struct histogram latencies_ns;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void commit(struct bench *bench, size_t count) {
    for (size_t i = 0; i < count; i++)
        bench->entries[i].index = ++bench->last;
    struct kv_log_batch batch = {.entries = bench->entries, .entry_count = count};
    const struct kv_log_batch *batches[] = {&batch};
    CHECK(kv_log_write(bench->log, batches, 1) == STATUS_OK);
}

static void make_entries(struct bench *bench) {
    static uint8_t payload[PAYLOAD_BYTES];
    for (size_t i = 0; i < EARLIER_PER_BATCH; i++)
        bench->entries[i] = (struct raft_entry){.term = 1,
                                                .type = RAFT_ENTRY_COMMAND,
                                                .payload = bytes_of(payload, sizeof payload)};
}

static void write_earlier(struct bench *bench, raft_index count) {
    while (bench->last < count)
        commit(bench, EARLIER_PER_BATCH);
    while (bench->last > bench->first + KEEP_ENTRIES)
        CHECK(kv_log_cut(bench->log, bench->last - KEEP_ENTRIES, &bench->first) == STATUS_OK);
}

static void measure(struct bench *bench, double seconds) {
    uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    for (uint64_t started_ns = now_ns(); started_ns < end_ns; started_ns = now_ns()) {
        commit(bench, 1);
        histogram_add(&bench->latencies_ns, now_ns() - started_ns);
    }
}

int main(int argc, char **argv) {
    static struct bench bench;
    struct kv_directory *directory;
    struct kv_log_summary summary;
    struct kv_log_options options = {.default_name = "bench",
                                     .is_sole_voter = true,
                                     .reserve_bytes = RESERVE_BYTES};
    if (argc < 3) {
        fprintf(stderr, "usage: log_commit DIRECTORY SECONDS [EARLIER]\n");
        return 2;
    }
    if (kv_directory_open(argv[1], &directory) != STATUS_OK ||
        kv_log_open(directory, &options, &bench.log, &summary) != STATUS_OK) {
        fprintf(stderr, "log_commit: cannot use %s\n", argv[1]);
        return 1;
    }
    bench.first = summary.first_index;
    bench.last = summary.last_index;
    make_entries(&bench);
    write_earlier(&bench, argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
    measure(&bench, strtod(argv[2], NULL));
    printf("{\"commits\":%" PRIu64 ",\"p50_us\":%.1f,\"p99_us\":%.1f}\n", bench.latencies_ns.total,
           (double)histogram_quantile(&bench.latencies_ns, 0.5) / 1e3,
           (double)histogram_quantile(&bench.latencies_ns, 0.99) / 1e3);
    kv_log_close(bench.log);
    kv_directory_close(directory);
    return 0;
}
