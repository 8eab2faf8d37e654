#include "kv/lmdb_env.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750
#define FILE_MODE 0640

/* LMDB's two meta pages, whatever the page size, with a margin for how the kernel groups pages. */
#define META_CACHE_BYTES ((off_t)MIB)

enum status kv__env_status(int result) {
    switch (result) {
    case MDB_SUCCESS: return STATUS_OK;
    case MDB_NOTFOUND: return STATUS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL: return STATUS_DISK_FULL;
    case ENOMEM: return STATUS_NO_MEMORY;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND: return STATUS_CORRUPT;
    case MDB_VERSION_MISMATCH: return STATUS_UNSUPPORTED;
    default: return STATUS_IO;
    }
}

/* After a kill the page cache may show what the disk does not have: sync it before anything in it
 * is believed. And after a failed write it may show, clean, what the disk never got (Linux reports
 * a failed writeback once and then drops the dirt). The pages of a commit are synced before its
 * meta page is written, so only the meta pages can lie: read those from the disk. */
static enum status settle_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    enum status status = fsync(fd) == 0 ? STATUS_OK : STATUS_IO;
    /* Advice: where it is not taken we are no worse off. */
    (void)posix_fadvise(fd, 0, META_CACHE_BYTES, POSIX_FADV_DONTNEED);
    (void)close(fd); /* only read from */
    return status;
}

static int try_open(struct kv_env *env, const char *path, unsigned flags, size_t map_bytes) {
    int result = mdb_env_create(&env->mdb);
    if (result == 0)
        result = mdb_env_set_mapsize(env->mdb, map_bytes);
    if (result == 0)
        result = mdb_env_open(env->mdb, path, flags, FILE_MODE);
    if (result != 0) {
        mdb_env_close(env->mdb);
        env->mdb = NULL;
    }
    return result;
}

/* A limit on address space shows as ENOMEM (RLIMIT_AS) or EINVAL (valgrind). */
static bool is_too_large(int result) {
    return result == ENOMEM || result == EINVAL;
}

static int open_map(struct kv_env *env, const char *path, const struct kv_env_options *options) {
    unsigned flags = MDB_NOTLS | (options->is_random ? MDB_NORDAHEAD : 0);
    size_t map_bytes = KV_MAP_BYTES_MAX;
    int result = try_open(env, path, flags, map_bytes);
    while (is_too_large(result) && map_bytes > KV_MAP_BYTES_MIN) {
        map_bytes /= 2;
        result = try_open(env, path, flags, map_bytes);
    }
    return result;
}

static int open_database(struct kv_env *env) {
    MDB_txn *txn;
    int result = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
    if (result != 0)
        return result;
    result = mdb_dbi_open(txn, NULL, 0, &env->dbi);
    mdb_txn_abort(txn);
    return result;
}

void kv__env_count_pages(struct kv_env *env) {
    MDB_envinfo info;
    MDB_stat stat;
    CHECK(mdb_env_info(env->mdb, &info) == 0);
    CHECK(mdb_env_stat(env->mdb, &stat) == 0);
    atomic_store(&env->used_pages, (uint64_t)info.me_last_pgno + 1);
    atomic_store(&env->record_pages, (uint64_t)(stat.ms_leaf_pages + stat.ms_overflow_pages));
}

static void measure_pages(struct kv_env *env) {
    MDB_stat stat;
    CHECK(mdb_env_stat(env->mdb, &stat) == 0);
    env->page_bytes = stat.ms_psize;
    /* As LMDB computes it: two nodes fit a page, each with its header and its slot. */
    env->node_bytes_max = ((env->page_bytes - 16) / 2 & ~(size_t)1) - 2;
    kv__env_count_pages(env);
}

/* A file that ends before its last page would end us by a signal, at some later read. */
static enum status check_length(const struct kv_env *env, int fd, struct kv_directory *directory,
                                const char *name, uint64_t *ret_bytes) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return STATUS_IO;
    uint64_t used = atomic_load(&env->used_pages) * env->page_bytes;
    if ((uint64_t)info.st_size < used)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "%s/data.mdb: %llu bytes are missing at its end", name,
                                     (unsigned long long)(used - (uint64_t)info.st_size));
    *ret_bytes = (uint64_t)info.st_size;
    return STATUS_OK;
}

/* The blocks that the file has are kept; the reserve is added where there is room. A full disk is
 * no reason not to start: reading and what is essential go on. */
