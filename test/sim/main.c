/* phalanx-sim: simulated clusters, a seed each. */
#include "sim/minimise.h"
#include "sim/plants.h"
#include "sim/usage.h"

#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct settings {
    struct sim_options options;
    uint64_t first;
    uint64_t last;
    uint64_t jobs;
    bool is_minimising;
    bool goes_on; /* after a failure */
    const char *plant;
};

/* Shared by the processes of one call. */
struct totals {
    uint64_t runs[64]; /* by job */
    uint64_t failures[64];
    uint64_t first_failure[64]; /* UINT64_MAX: none */
    uint64_t elapsed_us[64];
    uint64_t ops[64];
    uint64_t installs[64];
    uint64_t faults[64];
    uint64_t losses[64]; /* of identities */
    uint64_t unnoticed[64];
    uint64_t cpu_us[64];
};

static const struct usage usage = {
    "phalanx-sim",
    "usage: phalanx-sim [--seed N | --seeds A..B] [--nodes N] [--jobs N] [--verbose] [--blind]\n"
    "                   [--minimise] [--go-on] [--plant NAME]\n"
    "  --seed N      one run: the same seed gives the same run, to the last bit\n"
    "  --seeds A..B  many; stops at the first one that fails\n"
    "  --nodes N     1 to 7; else the seed decides\n"
    "  --jobs N      processes at a time\n"
    "  --verbose     what happens, line by line\n"
    "  --blind       only the checkers that see what a user could\n"
    "  --minimise    leave out faults while the run still fails\n"
    "  --go-on       do not stop at a failure\n"
    "  --plant NAME  with that bug (in phalanx-sim-planted); `list` names them\n",
};

static struct settings settings_of(int argc, char **argv) {
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},  {"seeds", required_argument, NULL, 'r'},
        {"nodes", required_argument, NULL, 'n'}, {"jobs", required_argument, NULL, 'j'},
        {"verbose", no_argument, NULL, 'v'},     {"blind", no_argument, NULL, 'b'},
        {"minimise", no_argument, NULL, 'm'},    {"go-on", no_argument, NULL, 'g'},
        {"plant", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    struct settings s = {.first = 1, .last = 100, .jobs = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 's': s.first = s.last = usage_number(&usage, optarg); break;
        case 'r': usage_range(&usage, optarg, &s.first, &s.last); break;
        case 'n': s.options.node_count = (size_t)usage_number(&usage, optarg); break;
        case 'j': s.jobs = usage_number(&usage, optarg); break;
        case 'v': s.options.is_verbose = true; break;
        case 'b': s.options.is_blind = true; break;
        case 'm': s.is_minimising = true; break;
        case 'g': s.goes_on = true; break;
        case 'p': s.plant = optarg; break;
        default: usage_refuse(&usage, "what is that?");
        }
    if (s.options.node_count > SIM_NODES_MAX || s.jobs < 1 || s.jobs > 64 || optind != argc)
        usage_refuse(&usage, "out of range");
    return s;
}

static void report(const struct settings *s, const struct sim_result *result, uint64_t seed) {
    if (result->has_failed) {
        printf("seed %" PRIu64 " FAILED: %s\n", seed, result->failure);
        printf("  again: phalanx-sim --seed %" PRIu64, seed);
        if (s->options.node_count != 0)
            printf(" --nodes %zu", s->options.node_count);
        printf("%s%s%s\n", s->options.is_blind ? " --blind" : "", s->plant ? " --plant " : "",
               s->plant ? s->plant : "");
    }
    if (s->first == s->last)
        printf("seed %" PRIu64 " digest %016" PRIx64 " simulated %.1f s, %zu faults, %zu "
               "operations, log %" PRIu64 "\n",
               seed, result->digest, (double)result->elapsed_us / 1e6, result->fault_count,
               result->op_count, result->applied);
    fflush(stdout);
}

static uint64_t cpu_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void run_job(const struct settings *s, struct totals *totals, uint64_t job) {
    struct sim_options options = s->options;
    totals->first_failure[job] = UINT64_MAX;
    for (uint64_t seed = s->first + job; seed <= s->last; seed += s->jobs) {
        struct sim_result result;
        options.seed = seed;
        sim_run(&options, &result);
        report(s, &result, seed);
        totals->runs[job]++;
        totals->elapsed_us[job] += result.elapsed_us;
        totals->ops[job] += result.op_count;
        totals->installs[job] += result.install_count;
        totals->faults[job] += result.fault_count;
        totals->losses[job] += result.loss_count;
        totals->unnoticed[job] += result.unnoticed_count;
        totals->cpu_us[job] = cpu_us();
        if (!result.has_failed)
            continue;
        totals->failures[job]++;
        if (totals->first_failure[job] == UINT64_MAX)
            totals->first_failure[job] = seed;
        if (s->is_minimising)
            sim_minimise(&options);
        if (!s->goes_on)
            break;
    }
}

static void run_jobs(const struct settings *s, struct totals *totals) {
    for (uint64_t job = 1; job < s->jobs; job++) {
        pid_t child = fork();
        if (child < 0)
            usage_refuse(&usage, "no more processes");
        if (child == 0) {
            run_job(s, totals, job);
            exit(0);
        }
    }
    run_job(s, totals, 0);
    while (wait(NULL) > 0)
        continue;
}

static bool sum_up(const struct settings *s, const struct totals *totals) {
    uint64_t runs = 0, failures = 0, elapsed_us = 0, ops = 0, installs = 0, used_us = 0,
             first = UINT64_MAX;
    uint64_t faults = 0, losses = 0, unnoticed = 0;
    for (uint64_t job = 0; job < s->jobs; job++) {
        runs += totals->runs[job];
        failures += totals->failures[job];
        elapsed_us += totals->elapsed_us[job];
        ops += totals->ops[job];
        installs += totals->installs[job];
        faults += totals->faults[job];
        losses += totals->losses[job];
        unnoticed += totals->unnoticed[job];
        used_us += totals->cpu_us[job];
        if (totals->first_failure[job] < first)
            first = totals->first_failure[job];
    }
    printf("%" PRIu64 " runs, %" PRIu64 " failed", runs, failures);
    if (failures > 0)
        printf(" (first: seed %" PRIu64 ", after %" PRIu64 ")", first, first - s->first + 1);
    printf("; %.0f s of cluster time in %.1f s of CPU: %.0f times real time, %" PRIu64
           " operations, %" PRIu64 " snapshots installed, %" PRIu64 " faults, %" PRIu64
           " identities lost, %" PRIu64 " of them rolled back unnoticed\n",
           (double)elapsed_us / 1e6, (double)used_us / 1e6,
           (double)elapsed_us / (double)(used_us + 1), ops, installs, faults, losses, unnoticed);
    return failures == 0;
}

int main(int argc, char **argv) {
    struct settings s = settings_of(argc, argv);
    if (s.plant && !plant_choose(s.plant))
        return 2;
    /* An engine's large tables are mostly never touched: leave them to the kernel's zero pages. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    struct totals *totals =
        mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (totals == MAP_FAILED)
        usage_refuse(&usage, "no memory");
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    fflush(stdout);
    run_jobs(&s, totals);
    return sum_up(&s, totals) ? 0 : 1;
}
