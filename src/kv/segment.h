/* A segment as a file: made, written frame by frame, read, removed. What lies in it is
 * segment_format.h's. */
#ifndef PHALANX_KV_SEGMENT_H
#define PHALANX_KV_SEGMENT_H

#include "kv/directory.h"
#include "kv/reserve.h"
#include "kv/segment_format.h"

/* Beyond the last frame the file is written with zeros so far ahead, so that the sync of most
 * frames finds blocks that are in place and no change of the file to make durable with it. */
#define KV_SEGMENT_AHEAD_BYTES (256 * KIB)

/* From this on a frame is written without: the zeros would be as many bytes again, and the change
 * of the file, from blocks that are allocated to blocks that are written, is one for many entries.
 * Both read as zeros after a crash. */
#define KV_SEGMENT_LARGE_BYTES (2 * KIB)

struct kv_segment {
    struct kv_segment_head head;
    int fd;
    struct kv_reserve reserve;
    uint64_t size;   /* of the file when it was opened or made */
    uint64_t zeroed; /* written so far, frames or zeros */
    unsigned users;  /* readers, under the log's mutex */
    bool is_dropped; /* the last user closes it; likewise */
};

/* Makes the file in `folder`, durable with its name, with room for `room_bytes` of frames.
 * STATUS_DISK_FULL, STATUS_IO: there is none. */
MUST_USE enum status kv__segment_create(const char *folder, const struct kv_segment_head *head,
                                        uint64_t room_bytes, struct kv_segment **ret_segment);

/* Opens the file and syncs it: what a killed process wrote becomes what the disk has.
 * STATUS_NOT_FOUND, STATUS_CORRUPT, STATUS_UNSUPPORTED, STATUS_IO. */
MUST_USE enum status kv__segment_open(const char *folder, uint64_t number,
                                      struct kv_segment **ret_segment);
void kv__segment_close(struct kv_segment *segment);

/* Removes the file's name; a missing one is fine. */
enum status kv__segment_remove(const char *folder, uint64_t number);

/* Whether the file has no frame where the first one belongs. */
MUST_USE enum status kv__segment_is_blank(const char *folder, uint64_t number, bool *ret_is_blank);

/* Calls for each segment's number in `folder`, in no order. */
typedef enum status kv_segment_name_visit(void *context, const char *folder, uint64_t number);
MUST_USE enum status kv__segment_each(const char *folder, kv_segment_name_visit *visit,
                                      void *context);

/* The file in memory, to be freed by the caller; zeros where it was before `from`.
 * STATUS_IO, STATUS_NO_MEMORY. */
MUST_USE enum status kv__segment_load(struct kv_segment *segment, uint64_t from,
                                      uint8_t **ret_memory, struct bytes *ret_file);

/* Have blocks from the frames' end on, as far as the file reaches; what an open found missing there
 * is no error, and made again before it is needed. */
MUST_USE enum status kv__segment_settle(struct kv_segment *segment, uint64_t end);

/* Have blocks for frames up to `end`, what follows them, and `keep_bytes` more; `used` bytes are
 * written. From any thread. STATUS_DISK_FULL, STATUS_IO. */
MUST_USE enum status kv__segment_make_room(struct kv_segment *segment, uint64_t used, uint64_t end,
                                           uint64_t keep_bytes);

/* Write `len` bytes at `offset` and sync. `memory` has KV_SEGMENT_AHEAD_BYTES more, which may be
 * overwritten. Room was made.
 *
 * STATUS_DISK_FULL  there was none, on a filesystem that cannot promise it: nothing is left there.
 * STATUS_IO         what is in the file is not known. */
MUST_USE enum status kv__segment_write(struct kv_segment *segment, uint64_t offset, uint8_t *memory,
                                       size_t len);

/* Write zeros over `from` to `to`, and sync. */
MUST_USE enum status kv__segment_clear(struct kv_segment *segment, uint64_t from, uint64_t to);

/* Read up to `wanted` bytes, at least `needed`. Otherwise as the next. */
MUST_USE enum status kv__segment_read_some(const struct kv_segment *segment, uint64_t offset,
                                           uint8_t *memory, size_t needed, size_t wanted,
                                           size_t *ret_len);
/* Read exactly so many bytes. STATUS_CORRUPT: the file is shorter. From any thread. */
MUST_USE enum status kv__segment_read(const struct kv_segment *segment, uint64_t offset,
                                      uint8_t *memory, size_t len);

/* Give back the blocks behind the last frame; those of frames before `offset`. Where that is not
 * possible they go with the file. */
void kv__segment_trim(struct kv_segment *segment, uint64_t end);
void kv__segment_punch(struct kv_segment *segment, uint64_t offset);

uint64_t kv__segment_disk_bytes(const struct kv_segment *segment);

#endif
