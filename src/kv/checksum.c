#include "kv/record.h"

#include <isa-l/crc.h>

/* Long runs go to the library in pieces, as it counts in int. */
#define PIECE_BYTES_MAX ((size_t)INT32_MAX)

uint32_t kv__crc32c(uint32_t crc, struct bytes bytes) {
    /* The library wants the register as it is, without the inversions of RFC 3720. */
    uint32_t state = ~crc;
    while (bytes.len > 0) {
        size_t piece = bytes.len < PIECE_BYTES_MAX ? bytes.len : PIECE_BYTES_MAX;
        /* It takes a pointer to mutable bytes and changes none. */
        state = crc32_iscsi((unsigned char *)bytes.data, (int)piece, state);
        bytes = bytes_of(bytes.data + piece, bytes.len - piece);
    }
    return ~state;
}
