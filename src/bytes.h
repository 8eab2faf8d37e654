/* A borrowed run of bytes, and the order of keys. */
#ifndef PHALANX_BYTES_H
#define PHALANX_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed: whoever hands it out says for how long. `data` may be NULL when `len` is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len) {
    return (struct bytes){.data = data, .len = len};
}

/* The text without its final zero. */
static inline struct bytes bytes_of_text(const char *text) {
    return bytes_of(text, strlen(text));
}

/* Below 0, 0 or above 0: unsigned bytes first, then the shorter one. */
static inline int bytes_compare(struct bytes a, struct bytes b) {
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
