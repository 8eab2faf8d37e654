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
#include "kv/state_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "restore"
#define FOLDER_STATE "restore/state"
#define FOLDER_LOG "restore/log"
#define FOLDER_MODE 0750

struct kv_restore {
    struct kv_directory *directory; /* NULL: only inspect */
    char name[NAME_BYTES_MAX];
    struct kv_build *build; /* in restore/state */
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
    bool has_state;
    enum status status = kv__state_exists(directory, &has_state);
    if (status != STATUS_OK)
        return status;
    if (exists(directory, "log"))
        return STATUS_BUSY;
    if (!has_state)
        return clear_folder(directory);
    if (!exists(directory, FOLDER_LOG) || exists(directory, FOLDER_STATE))
        return STATUS_BUSY;
    status = kv__state_remove(directory, 0);
    if (status == STATUS_OK)
        status = kv__directory_sync(kv_directory_path(directory));
    return status == STATUS_OK ? clear_folder(directory) : status;
}

static enum status make_folder(struct kv_restore *restore) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(restore->directory, FOLDER, path);
    if (status != STATUS_OK)
        return status;
    if (mkdir(path, FOLDER_MODE) != 0)
        return errno == ENOSPC || errno == EDQUOT ? STATUS_DISK_FULL : STATUS_IO;
    return STATUS_OK;
}

/* ---- Public -------------------------------------------------------------------------------- */

static enum status prepare(struct kv_restore *restore) {
    if (!restore->directory)
        return kv__build_new(NULL, NULL, &restore->build);
    enum status status = kv__aside_check(restore->directory);
    if (status == STATUS_OK)
        status = clear_leftovers(restore->directory);
    if (status == STATUS_OK)
        status = make_folder(restore);
    if (status == STATUS_OK)
        status = kv__build_new(restore->directory, FOLDER_STATE, &restore->build);
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
    return kv__build_write(restore->build, chunk);
}

/* A cluster of one voter whose history begins at the snapshot: its last entry counts as cut, and
 * this node as the leader of the term after it. The cluster is new, so nobody else's lease can
 * count on the node's silence after its first start. */
static enum status make_head(const struct kv_restore *restore, struct kv_log_head *ret_head) {
    const struct kv_meta *meta = &kv__build_info(restore->build)->meta;
    struct kv_log_head head = {
        .hard = {.term = meta->applied_term + 1},
        .cut = {.index = meta->applied_index, .term = meta->applied_term},
    };
    memcpy(head.identity.name, restore->name, sizeof head.identity.name);
    enum status status = kv__random_id(&head.identity.id);
    if (status == STATUS_OK)
        status = kv__random_id(&head.identity.cluster_id);
    head.hard.vote = head.identity.id;
    head.cut.configuration_term = meta->applied_term;
    head.cut.configuration = kv__sole_voter(&head.identity, meta->applied_index);
    *ret_head = head;
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
    struct kv_log_head head;
    enum status status = make_head(restore, &head);
    if (status == STATUS_OK)
        status = kv__build_finish(restore->build, &head.cut.configuration);
    if (status == STATUS_OK)
        status = kv__log_create(restore->directory, FOLDER_LOG, &head);
    if (status == STATUS_OK)
        status = move(restore->directory, FOLDER_STATE, "state");
    if (status == STATUS_OK)
        status = move(restore->directory, FOLDER_LOG, "log");
    return status;
}

enum status kv_restore_finish(struct kv_restore *restore, struct kv_snapshot_info *ret_info) {
    enum status status =
        restore->directory ? install(restore) : kv__build_finish(restore->build, NULL);
    if (status != STATUS_OK)
        return status;
    restore->is_finished = true;
    *ret_info = *kv__build_info(restore->build);
    return STATUS_OK;
}

/* What cannot be removed here is removed by the next restore; the server does not look at it. */
static void clean_up(struct kv_restore *restore) {
    if (restore->is_finished)
        (void)remove_folder(restore->directory);
    else
        (void)clear_leftovers(restore->directory);
}

void kv_restore_free(struct kv_restore *restore) {
    if (!restore)
        return;
    kv__build_free(restore->build);
    if (restore->directory)
        clean_up(restore);
    free(restore);
}
