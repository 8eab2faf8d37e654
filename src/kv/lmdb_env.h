/* One LMDB environment: opening it so that what it shows is on the disk, transactions, and room on
 * the disk before each. The only files that know LMDB are lmdb_*.c.
 *
 * Both environments have one unnamed database (a named one costs a page more per commit) and are
 * always synced: a commit that returned is on the disk. */
#ifndef PHALANX_KV_LMDB_ENV_H
#define PHALANX_KV_LMDB_ENV_H

#include "kv/directory.h"
#include "kv/reserve.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

/* Address space for the map, halved until it fits: files grow as used. */
#define KV_MAP_BYTES_MAX ((size_t)64 << 30)
#define KV_MAP_BYTES_MIN ((size_t)64 << 20)

struct kv_env {
    struct MDB_env *mdb;
    unsigned dbi;
    size_t page_bytes;
    size_t node_bytes_max;         /* a larger key and value go to pages of their own */
    uint64_t reserve_bytes;        /* to be kept beyond what is used */
    _Atomic uint64_t used_pages;   /* of the file; by the thread that writes */
    _Atomic uint64_t record_pages; /* leaf and overflow pages */
    struct kv_reserve reserve;
    /* A commit failed and what is on the disk is unknown. LMDB would carry on, as if a failed sync
     * could be made up for by a later one; here no write begins any more. */
    bool has_failed;
};

struct kv_env_options {
    size_t reserve_bytes;
    bool is_random; /* read at random places: no read-ahead */
};

/* Opens or makes the environment in `<directory>/<name>`. What it shows is durable, and so are its
 * files' names.
 *
 * STATUS_CORRUPT STATUS_UNSUPPORTED STATUS_DISK_FULL STATUS_IO: kv_directory_problem() says more.
 */
MUST_USE enum status kv__env_open(struct kv_directory *directory, const char *name,
                                  const struct kv_env_options *options, struct kv_env **ret_env);
void kv__env_close(struct kv_env *env);

uint64_t kv__env_file_bytes(const struct kv_env *env);

/* Give back what the process has mapped of the file: the kernel keeps the pages as long as it has
 * room for them, and maps again what is read. From any thread. */
void kv__env_unmap(struct kv_env *env);

/* Internal: a LMDB result as a status, and the page counts after a commit. */
enum status kv__env_status(int result);
void kv__env_count_pages(struct kv_env *env);

/* ---- Room ---------------------------------------------------------------------------------- */

/* The most pages that a transaction may add to the file. Single pages may be reused ones; a run
 * holds one large record, and reused pages may not lie side by side. */
struct kv_demand {
    uint64_t single_pages;
    uint64_t run_pages;
};

/* What writing a record under `key_len` bytes of key adds; `*leaf_bytes` goes into a page shared
 * with others. */
uint64_t kv__env_run_pages(const struct kv_env *env, size_t key_len, size_t value_len,
                           size_t *leaf_bytes);

/* Pages for `leaf_bytes` of records written in one go, with the branches above. */
uint64_t kv__env_leaf_pages(const struct kv_env *env, size_t leaf_bytes);

/* Room for `demand` and, unless essential, the reserve beyond it. From any thread.
 * STATUS_DISK_FULL: nothing may be written. */
MUST_USE enum status kv__env_make_room(struct kv_env *env, const struct kv_demand *demand,
                                       bool is_essential);

/* ---- Reading ------------------------------------------------------------------------------- */

/* A read transaction and a place in it. Belongs to whoever opened it, not to a thread; while it is
 * open, pages of the past are not reused. What it returns is borrowed until it is renewed or
 * closed. STATUS_NOT_FOUND: no such record, or none further. */
struct kv_reader {
    struct kv_env *env;
    struct MDB_txn *txn;
    struct MDB_cursor *cursor;
};

MUST_USE enum status kv__reader_open(struct kv_env *env, struct kv_reader *ret_reader);
MUST_USE enum status kv__reader_renew(struct kv_reader *reader);
void kv__reader_close(struct kv_reader *reader);

MUST_USE enum status kv__reader_get(struct kv_reader *reader, struct bytes key,
                                    struct bytes *ret_record);
/* The first at or after `key`; the next one; the last one. */
MUST_USE enum status kv__reader_seek(struct kv_reader *reader, struct bytes key,
                                     struct bytes *ret_key, struct bytes *ret_record);
MUST_USE enum status kv__reader_next(struct kv_reader *reader, struct bytes *ret_key,
                                     struct bytes *ret_record);
MUST_USE enum status kv__reader_last(struct kv_reader *reader, struct bytes *ret_key,
                                     struct bytes *ret_record);
uint64_t kv__reader_count(struct kv_reader *reader); /* records */

/* ---- Writing ------------------------------------------------------------------------------- */

/* A write transaction. It belongs to the thread that began it. */
struct kv_writer {
    struct kv_env *env;
    struct MDB_txn *txn;
};

/* Makes room first. STATUS_DISK_FULL: not begun, nothing changed. STATUS_IO: or an earlier commit
 * failed. */
MUST_USE enum status kv__writer_begin(struct kv_env *env, const struct kv_demand *demand,
                                      bool is_essential, struct kv_writer *ret_writer);
MUST_USE enum status kv__writer_put(struct kv_writer *writer, struct bytes key,
                                    struct bytes record);
/* A place for `len` bytes under a key after all others; filled before the next call. */
MUST_USE enum status kv__writer_append(struct kv_writer *writer, struct bytes key, size_t len,
                                       uint8_t **ret_record);
/* Likewise, under any key. */
MUST_USE enum status kv__writer_place(struct kv_writer *writer, struct bytes key, size_t len,
                                      uint8_t **ret_record);
MUST_USE enum status kv__writer_get(struct kv_writer *writer, struct bytes key,
                                    struct bytes *ret_record);
/* STATUS_NOT_FOUND: there was none. */
MUST_USE enum status kv__writer_delete(struct kv_writer *writer, struct bytes key);

/* Ends the transaction: with STATUS_OK so far, commit and sync; otherwise abort. Returns the first
 * status that is not OK: then nothing was written, or (STATUS_IO) nobody knows. */
MUST_USE enum status kv__writer_end(struct kv_writer *writer, enum status so_far);

#endif
