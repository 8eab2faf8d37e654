#include "text.h"

#include <inttypes.h>
#include <stdio.h>

/* The longest that one character of a source can become: \\xHH or \u00HH. */
#define PIECE_BYTES_MAX 8

void text_put_bytes(struct text_writer *w, struct bytes bytes) {
    if (w->is_cut || w->capacity - w->len < bytes.len) {
        w->is_cut = true;
        return;
    }
    if (bytes.len > 0)
        memcpy(w->data + w->len, bytes.data, bytes.len);
    w->len += bytes.len;
}

void text_put(struct text_writer *w, const char *text) {
    text_put_bytes(w, bytes_of_text(text));
}

void text_put_u64(struct text_writer *w, uint64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    text_put(w, digits);
}

void text_put_i64(struct text_writer *w, int64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, value);
    text_put(w, digits);
}

void text_put_thousandths(struct text_writer *w, uint64_t value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
    text_put(w, digits);
}

void text_put_hex(struct text_writer *w, uint64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%016" PRIx64, value);
    text_put(w, digits);
}

void text_put_bool(struct text_writer *w, bool value) {
    text_put(w, value ? "true" : "false");
}

static bool is_continuation(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The second byte carries the rules: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool second_byte_is_valid(uint8_t first, uint8_t second) {
    if (first == 0xe0)
        return second >= 0xa0 && second <= 0xbf;
    if (first == 0xed)
        return second >= 0x80 && second <= 0x9f;
    if (first == 0xf0)
        return second >= 0x90 && second <= 0xbf;
    if (first == 0xf4)
        return second >= 0x80 && second <= 0x8f;
    return is_continuation(second);
}

static size_t utf8_length_by_first(uint8_t first) {
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    if (first >= 0xf0 && first <= 0xf4)
        return 4;
    return 0;
}

size_t text_utf8_length(struct bytes source) {
    if (source.len == 0)
        return 0;
    size_t length = utf8_length_by_first(source.data[0]);
    if (length > source.len)
        return 0;
    if (length >= 2 && !second_byte_is_valid(source.data[0], source.data[1]))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_continuation(source.data[i]))
            return 0;
    return length;
}

/* The C1 controls, U+0080 to U+009F, steer terminals as the C0 ones do. */
static bool is_control(const uint8_t *at, size_t length) {
    if (length == 1)
        return at[0] < 0x20 || at[0] == 0x7f;
    return length == 2 && at[0] == 0xc2 && at[1] <= 0x9f;
}

static const char *short_escape(uint8_t byte) {
    switch (byte) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

/* Writes what stands for the first character of `source`; returns its length in the source. */
static size_t escape_one(struct bytes source, char piece[PIECE_BYTES_MAX], size_t *ret_len) {
    const uint8_t *at = source.data;
    size_t length = text_utf8_length(source);
    const char *escaped = length == 1 ? short_escape(at[0]) : NULL;
    if (escaped) {
        memcpy(piece, escaped, 2);
        *ret_len = 2;
    } else if (length == 0) {
        *ret_len = (size_t)snprintf(piece, PIECE_BYTES_MAX, "\\\\x%02x", at[0]);
    } else if (is_control(at, length)) {
        *ret_len = (size_t)snprintf(piece, PIECE_BYTES_MAX, "\\u00%02x", at[length - 1]);
    } else {
        memcpy(piece, at, length);
        *ret_len = length;
    }
    return length == 0 ? 1 : length;
}

size_t text_put_escaped(struct text_writer *w, struct bytes source, size_t bytes_max) {
    size_t taken = 0;
    size_t written = 0;
    while (taken < source.len && !w->is_cut) {
        char piece[PIECE_BYTES_MAX];
        size_t piece_len = 0;
        size_t step =
            escape_one(bytes_of(source.data + taken, source.len - taken), piece, &piece_len);
        if (written + piece_len > bytes_max)
            break;
        text_put_bytes(w, bytes_of(piece, piece_len));
        if (w->is_cut)
            break;
        taken += step;
        written += piece_len;
    }
    return taken;
}

void text_put_quoted(struct text_writer *w, struct bytes source) {
    struct text_writer whole = *w;
    text_put(&whole, "\"");
    text_put_escaped(&whole, source, SIZE_MAX);
    text_put(&whole, "\"");
    if (whole.is_cut)
        w->is_cut = true;
    else
        *w = whole;
}
