#include "load_options.h"

#include "bounds.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct target targets[] = {
    {"phalanx", "/phalanx.v1.KVService/Put", "/phalanx.v1.KVService/Get"},
    {"echo", "/phalanx.v1.KVService/Put", "/phalanx.v1.KVService/Get"},
    {"etcd", "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"},
};

static const char *const ops[] = {
    [OP_PUT] = "put",
    [OP_GET] = "get",
    [OP_MIXED] = "mixed",
    [OP_FILL] = "fill",
};

const char *op_name(enum op op) {
    return ops[op];
}

void options_usage(const char *wrong) {
    if (wrong != NULL)
        fprintf(stderr, "phalanx-load: %s\n", wrong);
    fputs("usage: phalanx-load [-addr HOST:PORT[,...]] [-target phalanx|etcd|echo]\n"
          "  [-op put|get|mixed|fill] [-inflight N] [-rate N] [-connections N] [-keys N]\n"
          "  [-value-bytes N] [-seconds S | -requests N] [-warmup S] [-timeout MS] [-seed N]\n"
          "fill puts every key once. -inflight counts over all connections; these take turns at\n"
          "the addresses. With -rate, calls begin at so many random moments a second whatever the\n"
          "answers do, and are timed from these moments, also when -inflight leaves no room yet.\n",
          wrong != NULL ? stderr : stdout);
    exit(wrong != NULL ? 2 : 0);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        options_usage("a number is out of its range");
    return value;
}

static double seconds(const char *text) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 86400))
        options_usage("seconds: 0 to 86400");
    return value;
}

static const struct target *target_named(const char *name) {
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    options_usage("-target: phalanx, etcd or echo");
}

static enum op op_named(const char *name) {
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i], name) == 0)
            return (enum op)i;
    options_usage("-op: put, get, mixed or fill");
}

static void set_option(struct options *options, int option, const char *text) {
    switch (option) {
    case 'a': options->addresses = text; break;
    case 't': options->target = target_named(text); break;
    case 'o': options->op = op_named(text); break;
    case 'p': options->rate = number(text, 1, 1000000); break;
    case 'i': options->inflight = number(text, 1, 100000); break;
    case 'c': options->connections = number(text, 1, CONNECTIONS_MAX); break;
    case 'k': options->keys = number(text, 1, 1000000000); break;
    case 'v': options->value_bytes = number(text, 0, VALUE_BYTES_MAX); break;
    case 's': options->seconds = seconds(text); break;
    case 'r': options->requests = number(text, 1, UINT64_MAX); break;
    case 'w': options->warmup_s = seconds(text); break;
    case 'd': options->timeout_ms = number(text, 1, 3600000); break;
    case 'e': options->seed = number(text, 1, UINT64_MAX); break;
    case 'h': options_usage(NULL);
    default: options_usage("no such option");
    }
}

static void check_together(struct options *options) {
    if (options->op == OP_FILL) {
        options->requests = options->keys;
        options->warmup_s = 0;
    }
    if (options->rate > 0 && options->requests > 0)
        options_usage("-rate: for -seconds, of put, get or mixed");
}

struct options options_parse(int argc, char **argv) {
    static const struct option names[] = {
        {"addr", required_argument, NULL, 'a'},
        {"target", required_argument, NULL, 't'},
        {"op", required_argument, NULL, 'o'},
        {"inflight", required_argument, NULL, 'i'},
        {"keys", required_argument, NULL, 'k'},
        {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"value-bytes", required_argument, NULL, 'v'},
        {"requests", required_argument, NULL, 'r'},
        {"warmup", required_argument, NULL, 'w'},
        {"timeout", required_argument, NULL, 'd'},
        {"seed", required_argument, NULL, 'e'},
        {"rate", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {
        .addresses = "127.0.0.1:9000",
        .target = &targets[0],
        .inflight = 64,
        .connections = 1,
        .keys = 100000,
        .value_bytes = 64,
        .seconds = 5,
        .warmup_s = 1,
        .timeout_ms = 10000,
        .seed = 1,
    };
    int option;
    while ((option = getopt_long_only(argc, argv, "", names, NULL)) != -1)
        set_option(&options, option, optarg);
    if (optind != argc)
        options_usage("takes no arguments");
    check_together(&options);
    return options;
}
