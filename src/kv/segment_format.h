/* What lies in a segment, a file of the log, byte by byte. All numbers little-endian.
 *
 *     head     one page: magic, version, CRC32C of the page, what struct kv_segment_head has, zeros
 *     frames   one after the other, each written and synced at once: a group of batches
 *     zeros    up to the end of what is allocated, at least KV_SEGMENT_SLACK_BYTES
 *
 *     frame    u32 CRC32C, u32 magic, u64 number, u32 bytes of records, u32 count of records,
 *              u32 count of zero sectors, u32 magic; then its records
 *     record   u32 CRC32C, u32 bytes of payload, u64 index, u64 term, u8 type, 3 zeros,
 *              u32 bytes since the frame's start; then the payload, zeros up to a multiple of 8
 *
 * Sums of frames and records are also over the segment's salt and their own place in it, so nothing
 * that was copied from elsewhere passes for one. Frames are numbered through all segments.
 *
 * What a crash may leave, and what is damage: behind the last frame there were zeros when a frame
 * was written, and a sector is written whole or not at all. So a frame that was not finished lacks
 * whole sectors, which are zero where the frame has something else: it was never acknowledged, and
 * is dropped. Any other frame that does not check is damaged; so is one with another frame behind
 * it, which was written only after its sync. A sector that the disk turns into zeros in the very
 * last frame is taken for the former: nothing in the file tells them apart. */
#ifndef PHALANX_KV_SEGMENT_FORMAT_H
#define PHALANX_KV_SEGMENT_FORMAT_H

#include "kv/record.h"

#define KV_SEGMENT_HEAD_BYTES ((size_t)4096)
#define KV_SEGMENT_SLACK_BYTES ((size_t)4096)
#define KV_SEGMENT_FRAME_BYTES ((size_t)32)
#define KV_SEGMENT_RECORD_BYTES ((size_t)32)

/* Other than an entry's type. */
enum kv_segment_type {
    KV_SEGMENT_HARD = 16,     /* index: the vote, term: the term */
    KV_SEGMENT_TRUNCATE = 17, /* entries from `index` on are no more */
};

struct kv_segment_head {
    uint64_t number;       /* from 1 */
    uint64_t salt;         /* random */
    uint64_t node;         /* whose log */
    uint64_t previous_end; /* of the frames in the segment before it */
    uint64_t first_frame;  /* number of its first frame */
};

struct kv_segment_record {
    uint8_t type; /* enum raft_entry_type or enum kv_segment_type */
    uint64_t index;
    uint64_t term;
    struct bytes payload;
    uint32_t back; /* bytes since its frame's start */
};

/* Where a frame lies, or will. */
struct kv_segment_place {
    uint64_t offset;
    uint64_t frame; /* its number */
};

void kv__segment_head_encode(const struct kv_segment_head *head,
                             uint8_t page[KV_SEGMENT_HEAD_BYTES]);
/* STATUS_CORRUPT; STATUS_UNSUPPORTED: of a later version. */
MUST_USE enum status kv__segment_head_decode(struct bytes page, struct kv_segment_head *ret_head);

/* Bytes of a record with its padding. */
size_t kv__segment_record_bytes(size_t payload_len);

/* Writes one frame into the caller's memory: begin, its records, end. */
struct kv_frame_writer {
    uint8_t *memory;
    size_t capacity;
    size_t len;
    uint32_t records;
    uint64_t salt;
    struct kv_segment_place place;
};

struct kv_frame_writer kv__frame_begin(const struct kv_segment_head *head,
                                       const struct kv_segment_place *place, uint8_t *memory,
                                       size_t capacity);
/* Returns the record's offset in the segment; `back` is filled in. */
uint64_t kv__frame_add(struct kv_frame_writer *w, const struct kv_segment_record *record);
struct bytes kv__frame_end(struct kv_frame_writer *w);

/* The head of a frame at `offset`: false when there is none. */
struct kv_frame_head {
    uint64_t number;
    uint32_t body_bytes;
    uint32_t records;
    uint32_t zero_sectors;
};

bool kv__frame_head_decode(uint64_t salt, uint64_t offset, struct bytes bytes,
                           struct kv_frame_head *ret_head);

/* The record at `offset`, at the start of `bytes`; the payload borrows from them.
 * STATUS_NOT_FOUND: `bytes` are too few, `*ret_bytes` of them are needed. STATUS_CORRUPT. */
MUST_USE enum status kv__segment_record_decode(uint64_t salt, uint64_t offset, struct bytes bytes,
                                               struct kv_segment_record *ret_record,
                                               size_t *ret_bytes);

/* The bytes since its frame's start, in a record's head; what it is good for checks it. */
uint32_t kv__segment_record_back(const uint8_t head[KV_SEGMENT_RECORD_BYTES]);

/* ---- Scanning a whole file (segment_scan.c) -------------------------------------------------- */

/* Visits the records of all sound frames from `*place` on, which moves behind them; `ret_last`
 * becomes the last one's offset. Stops at the first status that is not OK and returns it. */
typedef enum status kv_segment_visit(void *context, const struct kv_segment_record *record,
                                     uint64_t offset);
MUST_USE enum status kv__segment_scan(const struct kv_segment_head *head, struct bytes file,
                                      struct kv_segment_place *place, uint64_t *ret_last,
                                      kv_segment_visit *visit, void *context);

/* What lies at the end of the newest segment's sound frames: nothing, or a frame that was never
 * finished; `ret_end`: behind the last byte of it that is not zero.
 * STATUS_CORRUPT: something that was acknowledged is damaged or missing. */
MUST_USE enum status kv__segment_check_tail(const struct kv_segment_head *head, struct bytes file,
                                            const struct kv_segment_place *end, uint64_t *ret_end);

#endif
