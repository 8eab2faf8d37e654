/* What phalanx-load is told to do. */
#ifndef PHALANX_BENCH_LOAD_OPTIONS_H
#define PHALANX_BENCH_LOAD_OPTIONS_H

#include <stdint.h>

#define CONNECTIONS_MAX 256

enum op { OP_PUT, OP_GET, OP_MIXED, OP_FILL };

struct target {
    const char *name;
    const char *put; /* methods */
    const char *get;
};

struct options {
    const char *addresses; /* HOST:PORT[,...] */
    const struct target *target;
    enum op op;
    uint64_t rate; /* calls begun a second; 0: each completion begins the next */
    uint64_t inflight;
    uint64_t connections; /* at most CONNECTIONS_MAX */
    uint64_t keys;
    uint64_t value_bytes;
    double seconds;
    uint64_t requests; /* 0: until `seconds` have passed */
    double warmup_s;
    uint64_t timeout_ms;
    uint64_t seed;
};

/* Ends the program when asked for help, or with `wrong`. */
_Noreturn void options_usage(const char *wrong);

/* Ends the program when an argument is wrong. Borrows `argv`. */
struct options options_parse(int argc, char **argv);

const char *op_name(enum op op);

#endif
