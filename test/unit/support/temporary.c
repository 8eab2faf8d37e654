#include "support/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

int temporary_setup(void **state) {
    struct temporary *t = calloc(1, sizeof *t);
    const char *base = getenv("TMPDIR");
    assert_non_null(t);
    (void)snprintf(t->path, sizeof t->path, "%s/phalanx-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(t->path));
    *state = t;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

int temporary_teardown(void **state) {
    struct temporary *t = *state;
    if (t->is_mounted)
        (void)umount2(t->path, MNT_DETACH);
    (void)nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

const char *temporary_path(const struct temporary *t, const char *name) {
    static char paths[4][2 * TEMPORARY_PATH_BYTES];
    static size_t next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", t->path, name);
    return path;
}

bool temporary_mount(struct temporary *t, size_t bytes) {
    char options[64];
    (void)snprintf(options, sizeof options, "size=%zu,mode=0755", bytes);
    t->is_mounted = mount("tmpfs", t->path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
    return t->is_mounted;
}

void temporary_fill(const struct temporary *t, size_t spare) {
    struct statvfs info;
    assert_int_equal(statvfs(t->path, &info), 0);
    size_t bytes = (size_t)info.f_bavail * info.f_frsize;
    int fd = open(temporary_path(t, "filler"), O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    if (bytes > spare)
        assert_int_equal(posix_fallocate(fd, 0, (off_t)(bytes - spare)), 0);
    (void)close(fd);
}

void temporary_unfill(const struct temporary *t) {
    assert_int_equal(unlink(temporary_path(t, "filler")), 0);
}

static char *read_file(const char *path, size_t *ret_len) {
    struct stat info;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    char *data = malloc((size_t)info.st_size);
    assert_non_null(data);
    *ret_len = fread(data, 1, (size_t)info.st_size, file);
    (void)fclose(file);
    return data;
}

void temporary_flip(const char *path, const void *text, size_t len, long offset) {
    size_t size;
    char *data = read_file(path, &size);
    char *end = data + size;
    char *place = memmem(data, size, text, len);
    int fd = open(path, O_WRONLY);
    assert_non_null(place);
    assert_true(fd >= 0);
    for (; place; place = memmem(place + 1, (size_t)(end - place - 1), text, len)) {
        char changed = (char)(place[offset] ^ 0x10);
        assert_int_equal(pwrite(fd, &changed, 1, place - data + offset), 1);
    }
    (void)close(fd);
    free(data);
}

void temporary_truncate(const char *path, size_t bytes) {
    assert_int_equal(truncate(path, (off_t)bytes), 0);
}
