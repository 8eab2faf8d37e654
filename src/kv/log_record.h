/* What lies in the log's own records, byte by byte: all but the entries and the votes, which are in
 * the segments (segment_format.h). All numbers little-endian, except in keys, which sort.
 *
 *     key 1, 1            hard state, as of the start of the segments' frames
 *     key 1, 2            identity
 *     key 1, 3            cut point: what came before the first entry
 *     key 1, 4            generation of the state
 *     key 1, 5            segments: where their frames start, and the newest one
 *     key 1, 6            the founding configuration
 *     key 2, counter      a start of this node: its nonce
 *     key 4, name         a note: small facts of others
 *
 * A counter in a key is a big-endian u64. Every record is sealed (record.h); after the seal comes a
 * format version of one byte. */
#ifndef PHALANX_KV_LOG_RECORD_H
#define PHALANX_KV_LOG_RECORD_H

#include "kv/record.h"
#include "kv/segment_format.h"

enum kv_log_meta {
    KV_LOG_HARD = 1,
    KV_LOG_IDENTITY = 2,
    KV_LOG_CUT = 3,
    KV_LOG_STATE = 4,
    KV_LOG_SEGMENTS = 5,
    KV_LOG_FOUNDING = 6,
};

#define KV_LOG_META_BYTES_MAX ((size_t)64 + RAFT_CONFIGURATION_BYTES_MAX)
#define KV_LOG_META_KEY_BYTES ((size_t)2)
#define KV_LOG_START_KEY_BYTES ((size_t)9)
#define KV_LOG_NOTE_KEY_BYTES_MAX (1 + KV_NOTE_KEY_BYTES_MAX)
#define KV_LOG_HEAD_BYTES ((size_t)5) /* seal, version */

/* The last entry that was cut away; index 0: none was. */
struct kv_cut_point {
    raft_index index;
    raft_term term;
    struct raft_configuration configuration; /* the newest at or below `index`; count 0: none */
    raft_term configuration_term;            /* of its entry, at most */
};

/* Which segments there are, and where the first frame lies that still counts. */
struct kv_segments {
    uint64_t first;
    struct kv_segment_place start; /* in the first one */
    uint64_t newest;
};

/* Keys, in the caller's memory. */
struct bytes kv__log_meta_key(enum kv_log_meta meta, uint8_t memory[KV_LOG_META_KEY_BYTES]);
struct bytes kv__log_start_key(uint64_t counter, uint8_t memory[KV_LOG_START_KEY_BYTES]);
struct bytes kv__log_note_key(struct bytes name, uint8_t memory[KV_LOG_NOTE_KEY_BYTES_MAX]);

/* And back: false when it is of another table. */
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
struct bytes kv__log_segments_record(const struct kv_segments *segments,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]);
struct bytes kv__log_founding_record(const struct raft_configuration *configuration,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]);

/* `record` has KV_LOG_HEAD_BYTES and the value's length. */
void kv__log_note_encode(struct bytes value, struct bytes key, uint8_t *record);

/* And back. STATUS_CORRUPT: the seal does not fit, or what it seals makes no sense.
 * STATUS_UNSUPPORTED: of a later version. */
MUST_USE enum status kv__log_hard_decode(struct bytes record, struct raft_hard_state *ret_hard);
MUST_USE enum status kv__log_identity_decode(struct bytes record, struct kv_identity *ret_identity);
MUST_USE enum status kv__log_cut_decode(struct bytes record, struct kv_cut_point *ret_cut);
MUST_USE enum status kv__log_state_decode(struct bytes record, uint64_t *ret_generation);
MUST_USE enum status kv__log_start_decode(uint64_t counter, struct bytes record,
                                          uint64_t *ret_nonce);

MUST_USE enum status kv__log_segments_decode(struct bytes record, struct kv_segments *ret_segments);
MUST_USE enum status kv__log_founding_decode(struct bytes record,
                                             struct raft_configuration *ret_configuration);

/* The value borrows from `record`. */
MUST_USE enum status kv__log_note_decode(struct bytes key, struct bytes record,
                                         struct bytes *ret_value);

#endif
