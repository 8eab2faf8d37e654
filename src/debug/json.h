/* JSON into a text_writer: the commas, and one function for each type of value. */
#ifndef PHALANX_DEBUG_JSON_H
#define PHALANX_DEBUG_JSON_H

#include "text.h"

struct debug_json {
    struct text_writer *w;
    bool needs_comma; /* before the next value of this object or array */
};

/* Of all these, `key` is NULL inside an array and for the outermost value. */
void debug__json_open(struct debug_json *j, const char *key, char bracket); /* '{' or '[' */
void debug__json_close(struct debug_json *j, char bracket);                 /* '}' or ']' */
void debug__json_text(struct debug_json *j, const char *key, const char *value);
/* Any bytes, as text_put_quoted() prints them. */
void debug__json_bytes(struct debug_json *j, const char *key, struct bytes value);
void debug__json_u64(struct debug_json *j, const char *key, uint64_t value);
void debug__json_i64(struct debug_json *j, const char *key, int64_t value);
void debug__json_bool(struct debug_json *j, const char *key, bool value);
/* Identities and hashes, as a text: numbers lose bits above 2^53 in most readers. */
void debug__json_hex(struct debug_json *j, const char *key, uint64_t value);
void debug__json_null(struct debug_json *j, const char *key);
/* The number, or null for NODE_UNKNOWN. */
void debug__json_known(struct debug_json *j, const char *key, uint64_t value);
/* Thousandths as a number with three decimals, or null for NODE_UNKNOWN. */
void debug__json_thousandths(struct debug_json *j, const char *key, uint64_t value);

#endif
