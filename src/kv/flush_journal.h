/* The journal of a flush: a frozen table in one file, whole and synced before the first of several
 * transactions brings it into the state. A crash between them leaves records of two times in the
 * state; the journal then says what the later ones are to be, and doing it again changes nothing.
 *
 * One file beside the state's, written over by each flush that needs it. Its blocks are kept, so
 * that a flush on a full disk has them.
 *
 * Layout, little-endian. Head: 8 bytes magic, u32 version, u64 bytes of body, u32 CRC32C of the
 * body, the meta record's body (record.h), u32 CRC32C of the head before it. Body: u16 length of
 * the key, u32 length of the record or UINT32_MAX for a deleted one, key, record; in key order. */
#ifndef PHALANX_KV_FLUSH_JOURNAL_H
#define PHALANX_KV_FLUSH_JOURNAL_H

#include "kv/overlay.h"
#include "kv/record.h"
#include "kv/reserve.h"

struct kv_journal {
    int fd;
    uint64_t reserve_bytes;
    struct kv_reserve reserve;
};

/* Opens or makes `<folder>/flush.journal`, its name durable; blocks for `reserve_bytes` where there
 * is room. STATUS_IO, STATUS_INVALID: the path is too long. */
MUST_USE enum status kv__journal_open(const char *folder, uint64_t reserve_bytes,
                                      struct kv_journal *ret_journal);
void kv__journal_close(struct kv_journal *journal);

/* Whether the blocks are there, taken again where there is room. From any thread. */
bool kv__journal_has_room(struct kv_journal *journal);

/* Write it, whole and synced. STATUS_DISK_FULL: nothing was written. STATUS_IO. */
MUST_USE enum status kv__journal_write(struct kv_journal *journal, const struct kv_flush *flush);

/* Read what was written last: `ret_body`, to be freed, has the records.
 *
 * STATUS_NOT_FOUND    none was ever written.
 * STATUS_CORRUPT      it is not whole, or was changed.
 * STATUS_UNSUPPORTED  a later version. STATUS_IO, STATUS_NO_MEMORY. */
MUST_USE enum status kv__journal_read(const struct kv_journal *journal, struct kv_meta *ret_meta,
                                      uint8_t **ret_body, size_t *ret_len);

/* The next record of a body, which moves past it. STATUS_NOT_FOUND: it is at its end.
 * STATUS_CORRUPT: not laid out like this. */
MUST_USE enum status kv__journal_next(struct wire_reader *body, struct bytes *ret_key,
                                      struct bytes *ret_record);

#endif
