/* The one file that knows civetweb: its own build with IPv6, without TLS, CGI and files.
 *
 * A worker thread serves one connection from accept to close, so nothing here waits: connections
 * are not kept alive, requests must arrive within REQUEST_TIMEOUT_MS, bodies are not read, and an
 * answer is made first and then written, for 2 s at most. */
#include "debug/assets.h"
#include "debug/debug.h"
#include "debug/pages.h"

#include "log.h"
#include "version.h"

#include <civetweb.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* How many slow clients it takes to keep a probe waiting, and for how long. */
#define WORKERS "8"
#define REQUEST_TIMEOUT_MS "2000"

#define HEAD_BYTES_MAX ((size_t)1024)
#define LISTEN_BYTES_MAX (ADDRESS_BYTES_MAX + 16)
#define REASON_BYTES_MAX ((size_t)256)

#define SECURITY_HEADERS \
    "X-Content-Type-Options: nosniff\r\n" \
    "X-Frame-Options: DENY\r\n" \
    "Referrer-Policy: no-referrer\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

/* What is asked for once is old a second later. */
#define PAGE_HEADERS \
    "Cache-Control: no-store\r\n" \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

/* The dashboard may load and call what comes from here, and nothing else. Its files are kept by
 * browsers and asked for again, since the next release has others of the same names. */
#define ASSET_HEADERS \
    "Cache-Control: no-cache\r\n" \
    "Vary: Accept-Encoding\r\n" \
    "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'; base-uri 'none'; " \
    "form-action 'none'\r\n"

#define TEXT_TYPE "text/plain; charset=utf-8"
#define JSON_TYPE "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct debug_server {
    struct mg_context *web;
    void (*read_status)(void *context, struct node_status *ret_status);
    void (*read_report)(void *context, struct node_report *ret_report);
    void *context;
    uint64_t stall_ms;
    char region[NAME_BYTES_MAX];
    /* Smallest difference between our clock and a published uptime that any request saw: that of
     * a fresh copy. UINT64_MAX before the first. */
    _Atomic uint64_t epoch_ms;
    pthread_t starter;
    char reason[REASON_BYTES_MAX]; /* why it did not start, in civetweb's words; the starter's */
};

/* ---- Pages --------------------------------------------------------------------------------- */

struct page {
    const char *path;
    const char *type;
    void (*print)(const struct debug_view *view, struct text_writer *w);
    bool (*is_ok)(const struct debug_view *view); /* 200 or 503; NULL: always 200 */
};

static const struct page pages[] = {
    {"/", TEXT_TYPE, debug__print_index, NULL},
    {"/health", JSON_TYPE, debug__print_health, debug__is_sound},
    {"/ready", JSON_TYPE, debug__print_ready, debug__is_ready},
    {"/debug/status", JSON_TYPE, debug__print_status, NULL},
    {"/metrics", METRICS_TYPE, debug__print_metrics, NULL},
};

#define PAGE_COUNT (sizeof pages / sizeof pages[0])

void debug__print_index(const struct debug_view *view, struct text_writer *w) {
    text_put(w, "phalanx ");
    text_put(w, view->version);
    text_put(w, ", node ");
    text_put(w, view->status.name);
    text_put(w, "\n\n");
    for (size_t i = 1; i < PAGE_COUNT; i++) {
        text_put(w, pages[i].path);
        text_put(w, "\n");
    }
}

static const struct page *find_page(const char *path) {
    for (size_t i = 0; i < PAGE_COUNT; i++)
        if (strcmp(path, pages[i].path) == 0)
            return &pages[i];
    return NULL;
}

/* ---- Views --------------------------------------------------------------------------------- */

/* Counts suspended time, as the loop's clock does. */
static uint64_t clock_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now); /* exists on every Linux */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t age_of(struct debug_server *server, uint64_t uptime_ms) {
    if (uptime_ms == 0)
        return 0; /* nothing is published yet */
    uint64_t epoch_ms = clock_ms() - uptime_ms;
    uint64_t known_ms = atomic_load(&server->epoch_ms);
    while (epoch_ms < known_ms &&
           !atomic_compare_exchange_weak(&server->epoch_ms, &known_ms, epoch_ms))
        ;
    return epoch_ms < known_ms ? 0 : epoch_ms - known_ms;
}

static void take_view(struct debug_server *server, struct debug_view *ret_view) {
    struct debug_view view = {
        .stall_ms = server->stall_ms,
        .region = server->region,
        .version = PHALANX_VERSION,
        .commit = PHALANX_COMMIT,
    };
    server->read_status(server->context, &view.status);
    server->read_report(server->context, &view.report);
    process_read(&view.process);
    view.age_ms = age_of(server, view.status.uptime_ms);
    *ret_view = view;
}

