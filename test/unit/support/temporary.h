/* Throw-away folders for tests, and what tests do to the files in them. */
#ifndef PHALANX_TEST_TEMPORARY_H
#define PHALANX_TEST_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPORARY_PATH_BYTES 512

struct temporary {
    char path[TEMPORARY_PATH_BYTES];
    bool is_mounted; /* a small filesystem of its own */
};

/* cmocka setup and teardown: an empty folder in `*state`, removed with all that is in it. */
int temporary_setup(void **state);
int temporary_teardown(void **state);

/* `<folder>/<name>`; valid until the fourth call after this one. */
const char *temporary_path(const struct temporary *t, const char *name);

/* Put a filesystem of that size in the folder. False when that is not permitted here. */
bool temporary_mount(struct temporary *t, size_t bytes);

/* Take up what is free in the folder with a file, all but `spare` bytes, and give it back. */
void temporary_fill(const struct temporary *t, size_t spare);
void temporary_unfill(const struct temporary *t);

/* Flip a bit `offset` bytes after each place where `text` is in the file: pages that were freed
 * keep what they had. */
void temporary_flip(const char *path, const void *text, size_t len, long offset);

/* Cut the file to so many bytes. */
void temporary_truncate(const char *path, size_t bytes);

#endif
