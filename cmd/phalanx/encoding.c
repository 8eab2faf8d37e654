#include "phalanx/encoding.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- To text ------------------------------------------------------------------------------- */

size_t cli_encoded_size(enum cli_encoding encoding, size_t len) {
    switch (encoding) {
    case CLI_RAW: return len;
    case CLI_HEX: return 2 * len;
    case CLI_BASE64: return (len + 2) / 3 * 4;
    }
    CHECK(!"an encoding");
    return 0;
}

static void encode_hex(struct bytes bytes, char *text) {
    for (size_t i = 0; i < bytes.len; i++) {
        *text++ = hex_digits[bytes.data[i] >> 4];
        *text++ = hex_digits[bytes.data[i] & 15];
    }
}

/* Four digits for up to three bytes. */
static void encode_base64_group(const uint8_t *data, size_t len, char *text) {
    uint32_t group = (uint32_t)data[0] << 16;
    if (len > 1)
        group |= (uint32_t)data[1] << 8;
    if (len > 2)
        group |= data[2];
    text[0] = base64_digits[group >> 18];
    text[1] = base64_digits[group >> 12 & 63];
    text[2] = len > 1 ? base64_digits[group >> 6 & 63] : '=';
    text[3] = len > 2 ? base64_digits[group & 63] : '=';
}

void cli_encode(enum cli_encoding encoding, struct bytes bytes, char *ret_text) {
    switch (encoding) {
    case CLI_RAW:
        if (bytes.len > 0)
            memcpy(ret_text, bytes.data, bytes.len);
        return;
    case CLI_HEX: encode_hex(bytes, ret_text); return;
    case CLI_BASE64:
        for (size_t at = 0; at < bytes.len; at += 3, ret_text += 4)
            encode_base64_group(bytes.data + at, bytes.len - at, ret_text);
        return;
    }
}

/* ---- From text ----------------------------------------------------------------------------- */

/* 16 or more: not a digit. */
static unsigned hex_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0');
    if (digit >= 'a' && digit <= 'f')
        return (unsigned)(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F')
        return (unsigned)(digit - 'A') + 10;
    return 16;
}

static bool decode_hex(const char *text, uint8_t *data, size_t *ret_len) {
    size_t len = strlen(text);
    if (len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        unsigned high = hex_value(text[i]);
        unsigned low = hex_value(text[i + 1]);
        if (high > 15 || low > 15)
            return false;
        data[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_len = len / 2;
    return true;
}

/* 64 or more: not a digit. */
static unsigned base64_value(char digit) {
    const char *found = digit == '\0' ? NULL : strchr(base64_digits, digit);
    return found == NULL ? 64 : (unsigned)(found - base64_digits);
}

/* Padding may be left out; unused bits must be zero, so that each byte string has one spelling. */
static bool decode_base64(const char *text, uint8_t *data, size_t *ret_len) {
    size_t padded = strlen(text);
    size_t len = padded;
    while (padded % 4 == 0 && padded - len < 2 && len > 0 && text[len - 1] == '=')
        len--;
    uint32_t group = 0;
    unsigned bits = 0;
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned value = base64_value(text[i]);
        if (value > 63)
            return false;
        group = group << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            data[count++] = (uint8_t)(group >> bits);
        }
    }
    if (bits >= 6 || (group & ((1U << bits) - 1)) != 0)
        return false;
    *ret_len = count;
    return true;
}

bool cli_decode(enum cli_encoding encoding, const char *text, uint8_t *ret_data, size_t *ret_len) {
    switch (encoding) {
    case CLI_RAW:
        *ret_len = strlen(text);
        memcpy(ret_data, text, *ret_len);
        return true;
    case CLI_HEX: return decode_hex(text, ret_data, ret_len);
    case CLI_BASE64: return decode_base64(text, ret_data, ret_len);
    }
    CHECK(!"an encoding");
    return false;
}

/* ---- UTF-8 --------------------------------------------------------------------------------- */

size_t cli_utf8_length(struct bytes text) {
    /* The first byte says how many follow; overlong forms, surrogates and what lies beyond
     * U+10FFFF show in the second one. */
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        size_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    if (text.len == 0)
        return 0;
    uint8_t first = text.data[0];
    if (first < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (first < forms[i].first_min || first > forms[i].first_max)
            continue;
        if (text.len < forms[i].len || text.data[1] < forms[i].second_min ||
            text.data[1] > forms[i].second_max)
            return 0;
        for (size_t j = 2; j < forms[i].len; j++)
            if ((text.data[j] & 0xc0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

bool cli_utf8_is_valid(struct bytes text) {
    while (text.len > 0) {
        size_t len = cli_utf8_length(text);
        if (len == 0)
            return false;
        text = bytes_of(text.data + len, text.len - len);
    }
    return true;
}
