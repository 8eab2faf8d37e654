#include "kv/flush_journal.h"

#include "kv/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "phlxflsh"
#define MAGIC_BYTES ((size_t)8)
#define VERSION 1
#define HEAD_BYTES (MAGIC_BYTES + 4 + 8 + 4 + KV_META_BYTES + 4)
#define RECORD_HEAD_BYTES ((size_t)6)
#define DELETED UINT32_MAX
#define FILE_MODE 0640

/* What goes to the file in one write. */
#define CHUNK_BYTES (256 * KIB)

/* ---- The file ------------------------------------------------------------------------------ */

/* The blocks that the file has are kept, on a full disk too. */
static enum status open_reserve(struct kv_journal *journal) {
    struct stat info;
    if (fstat(journal->fd, &info) != 0)
        return STATUS_IO;
    uint64_t bytes = (uint64_t)info.st_size;
    return kv__reserve_open(&journal->reserve, journal->fd, 0,
                            bytes > HEAD_BYTES ? bytes : HEAD_BYTES);
}

enum status kv__journal_open(const char *folder, uint64_t reserve_bytes,
                             struct kv_journal *ret_journal) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/flush.journal", folder);
    if (len < 0 || (size_t)len >= sizeof path)
        return STATUS_INVALID;
    struct kv_journal journal = {.reserve_bytes = reserve_bytes};
    journal.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (journal.fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
    enum status status = open_reserve(&journal);
    if (status == STATUS_OK)
        status = kv__directory_sync(folder);
    if (status != STATUS_OK) {
        (void)close(journal.fd); /* nothing was written to it */
        return status;
    }
    *ret_journal = journal;
    (void)kv__journal_has_room(ret_journal); /* where there is none, flushes find out */
    return STATUS_OK;
}

void kv__journal_close(struct kv_journal *journal) {
    if (journal->fd > 0)
        (void)close(journal->fd); /* what matters was synced */
    journal->fd = 0;
}

bool kv__journal_has_room(struct kv_journal *journal) {
    return kv__reserve_extend(&journal->reserve, journal->reserve_bytes, HEAD_BYTES) == STATUS_OK;
}

/* ---- Writing ------------------------------------------------------------------------------- */

struct output {
    int fd;
    uint64_t offset; /* of the next write */
    uint32_t crc;    /* of what was put */
    size_t len;
    uint8_t memory[CHUNK_BYTES];
};

