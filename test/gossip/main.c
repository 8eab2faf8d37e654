/* gossip-sim: nodes that gossip, a seed each. */
#include "gossip/world.h"
#include "sim/usage.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

struct settings {
    uint64_t first, last;
    uint64_t calm_hours; /* 0: storms */
    bool is_verbose;
    bool goes_on; /* after a failure */
    const char *plant;
};

struct totals {
    uint64_t runs, failures, first_failure, faults, mails, suspicions, elapsed_ms;
    uint64_t heal_ms, heal_seed, death_percent, death_seed;
    double bytes_per_s;
};

static const struct usage usage = {
    "gossip-sim",
    "usage: gossip-sim [--seed N | --seeds A..B] [--calm HOURS] [--verbose] [--go-on]\n"
    "                  [--plant NAME]\n"
    "  --seed N      one run: the same seed gives the same run\n"
    "  --seeds A..B  many; stops at the first one that fails\n"
    "  --calm HOURS  no storm, but so many hours in which nobody healthy may be called dead\n"
    "  --verbose     what happens, line by line\n"
    "  --go-on       do not stop at a failure\n"
    "  --plant NAME  with that bug (in gossip-sim-planted); `list` names them\n",
};

static struct settings settings_of(int argc, char **argv) {
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'r'},
        {"calm", required_argument, NULL, 'c'},
        {"verbose", no_argument, NULL, 'v'},
        {"go-on", no_argument, NULL, 'g'},
        {"plant", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    struct settings s = {.first = 1, .last = 100};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 's': s.first = s.last = usage_number(&usage, optarg); break;
        case 'r': usage_range(&usage, optarg, &s.first, &s.last); break;
        case 'c': s.calm_hours = usage_number(&usage, optarg); break;
        case 'v': s.is_verbose = true; break;
        case 'g': s.goes_on = true; break;
        case 'p': s.plant = optarg; break;
        default: usage_refuse(&usage, "what is that?");
        }
    if (optind != argc)
        usage_refuse(&usage, "what is that?");
    return s;
}

static void note_slowest(uint64_t *slowest, uint64_t *slowest_seed, uint64_t value, uint64_t seed) {
    if (value <= *slowest)
        return;
    *slowest = value;
    *slowest_seed = seed;
}

static void add(struct totals *t, const struct world *w) {
    t->runs++;
    t->faults += w->fault_count;
    t->mails += w->mail_total;
    t->elapsed_ms += w->now_ms;
    t->suspicions += w->suspicion_count;
    t->bytes_per_s = w->bytes_per_s > t->bytes_per_s ? w->bytes_per_s : t->bytes_per_s;
    if (w->verdict.has_failed && t->failures++ == 0)
        t->first_failure = w->seed;
    note_slowest(&t->heal_ms, &t->heal_seed, w->heal_ms, w->seed);
    note_slowest(&t->death_percent, &t->death_seed, w->death_percent, w->seed);
}

static void report(const struct settings *s, const struct world *w) {
    if (w->verdict.has_failed)
        printf("seed %" PRIu64 " FAILED: %s\n  again: gossip-sim --seed %" PRIu64 "%s%s%s\n",
               w->seed, w->verdict.failure, w->seed, w->is_calm ? " --calm 10" : "",
               s->plant ? " --plant " : "", s->plant ? s->plant : "");
    if (s->first == s->last)
        printf("seed %" PRIu64 " digest %016" PRIx64 " simulated %.1f s, %zu faults, %zu "
               "datagrams\n",
               w->seed, w->digest, (double)w->now_ms / 1e3, w->fault_count, w->mail_total);
}

static void sum_up(const struct settings *s, const struct totals *t) {
    printf("%" PRIu64 " runs, %" PRIu64 " failed", t->runs, t->failures);
    if (t->failures > 0)
        printf(" (first: seed %" PRIu64 ", after %" PRIu64 ")", t->first_failure,
               t->first_failure - s->first + 1);
    printf("; %" PRIu64 " faults, %" PRIu64 " datagrams in %.0f s; ", t->faults, t->mails,
           (double)t->elapsed_ms / 1e3);
    if (s->calm_hours > 0)
        printf("at most %.0f bytes/s a node, %" PRIu64 " suspicions\n", t->bytes_per_s,
               t->suspicions);
    else
        printf("healed within %.1f s (seed %" PRIu64 "), death known within %" PRIu64
               " %% of the bound (seed %" PRIu64 ")\n",
               (double)t->heal_ms / 1e3, t->heal_seed, t->death_percent, t->death_seed);
}

int main(int argc, char **argv) {
    struct settings s = settings_of(argc, argv);
    if (s.plant && !plant_choose(s.plant))
        return 2;
    struct world *w = malloc(sizeof *w);
    CHECK(w);
    struct totals totals = {0};
    for (uint64_t seed = s.first; seed <= s.last; seed++) {
        if (s.calm_hours > 0)
            world_calm(w, seed, s.calm_hours, s.is_verbose);
        else
            world_storm(w, seed, s.is_verbose);
        add(&totals, w);
        report(&s, w);
        if (w->verdict.has_failed && !s.goes_on)
            break;
    }
    sum_up(&s, &totals);
    free(w);
    return totals.failures > 0;
}
