/* phalanx-load: keeps a number of calls in flight and prints one line of JSON about them.
 *
 *   phalanx-load -addr 127.0.0.1:9000 -op put -inflight 64 -seconds 10
 *
 * One thread starts calls and takes completions. Answers are not decoded, as only their status
 * counts. etcd's PutRequest{key=1,value=2} and RangeRequest{key=1} have the same bytes as ours, so
 * with -target etcd only the methods' names differ. */
#include "histogram.h"
#include "rpc/rpc.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define CONNECTIONS_MAX 256
#define CODES 17

enum op { OP_PUT, OP_GET, OP_MIXED, OP_FILL };

struct target {
    const char *name;
    const char *put;
    const char *get;
};

static const struct target targets[] = {
    {"phalanx", "/phalanx.v1.KVService/Put", "/phalanx.v1.KVService/Get"},
    {"echo", "/phalanx.v1.KVService/Put", "/phalanx.v1.KVService/Get"},
    {"etcd", "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"},
};

struct options {
    const char *addresses;
    const struct target *target;
    enum op op;
    uint64_t inflight;
    uint64_t connections;
    uint64_t keys;
    uint64_t value_bytes;
    double seconds;
    uint64_t requests; /* 0: until `seconds` have passed */
    double warmup_s;
    uint64_t timeout_ms;
    uint64_t seed;
};

/* What is counted between the end of the warm-up and the end. */
struct tally {
    struct histogram latencies_ns;
    uint64_t codes[CODES];
    uint64_t others;
    uint64_t calls; /* completed, warm-up and end included */
    uint64_t started_ns;
    uint64_t ended_ns;
    uint64_t cpu_started_us;
    uint64_t cpu_ended_us;
};

/* One of the calls in flight; started anew when it completes. */
struct lane {
    struct rpc_client *client;
    uint64_t started_ns;
};

struct load {
    struct options options;
    struct rpc_queue *queue;
    struct rpc_client *clients[CONNECTIONS_MAX];
    struct lane *lanes;
    uint64_t random;
    uint64_t next_key; /* to fill */
    uint8_t *message;  /* a PutRequest; a GetRequest is its first part, the key */
    size_t put_bytes;  /* of the whole message */
    struct tally tally;
    bool is_counting;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* xorshift64*: which key, and put or get. */
static uint64_t next_random(struct load *load) {
    load->random ^= load->random >> 12;
    load->random ^= load->random << 25;
    load->random ^= load->random >> 27;
    return load->random * 0x2545f4914f6cdd1d;
}

/* ---- Options ------------------------------------------------------------------------------- */

static _Noreturn void usage(const char *wrong) {
    if (wrong != NULL)
        fprintf(stderr, "phalanx-load: %s\n", wrong);
    fputs("usage: phalanx-load [-addr HOST:PORT[,...]] [-target phalanx|etcd|echo]\n"
          "  [-op put|get|mixed|fill] [-inflight N] [-connections N] [-keys N] [-value-bytes N]\n"
          "  [-seconds S | -requests N] [-warmup S] [-timeout MS] [-seed N]\n"
          "fill puts every key once. -inflight counts over all connections; these take turns at\n"
          "the addresses.\n",
          wrong != NULL ? stderr : stdout);
    exit(wrong != NULL ? 2 : 0);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max)
        usage("a number is out of its range");
    return value;
}

static double seconds(const char *text) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 86400))
        usage("seconds: 0 to 86400");
    return value;
}

static const struct target *target_named(const char *name) {
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    usage("-target: phalanx, etcd or echo");
}

static enum op op_named(const char *name) {
    if (strcmp(name, "put") == 0)
        return OP_PUT;
    if (strcmp(name, "get") == 0)
        return OP_GET;
    if (strcmp(name, "mixed") == 0)
        return OP_MIXED;
    if (strcmp(name, "fill") == 0)
        return OP_FILL;
    usage("-op: put, get, mixed or fill");
}

static void set_option(struct options *options, int option, const char *text) {
    switch (option) {
    case 'a': options->addresses = text; break;
    case 't': options->target = target_named(text); break;
    case 'o': options->op = op_named(text); break;
    case 'i': options->inflight = number(text, 1, 100000); break;
    case 'c': options->connections = number(text, 1, CONNECTIONS_MAX); break;
    case 'k': options->keys = number(text, 1, 1000000000); break;
    case 'v': options->value_bytes = number(text, 0, VALUE_BYTES_MAX); break;
    case 's': options->seconds = seconds(text); break;
    case 'r': options->requests = number(text, 1, UINT64_MAX); break;
    case 'w': options->warmup_s = seconds(text); break;
    case 'd': options->timeout_ms = number(text, 1, 3600000); break;
    case 'e': options->seed = number(text, 1, UINT64_MAX); break;
    case 'h': usage(NULL);
    default: usage("no such option");
    }
}

