#include "debug/json.h"

#include "node_report.h"

static void begin_value(struct debug_json *j, const char *key) {
    if (j->needs_comma)
        text_put(j->w, ",");
    j->needs_comma = true;
    if (!key)
        return;
    text_put_quoted(j->w, bytes_of_text(key));
    text_put(j->w, ":");
}

void debug__json_open(struct debug_json *j, const char *key, char bracket) {
    begin_value(j, key);
    text_put_bytes(j->w, bytes_of(&bracket, 1));
    j->needs_comma = false;
}

void debug__json_close(struct debug_json *j, char bracket) {
    text_put_bytes(j->w, bytes_of(&bracket, 1));
    j->needs_comma = true;
}

void debug__json_bytes(struct debug_json *j, const char *key, struct bytes value) {
    begin_value(j, key);
    text_put_quoted(j->w, value);
}

void debug__json_text(struct debug_json *j, const char *key, const char *value) {
    debug__json_bytes(j, key, bytes_of_text(value));
}

void debug__json_u64(struct debug_json *j, const char *key, uint64_t value) {
    begin_value(j, key);
    text_put_u64(j->w, value);
}

void debug__json_i64(struct debug_json *j, const char *key, int64_t value) {
    begin_value(j, key);
    text_put_i64(j->w, value);
}

void debug__json_bool(struct debug_json *j, const char *key, bool value) {
    begin_value(j, key);
    text_put_bool(j->w, value);
}

void debug__json_hex(struct debug_json *j, const char *key, uint64_t value) {
    begin_value(j, key);
    text_put(j->w, "\"");
    text_put_hex(j->w, value);
    text_put(j->w, "\"");
}

void debug__json_null(struct debug_json *j, const char *key) {
    begin_value(j, key);
    text_put(j->w, "null");
}

void debug__json_known(struct debug_json *j, const char *key, uint64_t value) {
    if (value == NODE_UNKNOWN)
        debug__json_null(j, key);
    else
        debug__json_u64(j, key, value);
}

void debug__json_thousandths(struct debug_json *j, const char *key, uint64_t value) {
    if (value == NODE_UNKNOWN) {
        debug__json_null(j, key);
        return;
    }
    begin_value(j, key);
    text_put_thousandths(j->w, value);
}
