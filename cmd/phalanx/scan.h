/* Ranges of keys. */
#ifndef PHALANX_CLI_SCAN_H
#define PHALANX_CLI_SCAN_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"

#include <stdbool.h>

/* The first key after all that begin with `prefix`: at most as many bytes. 0: there is none, such
 * keys go on to the last. */
size_t cli_prefix_end(struct bytes prefix, uint8_t *ret_end);

/* The smallest key after `key` that is not over KEY_BYTES_MAX, which is what `ret_next` has room
 * for. False: `key` is the largest of all. */
MUST_USE bool cli_key_successor(struct bytes key, uint8_t *ret_next, size_t *ret_len);

#endif
