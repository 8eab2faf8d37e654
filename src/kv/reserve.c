#include "kv/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum status status_of_errno(void) {
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return STATUS_DISK_FULL;
    default: return STATUS_IO;
    }
}

/* Asked first, because a failing fallocate may leave what it got so far allocated, and because some
 * filesystems try hard (a journal commit or three) before they say no. */
static enum status check_free(const struct kv_reserve *reserve, uint64_t wanted) {
    struct statvfs info;
    if (fstatvfs(reserve->fd, &info) != 0)
        return STATUS_IO;
    return (uint64_t)info.f_bavail * info.f_frsize >= wanted ? STATUS_OK : STATUS_DISK_FULL;
}

/* The file is never shorter than what LMDB believes to have: a truncated one is told by its size
 * when it is opened, before a read of the map hits nothing. */
static enum status lengthen(const struct kv_reserve *reserve, uint64_t bytes) {
    struct stat info;
    if (fstat(reserve->fd, &info) != 0)
        return STATUS_IO;
    if ((uint64_t)info.st_size >= bytes || ftruncate(reserve->fd, (off_t)bytes) == 0)
        return STATUS_OK;
    return status_of_errno();
}

static enum status allocate(struct kv_reserve *reserve, uint64_t from, uint64_t bytes) {
    int result;
    do
        result = fallocate(reserve->fd, 0, (off_t)from, (off_t)(bytes - from));
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return STATUS_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return status_of_errno();
    reserve->can_allocate = false;
    return lengthen(reserve, bytes);
}

/* Two threads may extend at a time: the blocks of both are there. */
static void raise_to(_Atomic uint64_t *value, uint64_t bytes) {
    uint64_t seen = atomic_load(value);
    while (seen < bytes && !atomic_compare_exchange_weak(value, &seen, bytes))
        continue;
}

enum status kv__reserve_open(struct kv_reserve *reserve, int fd, uint64_t from, uint64_t bytes) {
    CHECK(from < bytes);
    reserve->fd = fd;
    reserve->can_allocate = true;
    atomic_init(&reserve->allocated, 0);
    enum status status = allocate(reserve, from, bytes);
    if (status == STATUS_OK && reserve->can_allocate)
        raise_to(&reserve->allocated, bytes);
    return status;
}

enum status kv__reserve_extend(struct kv_reserve *reserve, uint64_t bytes, uint64_t used) {
    uint64_t allocated = atomic_load(&reserve->allocated);
    if (bytes <= allocated)
        return STATUS_OK;
    uint64_t from = reserve->can_allocate ? allocated : used;
    enum status status = check_free(reserve, bytes > from ? bytes - from : 0);
    if (status != STATUS_OK)
        return status;
    if (!reserve->can_allocate)
        return lengthen(reserve, bytes);
    status = allocate(reserve, allocated, bytes);
    if (status == STATUS_OK && reserve->can_allocate)
        raise_to(&reserve->allocated, bytes);
    return status;
}
