/* Bytes as text: hexadecimal, base64, UTF-8. */
#ifndef PHALANX_CLI_ENCODING_H
#define PHALANX_CLI_ENCODING_H

#include "bytes.h"
#include "check.h"

#include <stdbool.h>
#include <stddef.h>

enum cli_encoding { CLI_RAW, CLI_HEX, CLI_BASE64 };

/* Bytes of text that `len` bytes become, without a final zero. */
size_t cli_encoded_size(enum cli_encoding encoding, size_t len);
/* Writes exactly that many. */
void cli_encode(enum cli_encoding encoding, struct bytes bytes, char *ret_text);

/* The bytes that a text stands for; at most as many as the text has. False: it is not written in
 * this encoding. */
MUST_USE bool cli_decode(enum cli_encoding encoding, const char *text, uint8_t *ret_data,
                         size_t *ret_len);

/* Length of the UTF-8 character that `text` begins with, 0 when it begins with none. */
size_t cli_utf8_length(struct bytes text);
bool cli_utf8_is_valid(struct bytes text);

#endif