static enum status open_reserve(struct kv_env *env, int fd, uint64_t file_bytes) {
    uint64_t used = atomic_load(&env->used_pages) * env->page_bytes;
    uint64_t wanted = used + env->reserve_bytes;
    const uint64_t steps[] = {wanted > file_bytes ? wanted : file_bytes, file_bytes, used};
    enum status status = STATUS_DISK_FULL;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == STATUS_DISK_FULL; i++)
        status = kv__reserve_open(&env->reserve, fd, 0, steps[i]);
    return status == STATUS_DISK_FULL ? STATUS_OK : status;
}

static enum status finish_open(struct kv_env *env, struct kv_directory *directory, const char *name,
                               const char *path) {
    int fd;
    uint64_t file_bytes = 0;
    if (mdb_env_get_fd(env->mdb, &fd) != 0)
        return STATUS_IO;
    enum status status = check_length(env, fd, directory, name, &file_bytes);
    if (status == STATUS_OK)
        status = open_reserve(env, fd, file_bytes);
    if (status == STATUS_OK && fsync(fd) != 0)
        status = STATUS_IO;
    if (status == STATUS_OK)
        status = kv__directory_sync(path);
    if (status == STATUS_OK)
        status = kv__parent_sync(path);
    return status;
}

static enum status open_path(struct kv_env *env, struct kv_directory *directory, const char *name,
                             const char *path, const struct kv_env_options *options) {
    char file[PATH_MAX];
    int len = snprintf(file, sizeof file, "%s/data.mdb", path);
    if (len < 0 || (size_t)len >= sizeof file)
        return STATUS_INVALID;
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
    enum status status = settle_file(file);
    if (status != STATUS_OK)
        return status;
    int result = open_map(env, path, options);
    if (result == 0)
        result = open_database(env);
    if (result != 0)
        return kv__directory_problem(directory, kv__env_status(result), "%s/data.mdb: %s", name,
                                     mdb_strerror(result));
    measure_pages(env);
    return finish_open(env, directory, name, path);
}

enum status kv__env_open(struct kv_directory *directory, const char *name,
                         const struct kv_env_options *options, struct kv_env **ret_env) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(directory, name, path);
    if (status != STATUS_OK)
        return status;
    struct kv_env *env = calloc(1, sizeof *env);
    if (!env)
        return STATUS_NO_MEMORY;
    env->reserve_bytes = options->reserve_bytes;
    (void)kv__directory_problem(directory, STATUS_OK, "%s", "");
    errno = 0;
    status = open_path(env, directory, name, path, options);
    if (status == STATUS_OK) {
        *ret_env = env;
        return STATUS_OK;
    }
    if (*kv_directory_problem(directory) == '\0')
        (void)kv__directory_problem(directory, status, "%s: %s", name,
                                    errno ? strerror(errno) : status_text(status));
    kv__env_close(env);
    return status;
}

void kv__env_close(struct kv_env *env) {
    if (!env)
        return;
    if (env->mdb)
        mdb_env_close(env->mdb);
    free(env);
}

uint64_t kv__env_file_bytes(const struct kv_env *env) {
    struct stat info;
    int fd;
    if (mdb_env_get_fd(env->mdb, &fd) != 0 || fstat(fd, &info) != 0)
        return 0;
    return (uint64_t)info.st_blocks * 512;
}

/* LMDB does not tell where its map is. But a leaf page begins with its own number, so a small
 * record shows the way to page 0. */
static uint8_t *map_of(struct kv_reader *reader) {
    struct bytes key, record;
    size_t number;
    if (kv__reader_seek(reader, (struct bytes){0}, &key, &record) != STATUS_OK)
        return NULL;
    const uint8_t *page = key.data - (uintptr_t)key.data % reader->env->page_bytes;
    memcpy(&number, page, sizeof number);
    return (uint8_t *)(uintptr_t)page - number * reader->env->page_bytes;
}

void kv__env_unmap(struct kv_env *env) {
    struct kv_reader reader;
    if (kv__reader_open(env, &reader) != STATUS_OK)
        return;
    uint8_t *map = map_of(&reader);
    size_t bytes = (size_t)atomic_load(&env->used_pages) * env->page_bytes;
    if (map)
        (void)madvise(map, bytes, MADV_DONTNEED); /* advice */
    kv__reader_close(&reader);
}
