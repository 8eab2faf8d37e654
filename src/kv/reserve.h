/* Disk space set aside: a store's file is kept longer, in allocated blocks, than what is used of
 * it, so that what must not fail (a vote, a cut, a flush) never meets a full disk.
 *
 * LMDB itself cannot be asked: it turns a short write into EIO, which means a broken device to us.
 * So room is made before anything is written, and a write that has no room is refused cleanly. */
#ifndef PHALANX_KV_RESERVE_H
#define PHALANX_KV_RESERVE_H

#include "check.h"
#include "status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct kv_reserve {
    int fd;
    _Atomic uint64_t allocated; /* bytes from the start of the file that have blocks */
    bool can_allocate;          /* the filesystem has fallocate; else free space is asked for */
};

/* Have blocks for the bytes `from` to `bytes` of the file, holes among them too, and make it at
 * least that long; before `from` nothing is touched. Statuses as for kv__reserve_extend(). */
MUST_USE enum status kv__reserve_open(struct kv_reserve *reserve, int fd, uint64_t from,
                                      uint64_t bytes);

/* Have blocks for the first `bytes` of the file, of which `used` are written to. No system call
 * when it has them. From any thread.
 *
 * STATUS_DISK_FULL  there is no room for them.
 * STATUS_IO         the device failed. */
MUST_USE enum status kv__reserve_extend(struct kv_reserve *reserve, uint64_t bytes, uint64_t used);

#endif
