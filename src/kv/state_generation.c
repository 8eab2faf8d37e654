/* The folders that states lie in: one is current, and the log says which. */
#include "kv/stores.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void kv__state_name(uint64_t generation, char ret_name[KV_STATE_NAME_BYTES]) {
    if (generation == 0)
        (void)snprintf(ret_name, KV_STATE_NAME_BYTES, "state");
    else
        (void)snprintf(ret_name, KV_STATE_NAME_BYTES, "state.%" PRIu64, generation);
}

/* Only names that kv__state_name() makes. */
static bool is_state(const char *name, uint64_t *ret_generation) {
    char made[KV_STATE_NAME_BYTES];
    *ret_generation = 0;
    if (strncmp(name, "state.", 6) == 0)
        *ret_generation = strtoull(name + 6, NULL, 10);
    kv__state_name(*ret_generation, made);
    return strcmp(name, made) == 0;
}

/* The next generation in the listing; false at its end, with errno 0 unless reading failed. */
static bool next_state(DIR *listing, uint64_t *ret_generation) {
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(listing)) != NULL)
        if (is_state(entry->d_name, ret_generation))
            return true;
    return false;
}

/* A folder without a file in it was never a state: a start that was killed left it. */
static bool has_data(const struct kv_directory *directory, uint64_t generation) {
    char name[KV_STATE_NAME_BYTES];
    char file[KV_STATE_NAME_BYTES + sizeof "/data.mdb"];
    char path[PATH_MAX];
    kv__state_name(generation, name);
    (void)snprintf(file, sizeof file, "%s/data.mdb", name);
    return kv__directory_join(directory, file, path) == STATUS_OK && kv__path_exists(path);
}

enum status kv__state_any(const struct kv_directory *directory, bool *ret_is_found,
                          uint64_t *ret_generation) {
    DIR *listing = opendir(kv_directory_path(directory));
    if (!listing)
        return STATUS_IO;
    *ret_is_found = next_state(listing, ret_generation);
    enum status status = errno == 0 || *ret_is_found ? STATUS_OK : STATUS_IO;
    (void)closedir(listing); /* only read from */
    return status;
}

enum status kv__state_exists(const struct kv_directory *directory, bool *ret_exists) {
    DIR *listing = opendir(kv_directory_path(directory));
    uint64_t generation;
    bool is_found = false;
    if (!listing)
        return STATUS_IO;
    while (!is_found && next_state(listing, &generation))
        is_found = has_data(directory, generation);
    enum status status = errno == 0 || is_found ? STATUS_OK : STATUS_IO;
    (void)closedir(listing); /* only read from */
    *ret_exists = is_found;
    return status;
}

enum status kv__state_remove(const struct kv_directory *directory, uint64_t generation) {
    char name[KV_STATE_NAME_BYTES];
    char path[PATH_MAX];
    kv__state_name(generation, name);
    enum status status = kv__directory_join(directory, name, path);
    return status == STATUS_OK ? kv__store_remove(path) : status;
}

/* Whatever order the listing gives while names go from it: the one that was just seen is gone, and
 * what it misses the next start removes. */
enum status kv__state_remove_others(struct kv_directory *directory, uint64_t generation) {
    DIR *listing = opendir(kv_directory_path(directory));
    uint64_t other;
    bool has_removed = false;
    enum status status = STATUS_OK;
    if (!listing)
        return STATUS_IO;
    while (status == STATUS_OK && next_state(listing, &other))
        if (other != generation) {
            status = kv__state_remove(directory, other);
            has_removed = true;
        }
    (void)closedir(listing); /* only read from */
    if (status == STATUS_OK && has_removed)
        status = kv__directory_sync(kv_directory_path(directory));
    return status;
}