static enum status write_all(int fd, struct bytes bytes, uint64_t offset) {
    while (bytes.len > 0) {
        ssize_t written = pwrite(fd, bytes.data, bytes.len, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return STATUS_IO; /* room was made before: not a full disk */
        bytes = bytes_of(bytes.data + written, bytes.len - (size_t)written);
        offset += (uint64_t)written;
    }
    return STATUS_OK;
}

static enum status drain(struct output *o) {
    enum status status = write_all(o->fd, bytes_of(o->memory, o->len), o->offset);
    o->offset += o->len;
    o->len = 0;
    return status;
}

static enum status put(struct output *o, struct bytes bytes) {
    enum status status = STATUS_OK;
    o->crc = kv__crc32c(o->crc, bytes);
    while (bytes.len > 0 && status == STATUS_OK) {
        size_t room = sizeof o->memory - o->len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(o->memory + o->len, bytes.data, len);
        o->len += len;
        bytes = bytes_of(bytes.data + len, bytes.len - len);
        if (o->len == sizeof o->memory)
            status = drain(o);
    }
    return status;
}

static enum status put_record(void *context, struct bytes key, struct bytes record) {
    struct output *o = context;
    uint8_t head[RECORD_HEAD_BYTES];
    struct wire_writer w = wire_writer_of(head, sizeof head);
    wire_put_u8(&w, (uint8_t)(key.len & 0xff));
    wire_put_u8(&w, (uint8_t)(key.len >> 8));
    wire_put_u32(&w, record.data ? (uint32_t)record.len : DELETED);
    enum status status = put(o, bytes_of(head, w.len));
    if (status == STATUS_OK)
        status = put(o, key);
    if (status == STATUS_OK && record.len > 0)
        status = put(o, record);
    return status;
}

static enum status put_head(const struct kv_journal *journal, const struct kv_flush *flush,
                            uint64_t body_bytes, uint32_t body_crc) {
    uint8_t head[HEAD_BYTES];
    uint8_t meta[KV_META_BYTES];
    struct wire_writer w = wire_writer_of(head, sizeof head);
    kv__meta_encode(&flush->meta, meta);
    wire_put(&w, MAGIC, MAGIC_BYTES);
    wire_put_u32(&w, VERSION);
    wire_put_u64(&w, body_bytes);
    wire_put_u32(&w, body_crc);
    wire_put(&w, meta, sizeof meta);
    wire_put_u32(&w, kv__crc32c(0, bytes_of(head, w.len)));
    CHECK(w.len == HEAD_BYTES);
    return write_all(journal->fd, bytes_of(head, w.len), 0);
}

static enum status count_record(void *context, struct bytes key, struct bytes record) {
    uint64_t *bytes = context;
    *bytes += RECORD_HEAD_BYTES + key.len + record.len;
    return STATUS_OK;
}

static enum status write_body(const struct kv_journal *journal, const struct kv_flush *flush,
                              uint32_t *ret_crc) {
    struct output *o = malloc(sizeof *o);
    if (!o)
        return STATUS_NO_MEMORY;
    o->fd = journal->fd;
    o->offset = HEAD_BYTES;
    o->crc = 0;
    o->len = 0;
    enum status status = kv_overlay_each(flush->overlay, put_record, o);
    if (status == STATUS_OK)
        status = drain(o);
    *ret_crc = o->crc;
    free(o);
    return status;
}

enum status kv__journal_write(struct kv_journal *journal, const struct kv_flush *flush) {
    uint64_t bytes = 0;
    uint32_t crc = 0;
    enum status status = kv_overlay_each(flush->overlay, count_record, &bytes);
    if (status == STATUS_OK)
        status = kv__reserve_extend(&journal->reserve, HEAD_BYTES + bytes, HEAD_BYTES);
    if (status == STATUS_OK)
        status = write_body(journal, flush, &crc);
    if (status == STATUS_OK)
        status = put_head(journal, flush, bytes, crc);
    if (status == STATUS_OK && fdatasync(journal->fd) != 0)
        status = STATUS_IO;
    return status;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum status read_all(int fd, uint8_t *data, size_t len, uint64_t offset) {
    while (len > 0) {
        ssize_t got = pread(fd, data, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_IO;
        if (got == 0)
            return STATUS_CORRUPT;
        data += got;
        len -= (size_t)got;
        offset += (uint64_t)got;
    }
    return STATUS_OK;
}

struct head {
    uint64_t body_bytes;
    uint32_t body_crc;
    struct kv_meta meta;
};

static enum status decode_head(struct bytes bytes, struct head *ret_head) {
    struct wire_reader r = wire_reader_of(bytes);
    struct bytes magic = wire_get(&r, MAGIC_BYTES);
    uint32_t version = wire_get_u32(&r);
    struct head head = {.body_bytes = wire_get_u64(&r)};
    head.body_crc = wire_get_u32(&r);
    struct bytes meta = wire_get(&r, KV_META_BYTES);
    uint32_t crc = wire_get_u32(&r);
    if (memcmp(magic.data, MAGIC, MAGIC_BYTES) != 0)
        return magic.data[0] == 0 ? STATUS_NOT_FOUND : STATUS_CORRUPT;
    if (crc != kv__crc32c(0, bytes_of(bytes.data, bytes.len - 4)))
        return STATUS_CORRUPT;
    if (version != VERSION)
        return STATUS_UNSUPPORTED;
    enum status status = kv__meta_decode(meta, &head.meta);
    if (status == STATUS_OK)
        *ret_head = head;
    return status;
}

static enum status read_head(const struct kv_journal *journal, struct head *ret_head) {
    uint8_t bytes[HEAD_BYTES];
    struct stat info;
    enum status status = read_all(journal->fd, bytes, sizeof bytes, 0);
    if (status == STATUS_OK)
        status = decode_head(bytes_of(bytes, sizeof bytes), ret_head);
    if (status != STATUS_OK)
        return status;
    if (fstat(journal->fd, &info) != 0)
        return STATUS_IO;
    return ret_head->body_bytes <= (uint64_t)info.st_size - HEAD_BYTES ? STATUS_OK : STATUS_CORRUPT;
}

enum status kv__journal_read(const struct kv_journal *journal, struct kv_meta *ret_meta,
                             uint8_t **ret_body, size_t *ret_len) {
    struct head head;
    enum status status = read_head(journal, &head);
    if (status != STATUS_OK)
        return status;
    size_t len = (size_t)head.body_bytes;
    uint8_t *body = malloc(len > 0 ? len : 1);
    if (!body)
        return STATUS_NO_MEMORY;
    status = read_all(journal->fd, body, len, HEAD_BYTES);
    if (status == STATUS_OK && kv__crc32c(0, bytes_of(body, len)) != head.body_crc)
        status = STATUS_CORRUPT;
    if (status != STATUS_OK) {
        free(body);
        return status;
    }
    *ret_meta = head.meta;
    *ret_body = body;
    *ret_len = len;
    return STATUS_OK;
}

enum status kv__journal_next(struct wire_reader *body, struct bytes *ret_key,
                             struct bytes *ret_record) {
    if (body->len == 0)
        return STATUS_NOT_FOUND;
    size_t key_len = wire_get_u8(body);
    key_len |= (size_t)wire_get_u8(body) << 8;
    uint32_t record_len = wire_get_u32(body);
    struct bytes key = wire_get(body, key_len);
    struct bytes record = {0};
    if (record_len != DELETED)
        record = wire_get(body, record_len);
    if (body->has_failed || key.len == 0)
        return STATUS_CORRUPT;
    *ret_key = key;
    *ret_record = record;
    return STATUS_OK;
}
