/* Rebuilding a data directory from a stream, so that a crash at any step leaves either nothing that
 * a server would use, or everything:
 *
 *     1  restore/state   filled and synced, transaction by transaction
 *     2  restore/log     once the whole stream has proved sound: cut point, vote, identity
 *     3  restore/state -> state, synced
 *     4  restore/log -> log, synced; from here on the directory is a node's
 *     5  restore/ is removed
 *
 * Without log/, kv_log_open() takes a directory for new when there is no state/ (before 3), and
 * refuses it when there is one (between 3 and 4). A later restore finds what was left behind and
 * begins anew. */
#include "kv/snapshot_stream.h"
#include "kv/stores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "restore"
#define FOLDER_STATE "restore/state"
#define FOLDER_LOG "restore/log"
#define FOLDER_MODE 0750

/* Records of one transaction, and what one more may add. */
#define TRANSACTION_BYTES (8 * MIB)

struct kv_restore {
    struct kv_directory *directory; /* NULL: only inspect */
    char name[NAME_BYTES_MAX];
    struct kv_stream *stream;
    struct kv_env *env; /* of restore/state; NULL once it is complete */
    struct kv_writer writer;
    bool is_writing;      /* a transaction is open */
    size_t written_bytes; /* in it */
    bool is_finished;
};

/* ---- The directory ------------------------------------------------------------------------- */

static bool exists(const struct kv_directory *directory, const char *name) {
    char path[PATH_MAX];
    return kv__directory_join(directory, name, path) == STATUS_OK && kv__path_exists(path);
}

static enum status remove_store(const struct kv_directory *directory, const char *name) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(directory, name, path);
    return status == STATUS_OK ? kv__store_remove(path) : status;
}

static enum status remove_folder(const struct kv_directory *directory) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(directory, FOLDER, path);
    if (status != STATUS_OK)
        return status;
    return rmdir(path) == 0 || errno == ENOENT ? STATUS_OK : STATUS_IO;
}

/* The new state first: without it, what is left in the folder tells nothing. */
static enum status clear_folder(const struct kv_directory *directory) {
    enum status status = remove_store(directory, FOLDER_STATE);
    if (status == STATUS_OK)
        status = remove_store(directory, FOLDER_LOG);
    if (status == STATUS_OK)
        status = remove_folder(directory);
    return status;
}

/* A state in the directory is ours only between steps 3 and 4, and then the folder has a log and no
 * state. */
static enum status clear_leftovers(const struct kv_directory *directory) {
    if (exists(directory, "log"))
        return STATUS_BUSY;
    if (!exists(directory, "state"))
        return clear_folder(directory);
    if (!exists(directory, FOLDER_LOG) || exists(directory, FOLDER_STATE))
        return STATUS_BUSY;
    enum status status = remove_store(directory, "state");
    if (status == STATUS_OK)
        status = kv__directory_sync(kv_directory_path(directory));
    return status == STATUS_OK ? clear_folder(directory) : status;
}

static enum status make_folder(struct kv_restore *restore) {
    struct kv_env_options options = {0};
    char path[PATH_MAX];
    enum status status = kv__directory_join(restore->directory, FOLDER, path);
    if (status != STATUS_OK)
        return status;
    if (mkdir(path, FOLDER_MODE) != 0)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
    return kv__env_open(restore->directory, FOLDER_STATE, &options, &restore->env);
}

/* ---- Filling the state --------------------------------------------------------------------- */

static enum status end_transaction(struct kv_restore *restore, enum status so_far) {
    if (!restore->is_writing)
        return so_far;
    restore->is_writing = false;
    restore->written_bytes = 0;
    return kv__writer_end(&restore->writer, so_far);
}

static enum status begin_transaction(struct kv_restore *restore) {
    if (restore->is_writing)
        return STATUS_OK;
    struct kv_demand demand = {
        .single_pages =
            kv__env_leaf_pages(restore->env, TRANSACTION_BYTES + 2 * KV_RECORD_BYTES_MAX)};
    enum status status = kv__writer_begin(restore->env, &demand, true, &restore->writer);
    restore->is_writing = status == STATUS_OK;
    return status;
}

static enum status append(struct kv_restore *restore, struct bytes key, struct bytes record) {
    uint8_t *place;
    enum status status = begin_transaction(restore);
    if (status == STATUS_OK)
        status = kv__writer_append(&restore->writer, key, record.len, &place);
    if (status != STATUS_OK)
        return status;
    memcpy(place, record.data, record.len);
    restore->written_bytes += key.len + record.len;
    if (restore->written_bytes < TRANSACTION_BYTES)
        return STATUS_OK;
    return end_transaction(restore, STATUS_OK);
}

