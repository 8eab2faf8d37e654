#include "debug/http_answer.h"

#include "check.h"
#include "text.h"

#include <civetweb.h>

#include <string.h>
#include <time.h>

#define HEAD_BYTES_MAX ((size_t)1024)

#define SECURITY_HEADERS \
    "X-Content-Type-Options: nosniff\r\n" \
    "X-Frame-Options: DENY\r\n" \
    "Referrer-Policy: no-referrer\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"

/* The page and what it loads; anything else has nothing to load. */
#define ASSET_POLICY \
    "Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'none'\r\n"
#define BARE_POLICY "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"

static void put_date(struct text_writer *w) {
    char date[64] = "";
    time_t now = time(NULL);
    struct tm utc = {0};
    (void)gmtime_r(&now, &utc); /* on failure the zeros show */
    strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    text_put(w, date);
}

/* Kept by browsers, who ask each time whether it is still the same: the next release has others of
 * the same names. */
static void put_asset_headers(const struct debug_asset *asset, struct text_writer *w) {
    text_put(w, ASSET_POLICY "Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
                             "Content-Encoding: gzip\r\nETag: ");
    text_put(w, asset->etag);
    text_put(w, "\r\n");
}

static void put_length(const struct http_answer *answer, struct text_writer *w) {
    if (answer->is_open || answer->code == 304)
        return;
    text_put(w, "Content-Length: ");
    text_put_u64(w, answer->body.len);
    text_put(w, "\r\n");
}

static void put_head(struct mg_connection *connection, const struct http_answer *answer,
                     struct text_writer *w) {
    text_put(w, "HTTP/1.1 ");
    text_put_u64(w, (uint64_t)answer->code);
    text_put(w, " ");
    text_put(w, mg_get_response_code_text(connection, answer->code));
    text_put(w, "\r\n");
    put_date(w);
    text_put(w, "Content-Type: ");
    text_put(w, answer->type);
    text_put(w, answer->code == 405 ? "\r\nAllow: GET, HEAD\r\n" : "\r\n");
    put_length(answer, w);
    if (answer->asset)
        put_asset_headers(answer->asset, w);
    else
        text_put(w, "Cache-Control: no-store\r\n" BARE_POLICY);
    text_put(w, SECURITY_HEADERS "Connection: close\r\n\r\n");
}

bool debug__http_is_method(const struct mg_connection *connection, const char *method) {
    const struct mg_request_info *request = mg_get_request_info(connection);
    return request && request->request_method && strcmp(request->request_method, method) == 0;
}

bool debug__http_write(struct mg_connection *connection, struct bytes bytes) {
    return mg_write(connection, bytes.data, bytes.len) == (int)bytes.len;
}

int debug__http_send(struct mg_connection *connection, const struct http_answer *answer) {
    char text[HEAD_BYTES_MAX];
    struct text_writer w = text_writer_of(text, sizeof text);
    put_head(connection, answer, &w);
    CHECK(!w.is_cut);
    /* A client that is gone needs no answer. */
    bool has_head = debug__http_write(connection, bytes_of(text, w.len));
    if (has_head && answer->body.len > 0 && !debug__http_is_method(connection, "HEAD"))
        (void)debug__http_write(connection, answer->body);
    /* Or civetweb would read, for as long as it takes, a body that nobody wants. */
    mg_disable_connection_keep_alive(connection);
    return answer->code;
}

int debug__http_send_text(struct mg_connection *connection, int code, const char *text) {
    const struct http_answer answer = {.code = code,
                                       .type = HTTP_TEXT,
                                       .body = bytes_of_text(text)};
    return debug__http_send(connection, &answer);
}

bool debug__http_has(struct mg_connection *connection, const char *header, const char *part) {
    const char *value = mg_get_header(connection, header);
    return value && strstr(value, part);
}

int debug__http_send_asset(struct mg_connection *connection, const struct debug_asset *asset) {
    bool is_known = debug__http_has(connection, "If-None-Match", asset->etag);
    const struct http_answer answer = {
        .code = is_known ? 304 : 200,
        .type = asset->type,
        .body = is_known ? (struct bytes){0} : asset->gzip,
        .asset = asset,
    };
    return debug__http_send(connection, &answer);
}
