/* phalanx-load: makes calls and prints one line of JSON about them.
 *
 *   phalanx-load -addr 127.0.0.1:9000 -op put -inflight 64 -seconds 10
 *   phalanx-load -addr 127.0.0.1:9000 -op put -inflight 1000 -rate 4000 -seconds 10
 *
 * The first keeps a number of calls in flight: one thread starts calls and takes completions. The
 * second begins calls at given moments, whatever the answers do, and times them from these moments,
 * so that a server which stalls is seen to delay all who come meanwhile. Answers are not decoded,
 * as only their status counts. etcd's PutRequest{key=1,value=2} and RangeRequest{key=1} have the
 * same bytes as ours, so with -target etcd only the methods' names differ. */
#include "histogram.h"
#include "load_options.h"
#include "mix.h"
#include "rpc/rpc.h"
#include "schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define CODES 17
#define LATE_NS 1000000
#define LOOK_NS 50000 /* how much too late an answer may be noticed */

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
    uint64_t cpu_calls; /* what that time was for */
};

/* One of the calls in flight; started anew when it completes. */
struct lane {
    struct rpc_client *client;
    uint64_t since_ns; /* what its latency is counted from */
};

/* For -rate: which lanes have no call, and which moment comes next. */
struct agenda {
    struct lane **free;
    uint64_t free_count;
    struct schedule schedule;
    uint64_t from_ns; /* what the schedule counts from */
    uint64_t due_ns;  /* the next call's moment */
    uint64_t end_ns;  /* there are no moments from then on */
    uint64_t begun;
    uint64_t late;   /* counted calls that began more than LATE_NS after their moment */
    uint64_t unsent; /* counted calls that found no lane in the end */
};

struct load {
    struct options options;
    struct rpc_queue *queue;
    struct rpc_client *clients[CONNECTIONS_MAX];
    struct lane *lanes;
    struct agenda agenda;
    uint64_t random;   /* which key, and put or get */
    uint64_t next_key; /* to fill */
    uint8_t *message;  /* a PutRequest; a GetRequest is its first part, the key */
    size_t put_bytes;  /* of the whole message */
    struct tally tally;
    bool is_counting;
    uint64_t counted_from_ns; /* calls since then are counted; 0: all */
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
        *at++ = (uint8_t)mix_next(&load->random);
    load->put_bytes = (size_t)(at - load->message);
}

/* "key-" and twelve digits. */
static void set_key(struct load *load) {
    bool is_fill = load->options.op == OP_FILL;
    uint64_t key = (is_fill ? load->next_key++ : mix_next(&load->random)) % load->options.keys;
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
    case OP_MIXED: return (mix_next(&load->random) >> 32 & 1) != 0;
    }
    return false;
}

static void start(struct load *load, struct lane *lane, uint64_t since_ns) {
    const struct options *options = &load->options;
    bool puts = is_put(load);
    set_key(load);
    struct bytes body = bytes_of(load->message, puts ? load->put_bytes : 2 + KEY_BYTES);
    const char *method = puts ? options->target->put : options->target->get;
    lane->since_ns = since_ns;
    enum status status =
        rpc_client_start_method(lane->client, method, body, options->timeout_ms, lane);
    CHECK(status == STATUS_OK);
}

static void count(struct tally *tally, const struct lane *lane, unsigned code) {
    if (code < CODES)
        tally->codes[code]++;
    else
        tally->others++;
    uint64_t at_ns = now_ns();
    if (at_ns > tally->ended_ns)
        tally->ended_ns = at_ns;
    histogram_add(&tally->latencies_ns, at_ns - lane->since_ns);
}

/* The lane whose call completed; NULL: none did. */
static struct lane *take(struct load *load, uint64_t wait_ms) {
    struct rpc_completion completion;
    if (rpc_queue_next(load->queue, wait_ms, &completion) != STATUS_OK)
        return NULL;
    struct lane *lane = completion.tag;
    load->tally.calls++;
    if (load->is_counting && lane->since_ns >= load->counted_from_ns)
        count(&load->tally, lane, (unsigned)completion.outcome.code);
    return lane;
}

