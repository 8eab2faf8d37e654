/* What lies in the log's store, byte by byte. All numbers little-endian, except in keys, which
 * sort.
 *
 *     key 1, 1            hard state
 *     key 1, 2            identity
 *     key 1, 3            cut point: what came before the first entry
 *     key 2, index (big-endian u64)   an entry; the last records, so that new ones are appended
 *
 * Every record is sealed (record.h); after the seal comes a format version of one byte. */
#ifndef PHALANX_KV_LOG_RECORD_H
#define PHALANX_KV_LOG_RECORD_H

#include "kv/record.h"

enum kv_log_meta { KV_LOG_HARD = 1, KV_LOG_IDENTITY = 2, KV_LOG_CUT = 3 };

#define KV_LOG_META_COUNT 3
#define KV_LOG_META_BYTES_MAX ((size_t)512)
#define KV_LOG_META_KEY_BYTES ((size_t)2)
#define KV_LOG_ENTRY_KEY_BYTES ((size_t)9)
#define KV_LOG_ENTRY_EXTRA_BYTES ((size_t)14) /* seal, version, type, term */

/* The last entry that was cut away; index 0: none was. */
struct kv_cut_point {
    raft_index index;
    raft_term term;
};

/* Keys, in the caller's memory. */
struct bytes kv__log_meta_key(enum kv_log_meta meta, uint8_t memory[KV_LOG_META_KEY_BYTES]);
struct bytes kv__log_entry_key(raft_index index, uint8_t memory[KV_LOG_ENTRY_KEY_BYTES]);

/* Whole sealed records, in the caller's memory. */
struct bytes kv__log_hard_record(const struct raft_hard_state *hard,
                                 uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_identity_record(const struct kv_identity *identity,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_cut_record(const struct kv_cut_point *cut,
                                uint8_t memory[KV_LOG_META_BYTES_MAX]);

/* `record` has KV_LOG_ENTRY_EXTRA_BYTES and the payload's length. */
void kv__log_entry_encode(const struct raft_entry *entry, struct bytes key, uint8_t *record);

/* And back. STATUS_CORRUPT: the seal does not fit, or what it seals makes no sense.
 * STATUS_UNSUPPORTED: of a later version. */
MUST_USE enum status kv__log_hard_decode(struct bytes record, struct raft_hard_state *ret_hard);
MUST_USE enum status kv__log_identity_decode(struct bytes record, struct kv_identity *ret_identity);
MUST_USE enum status kv__log_cut_decode(struct bytes record, struct kv_cut_point *ret_cut);

/* The entry borrows from `record`. */
MUST_USE enum status kv__log_entry_decode(struct bytes key, struct bytes record,
                                          struct raft_entry *ret_entry);

#endif
