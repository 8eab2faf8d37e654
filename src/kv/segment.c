#include "kv/segment.h"

#include "kv/sectors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

/* Room is made in steps of this. */
#define STEP_BYTES ((uint64_t)MIB)

static enum status status_of_errno(void) {
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? STATUS_DISK_FULL : STATUS_IO;
}

/* ---- Names --------------------------------------------------------------------------------- */

static enum status path_of(const char *folder, uint64_t number, char ret_path[PATH_MAX]) {
    int len = snprintf(ret_path, PATH_MAX, "%s/%08" PRIu64 ".seg", folder, number);
    return len > 0 && len < PATH_MAX ? STATUS_OK : STATUS_INVALID;
}

/* Only names that path_of() makes. */
static bool is_segment(const char *name, uint64_t *ret_number) {
    char made[64];
    char *end;
    uint64_t number = strtoull(name, &end, 10);
    (void)snprintf(made, sizeof made, "%08" PRIu64 ".seg", number);
    *ret_number = number;
    return number > 0 && strcmp(name, made) == 0;
}

enum status kv__segment_each(const char *folder, kv_segment_name_visit *visit, void *context) {
    DIR *listing = opendir(folder);
    struct dirent *entry;
    uint64_t number;
    enum status status = STATUS_OK;
    if (!listing)
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    errno = 0;
    while (status == STATUS_OK && (entry = readdir(listing)) != NULL) {
        if (is_segment(entry->d_name, &number))
            status = visit(context, folder, number);
        errno = 0;
    }
    if (status == STATUS_OK && errno != 0)
        status = STATUS_IO;
    (void)closedir(listing); /* only read from */
    return status;
}

enum status kv__segment_remove(const char *folder, uint64_t number) {
    char path[PATH_MAX];
    enum status status = path_of(folder, number, path);
    if (status != STATUS_OK)
        return status;
    return unlink(path) == 0 || errno == ENOENT ? STATUS_OK : STATUS_IO;
}

/* ---- Reading and writing ------------------------------------------------------------------- */