/* ---- As many in flight all the time -------------------------------------------------------- */

/* Every completion starts the next call, until the time is over or `requests` were counted. */
static void drive(struct load *load, double for_s, uint64_t requests) {
    uint64_t end_ns = now_ns() + (uint64_t)(for_s * 1e9);
    while (requests > 0 ? load->tally.latencies_ns.total < requests : now_ns() < end_ns) {
        struct lane *lane = take(load, 100);
        if (lane != NULL)
            start(load, lane, now_ns());
    }
}

static void run_in_flight(struct load *load) {
    const struct options *options = &load->options;
    for (uint64_t i = 0; i < options->inflight; i++)
        start(load, &load->lanes[i], now_ns());
    drive(load, options->warmup_s, 0);
    load->is_counting = true;
    load->tally.started_ns = now_ns();
    load->tally.cpu_started_us = cpu_us();
    drive(load, options->seconds, options->requests);
    load->tally.ended_ns = now_ns();
    load->tally.cpu_ended_us = cpu_us();
    load->tally.cpu_calls = load->tally.latencies_ns.total;
    load->is_counting = false;
    for (uint64_t left = options->inflight; left > 0;)
        left -= take(load, 1000) != NULL;
}

/* ---- At given moments ---------------------------------------------------------------------- */

static struct timespec time_at(uint64_t ns) {
    return (struct timespec){
        .tv_sec = (time_t)(ns / 1000000000),
        .tv_nsec = (long)(ns % 1000000000),
    };
}

