#include "kv/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0750
#define LOCK_MODE 0640

struct kv_directory {
    char path[PATH_MAX];
    int lock; /* the lock file, held while open */
    char problem[512];
};

/* Writes the path of the folder that lists `path`. */
static void parent_of(const char *path, char ret_parent[PATH_MAX]) {
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0) { /* a name alone */
        memcpy(ret_parent, ".", 2);
        return;
    }
    memcpy(ret_parent, path, len);
    ret_parent[len] = '\0';
}

/* Like mkdir -p. */
static enum status make(const char *path) {
    if (mkdir(path, DIRECTORY_MODE) == 0 || errno == EEXIST)
        return STATUS_OK;
    if (errno != ENOENT)
        return STATUS_IO;
    char parent[PATH_MAX];
    parent_of(path, parent);
    if (strcmp(parent, path) == 0)
        return STATUS_IO;
    enum status status = make(parent);
    if (status != STATUS_OK)
        return status;
    return mkdir(path, DIRECTORY_MODE) == 0 || errno == EEXIST ? STATUS_OK : STATUS_IO;
}

/* Sync the folders above, up to the root: a start that was killed may have made any of them. Those
 * that we may not even read were made by others, long ago. */
static enum status sync_ancestors(const char *path) {
    char child[PATH_MAX];
    char parent[PATH_MAX];
    if (!realpath(path, child))
        return STATUS_IO;
    while (strcmp(child, "/") != 0) {
        parent_of(child, parent);
        enum status status = kv__directory_sync(parent);
        if (status != STATUS_OK && errno != EACCES && errno != EPERM)
            return status;
        memcpy(child, parent, sizeof child);
    }
    return STATUS_OK;
}

static enum status lock(struct kv_directory *directory) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(directory, "lock", path);
    if (status != STATUS_OK)
        return status;
    directory->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
    if (directory->lock < 0)
        return STATUS_IO;
    if (flock(directory->lock, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    return errno == EWOULDBLOCK ? STATUS_BUSY : STATUS_IO;
}

static enum status prepare(struct kv_directory *directory) {
    enum status status = make(directory->path);
    if (status == STATUS_OK)
        status = lock(directory);
    if (status == STATUS_OK)
        status = kv__directory_sync(directory->path);
    if (status == STATUS_OK)
        status = sync_ancestors(directory->path);
    return status;
}

enum status kv_directory_open(const char *path, struct kv_directory **ret_directory) {
    size_t len = strlen(path);
    if (len == 0 || len >= PATH_MAX) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return STATUS_IO;
    }
    struct kv_directory *directory = calloc(1, sizeof *directory);
    if (!directory)
        return STATUS_NO_MEMORY;
    directory->lock = -1;
    memcpy(directory->path, path, len + 1);
    enum status status = prepare(directory);
    if (status == STATUS_OK) {
        *ret_directory = directory;
        return STATUS_OK;
    }
    int error = errno; /* the caller tells it; closing must not change it */
    kv_directory_close(directory);
    errno = error;
    return status;
}

void kv_directory_close(struct kv_directory *directory) {
    if (!directory)
        return;
    if (directory->lock >= 0)
        (void)close(directory->lock); /* nothing was written to it */
    free(directory);
}

const char *kv_directory_path(const struct kv_directory *directory) {
    return directory->path;
}

const char *kv_directory_problem(const struct kv_directory *directory) {
    return directory->problem;
}

enum status kv__directory_problem(struct kv_directory *directory, enum status status,
                                  const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    /* A longer sentence is cut. */
    (void)vsnprintf(directory->problem, sizeof directory->problem, format, arguments);
    va_end(arguments);
    return status;
}

enum status kv__directory_join(const struct kv_directory *directory, const char *name,
                               char ret_path[PATH_MAX]) {
    int len = snprintf(ret_path, PATH_MAX, "%s/%s", directory->path, name);
    return len > 0 && len < PATH_MAX ? STATUS_OK : STATUS_INVALID;
}

bool kv__path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

enum status kv__directory_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return STATUS_IO;
    int result = fsync(fd);
    int error = errno;
    (void)close(fd); /* only read from */
    errno = error;
    /* Some filesystems have nothing to sync for a folder, and say so. */
    return result == 0 || error == EINVAL ? STATUS_OK : STATUS_IO;
}

enum status kv__parent_sync(const char *path) {
    char parent[PATH_MAX];
    parent_of(path, parent);
    return kv__directory_sync(parent);
}

static bool is_store_file(const char *name) {
    const char *end = strrchr(name, '.');
    return end &&
           (strcmp(end, ".mdb") == 0 || strcmp(end, ".seg") == 0 || strcmp(end, ".journal") == 0);
}

static enum status remove_files(const char *path, DIR *listing) {
    struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        char file[PATH_MAX];
        int len = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof file)
            return STATUS_INVALID;
        if (is_store_file(entry->d_name) && unlink(file) != 0 && errno != ENOENT)
            return STATUS_IO;
    }
    return STATUS_OK;
}

enum status kv__store_remove(const char *path) {
    DIR *listing = opendir(path);
    if (!listing)
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    enum status status = remove_files(path, listing);
    (void)closedir(listing); /* only read from */
    if (status != STATUS_OK)
        return status;
    return rmdir(path) == 0 || errno == ENOENT ? STATUS_OK : STATUS_IO;
}
