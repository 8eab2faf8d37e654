#include "phalanx/caller.h"

#include "phalanx/output.h"
#include "phalanx/retry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Addresses on a command line; more are an error. */
#define SERVERS_MAX ((size_t)32)

/* Between rounds through all servers, doubled each time. */
#define PAUSE_MS_MIN 50
#define PAUSE_MS_MAX 800

/* What an attempt gets at least when others could still be asked. */
#define ATTEMPT_MS_MIN 500

struct server {
    char address[ADDRESS_BYTES_MAX];
    struct rpc_client *client;
    bool was_in_vain; /* it was asked and could not help: a hint does not lead here again */
};

struct cli_caller {
    uint64_t timeout_ms;
    size_t count;
    size_t current; /* where the next request starts: where the last one ended */
    /* The last one is the leader that an answer named, when it is none of ours. */
    struct server servers[SERVERS_MAX + 1];
};

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(uint64_t ms) {
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* ---- Servers ------------------------------------------------------------------------------- */

static bool server_open(struct server *server, const char *address, size_t len) {
    if (len >= sizeof server->address)
        return false;
    memcpy(server->address, address, len);
    server->address[len] = '\0';
    server->was_in_vain = false;
    return rpc_client_new(server->address, &server->client) == STATUS_OK;
}

static void server_close(struct server *server) {
    rpc_client_free(server->client);
    server->client = NULL;
    server->address[0] = '\0';
}

static bool add_server(struct cli_caller *caller, const char *address, size_t len) {
    if (caller->count == SERVERS_MAX) {
        cli_error("-addr: at most %zu addresses", SERVERS_MAX);
        return false;
    }
    if (server_open(&caller->servers[caller->count], address, len)) {
        caller->count++;
        return true;
    }
    cli_error("-addr: %.*s: must be host:port or [IPv6]:port", (int)len, address);
    return false;
}

/* False: a line on stderr says why not. */
static bool use_tls(const struct cli_flags *flags) {
    const struct rpc_tls tls = {
        .certificate_path = flags->tls_cert,
        .key_path = flags->tls_key,
        .ca_path = flags->tls_ca,
        .server_name = flags->tls_name,
    };
    bool has_cert = flags->tls_cert[0] != '\0', has_key = flags->tls_key[0] != '\0';
    bool has_ca = flags->tls_ca[0] != '\0', has_name = flags->tls_name[0] != '\0';
    if (!has_cert && !has_key && !has_ca && !has_name)
        return true;
    if (!has_cert || !has_key || !has_ca) {
        cli_error("TLS needs all of -tls-cert, -tls-key and -tls-ca");
        return false;
    }
    char problem[RPC_PROBLEM_BYTES_MAX];
    bool is_used = rpc_use_tls(&tls, problem) == STATUS_OK;
    if (!is_used)
        cli_error("TLS: %s", problem);
    return is_used;
}

struct cli_caller *cli_caller_new(const struct cli_flags *flags) {
    if (!use_tls(flags))
        return NULL;
    struct cli_caller *caller = calloc(1, sizeof *caller);
    CHECK(caller != NULL);
    caller->timeout_ms = flags->timeout_ms;
    for (const char *address = flags->addresses;; address++) {
        size_t len = strcspn(address, ",");
        if (!add_server(caller, address, len)) {
            cli_caller_free(caller);
            return NULL;
        }
        address += len;
        if (*address == '\0')
            return caller;
    }
}

void cli_caller_free(struct cli_caller *caller) {
    if (caller == NULL)
        return;
    for (size_t i = 0; i <= SERVERS_MAX; i++)
        rpc_client_free(caller->servers[i].client);
    free(caller);
}

size_t cli_caller_count(const struct cli_caller *caller) {
    return caller->count;
}

const char *cli_caller_address(const struct cli_caller *caller, size_t index) {
    return caller->servers[index].address;
}

void cli_caller_ask(struct cli_caller *caller, size_t index, cli_attempt *attempt, void *context,
                    struct rpc_outcome *ret_outcome) {
    attempt(context, caller->servers[index].client, caller->timeout_ms, ret_outcome);
}

/* The leader that an answer named: one of ours, or opened beside them. SERVERS_MAX + 1: there is no
 * use in asking it. */
static size_t find_leader(struct cli_caller *caller, const char *address) {
    for (size_t i = 0; i < caller->count; i++)
        if (strcmp(caller->servers[i].address, address) == 0)
            return caller->servers[i].was_in_vain ? SERVERS_MAX + 1 : i;
    struct server *guest = &caller->servers[SERVERS_MAX];
    if (guest->client != NULL && strcmp(guest->address, address) == 0)
        return guest->was_in_vain ? SERVERS_MAX + 1 : SERVERS_MAX;
    server_close(guest);
    return server_open(guest, address, strlen(address)) ? SERVERS_MAX : SERVERS_MAX + 1;
}

/* ---- Attempts ------------------------------------------------------------------------------ */

struct pursuit {
    struct cli_caller *caller;
    struct cli_retry retry;
    struct rpc_outcome outcome; /* of the newest attempt */
    size_t asked;               /* where that was */
    uint64_t deadline_ms;
    uint64_t pause_ms;
    size_t attempts; /* in this round: since the last pause */
    size_t hurries;  /* pauses that a connection cut short */
};

/* All that is left for the only server; otherwise half, so that one that hangs leaves time for the
 * others. */
static uint64_t attempt_timeout(const struct pursuit *p, uint64_t left_ms) {
    if (p->caller->count == 1 && p->asked == 0)
        return left_ms;
    uint64_t half_ms = left_ms / 2;
    if (half_ms >= ATTEMPT_MS_MIN)
        return half_ms;
    return left_ms < ATTEMPT_MS_MIN ? left_ms : ATTEMPT_MS_MIN;
}

static void move_on(struct pursuit *p, enum cli_next next) {
    struct cli_caller *caller = p->caller;
    caller->servers[p->asked].was_in_vain = true;
    size_t leader =
        next == CLI_NEXT_LEADER ? find_leader(caller, p->outcome.leader) : SERVERS_MAX + 1;
    if (leader <= SERVERS_MAX)
        caller->current = leader;
    else
        caller->current = caller->current + 1 < caller->count ? caller->current + 1 : 0;
}

/* Connections come about only while somebody waits for them. Less when one did; once for each
 * server, as there may be one that connects and hangs up, again and again. */
static void pause_for_connections(struct pursuit *p) {
    struct cli_caller *caller = p->caller;
    uint64_t end_ms = now_ms() + p->pause_ms;
    for (size_t i = 0; i < caller->count; i++)
        if (rpc_client_connects(caller->servers[i].client, p->pause_ms / caller->count) &&
            p->hurries++ < caller->count)
            return;
    uint64_t now = now_ms();
    if (now < end_ms)
        pause_ms(end_ms - now);
}

/* Waits after each round, but never past the deadline. The time left; 0: give up. */
static uint64_t breathe(struct pursuit *p) {
    uint64_t now = now_ms();
    if (++p->attempts > p->caller->count) {
        if (now + p->pause_ms >= p->deadline_ms)
            return 0;
        pause_for_connections(p);
        p->attempts = 0;
        p->pause_ms = p->pause_ms * 2 < PAUSE_MS_MAX ? p->pause_ms * 2 : PAUSE_MS_MAX;
        now = now_ms();
    }
    return now < p->deadline_ms ? p->deadline_ms - now : 0;
}

static void pursue(struct pursuit *p, bool may_repeat, cli_attempt *attempt, void *context) {
    struct cli_caller *caller = p->caller;
    p->deadline_ms = now_ms() + caller->timeout_ms;
    p->pause_ms = PAUSE_MS_MIN;
    uint64_t left_ms = caller->timeout_ms;
    while (left_ms > 0) {
        p->asked = caller->current;
        struct server *server = &caller->servers[p->asked];
        attempt(context, server->client, attempt_timeout(p, left_ms), &p->outcome);
        enum cli_next next = cli_retry_next(&p->retry, &p->outcome, server->address);
        if (next == CLI_NEXT_STOP || !(may_repeat || p->outcome.is_not_applied))
            return;
        left_ms = breathe(p);
        move_on(p, next);
    }
}

/* ---- Lines --------------------------------------------------------------------------------- */

/* What to do about a failure, by what was asked. */
struct advice {
    const char *unavailable;
    const char *precondition;
    const char *unknown;
};

static const struct advice read_advice = {"; try again, or name other servers with -addr", "", ""};
static const struct advice write_advice = {
    "; nothing was applied: try again, or name other servers with -addr",
    "; nothing was applied: get the key for its revision",
    "; it may have been applied",
};
static const struct advice order_advice = {
    "; nothing was changed: try again, or name other servers with -addr",
    "; nothing was changed",
    "; it may have been done: `phalanx members` shows it",
};

static const char *advice_on(const struct advice *advice, enum cli_exit end) {
    switch (end) {
    case CLI_EXIT_UNAVAILABLE: return advice->unavailable;
    case CLI_EXIT_PRECONDITION: return advice->precondition;
    case CLI_EXIT_UNKNOWN: return advice->unknown;
    case CLI_EXIT_OK:
    case CLI_EXIT_ERROR:
    case CLI_EXIT_USAGE:
    case CLI_EXIT_NOT_FOUND: return "";
    }
    return "";
}

/* `more` follows on the same line. */
static enum cli_exit conclude(const struct pursuit *p, const char *command,
                              const struct advice *advice, const char *more) {
    enum cli_exit end = cli_retry_exit(&p->retry);
    if (end != CLI_EXIT_OK)
        cli_error("%s: %s: %s: %s%s%s", command, p->caller->servers[p->asked].address,
                  rpc_code_name(p->outcome.code), p->outcome.detail, advice_on(advice, end), more);
    return end;
}

/* ---- Requests ------------------------------------------------------------------------------ */

struct kv_attempt {
    struct kv_request request;
    struct kv_response *response;
    const struct cli_retry *retry; /* says whether the request id is still on */
};

static void attempt_kv(void *context, struct rpc_client *client, uint64_t timeout_ms,
                       struct rpc_outcome *ret_outcome) {
    struct kv_attempt *attempt = context;
    attempt->request.has_request_id = attempt->retry->has_request_id;
    rpc_client_kv(client, &attempt->request, timeout_ms, attempt->response, ret_outcome);
}

enum cli_exit cli_caller_kv(struct cli_caller *caller, const char *command,
                            const struct kv_request *request, bool id_is_ours,
                            struct kv_response *ret_response) {
    const char *wrong = kv_request_check(request);
    if (wrong != NULL) {
        cli_error("%s: %s", command, wrong);
        return CLI_EXIT_USAGE;
    }
    struct pursuit p = {
        .caller = caller,
        .retry = {.is_write = kv_request_is_write(request),
                  .has_request_id = request->has_request_id,
                  .id_is_ours = id_is_ours},
    };
    struct kv_attempt attempt = {*request, ret_response, &p.retry};
    pursue(&p, true, attempt_kv, &attempt);
    char more[96] = "";
    if (p.retry.has_request_id && p.retry.is_open)
        snprintf(more, sizeof more,
                 ": repeat it within the hour with -request-id %" PRIu64 ":%" PRIu64,
                 request->client_id, request->sequence);
    return conclude(&p, command, p.retry.is_write ? &write_advice : &read_advice, more);
}

enum cli_exit cli_caller_read(struct cli_caller *caller, const char *command, bool may_repeat,
                              cli_attempt *attempt, void *context) {
    struct pursuit p = {.caller = caller};
    pursue(&p, may_repeat, attempt, context);
    return conclude(&p, command, &read_advice, "");
}

enum cli_exit cli_caller_order(struct cli_caller *caller, const char *command, cli_attempt *attempt,
                               void *context) {
    struct pursuit p = {.caller = caller, .retry = {.is_write = true}};
    pursue(&p, true, attempt, context);
    return conclude(&p, command, &order_advice, "");
}
