#include "gossip/machine.h"

#include <sodium.h>

/* The packet: the datagram's version with GOSSIP_SEALED, and its label, readable; the nonce; the
 * rest of the datagram, encrypted, with the tag. Readable is what is authenticated with it. */
#define NONCE_BYTES ((size_t)crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)
#define TAG_BYTES ((size_t)crypto_aead_xchacha20poly1305_ietf_ABYTES)

_Static_assert(NONCE_BYTES + TAG_BYTES == GOSSIP_SEAL_BYTES, "a datagram leaves room for its seal");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == GOSSIP_KEY_BYTES, "keys fit");

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool parse_key(const char *text, size_t len, uint8_t ret_key[static GOSSIP_KEY_BYTES]) {
    size_t bytes = 0;
    bool is_key =
        len == 2 * GOSSIP_KEY_BYTES
            ? sodium_hex2bin(ret_key, GOSSIP_KEY_BYTES, text, len, NULL, &bytes, NULL) == 0
            : sodium_base642bin(ret_key, GOSSIP_KEY_BYTES, text, len, NULL, &bytes, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0;
    return is_key && bytes == GOSSIP_KEY_BYTES;
}

enum status gossip_keys_parse(const char *text, struct gossip_keys *ret_keys) {
    struct gossip_keys keys = {0};
    if (sodium_init() < 0)
        return STATUS_UNAVAILABLE;
    for (const char *at = text; *text != '\0'; at++) {
        size_t len = strcspn(at, ",");
        if (keys.count == GOSSIP_KEYS_MAX || !parse_key(at, len, keys.keys[keys.count++]))
            return STATUS_INVALID;
        at += len;
        if (*at == '\0')
            break;
    }
    *ret_keys = keys;
    return STATUS_OK;
}

/* ---- Packets --------------------------------------------------------------------------------- */

size_t gossip_seal(const struct gossip_keys *keys, struct bytes datagram,
                   uint8_t packet[static GOSSIP_PACKET_BYTES_MAX]) {
    size_t open = gossip__open_bytes(datagram);
    CHECK(open > 0 && datagram.len <= GOSSIP_DATAGRAM_BYTES_MAX);
    if (keys->count == 0) {
        memcpy(packet, datagram.data, datagram.len);
        return datagram.len;
    }
    uint8_t *nonce = packet + open;
    unsigned long long sealed_bytes = 0;
    memcpy(packet, datagram.data, open);
    packet[0] |= GOSSIP_SEALED;
    randombytes_buf(nonce, NONCE_BYTES);
    int failed =
        crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, &sealed_bytes,
                                                   datagram.data + open, datagram.len - open,
                                                   packet, open, NULL, nonce, keys->keys[0]);
    CHECK(failed == 0);
    return open + NONCE_BYTES + (size_t)sealed_bytes;
}

static bool open_with(const uint8_t *key, struct bytes packet, size_t open, uint8_t *ret_rest) {
    const uint8_t *nonce = packet.data + open;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_rest, NULL, NULL, nonce + NONCE_BYTES,
                                                      packet.len - open - NONCE_BYTES, packet.data,
                                                      open, nonce, key) == 0;
}

static enum status copy_plain(struct bytes packet, uint8_t *ret_datagram, size_t *ret_len) {
    memcpy(ret_datagram, packet.data, packet.len);
    *ret_len = packet.len;
    return STATUS_OK;
}

enum status gossip_open(const struct gossip_keys *keys, struct bytes packet,
                        uint8_t ret_datagram[static GOSSIP_PACKET_BYTES_MAX], size_t *ret_len) {
    size_t open = gossip__open_bytes(packet);
    if (open == 0 || packet.len > GOSSIP_PACKET_BYTES_MAX)
        return STATUS_INVALID;
    bool is_sealed = packet.data[0] & GOSSIP_SEALED;
    if (is_sealed != (keys->count > 0))
        return STATUS_INVALID;
    if (!is_sealed)
        return copy_plain(packet, ret_datagram, ret_len);
    if (packet.len - open < GOSSIP_SEAL_BYTES)
        return STATUS_INVALID;
    for (size_t i = 0; i < keys->count; i++)
        if (open_with(keys->keys[i], packet, open, ret_datagram + open)) {
            memcpy(ret_datagram, packet.data, open);
            ret_datagram[0] &= (uint8_t)~GOSSIP_SEALED;
            *ret_len = packet.len - GOSSIP_SEAL_BYTES;
            return STATUS_OK;
        }
    return STATUS_INVALID;
}
