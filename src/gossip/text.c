#include "gossip/machine.h"

bool gossip__text_is_sound(const char *text, size_t capacity) {
    size_t len = strnlen(text, capacity);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return len < capacity;
}

bool gossip__meta_is_sound(const struct gossip_meta *meta) {
    return meta->name[0] != '\0' && gossip__text_is_sound(meta->name, sizeof meta->name) &&
           gossip__text_is_sound(meta->raft_address, sizeof meta->raft_address) &&
           gossip__text_is_sound(meta->http_address, sizeof meta->http_address) &&
           gossip__text_is_sound(meta->region, sizeof meta->region);
}

bool gossip__address_is_zero(const struct gossip_address *address) {
    static const uint8_t zero[sizeof address->ip];
    return memcmp(address->ip, zero, sizeof zero) == 0;
}

bool gossip_address_complete(const char *text, const struct gossip_address *seen_at,
                             char ret_text[static ADDRESS_BYTES_MAX]) {
    char seen[GOSSIP_ADDRESS_TEXT_BYTES_MAX];
    size_t len = strnlen(text, ADDRESS_BYTES_MAX), host = 0;
    if (text[0] == ':') {
        gossip_address_print(seen_at, seen);
        host = (size_t)(strrchr(seen, ':') - seen);
    }
    if (len == 0 || host + len >= ADDRESS_BYTES_MAX)
        return false;
    memcpy(ret_text, seen, host);
    memcpy(ret_text + host, text, len + 1);
    return true;
}
