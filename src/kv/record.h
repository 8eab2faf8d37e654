/* Sealed records: the checksum that goes with every record and log entry, and the internal keys.
 *
 * Layout of a sealed record: u32 CRC32C (RFC 3720, appendix B.4) over the internal key and then
 * the body; the body follows. Little-endian. */
#ifndef PHALANX_KV_RECORD_H
#define PHALANX_KV_RECORD_H

#include "kv/kv.h"
#include "wire.h"

/* Tables, in the order in which they lie in the store. */
enum kv_table {
    KV_TABLE_META = 1,    /* one record: struct kv_meta; not counted, not in snapshots' body */
    KV_TABLE_SESSION = 2, /* client id, then (for an answer) its slot */
    KV_TABLE_KEY = 3,     /* clients' keys */
    KV_TABLE_CONFIGURATION = 4, /* one record: the newest configuration applied */
};

#define KV_SEAL_BYTES ((size_t)4)
#define KV_INTERNAL_KEY_BYTES_MAX (KEY_BYTES_MAX + 1)
#define KV_RECORD_BYTES_MAX (VALUE_BYTES_MAX + 4 * KIB)

/* CRC32C of `bytes`, going on from `crc` (0 at the start). */
uint32_t kv__crc32c(uint32_t crc, struct bytes bytes);

/* Fill in the seal of a record whose body is in place after it. */
void kv__record_seal(struct bytes key, uint8_t *record, size_t len);

/* The body. STATUS_CORRUPT: the seal does not fit; `ret_body` untouched. */
MUST_USE enum status kv__record_open(struct bytes key, struct bytes record, struct bytes *ret_body);

/* What a sealed record adds to the state's hash. */
uint64_t kv__record_hash(struct bytes record);

/* struct kv_meta as a record's body, and back. */
#define KV_META_BYTES ((size_t)88)
void kv__meta_encode(const struct kv_meta *meta, uint8_t body[KV_META_BYTES]);
MUST_USE enum status kv__meta_decode(struct bytes body, struct kv_meta *ret_meta);

#endif
