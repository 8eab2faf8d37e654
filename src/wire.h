/* Little-endian cursors for our own formats: commands, records, snapshots.
 *
 * A writer or reader that runs past its end turns `has_failed` and stays there: a format is
 * written or read straight through and checked once, at the end. */
#ifndef PHALANX_WIRE_H
#define PHALANX_WIRE_H

#include "bytes.h"

#include <endian.h>

/* Writes into the caller's memory. */
struct wire_writer {
    uint8_t *data;
    size_t capacity; /* bytes */
    size_t len;      /* bytes written */
    bool has_failed;
};

/* Reads borrowed bytes. */
struct wire_reader {
    const uint8_t *data;
    size_t len; /* bytes left */
    bool has_failed;
};

static inline struct wire_writer wire_writer_of(void *data, size_t capacity) {
    return (struct wire_writer){.data = data, .capacity = capacity};
}

static inline struct wire_reader wire_reader_of(struct bytes bytes) {
    return (struct wire_reader){.data = bytes.data, .len = bytes.len};
}

static inline void wire_put(struct wire_writer *w, const void *data, size_t len) {
    if (w->has_failed || w->capacity - w->len < len) {
        w->has_failed = true;
        return;
    }
    if (len > 0)
        memcpy(w->data + w->len, data, len);
    w->len += len;
}

static inline void wire_put_u8(struct wire_writer *w, uint8_t value) {
    wire_put(w, &value, sizeof value);
}

static inline void wire_put_u32(struct wire_writer *w, uint32_t value) {
    uint32_t le = htole32(value);
    wire_put(w, &le, sizeof le);
}

static inline void wire_put_u64(struct wire_writer *w, uint64_t value) {
    uint64_t le = htole64(value);
    wire_put(w, &le, sizeof le);
}

/* Borrows from the reader's bytes. */
static inline struct bytes wire_get(struct wire_reader *r, size_t len) {
    if (r->has_failed || r->len < len) {
        r->has_failed = true;
        return (struct bytes){0};
    }
    struct bytes taken = bytes_of(r->data, len);
    r->data += len;
    r->len -= len;
    return taken;
}

static inline uint8_t wire_get_u8(struct wire_reader *r) {
    struct bytes b = wire_get(r, sizeof(uint8_t));
    return b.data ? b.data[0] : 0;
}

static inline uint32_t wire_get_u32(struct wire_reader *r) {
    uint32_t le = 0;
    struct bytes b = wire_get(r, sizeof le);
    if (b.data)
        memcpy(&le, b.data, sizeof le);
    return le32toh(le);
}

static inline uint64_t wire_get_u64(struct wire_reader *r) {
    uint64_t le = 0;
    struct bytes b = wire_get(r, sizeof le);
    if (b.data)
        memcpy(&le, b.data, sizeof le);
    return le64toh(le);
}

/* True when everything was read and nothing is left. */
static inline bool wire_reader_is_done(const struct wire_reader *r) {
    return !r->has_failed && r->len == 0;
}

#endif
