/* Setting aside what a directory holds, so that a crash at any step leaves the node that it was,
 * one that does not start, or a blank one:
 *
 *     1  aside-N.part/ is made, synced; from here on no start uses the directory
 *     2  log/ and every state move into it, one by one, synced
 *     3  aside-N.part -> aside-N, synced; the directory is blank
 *
 * The log goes first: a version that knows nothing of this takes a state without a log for damage.
 */
#include "kv/stores.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FOLDER_MODE 0750
#define PREFIX "aside-"
#define UNFINISHED ".part"

/* What the directory lists of earlier settings aside. */
struct asides {
    uint64_t newest;     /* number; 0: none */
    uint64_t unfinished; /* number; 0: none */
};

/* Both folders of a setting aside. */
struct aside {
    struct kv_directory *directory;
    char name[KV_ASIDE_NAME_BYTES];
    char part[KV_ASIDE_NAME_BYTES];
    char part_path[PATH_MAX];
};

static void name_of(uint64_t number, const char *ending, char ret_name[KV_ASIDE_NAME_BYTES]) {
    (void)snprintf(ret_name, KV_ASIDE_NAME_BYTES, PREFIX "%" PRIu64 "%s", number, ending);
}

static enum status failed(struct kv_directory *directory, const char *what, const char *name) {
    bool is_full = errno == ENOSPC || errno == EDQUOT;
    return kv__directory_problem(directory, is_full ? STATUS_DISK_FULL : STATUS_IO,
                                 "setting aside: cannot %s %s: %s", what, name, strerror(errno));
}

/* ---- What is there ------------------------------------------------------------------------- */

static bool is_name_of(uint64_t number, const char *ending, const char *name) {
    char made[KV_ASIDE_NAME_BYTES];
    name_of(number, ending, made);
    return strcmp(name, made) == 0;
}

/* Only names that name_of() makes. */
static void note(struct asides *asides, const char *name) {
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return;
    uint64_t number = strtoull(name + strlen(PREFIX), NULL, 10);
    bool is_unfinished = is_name_of(number, UNFINISHED, name);
    if (!is_unfinished && !is_name_of(number, "", name))
        return;
    if (is_unfinished)
        asides->unfinished = number;
    if (number > asides->newest)
        asides->newest = number;
}

static enum status find_asides(struct kv_directory *directory, struct asides *ret_asides) {
    DIR *listing = opendir(kv_directory_path(directory));
    struct dirent *entry;
    *ret_asides = (struct asides){0};
    if (!listing)
        return failed(directory, "list", kv_directory_path(directory));
    errno = 0;
    while ((entry = readdir(listing)) != NULL)
        note(ret_asides, entry->d_name);
    enum status status =
        errno == 0 ? STATUS_OK : failed(directory, "list", kv_directory_path(directory));
    (void)closedir(listing); /* only read from */
    return status;
}

static bool has_log(const struct kv_directory *directory) {
    char path[PATH_MAX];
    return kv__directory_join(directory, "log", path) == STATUS_OK && kv__path_exists(path);
}

static enum status find_state(struct kv_directory *directory, bool *ret_is_found,
                              char ret_name[KV_STATE_NAME_BYTES]) {
    uint64_t generation = 0;
    enum status status = kv__state_any(directory, ret_is_found, &generation);
    kv__state_name(generation, ret_name);
    return status == STATUS_OK ? status : failed(directory, "list", kv_directory_path(directory));
}

enum status kv__aside_check(struct kv_directory *directory) {
    struct asides asides;
    enum status status = find_asides(directory, &asides);
    if (status == STATUS_OK && asides.unfinished != 0)
        return kv__directory_problem(directory, STATUS_BUSY,
                                     "setting aside what the directory holds was cut short: part "
                                     "of it is in " PREFIX "%" PRIu64 UNFINISHED,
                                     asides.unfinished);
    return status;
}

/* ---- The steps ----------------------------------------------------------------------------- */

static enum status sync_directory(struct kv_directory *directory) {
    enum status status = kv__directory_sync(kv_directory_path(directory));
    return status == STATUS_OK ? status : failed(directory, "sync", kv_directory_path(directory));
}

static enum status aside_init(struct kv_directory *directory, uint64_t number,
                              struct aside *ret_aside) {
    ret_aside->directory = directory;
    name_of(number, "", ret_aside->name);
    name_of(number, UNFINISHED, ret_aside->part);
    return kv__directory_join(directory, ret_aside->part, ret_aside->part_path);
}

/* Step 1. One that is there was left by an attempt that was cut short, perhaps before its sync. */
static enum status make_part(const struct aside *aside) {
    if (mkdir(aside->part_path, FOLDER_MODE) != 0 && errno != EEXIST)
        return failed(aside->directory, "make", aside->part);
    return sync_directory(aside->directory);
}

static enum status move(struct kv_directory *directory, const char *from, const char *to) {
    char old_path[PATH_MAX];
    char new_path[PATH_MAX];
    enum status status = kv__directory_join(directory, from, old_path);
    if (status == STATUS_OK)
        status = kv__directory_join(directory, to, new_path);
    if (status == STATUS_OK && rename(old_path, new_path) != 0)
        return failed(directory, "move", from);
    return status;
}

static enum status move_in(const struct aside *aside, const char *name) {
    char to[KV_ASIDE_NAME_BYTES + KV_STATE_NAME_BYTES];
    (void)snprintf(to, sizeof to, "%s/%s", aside->part, name);
    return move(aside->directory, name, to);
}

static enum status move_states(const struct aside *aside) {
    char name[KV_STATE_NAME_BYTES];
    bool is_found = true;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && is_found) {
        status = find_state(aside->directory, &is_found, name);
        if (status == STATUS_OK && is_found)
            status = move_in(aside, name);
    }
    return status;
}

/* Step 2: where things went to is synced before where they came from. */
static enum status move_all(const struct aside *aside) {
    enum status status = has_log(aside->directory) ? move_in(aside, "log") : STATUS_OK;
    if (status == STATUS_OK)
        status = move_states(aside);
    if (status != STATUS_OK)
        return status;
    if (kv__directory_sync(aside->part_path) != STATUS_OK)
        return failed(aside->directory, "sync", aside->part);
    return sync_directory(aside->directory);
}

/* Step 3. */
static enum status finish(const struct aside *aside) {
    enum status status = move(aside->directory, aside->part, aside->name);
    return status == STATUS_OK ? sync_directory(aside->directory) : status;
}

static enum status set_aside(struct kv_directory *directory, uint64_t number,
                             char ret_name[KV_ASIDE_NAME_BYTES]) {
    struct aside aside;
    enum status status = aside_init(directory, number, &aside);
    if (status == STATUS_OK)
        status = make_part(&aside);
    if (status == STATUS_OK)
        status = move_all(&aside);
    if (status == STATUS_OK)
        status = finish(&aside);
    if (status == STATUS_OK)
        memcpy(ret_name, aside.name, sizeof aside.name);
    return status;
}

enum status kv_directory_set_aside(struct kv_directory *directory,
                                   char ret_name[KV_ASIDE_NAME_BYTES]) {
    char state[KV_STATE_NAME_BYTES];
    struct asides asides;
    bool has_state;
    enum status status = find_asides(directory, &asides);
    if (status == STATUS_OK)
        status = find_state(directory, &has_state, state);
    if (status != STATUS_OK)
        return status;
    if (asides.unfinished != 0)
        return set_aside(directory, asides.unfinished, ret_name);
    if (has_state || has_log(directory))
        return set_aside(directory, asides.newest + 1, ret_name);
    ret_name[0] = '\0';
    return STATUS_OK;
}
