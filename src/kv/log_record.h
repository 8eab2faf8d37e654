/* What lies in the log's store, byte by byte. All numbers little-endian, except in keys, which
 * sort.
 *
 *     key 1, 1            hard state
 *     key 1, 2            identity
 *     key 1, 3            cut point: what came before the first entry
 *     key 1, 4            generation of the state
 *     key 2, counter      a start of this node: its nonce
 *     key 3, index        marks that this entry is a configuration
 *     key 4, name         a note: small facts of others
 *     key 9, index        an entry; the last records, so that new ones are appended
 *
 * Counters and indexes in keys are big-endian u64. Every record is sealed (record.h); after the
 * seal comes a format version of one byte. */
#ifndef PHALANX_KV_LOG_RECORD_H
#define PHALANX_KV_LOG_RECORD_H

#include "kv/record.h"

enum kv_log_meta { KV_LOG_HARD = 1, KV_LOG_IDENTITY = 2, KV_LOG_CUT = 3, KV_LOG_STATE = 4 };

/* Tables whose keys are a number. */
enum kv_log_table { KV_LOG_STARTS = 2, KV_LOG_CONFIGURATIONS = 3, KV_LOG_ENTRIES = 9 };

#define KV_LOG_META_BYTES_MAX ((size_t)64 + RAFT_CONFIGURATION_BYTES_MAX)
#define KV_LOG_META_KEY_BYTES ((size_t)2)
#define KV_LOG_NUMBER_KEY_BYTES ((size_t)9)
#define KV_LOG_NOTE_KEY_BYTES_MAX (1 + KV_NOTE_KEY_BYTES_MAX)
#define KV_LOG_HEAD_BYTES ((size_t)5)         /* seal, version */
#define KV_LOG_ENTRY_EXTRA_BYTES ((size_t)14) /* seal, version, type, term */

/* The last entry that was cut away; index 0: none was. */
struct kv_cut_point {
    raft_index index;
    raft_term term;
    struct raft_configuration configuration; /* the newest at or below `index`; count 0: none */
    raft_term configuration_term;            /* of its entry, at most */
};

/* Keys, in the caller's memory. */
struct bytes kv__log_meta_key(enum kv_log_meta meta, uint8_t memory[KV_LOG_META_KEY_BYTES]);
struct bytes kv__log_number_key(enum kv_log_table table, uint64_t number,
                                uint8_t memory[KV_LOG_NUMBER_KEY_BYTES]);
struct bytes kv__log_note_key(struct bytes name, uint8_t memory[KV_LOG_NOTE_KEY_BYTES_MAX]);

/* And back: false when it is of another table. */
bool kv__log_number_of_key(struct bytes key, enum kv_log_table table, uint64_t *ret_number);
bool kv__log_name_of_note(struct bytes key, struct bytes *ret_name);

/* Whole sealed records, in the caller's memory. */
struct bytes kv__log_hard_record(const struct raft_hard_state *hard,
                                 uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_identity_record(const struct kv_identity *identity,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_cut_record(const struct kv_cut_point *cut,
                                uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_state_record(uint64_t generation, uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_start_record(uint64_t counter, uint64_t nonce,
                                  uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_mark_record(raft_index index, uint8_t memory[KV_LOG_META_BYTES_MAX]);

/* `record` has KV_LOG_HEAD_BYTES and the value's length. */
void kv__log_note_encode(struct bytes value, struct bytes key, uint8_t *record);
/* `record` has KV_LOG_ENTRY_EXTRA_BYTES and the payload's length. */
void kv__log_entry_encode(const struct raft_entry *entry, struct bytes key, uint8_t *record);

/* And back. STATUS_CORRUPT: the seal does not fit, or what it seals makes no sense.
 * STATUS_UNSUPPORTED: of a later version. */
MUST_USE enum status kv__log_hard_decode(struct bytes record, struct raft_hard_state *ret_hard);
MUST_USE enum status kv__log_identity_decode(struct bytes record, struct kv_identity *ret_identity);
MUST_USE enum status kv__log_cut_decode(struct bytes record, struct kv_cut_point *ret_cut);
MUST_USE enum status kv__log_state_decode(struct bytes record, uint64_t *ret_generation);
MUST_USE enum status kv__log_start_decode(uint64_t counter, struct bytes record,
                                          uint64_t *ret_nonce);

/* These borrow from `record`. */
MUST_USE enum status kv__log_note_decode(struct bytes key, struct bytes record,
                                         struct bytes *ret_value);
MUST_USE enum status kv__log_entry_decode(struct bytes key, struct bytes record,
                                          struct raft_entry *ret_entry);

#endif
