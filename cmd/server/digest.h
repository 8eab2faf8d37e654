/* What nodes tell each other of themselves, as bytes. */
#ifndef PHALANX_SERVER_DIGEST_H
#define PHALANX_SERVER_DIGEST_H

#include "bytes.h"
#include "check.h"
#include "node_report.h"
#include "status.h"

/* Little-endian, in the order of digest.c; texts are a u8 and so many bytes. A later version only
 * appends: who reads takes what it knows, and what an older one did not say is 0. */
#define DIGEST_BYTES_MAX \
    (3 + VERSION_BYTES_MAX + NAME_BYTES_MAX + ADDRESS_BYTES_MAX + 3 + 16 * 8 + 1 + MEMBERS_MAX * 16)

/* Returns the bytes written; `capacity` of DIGEST_BYTES_MAX always fits. */
size_t digest_encode(const struct node_digest *digest, uint8_t *data, size_t capacity);

/* STATUS_CORRUPT: no digest; nothing was written to `ret_digest`. */
MUST_USE enum status digest_decode(struct bytes bytes, struct node_digest *ret_digest);

#endif
