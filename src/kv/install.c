#include "kv/state_build.h"

#include <stdlib.h>

struct kv_install {
    struct kv_directory *directory;
    uint64_t generation;
    struct kv_build *build;
    bool is_finished;
};

enum status kv_install_new(struct kv_directory *directory, uint64_t generation,
                           struct kv_install **ret_install) {
    CHECK(generation > 0);
    char name[KV_STATE_NAME_BYTES];
    kv__state_name(generation, name);
    struct kv_install *install = calloc(1, sizeof *install);
    if (!install)
        return STATUS_NO_MEMORY;
    install->directory = directory;
    install->generation = generation;
    enum status status = kv__state_remove(directory, generation);
    if (status == STATUS_OK)
        status = kv__build_new(directory, name, &install->build);
    if (status == STATUS_OK)
        *ret_install = install;
    else
        kv_install_free(install);
    return status;
}

enum status kv_install_write(struct kv_install *install, struct bytes chunk) {
    return kv__build_write(install->build, chunk);
}

enum status kv_install_finish(struct kv_install *install, struct kv_snapshot_info *ret_info) {
    enum status status = kv__build_finish(install->build, NULL);
    if (status != STATUS_OK)
        return status;
    install->is_finished = true;
    *ret_info = *kv__build_info(install->build);
    return STATUS_OK;
}

void kv_install_free(struct kv_install *install) {
    if (!install)
        return;
    kv__build_free(install->build);
    if (!install->is_finished) /* what stays, the next start or attempt removes */
        (void)kv__state_remove(install->directory, install->generation);
    free(install);
}
