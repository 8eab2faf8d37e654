/* founding-sim: blank machines found a cluster, a seed each. */
#include "founding/duel.h"
#include "founding/world.h"
#include "sim/usage.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

struct settings {
    uint64_t first, last;
    bool is_verbose;
    bool goes_on; /* after a failure */
    const char *plant;
};

struct totals {
    uint64_t runs, failures, first_failure, faults, messages, identities, elapsed_ms;
    uint64_t slowest_retries, slowest_seed;
};

static const struct usage usage = {
    "founding-sim",
    "usage: founding-sim [--seed N | --seeds A..B] [--verbose] [--go-on] [--plant NAME]\n"
    "  --seed N      one run: the same seed gives the same run\n"
    "  --seeds A..B  many; stops at the first one that fails\n"
    "  --verbose     what happens, line by line\n"
    "  --go-on       do not stop at a failure\n"
    "  --plant NAME  with that bug (in founding-sim-planted); `list` names them\n",
};

static struct settings settings_of(int argc, char **argv) {
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},  {"seeds", required_argument, NULL, 'r'},
        {"verbose", no_argument, NULL, 'v'},     {"go-on", no_argument, NULL, 'g'},
        {"plant", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    struct settings s = {.first = 1, .last = 100};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 's': s.first = s.last = usage_number(&usage, optarg); break;
        case 'r': usage_range(&usage, optarg, &s.first, &s.last); break;
        case 'v': s.is_verbose = true; break;
        case 'g': s.goes_on = true; break;
        case 'p': s.plant = optarg; break;
        default: usage_refuse(&usage, "what is that?");
        }
    if (optind != argc)
        usage_refuse(&usage, "what is that?");
    return s;
}

static void add(struct totals *t, const struct world *w) {
    t->runs++;
    t->faults += w->fault_count;
    t->messages += w->message_count;
    t->identities += w->identity_count;
    t->elapsed_ms += w->now_ms;
    if (w->verdict.has_failed) {
        if (t->failures++ == 0)
            t->first_failure = w->seed;
        return;
    }
    uint64_t retries = (w->settled_ms - w->faults_end_ms) / w->retry_ms;
    if (w->settled_ms > w->faults_end_ms && retries > t->slowest_retries) {
        t->slowest_retries = retries;
        t->slowest_seed = w->seed;
    }
}

static void report(const struct settings *s, const struct world *w) {
    if (w->verdict.has_failed)
        printf("seed %" PRIu64 " FAILED: %s\n  again: founding-sim --seed %" PRIu64 "%s%s\n",
               w->seed, w->verdict.failure, w->seed, s->plant ? " --plant " : "",
               s->plant ? s->plant : "");
    if (s->first == s->last)
        printf("seed %" PRIu64 " digest %016" PRIx64 " simulated %.1f s, %zu faults, %zu "
               "messages, %zu identities\n",
               w->seed, w->digest, (double)w->now_ms / 1e3, w->fault_count, w->message_count,
               w->identity_count);
}

static void sum_up(const struct settings *s, const struct totals *t) {
    printf("%" PRIu64 " runs, %" PRIu64 " failed", t->runs, t->failures);
    if (t->failures > 0)
        printf(" (first: seed %" PRIu64 ", after %" PRIu64 ")", t->first_failure,
               t->first_failure - s->first + 1);
    printf("; %" PRIu64 " faults, %" PRIu64 " identities, %" PRIu64 " messages in %.0f s; one "
           "cluster at most %" PRIu64 " retries after the last fault (seed %" PRIu64 ")\n",
           t->faults, t->identities, t->messages, (double)t->elapsed_ms / 1e3, t->slowest_retries,
           t->slowest_seed);
}

int main(int argc, char **argv) {
    struct settings s = settings_of(argc, argv);
    if (s.plant && !plant_choose(s.plant))
        return 2;
    struct world *w = malloc(sizeof *w);
    CHECK(w);
    struct totals totals = {0};
    for (uint64_t seed = s.first; seed <= s.last; seed++) {
        world_run(w, seed, s.is_verbose);
        const char *failure = duel_run(seed);
        if (failure)
            verdict_fail(&w->verdict, "in a duel: %s", failure);
        add(&totals, w);
        report(&s, w);
        if (w->verdict.has_failed && !s.goes_on)
            break;
    }
    sum_up(&s, &totals);
    free(w);
    return totals.failures > 0;
}