enum status kv__segment_read_some(const struct kv_segment *segment, uint64_t offset,
                                  uint8_t *memory, size_t needed, size_t wanted, size_t *ret_len) {
    size_t len = 0;
    while (len < needed) {
        ssize_t got = pread(segment->fd, memory + len, wanted - len, (off_t)(offset + len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? STATUS_CORRUPT : STATUS_IO;
        len += (size_t)got;
    }
    *ret_len = len;
    return STATUS_OK;
}

enum status kv__segment_read(const struct kv_segment *segment, uint64_t offset, uint8_t *memory,
                             size_t len) {
    size_t got;
    return kv__segment_read_some(segment, offset, memory, len, len, &got);
}

/* `ret_written` also when it fails. */
static enum status write_all(int fd, uint64_t offset, const uint8_t *memory, size_t len,
                             size_t *ret_written) {
    size_t done = 0;
    enum status status = STATUS_OK;
    while (done < len && status == STATUS_OK) {
        ssize_t put = pwrite(fd, memory + done, len - done, (off_t)(offset + done));
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            status = put == 0 ? STATUS_IO : status_of_errno();
    }
    *ret_written = done;
    return status;
}

static enum status sync_data(const struct kv_segment *segment) {
    return fdatasync(segment->fd) == 0 ? STATUS_OK : STATUS_IO;
}

static enum status write_zeros(struct kv_segment *segment, uint64_t from, uint64_t to) {
    static const uint8_t zeros[64 * KIB];
    while (from < to) {
        size_t len = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        size_t written;
        if (write_all(segment->fd, from, zeros, len, &written) != STATUS_OK)
            return STATUS_IO;
        from += len;
    }
    return STATUS_OK;
}

enum status kv__segment_clear(struct kv_segment *segment, uint64_t from, uint64_t to) {
    enum status status = write_zeros(segment, from, to);
    return status == STATUS_OK ? sync_data(segment) : status;
}

/* How many zeros go with a write of `len` bytes that ends at `end`. */
static size_t ahead_of(const struct kv_segment *segment, size_t len, uint64_t end) {
    uint64_t allocated = atomic_load(&segment->reserve.allocated);
    if (end <= segment->zeroed || end >= allocated || len >= KV_SEGMENT_LARGE_BYTES)
        return 0;
    uint64_t left = allocated - end;
    return left < KV_SEGMENT_AHEAD_BYTES ? (size_t)left : KV_SEGMENT_AHEAD_BYTES;
}

enum status kv__segment_write(struct kv_segment *segment, uint64_t offset, uint8_t *memory,
                              size_t len) {
    size_t ahead = ahead_of(segment, len, offset + len);
    size_t written;
    memset(memory + len, 0, ahead);
    enum status status = write_all(segment->fd, offset, memory, len + ahead, &written);
    if (status == STATUS_DISK_FULL)
        return write_zeros(segment, offset, offset + written) == STATUS_OK ? STATUS_DISK_FULL
                                                                           : STATUS_IO;
    if (status == STATUS_OK)
        status = sync_data(segment);
    if (status == STATUS_OK && offset + len + ahead > segment->zeroed)
        segment->zeroed = offset + len + ahead;
    return status;
}

/* ---- Making and opening -------------------------------------------------------------------- */

static struct kv_segment *segment_of(int fd) {
    struct kv_segment *segment = calloc(1, sizeof *segment);
    if (segment)
        segment->fd = fd;
    else
        (void)close(fd); /* nothing was written to it */
    return segment;
}

void kv__segment_close(struct kv_segment *segment) {
    if (!segment)
        return;
    (void)close(segment->fd); /* every write was synced */
    free(segment);
}

static enum status prepare(struct kv_segment *segment, const char *folder, uint64_t room_bytes) {
    uint8_t page[KV_SEGMENT_HEAD_BYTES];
    size_t written;
    segment->size = KV_SEGMENT_HEAD_BYTES + room_bytes + KV_SEGMENT_SLACK_BYTES;
    segment->zeroed = KV_SEGMENT_HEAD_BYTES;
    kv__segment_head_encode(&segment->head, page);
    enum status status = kv__reserve_open(&segment->reserve, segment->fd, 0, segment->size);
    if (status == STATUS_OK)
        status = write_all(segment->fd, 0, page, sizeof page, &written);
    if (status == STATUS_OK && fsync(segment->fd) != 0)
        status = STATUS_IO;
    if (status == STATUS_OK)
        status = kv__directory_sync(folder);
    return status;
}

enum status kv__segment_create(const char *folder, const struct kv_segment_head *head,
                               uint64_t room_bytes, struct kv_segment **ret_segment) {
    char path[PATH_MAX];
    enum status status = path_of(folder, head->number, path);
    if (status != STATUS_OK)
        return status;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return status_of_errno();
    struct kv_segment *segment = segment_of(fd);
    if (!segment)
        return STATUS_NO_MEMORY;
    segment->head = *head;
    status = prepare(segment, folder, room_bytes);
    if (status == STATUS_OK) {
        *ret_segment = segment;
        return STATUS_OK;
    }
    kv__segment_close(segment);
    (void)kv__segment_remove(folder, head->number); /* else the next start removes it */
    return status;
}

static enum status read_head(struct kv_segment *segment, uint64_t number) {
    uint8_t page[KV_SEGMENT_HEAD_BYTES];
    struct stat info;
    if (fsync(segment->fd) != 0 || fstat(segment->fd, &info) != 0)
        return STATUS_IO;
    segment->size = (uint64_t)info.st_size;
    enum status status = kv__segment_read(segment, 0, page, sizeof page);
    if (status == STATUS_OK)
        status = kv__segment_head_decode(bytes_of(page, sizeof page), &segment->head);
    if (status == STATUS_OK && segment->head.number != number)
        status = STATUS_CORRUPT;
    return status;
}

enum status kv__segment_open(const char *folder, uint64_t number, struct kv_segment **ret_segment) {
    char path[PATH_MAX];
    enum status status = path_of(folder, number, path);
    if (status != STATUS_OK)
        return status;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    struct kv_segment *segment = segment_of(fd);
    if (!segment)
        return STATUS_NO_MEMORY;
    status = read_head(segment, number);
    if (status == STATUS_OK)
        *ret_segment = segment;
    else
        kv__segment_close(segment);
    return status;
}

/* What is left out costs no memory: calloc() takes pages that nobody has touched. */
enum status kv__segment_load(struct kv_segment *segment, uint64_t from, uint8_t **ret_memory,
                             struct bytes *ret_file) {
    CHECK(from <= segment->size);
    uint8_t *memory = calloc(1, (size_t)segment->size);
    if (!memory)
        return STATUS_NO_MEMORY;
    enum status status =
        kv__segment_read(segment, from, memory + from, (size_t)(segment->size - from));
    if (status != STATUS_OK) {
        free(memory);
        return status;
    }
    *ret_memory = memory;
    *ret_file = bytes_of(memory, (size_t)segment->size);
    return STATUS_OK;
}

enum status kv__segment_is_blank(const char *folder, uint64_t number, bool *ret_is_blank) {
    uint8_t frame[KV_SEGMENT_FRAME_BYTES] = {0};
    char path[PATH_MAX];
    enum status status = path_of(folder, number, path);
    if (status != STATUS_OK)
        return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return STATUS_IO;
    ssize_t got = pread(fd, frame, sizeof frame, (off_t)KV_SEGMENT_HEAD_BYTES);
    (void)close(fd); /* only read from */
    *ret_is_blank = kv__is_zero(bytes_of(frame, sizeof frame));
    return got < 0 ? STATUS_IO : STATUS_OK;
}

/* ---- Room ---------------------------------------------------------------------------------- */

enum status kv__segment_settle(struct kv_segment *segment, uint64_t end) {
    CHECK(end < segment->size);
    segment->zeroed = end;
    enum status status = kv__reserve_open(&segment->reserve, segment->fd, end, segment->size);
    if (status == STATUS_DISK_FULL) {
        atomic_store(&segment->reserve.allocated, end);
        status = STATUS_OK;
    }
    return status;
}

/* By a step when the disk has it, else exactly. */
enum status kv__segment_make_room(struct kv_segment *segment, uint64_t used, uint64_t end,
                                  uint64_t keep_bytes) {
    uint64_t wanted = end + KV_SEGMENT_SLACK_BYTES + keep_bytes;
    if (wanted <= atomic_load(&segment->reserve.allocated))
        return STATUS_OK;
    uint64_t bytes = (wanted + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    enum status status = kv__reserve_extend(&segment->reserve, bytes, used);
    if (status == STATUS_DISK_FULL) {
        bytes = wanted;
        status = kv__reserve_extend(&segment->reserve, bytes, used);
    }
    return status;
}

void kv__segment_trim(struct kv_segment *segment, uint64_t end) {
    if (ftruncate(segment->fd, (off_t)end) == 0)
        segment->size = end;
}

void kv__segment_punch(struct kv_segment *segment, uint64_t offset) {
    off_t len = (off_t)(offset / 4096 * 4096) - (off_t)KV_SEGMENT_HEAD_BYTES;
    if (len > 0)
        (void)fallocate(segment->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)KV_SEGMENT_HEAD_BYTES, len);
}

uint64_t kv__segment_disk_bytes(const struct kv_segment *segment) {
    struct stat info;
    return fstat(segment->fd, &info) == 0 ? (uint64_t)info.st_blocks * 512 : 0;
}
