/* The portable stream of a state, as bytes. All numbers little-endian.
 *
 *     preamble   "PHLXSNAP", u32 version
 *     frames     u8 type, u32 length, u32 CRC32C, payload
 *
 * A frame with its head is at most 64 KiB. Its CRC32C is over its number in the stream (u64, from
 * 0), its type and its payload, so none can be dropped, doubled or swapped.
 *
 *     'H'  once, first: u64 cluster id, then the meta record's body (record.h)
 *     'R'  a piece of the run of records: for each, u16 key length, u32 record length, the internal
 *          key, the sealed record; in key order, without the meta record. A record may go on in the
 *          next frame.
 *     'E'  once, last: u64 count of records, u64 their hash */
#ifndef PHALANX_KV_SNAPSHOT_STREAM_H
#define PHALANX_KV_SNAPSHOT_STREAM_H

#include "kv/record.h"

#define KV_STREAM_MAGIC "PHLXSNAP"
#define KV_STREAM_MAGIC_BYTES ((size_t)8)
#define KV_STREAM_VERSION 1
#define KV_STREAM_PREAMBLE_BYTES (KV_STREAM_MAGIC_BYTES + 4)
#define KV_FRAME_BYTES_MAX (64 * KIB)
#define KV_FRAME_HEAD_BYTES ((size_t)9)
#define KV_FRAME_PAYLOAD_MAX (KV_FRAME_BYTES_MAX - KV_FRAME_HEAD_BYTES)
#define KV_RECORD_HEAD_BYTES ((size_t)6)

/* The largest sealed record: a value with what is kept about it. */

enum kv_frame { KV_FRAME_HEADER = 'H', KV_FRAME_RECORDS = 'R', KV_FRAME_END = 'E' };

uint32_t kv__frame_crc(uint64_t number, uint8_t type, struct bytes payload);

/* Reads a stream piece by piece and checks it: frames, seals, order, count, hash. */
struct kv_stream;

/* `visit` gets each record, once it is known to be sound; NULL: only check. */
MUST_USE enum status kv__stream_new(kv_record_visit *visit, void *context,
                                    struct kv_stream **ret_stream);
void kv__stream_free(struct kv_stream *stream);

/* STATUS_CORRUPT, STATUS_UNSUPPORTED, or what `visit` said; the same again from then on. */
MUST_USE enum status kv__stream_write(struct kv_stream *stream, struct bytes chunk);

/* STATUS_OK: it was all there. STATUS_CORRUPT: it was cut short. */
MUST_USE enum status kv__stream_finish(struct kv_stream *stream);

/* What is known so far: cluster and meta once the first record is visited. */
const struct kv_snapshot_info *kv__stream_info(const struct kv_stream *stream);

#endif
