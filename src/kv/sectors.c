#include "kv/sectors.h"

#define SECTOR_BYTES ((size_t)512)

/* Compares with itself, moved on by one byte. */
bool kv__is_zero(struct bytes bytes) {
    return bytes.len == 0 ||
           (bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.len - 1) == 0);
}

uint32_t kv__zero_sectors(uint64_t offset, struct bytes bytes) {
    uint32_t count = 0;
    while (bytes.len > 0) {
        size_t left = SECTOR_BYTES - (size_t)(offset % SECTOR_BYTES);
        size_t len = bytes.len < left ? bytes.len : left;
        count += kv__is_zero(bytes_of(bytes.data, len));
        bytes = bytes_of(bytes.data + len, bytes.len - len);
        offset += len;
    }
    return count;
}