/* ---- Answers ------------------------------------------------------------------------------- */

struct answer {
    int code;
    const char *type;
    struct bytes body;
    const struct debug_asset *asset; /* NULL: it is none */
};

static void put_date(struct text_writer *w) {
    char date[64] = "";
    time_t now = time(NULL);
    struct tm utc = {0};
    (void)gmtime_r(&now, &utc); /* on failure the zeros show */
    strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    text_put(w, date);
}

static void put_asset_headers(const struct debug_asset *asset, struct text_writer *w) {
    text_put(w, ASSET_HEADERS "Content-Encoding: gzip\r\nETag: ");
    text_put(w, asset->etag);
    text_put(w, "\r\n");
}

static void put_head(struct mg_connection *connection, const struct answer *answer,
                     struct text_writer *w) {
    text_put(w, "HTTP/1.1 ");
    text_put_u64(w, (uint64_t)answer->code);
    text_put(w, " ");
    text_put(w, mg_get_response_code_text(connection, answer->code));
    text_put(w, "\r\n");
    put_date(w);
    text_put(w, "Content-Type: ");
    text_put(w, answer->type);
    text_put(w, "\r\nContent-Length: ");
    text_put_u64(w, answer->body.len);
    text_put(w, answer->code == 405 ? "\r\nAllow: GET, HEAD\r\n" : "\r\n");
    if (answer->asset)
        put_asset_headers(answer->asset, w);
    else
        text_put(w, PAGE_HEADERS);
    text_put(w, SECURITY_HEADERS "Connection: close\r\n\r\n");
}

/* False too for a request that could not be read. */
static bool is_method(const struct mg_connection *connection, const char *method) {
    const struct mg_request_info *request = mg_get_request_info(connection);
    return request && request->request_method && strcmp(request->request_method, method) == 0;
}

static int send_answer(struct mg_connection *connection, const struct answer *answer) {
    char text[HEAD_BYTES_MAX];
    struct text_writer w = text_writer_of(text, sizeof text);
    put_head(connection, answer, &w);
    CHECK(!w.is_cut);
    /* A client that is gone needs no answer. */
    if (mg_write(connection, text, w.len) > 0 && !is_method(connection, "HEAD"))
        (void)mg_write(connection, answer->body.data, answer->body.len);
    /* Or civetweb would read, for as long as it takes, a body that nobody wants. */
    mg_disable_connection_keep_alive(connection);
    return answer->code;
}

static int send_text(struct mg_connection *connection, int code, const char *text) {
    const struct answer answer = {.code = code, .type = TEXT_TYPE, .body = bytes_of_text(text)};
    return send_answer(connection, &answer);
}

static int send_page(struct mg_connection *connection, const struct page *page) {
    struct debug_view view;
    char *body = malloc(DEBUG_PAGE_BYTES_MAX);
    if (!body)
        return send_text(connection, 503, "no memory\n");
    struct text_writer w = text_writer_of(body, DEBUG_PAGE_BYTES_MAX);
    take_view(mg_get_user_data(mg_get_context(connection)), &view);
    page->print(&view, &w);
    CHECK(!w.is_cut);
    const struct answer answer = {
        .code = !page->is_ok || page->is_ok(&view) ? 200 : 503,
        .type = page->type,
        .body = bytes_of(body, w.len),
    };
    int code = send_answer(connection, &answer);
    free(body);
    return code;
}

/* ---- The dashboard ------------------------------------------------------------------------- */

static bool has_header(struct mg_connection *connection, const char *name, const char *part) {
    const char *value = mg_get_header(connection, name);
    return value && strstr(value, part);
}

static int send_asset(struct mg_connection *connection, const struct debug_asset *asset) {
    bool is_known = has_header(connection, "If-None-Match", asset->etag);
    const struct answer answer = {
        .code = is_known ? 304 : 200,
        .type = asset->type,
        .body = is_known ? bytes_of(NULL, 0) : asset->gzip,
        .asset = asset,
    };
    return send_answer(connection, &answer);
}

/* Programs that do not say that they speak gzip, such as curl, get what there is as text. */
static bool takes_assets(struct mg_connection *connection) {
    return has_header(connection, "Accept-Encoding", "gzip");
}

/* ---- Callbacks ----------------------------------------------------------------------------- */

