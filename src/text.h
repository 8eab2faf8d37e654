/* Text into the caller's memory, bounded: log lines, JSON, error lines.
 *
 * Each call writes all of its piece or nothing. A piece that does not fit sets `is_cut` and so ends
 * the text: one check at the end is enough. */
#ifndef PHALANX_TEXT_H
#define PHALANX_TEXT_H

#include "bytes.h"

/* Owned by the caller, who also owns `data`. The text carries no final zero. */
struct text_writer {
    char *data;
    size_t capacity; /* bytes */
    size_t len;      /* bytes written */
    bool is_cut;     /* a piece did not fit; everything after it was ignored */
};

static inline struct text_writer text_writer_of(char *data, size_t capacity) {
    return (struct text_writer){.data = data, .capacity = capacity};
}

void text_put(struct text_writer *w, const char *text);
void text_put_bytes(struct text_writer *w, struct bytes bytes);
void text_put_u64(struct text_writer *w, uint64_t value);
void text_put_i64(struct text_writer *w, int64_t value);
/* As a number with three decimals: 1234 is 1.234. */
void text_put_thousandths(struct text_writer *w, uint64_t value);
/* Sixteen hexadecimal digits. */
void text_put_hex(struct text_writer *w, uint64_t value);
/* true or false */
void text_put_bool(struct text_writer *w, bool value);

/* The inside of a JSON string, at most `bytes_max` of it; returns how many bytes of `source` it
 * stands for. Quotes, backslashes and control characters are escaped; a byte that is not valid
 * UTF-8 becomes the four characters \xHH. So any bytes whatever give one line of valid UTF-8. */
size_t text_put_escaped(struct text_writer *w, struct bytes source, size_t bytes_max);

/* A whole JSON string with its quotes, or nothing when it does not fit. */
void text_put_quoted(struct text_writer *w, struct bytes source);

/* Bytes of the valid UTF-8 sequence that `source` starts with, 1 to 4; 0: it is not valid. */
size_t text_utf8_length(struct bytes source);

#endif
