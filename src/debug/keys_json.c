/* /debug/keys. */
#include "debug/pages.h"

static void put_hex(struct debug_json *j, const char *name, struct bytes bytes) {
    static const char digits[] = "0123456789abcdef";
    char text[2 * KEY_BYTES_MAX + 1];
    CHECK(bytes.len <= KEY_BYTES_MAX);
    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.len] = '\0';
    debug__json_text(j, name, text);
}

static void put_key(struct debug_json *j, const struct debug_key *key) {
    debug__json_open(j, NULL, '{');
    debug__json_bytes(j, "key", bytes_of(key->key, key->key_len));
    put_hex(j, "key_hex", bytes_of(key->key, key->key_len));
    debug__json_bytes(j, "value", bytes_of(key->value, key->value_len));
    debug__json_u64(j, "value_bytes", key->value_bytes);
    debug__json_i64(j, "mod_revision", key->mod_revision);
    debug__json_i64(j, "version", key->version);
    debug__json_close(j, '}');
}

void debug__print_keys(const struct debug_keys *keys, struct text_writer *w) {
    struct debug_json j = {.w = w};
    debug__json_open(&j, NULL, '{');
    debug__json_open(&j, "items", '[');
    for (size_t i = 0; i < keys->count; i++)
        put_key(&j, &keys->keys[i]);
    debug__json_close(&j, ']');
    debug__json_bool(&j, "more", keys->has_more);
    debug__json_close(&j, '}');
    text_put(w, "\n");
}
