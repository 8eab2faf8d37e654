/* Which key comes next. */
#include "kv/kv.h"

size_t kv_prefix_end(struct bytes prefix, uint8_t *ret_end) {
    size_t len = prefix.len;
    while (len > 0 && prefix.data[len - 1] == 0xff)
        len--;
    if (len == 0)
        return 0;
    memcpy(ret_end, prefix.data, len);
    ret_end[len - 1]++;
    return len;
}

bool kv_key_successor(struct bytes key, uint8_t *ret_next, size_t *ret_len) {
    if (key.len < KEY_BYTES_MAX) {
        memcpy(ret_next, key.data, key.len);
        ret_next[key.len] = 0;
        *ret_len = key.len + 1;
        return true;
    }
    *ret_len = kv_prefix_end(key, ret_next);
    return *ret_len > 0;
}
