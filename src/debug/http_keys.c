#include "debug/http_keys.h"

#include "debug/http_answer.h"
#include "debug/pages.h"

#include <civetweb.h>

#include <stdlib.h>
#include <string.h>

/* A parameter of the query, decoded; one that is not there is empty. False: it is malformed or
 * longer than a key. */
static bool read_parameter(const struct mg_connection *connection, const char *name,
                           char value[static KEY_BYTES_MAX + 1], struct bytes *ret_value) {
    const char *query = mg_get_request_info(connection)->query_string;
    *ret_value = (struct bytes){0};
    if (!query)
        return true;
    int len = mg_get_var(query, strlen(query), name, value, KEY_BYTES_MAX + 1);
    if (len == -1)
        return true; /* not there */
    if (len < 0)
        return false;
    *ret_value = bytes_of(value, (size_t)len);
    return true;
}

static int send_page(struct mg_connection *connection, const struct debug_keys *keys) {
    char *body = malloc(DEBUG_KEYS_BYTES_MAX);
    if (!body)
        return debug__http_send_text(connection, 503, "no memory\n");
    struct text_writer w = text_writer_of(body, DEBUG_KEYS_BYTES_MAX);
    debug__print_keys(keys, &w);
    CHECK(!w.is_cut);
    const struct http_answer answer = {.code = 200,
                                       .type = HTTP_JSON,
                                       .body = bytes_of(body, w.len)};
    int code = debug__http_send(connection, &answer);
    free(body);
    return code;
}

int debug__http_send_keys(struct mg_connection *connection,
                          const struct debug_server_config *config) {
    char prefix_text[KEY_BYTES_MAX + 1];
    char after_text[KEY_BYTES_MAX + 1];
    struct bytes prefix;
    struct bytes after;
    if (!read_parameter(connection, "prefix", prefix_text, &prefix) ||
        !read_parameter(connection, "after", after_text, &after))
        return debug__http_send_text(connection, 400, "prefix and after: up to 480 bytes each\n");
    struct debug_keys *keys = calloc(1, sizeof *keys);
    enum status status = STATUS_NO_MEMORY;
    if (keys)
        status = config->read_keys(config->context, prefix, after, keys);
    int code = status == STATUS_OK
                   ? send_page(connection, keys)
                   : debug__http_send_text(connection, 503, "the keys cannot be read now\n");
    free(keys);
    return code;
}
