/* The server: what is asked for, and by which thread it is answered. With http_answer.c, the files
 * that know civetweb: our own build of it, with IPv6, without TLS, CGI and files.
 *
 * A worker thread serves one connection from accept to close. So nothing here waits but streams,
 * which are fewer than the workers: connections are not kept alive, requests must arrive within
 * REQUEST_TIMEOUT_MS, bodies are not read, and a client that does not take its answer for so long
 * is given up. */
#include "debug/debug.h"
#include "debug/http_answer.h"
#include "debug/http_keys.h"
#include "debug/hub.h"
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

/* Beside the streams: how many slow clients it takes to keep a probe waiting, and for how long. */
#define SPARE_WORKERS 32
#define REQUEST_TIMEOUT_MS "2000"

#define STREAM_PATH "/debug/events"

/* Between two statuses on a stream, and when something has happened. */
#define STREAM_INTERVAL_MS 1000
#define STREAM_HURRY_MS 100

#define LISTEN_BYTES_MAX (ADDRESS_BYTES_MAX + 16)
#define REASON_BYTES_MAX ((size_t)256)
#define STATUS_EVENT_BYTES_MAX (DEBUG_PAGE_BYTES_MAX + 64)

struct debug_server {
    struct mg_context *web;
    struct debug_server_config config; /* its texts are gone */
    char region[NAME_BYTES_MAX];
    /* Smallest difference between our clock and a published uptime that any request saw: that of
     * a fresh copy. UINT64_MAX before the first. */
    _Atomic uint64_t epoch_ms;
    pthread_t starter;
    struct hub hub;
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
    {"/", HTTP_TEXT, debug__print_index, NULL},
    {"/health", HTTP_JSON, debug__print_health, debug__is_sound},
    {"/ready", HTTP_JSON, debug__print_ready, debug__is_ready},
    {"/debug/status", HTTP_JSON, debug__print_status, NULL},
    {"/metrics", HTTP_METRICS, debug__print_metrics, NULL},
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
    text_put(w, STREAM_PATH "\n");
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

static uint64_t unix_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now); /* exists on every Linux */
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
        .stall_ms = server->config.stall_ms,
        .shows_keys = server->config.read_keys != NULL,
        .region = server->region,
        .version = PHALANX_VERSION,
        .commit = PHALANX_COMMIT,
    };
    server->config.read_status(server->config.context, &view.status);
    server->config.read_report(server->config.context, &view.report);
    process_read(&view.process);
    view.age_ms = age_of(server, view.status.uptime_ms);
    *ret_view = view;
}

/* ---- Answers ------------------------------------------------------------------------------- */

static int send_page(struct mg_connection *connection, const struct page *page) {
    struct debug_view view;
    char *body = malloc(DEBUG_PAGE_BYTES_MAX);
    if (!body)
        return debug__http_send_text(connection, 503, "no memory\n");
    struct text_writer w = text_writer_of(body, DEBUG_PAGE_BYTES_MAX);
    take_view(mg_get_user_data(mg_get_context(connection)), &view);
    page->print(&view, &w);
    CHECK(!w.is_cut);
    const struct http_answer answer = {
        .code = !page->is_ok || page->is_ok(&view) ? 200 : 503,
        .type = page->type,
        .body = bytes_of(body, w.len),
    };
    int code = debug__http_send(connection, &answer);
    free(body);
    return code;
}

/* ---- Streams ------------------------------------------------------------------------------- */

/* The status as one server-sent event. Its page ends with a line feed: one more ends the event. */
static void print_status_event(void *context, struct text_writer *w) {
    struct debug_view view;
    take_view(context, &view);
    text_put(w, "event: status\ndata: ");
    debug__print_status(&view, w);
    text_put(w, "\n");
}

static bool send_event(struct mg_connection *connection, uint64_t run,
                       const struct timeline_event *event) {
    char text[TIMELINE_PRINTED_BYTES_MAX];
    struct text_writer w = text_writer_of(text, sizeof text);
    timeline_print(run, event, &w);
    CHECK(!w.is_cut);
    return debug__http_write(connection, bytes_of(text, w.len));
}

