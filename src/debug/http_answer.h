/* Answers over civetweb, of which nothing shows here. */
#ifndef PHALANX_DEBUG_HTTP_ANSWER_H
#define PHALANX_DEBUG_HTTP_ANSWER_H

#include "bytes.h"
#include "debug/assets.h"

struct mg_connection;

#define HTTP_TEXT "text/plain; charset=utf-8"
#define HTTP_JSON "application/json"
#define HTTP_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define HTTP_EVENTS "text/event-stream; charset=utf-8"

struct http_answer {
    int code;
    const char *type;
    struct bytes body;
    const struct debug_asset *asset; /* NULL: it is made for this one request */
    bool is_open;                    /* a stream: what follows is not known */
};

/* Whether that header contains `part`. */
bool debug__http_has(struct mg_connection *connection, const char *header, const char *part);

/* False too for a request that could not be read. */
bool debug__http_is_method(const struct mg_connection *connection, const char *method);

/* The head, and the body but for HEAD; returns the code, as civetweb wants it. A client that takes
 * nothing for REQUEST_TIMEOUT_MS is given up. */
int debug__http_send(struct mg_connection *connection, const struct http_answer *answer);
int debug__http_send_text(struct mg_connection *connection, int code, const char *text);
int debug__http_send_asset(struct mg_connection *connection, const struct debug_asset *asset);

/* Some more of a stream; false: its client is gone, or stuck. */
bool debug__http_write(struct mg_connection *connection, struct bytes bytes);

#endif