static void sleep_until(uint64_t at_ns) {
    struct timespec at = time_at(at_ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        continue;
}

static void plan(struct load *load) {
    const struct options *options = &load->options;
    struct agenda *agenda = &load->agenda;
    for (uint64_t i = 0; i < options->inflight; i++)
        agenda->free[agenda->free_count++] = &load->lanes[i];
    agenda->from_ns = now_ns();
    load->counted_from_ns = agenda->from_ns + (uint64_t)(options->warmup_s * 1e9);
    agenda->end_ns = load->counted_from_ns + (uint64_t)(options->seconds * 1e9);
    schedule_init(&agenda->schedule, (double)options->rate, options->seed);
    agenda->due_ns = agenda->from_ns + schedule_next(&agenda->schedule);
}

/* The moment that is due has its call, or none. */
static void next_moment(struct load *load) {
    struct agenda *agenda = &load->agenda;
    if (agenda->due_ns >= load->counted_from_ns)
        agenda->late += now_ns() - agenda->due_ns > LATE_NS;
    agenda->due_ns = agenda->from_ns + schedule_next(&agenda->schedule);
}

/* Whether a call's moment has come and there is room for it. */
static bool is_due(const struct agenda *agenda, uint64_t at_ns) {
    return agenda->due_ns < agenda->end_ns && agenda->due_ns <= at_ns && agenda->free_count > 0;
}

/* Connections take turns. */
static void begin(struct load *load) {
    struct agenda *agenda = &load->agenda;
    struct lane *lane = agenda->free[--agenda->free_count];
    lane->client = load->clients[agenda->begun++ % load->options.connections];
    start(load, lane, agenda->due_ns);
    next_moment(load);
}

static void pause_from(const struct agenda *agenda, uint64_t at_ns) {
    bool is_soon = agenda->due_ns > at_ns && agenda->due_ns < at_ns + LOOK_NS;
    sleep_until(is_soon ? agenda->due_ns : at_ns + LOOK_NS);
}

/* What a server far behind had no room for, even a call's time after the end, waited that long. */
static void give_up(struct load *load) {
    struct agenda *agenda = &load->agenda;
    for (; agenda->due_ns < agenda->end_ns; next_moment(load)) {
        if (agenda->due_ns < load->counted_from_ns)
            continue;
        agenda->unsent++;
        load->tally.ended_ns = now_ns();
        histogram_add(&load->tally.latencies_ns, load->tally.ended_ns - agenda->due_ns);
    }
}

/* The queue waits in whole milliseconds, so it is only looked at, LOOK_NS after LOOK_NS. */
static void run_at_moments(struct load *load) {
    struct agenda *agenda = &load->agenda;
    CHECK(prctl(PR_SET_TIMERSLACK, 1UL) == 0); /* or it would sleep 50 us too long */
    plan(load);
    load->is_counting = true;
    load->tally.cpu_started_us = cpu_us();
    load->tally.started_ns = load->counted_from_ns;
    load->tally.ended_ns = agenda->end_ns;
    while (agenda->due_ns < agenda->end_ns || agenda->free_count < load->options.inflight) {
        struct lane *lane = take(load, 0);
        if (lane != NULL)
            agenda->free[agenda->free_count++] = lane;
        uint64_t at_ns = now_ns();
        if (is_due(agenda, at_ns))
            begin(load);
        else if (at_ns > agenda->end_ns + load->options.timeout_ms * 1000000)
            give_up(load);
        else if (lane == NULL)
            pause_from(agenda, at_ns);
    }
    load->tally.cpu_ended_us = cpu_us();
    load->tally.cpu_calls = load->tally.calls;
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
    const struct options *options = &load->options;
    const struct tally *tally = &load->tally;
    const struct histogram *latencies = &tally->latencies_ns;
    double took_s = (double)(tally->ended_ns - tally->started_ns) / 1e9;
    double cpu_calls = tally->cpu_calls > 0 ? (double)tally->cpu_calls : 1;
    printf("{\"target\":\"%s\",\"op\":\"%s\",\"inflight\":%" PRIu64 ",\"connections\":%" PRIu64
           ",\"keys\":%" PRIu64 ",\"value_bytes\":%" PRIu64 ",\"seconds\":%.3f,",
           options->target->name, op_name(options->op), options->inflight, options->connections,
           options->keys, options->value_bytes, took_s);
    printf("\"calls\":%" PRIu64 ",", tally->calls);
    printf("\"rate\":%" PRIu64 ",\"late\":%" PRIu64 ",\"unsent\":%" PRIu64 ",", options->rate,
           load->agenda.late, load->agenda.unsent);
    printf("\"ok\":%" PRIu64 ",\"ops_per_second\":%.1f,", tally->codes[0],
           (double)tally->codes[0] / took_s);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,",
           (double)histogram_quantile(latencies, 0.5) / 1e3,
           (double)histogram_quantile(latencies, 0.99) / 1e3,
           (double)histogram_quantile(latencies, 0.999) / 1e3, (double)latencies->max / 1e3);
    printf("\"client_cpu_us_per_op\":%.2f,",
           (double)(tally->cpu_ended_us - tally->cpu_started_us) / cpu_calls);
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
            options_usage("-addr: host:port[,host:port...]");
    }
    load->lanes = calloc(options->inflight, sizeof *load->lanes);
    load->agenda.free = calloc(options->inflight, sizeof *load->agenda.free);
    CHECK(load->lanes != NULL && load->agenda.free != NULL);
    for (uint64_t i = 0; i < options->inflight; i++)
        load->lanes[i].client = load->clients[i % options->connections];
}

static void close_clients(struct load *load) {
    for (uint64_t i = 0; i < load->options.connections; i++)
        rpc_client_free(load->clients[i]);
    rpc_queue_free(load->queue);
    free(load->lanes);
    free(load->agenda.free);
    free(load->message);
}

int main(int argc, char **argv) {
    static struct load load;
    load.options = options_parse(argc, argv);
    load.random = load.options.seed;
    rpc_init();
    make_message(&load);
    open_clients(&load);
    if (load.options.rate > 0)
        run_at_moments(&load);
    else
        run_in_flight(&load);
    close_clients(&load);
    print_line(&load);
    rpc_shutdown();
    return load.tally.codes[0] > 0 ? 0 : 1;
}