static bool send_piece(struct mg_connection *connection, struct hub *hub,
                       const struct hub_piece *piece) {
    if (piece->has_event)
        return send_event(connection, hub->timeline.run, &piece->event);
    bool is_sent = debug__http_write(connection, bytes_of(piece->page->text, piece->page->len));
    hub_release(hub, piece->page);
    return is_sent;
}

/* Until the client or the server goes. */
static int send_stream(struct mg_connection *connection) {
    struct debug_server *server = mg_get_user_data(mg_get_context(connection));
    const struct http_answer head = {.code = 200, .type = HTTP_EVENTS, .is_open = true};
    struct hub_cursor cursor;
    struct hub_piece piece;
    if (debug__http_is_method(connection, "HEAD"))
        return debug__http_send(connection, &head);
    if (!hub_enter(&server->hub, mg_get_header(connection, "Last-Event-ID"), &cursor))
        return debug__http_send_text(connection, 503, "too many streams are open\n");
    int code = debug__http_send(connection, &head);
    bool is_alive = true;
    while (is_alive && hub_next(&server->hub, &cursor, &piece))
        is_alive = send_piece(connection, &server->hub, &piece);
    hub_leave(&server->hub);
    return code;
}

void debug_tell(struct debug_server *server, enum debug_level level, const char *kind,
                const char *text) {
    struct timeline_event event = {.unix_ms = unix_ms(), .level = level, .kind = kind};
    snprintf(event.text, sizeof event.text, "%s", text);
    hub_tell(&server->hub, &event);
}

/* ---- Callbacks ----------------------------------------------------------------------------- */

/* Every request, before civetweb looks at it; what is returned tells it that all is done. */
static int on_request(struct mg_connection *connection) {
    const struct debug_server *server = mg_get_user_data(mg_get_context(connection));
    const char *path = mg_get_request_info(connection)->local_uri;
    const struct page *page = find_page(path);
    const struct debug_asset *asset = debug__find_asset(path);
    if (!debug__http_is_method(connection, "GET") && !debug__http_is_method(connection, "HEAD"))
        return debug__http_send_text(connection, 405, "only GET and HEAD are allowed\n");
    if (strcmp(path, STREAM_PATH) == 0)
        return send_stream(connection);
    if (server->config.read_keys && strcmp(path, HTTP_KEYS_PATH) == 0)
        return debug__http_send_keys(connection, &server->config);
    /* Programs that do not say that they speak gzip, such as curl, get what there is as text. */
    if (asset && debug__http_has(connection, "Accept-Encoding", "gzip"))
        return debug__http_send_asset(connection, asset);
    if (page)
        return send_page(connection, page);
    return asset ? debug__http_send_text(connection, 406, "this file is sent as gzip only\n")
                 : debug__http_send_text(connection, 404, "there is no such path; / lists them\n");
}

/* What civetweb refuses by itself, such as a malformed request. 0: it is answered. */
static int on_error(struct mg_connection *connection, int code, const char *reason) {
    (void)reason; /* may quote the request */
    debug__http_send_text(connection, code, "the request cannot be served\n");
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
    char workers[16];
    snprintf(workers, sizeof workers, "%d", HUB_STREAMS_MAX + SPARE_WORKERS);
    const char *options[] = {
        "listening_ports",
        listen,
        "num_threads",
        workers,
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
    server->config = *config;
    server->starter = pthread_self();
    atomic_init(&server->epoch_ms, UINT64_MAX);
    snprintf(server->region, sizeof server->region, "%s", config->region ? config->region : "");
    hub_init(&server->hub,
             &(struct hub_config){.print = print_status_event,
                                  .print_bytes_max = STATUS_EVENT_BYTES_MAX,
                                  .context = server,
                                  .interval_ms = STREAM_INTERVAL_MS,
                                  .hurry_ms = STREAM_HURRY_MS},
             unix_ms());
    enum status status = start(server, config->address);
    if (status != STATUS_OK) {
        hub_close(&server->hub);
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
    hub_stop(&server->hub);
    mg_stop(server->web);
    mg_exit_library();
    hub_close(&server->hub);
    free(server);
}