static enum status append_meta(struct kv_restore *restore) {
    uint8_t memory[KV_META_RECORD_BYTES];
    const struct kv_meta *meta = &kv__stream_info(restore->stream)->meta;
    return append(restore, kv__state_meta_key(), kv__state_meta_record(meta, memory));
}

/* The meta record sorts first. */
static enum status take_record(void *context, struct bytes key, struct bytes record) {
    struct kv_restore *restore = context;
    enum status status = STATUS_OK;
    if (kv__stream_info(restore->stream)->records == 1)
        status = append_meta(restore);
    return status == STATUS_OK ? append(restore, key, record) : status;
}

/* ---- Public -------------------------------------------------------------------------------- */

static enum status prepare(struct kv_restore *restore) {
    if (!restore->directory)
        return kv__stream_new(NULL, NULL, &restore->stream);
    enum status status = clear_leftovers(restore->directory);
    if (status == STATUS_OK)
        status = kv__stream_new(take_record, restore, &restore->stream);
    if (status == STATUS_OK)
        status = make_folder(restore);
    return status;
}

enum status kv_restore_new(struct kv_directory *directory, const char *name,
                           struct kv_restore **ret_restore) {
    struct kv_restore *restore = calloc(1, sizeof *restore);
    if (!restore)
        return STATUS_NO_MEMORY;
    CHECK(!name || strlen(name) < NAME_BYTES_MAX);
    restore->directory = directory;
    if (name)
        memcpy(restore->name, name, strlen(name));
    enum status status = prepare(restore);
    if (status == STATUS_BUSY) /* what is there is not ours to remove */
        restore->directory = NULL;
    if (status != STATUS_OK) {
        kv_restore_free(restore);
        return status;
    }
    *ret_restore = restore;
    return STATUS_OK;
}

enum status kv_restore_write(struct kv_restore *restore, struct bytes chunk) {
    return kv__stream_write(restore->stream, chunk);
}

static enum status complete_state(struct kv_restore *restore) {
    enum status status = STATUS_OK;
    if (kv__stream_info(restore->stream)->records == 0)
        status = append_meta(restore);
    status = end_transaction(restore, status);
    kv__env_close(restore->env);
    restore->env = NULL;
    return status;
}

/* A cluster of one voter whose history begins at the snapshot: its last entry counts as cut, and
 * its term as the current one, led by this node. The cluster is new, so nobody else's lease can
 * count on the node's silence after its first start. */
static enum status make_log(struct kv_restore *restore) {
    const struct kv_meta *meta = &kv__stream_info(restore->stream)->meta;
    struct kv_log_head head = {
        .hard = {.term = meta->applied_term},
        .cut = {.index = meta->applied_index, .term = meta->applied_term},
    };
    memcpy(head.identity.name, restore->name, sizeof head.identity.name);
    enum status status = kv__random_id(&head.identity.id);
    if (status == STATUS_OK)
        status = kv__random_id(&head.identity.cluster_id);
    head.hard.vote = head.identity.id;
    if (status == STATUS_OK)
        status = kv__log_create(restore->directory, FOLDER_LOG, &head);
    return status;
}

static enum status move(const struct kv_directory *directory, const char *from, const char *to) {
    char old_path[PATH_MAX];
    char new_path[PATH_MAX];
    enum status status = kv__directory_join(directory, from, old_path);
    if (status == STATUS_OK)
        status = kv__directory_join(directory, to, new_path);
    if (status != STATUS_OK)
        return status;
    if (rename(old_path, new_path) != 0)
        return STATUS_IO;
    return kv__directory_sync(kv_directory_path(directory));
}

static enum status install(struct kv_restore *restore) {
    enum status status = complete_state(restore);
    if (status == STATUS_OK)
        status = make_log(restore);
    if (status == STATUS_OK)
        status = move(restore->directory, FOLDER_STATE, "state");
    if (status == STATUS_OK)
        status = move(restore->directory, FOLDER_LOG, "log");
    return status;
}

enum status kv_restore_finish(struct kv_restore *restore, struct kv_snapshot_info *ret_info) {
    enum status status = kv__stream_finish(restore->stream);
    if (status == STATUS_OK && restore->directory)
        status = install(restore);
    if (status != STATUS_OK)
        return status;
    restore->is_finished = true;
    *ret_info = *kv__stream_info(restore->stream);
    return STATUS_OK;
}

/* What cannot be removed here is removed by the next restore; the server does not look at it. */
static void clean_up(struct kv_restore *restore) {
    (void)end_transaction(restore, STATUS_ABORTED);
    kv__env_close(restore->env);
    if (restore->is_finished)
        (void)remove_folder(restore->directory);
    else
        (void)clear_leftovers(restore->directory);
}

void kv_restore_free(struct kv_restore *restore) {
    if (!restore)
        return;
    if (restore->directory)
        clean_up(restore);
    kv__stream_free(restore->stream);
    free(restore);
}
