#include "kv/lmdb_env.h"

#include <lmdb.h>
#include <stdio.h>

/* LMDB's layout: a page's header, a node's header and its slot in the page, a page number. */
#define PAGE_HEADER_BYTES ((size_t)16)
#define NODE_HEADER_BYTES ((size_t)8)
#define SLOT_BYTES ((size_t)2)
#define PAGE_NUMBER_BYTES ((size_t)8)

/* The database of free pages: one record per transaction, a list of page numbers. */
#define FREE_DATABASE 0

/* What every transaction may add: the path from the root, copied, in both trees, and what merging
 * half-empty neighbours touches. */
#define PATH_PAGES ((uint64_t)16)

/* The file grows by a quarter, within these. */
#define STEP_BYTES_MIN ((uint64_t)MIB)
#define STEP_BYTES_MAX ((uint64_t)16 * MIB)

uint64_t kv__env_run_pages(const struct kv_env *env, size_t key_len, size_t value_len,
                           size_t *leaf_bytes) {
    size_t node = NODE_HEADER_BYTES + key_len + value_len;
    bool is_large = node > env->node_bytes_max;
    if (is_large)
        node = NODE_HEADER_BYTES + key_len + PAGE_NUMBER_BYTES;
    *leaf_bytes += node + (node & 1) + SLOT_BYTES;
    if (!is_large)
        return 0;
    return (PAGE_HEADER_BYTES + value_len + env->page_bytes - 1) / env->page_bytes;
}

/* A page is left when the next node does not fit: any two neighbours hold more than one page's
 * worth, so at most twice as many pages as bytes would fill. Branches: their nodes hold a key of
 * at most KV's size, so at least seven fit a page. */
uint64_t kv__env_leaf_pages(const struct kv_env *env, size_t leaf_bytes) {
    uint64_t leaves = 2 * leaf_bytes / (env->page_bytes - PAGE_HEADER_BYTES) + 1;
    return leaves + leaves / 6 + 1;
}

/* A transaction writes the numbers of the pages it freed, and those of reusable ones that it looked
 * at and left: together never more than the file has. A list longer than a page is a run. */
static uint64_t list_pages(const struct kv_env *env) {
    uint64_t numbers = env->page_bytes / PAGE_NUMBER_BYTES - 8; /* in a page, with its headers */
    return atomic_load(&env->used_pages) / numbers + 2;
}

/* ---- Reusable pages ------------------------------------------------------------------------ */

/* A line of LMDB's reader table: process, thread, transaction (or a dash). */
static int oldest_of_line(const char *line, void *context) {
    size_t *oldest = context;
    int process;
    size_t thread;
    size_t txn;
    if (sscanf(line, "%d %zx %zu", &process, &thread, &txn) == 3 && txn < *oldest)
        *oldest = txn;
    return 0;
}

/* Pages that the next transaction may reuse: freed before the oldest one that is still read. The
 * caller's own read transaction is among the readers. */
static enum status count_free(struct kv_reader *reader, uint64_t *ret_pages) {
    size_t oldest = SIZE_MAX;
    MDB_cursor *cursor;
    if (mdb_reader_list(reader->env->mdb, oldest_of_line, &oldest) < 0)
        return STATUS_IO;
    int result = mdb_cursor_open(reader->txn, FREE_DATABASE, &cursor);
    if (result != 0)
        return kv__env_status(result);
    uint64_t pages = 0;
    MDB_val key, list;
    while ((result = mdb_cursor_get(cursor, &key, &list, MDB_NEXT)) == 0) {
        size_t freed_by, count;
        memcpy(&freed_by, key.mv_data, sizeof freed_by);
        memcpy(&count, list.mv_data, sizeof count);
        if (oldest == SIZE_MAX || freed_by >= oldest)
            break;
        pages += count;
    }
    mdb_cursor_close(cursor);
    *ret_pages = pages;
    return result == MDB_NOTFOUND ? STATUS_OK : kv__env_status(result);
}

static enum status free_pages(struct kv_env *env, uint64_t *ret_pages) {
    struct kv_reader reader;
    enum status status = kv__reader_open(env, &reader);
    if (status != STATUS_OK)
        return status;
    status = count_free(&reader, ret_pages);
    kv__reader_close(&reader);
    return status;
}

/* ---- Making room --------------------------------------------------------------------------- */

static enum status extend(struct kv_env *env, uint64_t pages, uint64_t step) {
    uint64_t bytes = pages * env->page_bytes;
    uint64_t used = atomic_load(&env->used_pages) * env->page_bytes;
    return kv__reserve_extend(&env->reserve, (bytes + step - 1) / step * step, used);
}

static uint64_t step_bytes(const struct kv_env *env) {
    uint64_t quarter = atomic_load(&env->used_pages) * env->page_bytes / 4 / MIB * MIB;
    if (quarter < STEP_BYTES_MIN)
        return STEP_BYTES_MIN;
    return quarter < STEP_BYTES_MAX ? quarter : STEP_BYTES_MAX;
}

/* Room for so many further pages: by a step when the disk has it, else exactly, else by counting
 * those that are free inside the file. That count reads the list of them, so it comes last. */
static enum status make_room(struct kv_env *env, uint64_t single_pages, uint64_t run_pages) {
    uint64_t used = atomic_load(&env->used_pages);
    uint64_t pages = used + single_pages + run_pages;
    if (pages * env->page_bytes <= atomic_load(&env->reserve.allocated))
        return STATUS_OK;
    enum status status = extend(env, pages, step_bytes(env));
    if (status == STATUS_DISK_FULL)
        status = extend(env, pages, env->page_bytes);
    if (status != STATUS_DISK_FULL)
        return status;
    uint64_t reusable = 0;
    status = free_pages(env, &reusable);
    if (status != STATUS_OK)
        return status;
    pages -= reusable < single_pages ? reusable : single_pages;
    return extend(env, pages, env->page_bytes);
}

enum status kv__env_make_room(struct kv_env *env, const struct kv_demand *demand,
                              bool is_essential) {
    uint64_t single_pages = demand->single_pages + PATH_PAGES;
    uint64_t run_pages = demand->run_pages + list_pages(env);
    uint64_t reserve_pages = env->reserve_bytes / env->page_bytes;
    if (is_essential)
        return make_room(env, single_pages, run_pages);
    return make_room(env, single_pages + reserve_pages, run_pages);
}