/* Every request, before civetweb looks at it; what is returned tells it that all is done. */
static int on_request(struct mg_connection *connection) {
    const char *path = mg_get_request_info(connection)->local_uri;
    const struct page *page = find_page(path);
    const struct debug_asset *asset = debug__find_asset(path);
    if (!is_method(connection, "GET") && !is_method(connection, "HEAD"))
        return send_text(connection, 405, "only GET and HEAD are allowed\n");
    if (asset && takes_assets(connection))
        return send_asset(connection, asset);
    if (!page && asset)
        return send_text(connection, 406, "this file is sent to those who accept gzip\n");
    if (!page)
        return send_text(connection, 404, "there is no such path; / lists them\n");
    return send_page(connection, page);
}

/* What civetweb refuses by itself, such as a malformed request. 0: it is answered. */
static int on_error(struct mg_connection *connection, int code, const char *reason) {
    (void)reason; /* may quote the request */
    send_text(connection, code, "the request cannot be served\n");
    return 0;
}

/* The first reason why it does not start is of interest; what goes wrong with single connections,
 * on the workers' threads, is not. */
static int on_message(const struct mg_connection *connection, const char *message) {
    struct debug_server *server = mg_get_user_data(mg_get_context(connection));
    if (pthread_equal(pthread_self(), server->starter) && server->reason[0] == '\0')
        snprintf(server->reason, sizeof server->reason, "%s", message);
    return 1;
}

/* ---- Start and stop ------------------------------------------------------------------------ */

bool debug__print_listen(const char *address, char *ret_listen, size_t capacity) {
    static const char wildcard[] = "[::]:";
    size_t skipped = strlen(wildcard);
    bool is_dual = strncmp(address, wildcard, skipped) == 0;
    int len = snprintf(ret_listen, capacity, "%s%s", is_dual ? "+" : "",
                       is_dual ? address + skipped : address);
    return len > 0 && (size_t)len < capacity;
}

static struct mg_context *start_web(struct debug_server *server, const char *listen) {
    static const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_error,
        .log_message = on_message,
    };
    const char *options[] = {
        "listening_ports",
        listen,
        "num_threads",
        WORKERS,
        "request_timeout_ms",
        REQUEST_TIMEOUT_MS,
        "enable_keep_alive",
        "no",
        "tcp_nodelay", /* or an answer's body waits for its head to be acknowledged */
        "1",
        "decode_url",
        "no",
        NULL,
    };
    return mg_start(&callbacks, server, options);
}

/* A host without IPv6 cannot listen on "+8080"; IPv4 alone is all of its addresses. */
static struct mg_context *start_on(struct debug_server *server, const char *listen) {
    struct mg_context *web = start_web(server, listen);
    if (web || listen[0] != '+' || !strstr(server->reason, "cannot create socket"))
        return web;
    server->reason[0] = '\0';
    return start_web(server, listen + 1);
}

/* civetweb tells the reason in words only. */
static enum status status_of_reason(const char *reason) {
    if (strstr(reason, strerror(EADDRINUSE)))
        return STATUS_BUSY;
    bool is_about_ports = strstr(reason, "port") || strstr(reason, "bind");
    return is_about_ports ? STATUS_INVALID : STATUS_NO_MEMORY;
}

static void log_refused(const char *address, const char *reason) {
    log_error("debug server cannot listen", log_text("debug_addr", address),
              log_text("reason", reason));
}

static enum status start(struct debug_server *server, const char *address) {
    char listen[LISTEN_BYTES_MAX];
    if (!debug__print_listen(address, listen, sizeof listen)) {
        log_refused(address, "it is no address");
        return STATUS_INVALID;
    }
    mg_init_library(0);
    server->web = start_on(server, listen);
    if (server->web)
        return STATUS_OK;
    mg_exit_library();
    log_refused(address, server->reason);
    return status_of_reason(server->reason);
}

enum status debug_server_new(const struct debug_server_config *config,
                             struct debug_server **ret_server) {
    CHECK(config->read_status && config->read_report);
    struct debug_server *server = calloc(1, sizeof *server);
    if (!server) {
        log_refused(config->address, "no memory");
        return STATUS_NO_MEMORY;
    }
    server->read_status = config->read_status;
    server->read_report = config->read_report;
    server->context = config->context;
    server->stall_ms = config->stall_ms;
    server->starter = pthread_self();
    atomic_init(&server->epoch_ms, UINT64_MAX);
    snprintf(server->region, sizeof server->region, "%s", config->region ? config->region : "");
    enum status status = start(server, config->address);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    *ret_server = server;
    return STATUS_OK;
}

int debug_server_port(const struct debug_server *server) {
    struct mg_server_port port = {0};
    int count = mg_get_server_ports(server->web, 1, &port);
    CHECK(count == 1);
    return port.port;
}

void debug_server_free(struct debug_server *server) {
    if (!server)
        return;
    mg_stop(server->web);
    mg_exit_library();
    free(server);
}