static struct options parse_options(int argc, char **argv) {
    static const struct option names[] = {
        {"addr", required_argument, NULL, 'a'},     {"target", required_argument, NULL, 't'},
        {"op", required_argument, NULL, 'o'},       {"inflight", required_argument, NULL, 'i'},
        {"keys", required_argument, NULL, 'k'},     {"connections", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},  {"value-bytes", required_argument, NULL, 'v'},
        {"requests", required_argument, NULL, 'r'}, {"warmup", required_argument, NULL, 'w'},
        {"timeout", required_argument, NULL, 'd'},  {"seed", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
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
        usage("takes no arguments");
    if (options.op == OP_FILL) {
        options.requests = options.keys;
        options.warmup_s = 0;
    }
    return options;
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* Every key has as many bytes, so that the message is made once and only digits change. */
#define KEY_BYTES 16

static size_t put_length(uint8_t *to, size_t length) {
    size_t size = 0;
    for (; length >= 0x80; length >>= 7)
        to[size++] = (uint8_t)(length | 0x80);
    to[size++] = (uint8_t)length;
    return size;
}

/* Field 1, the key, then field 2, the value. */
static void make_message(struct load *load) {
    size_t value_bytes = load->options.value_bytes;
    uint8_t *at = malloc(2 + KEY_BYTES + 1 + 10 + value_bytes);
    CHECK(at != NULL);
    load->message = at;
    *at++ = 1 << 3 | 2;
    *at++ = KEY_BYTES;
    at += KEY_BYTES;
    *at++ = 2 << 3 | 2;
    at += put_length(at, value_bytes);
    for (size_t i = 0; i < value_bytes; i++) /* nothing that compresses */
        *at++ = (uint8_t)next_random(load);
    load->put_bytes = (size_t)(at - load->message);
}

/* "key-" and twelve digits. */
static void set_key(struct load *load) {
    bool is_fill = load->options.op == OP_FILL;
    uint64_t key = (is_fill ? load->next_key++ : next_random(load)) % load->options.keys;
    uint8_t *text = load->message + 2;
    memcpy(text, "key-", 4);
    for (int i = KEY_BYTES - 1; i >= 4; i--, key /= 10)
        text[i] = (uint8_t)('0' + key % 10);
}

/* ---- Calls --------------------------------------------------------------------------------- */

static bool is_put(struct load *load) {
    switch (load->options.op) {
    case OP_PUT:
    case OP_FILL: return true;
    case OP_GET: return false;
    case OP_MIXED: return (next_random(load) >> 32 & 1) != 0;
    }
    return false;
}

static void start(struct load *load, struct lane *lane) {
    const struct options *options = &load->options;
    bool puts = is_put(load);
    set_key(load);
    struct bytes body = bytes_of(load->message, puts ? load->put_bytes : 2 + KEY_BYTES);
    const char *method = puts ? options->target->put : options->target->get;
    lane->started_ns = now_ns();
    enum status status =
        rpc_client_start_method(lane->client, method, body, options->timeout_ms, lane);
    CHECK(status == STATUS_OK);
}

/* The lane whose call completed; NULL: none did. */
static struct lane *take(struct load *load, uint64_t wait_ms) {
    struct rpc_completion completion;
    if (rpc_queue_next(load->queue, wait_ms, &completion) != STATUS_OK)
        return NULL;
    struct lane *lane = completion.tag;
    load->tally.calls++;
    if (!load->is_counting)
        return lane;
    unsigned code = (unsigned)completion.outcome.code;
    if (code < CODES)
        load->tally.codes[code]++;
    else
        load->tally.others++;
    histogram_add(&load->tally.latencies_ns, now_ns() - lane->started_ns);
    return lane;
}

/* Every completion starts the next call, until the time is over or `requests` were counted. */
static void drive(struct load *load, double for_s, uint64_t requests) {
    uint64_t end_ns = now_ns() + (uint64_t)(for_s * 1e9);
    while (requests > 0 ? load->tally.latencies_ns.total < requests : now_ns() < end_ns) {
        struct lane *lane = take(load, 100);
        if (lane != NULL)
            start(load, lane);
    }
}

static void run(struct load *load) {
    const struct options *options = &load->options;
    for (uint64_t i = 0; i < options->inflight; i++)
        start(load, &load->lanes[i]);
    drive(load, options->warmup_s, 0);
    load->is_counting = true;
    load->tally.started_ns = now_ns();
    load->tally.cpu_started_us = cpu_us();
    drive(load, options->seconds, options->requests);
    load->tally.ended_ns = now_ns();
    load->tally.cpu_ended_us = cpu_us();
    load->is_counting = false;
    for (uint64_t left = options->inflight; left > 0;)
        left -= take(load, 1000) != NULL;
}

/* ---- The line ------------------------------------------------------------------------------ */

static void print_errors(const struct tally *tally) {
    const char *comma = "";
    printf("\"errors\":{");
    for (unsigned code = 1; code < CODES; code++) {
        if (tally->codes[code] == 0)
            continue;
        printf("%s\"%s\":%" PRIu64, comma, rpc_code_name((enum rpc_code)code), tally->codes[code]);
        comma = ",";
    }
    if (tally->others > 0)
        printf("%s\"other\":%" PRIu64, comma, tally->others);
    printf("}");
}

static void print_line(const struct load *load) {
    static const char *const ops[] = {"put", "get", "mixed", "fill"};
    const struct options *options = &load->options;
    const struct tally *tally = &load->tally;
    const struct histogram *latencies = &tally->latencies_ns;
    double took_s = (double)(tally->ended_ns - tally->started_ns) / 1e9;
    double count = latencies->total > 0 ? (double)latencies->total : 1;
    printf("{\"target\":\"%s\",\"op\":\"%s\",\"inflight\":%" PRIu64 ",\"connections\":%" PRIu64
           ",\"keys\":%" PRIu64 ",\"value_bytes\":%" PRIu64 ",\"seconds\":%.3f,",
           options->target->name, ops[options->op], options->inflight, options->connections,
           options->keys, options->value_bytes, took_s);
    printf("\"calls\":%" PRIu64 ",", tally->calls);
    printf("\"ok\":%" PRIu64 ",\"ops_per_second\":%.1f,", tally->codes[0],
           (double)tally->codes[0] / took_s);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,",
           (double)histogram_quantile(latencies, 0.5) / 1e3,
           (double)histogram_quantile(latencies, 0.99) / 1e3,
           (double)histogram_quantile(latencies, 0.999) / 1e3, (double)latencies->max / 1e3);
    printf("\"client_cpu_us_per_op\":%.2f,",
           (double)(tally->cpu_ended_us - tally->cpu_started_us) / count);
    print_errors(tally);
    printf("}\n");
}

/* ---- Set-up -------------------------------------------------------------------------------- */

/* The address of connection `index`: they take turns. */
static void address_of(const char *addresses, uint64_t index, char *ret_address, size_t size) {
    uint64_t count = 1;
    for (const char *c = addresses; *c != '\0'; c++)
        count += *c == ',';
    const char *address = addresses;
    for (uint64_t skip = index % count; skip > 0; skip--)
        address = strchr(address, ',') + 1;
    snprintf(ret_address, size, "%.*s", (int)strcspn(address, ","), address);
}

static void open_clients(struct load *load) {
    const struct options *options = &load->options;
    char address[ADDRESS_BYTES_MAX];
    CHECK(rpc_queue_new(&load->queue) == STATUS_OK);
    for (uint64_t i = 0; i < options->connections; i++) {
        address_of(options->addresses, i, address, sizeof address);
        if (rpc_client_new_on(load->queue, address, &load->clients[i]) != STATUS_OK)
            usage("-addr: host:port[,host:port...]");
    }
    load->lanes = calloc(options->inflight, sizeof *load->lanes);
    CHECK(load->lanes != NULL);
    for (uint64_t i = 0; i < options->inflight; i++)
        load->lanes[i].client = load->clients[i % options->connections];
}

static void close_clients(struct load *load) {
    for (uint64_t i = 0; i < load->options.connections; i++)
        rpc_client_free(load->clients[i]);
    rpc_queue_free(load->queue);
    free(load->lanes);
    free(load->message);
}

int main(int argc, char **argv) {
    static struct load load;
    load.options = parse_options(argc, argv);
    load.random = load.options.seed * 0x9e3779b97f4a7c15 | 1;
    rpc_init();
    make_message(&load);
    open_clients(&load);
    run(&load);
    close_clients(&load);
    print_line(&load);
    rpc_shutdown();
    return load.tally.codes[0] > 0 ? 0 : 1;
}
