#include "sim/image.h"

#include "sim/sim.h"

#include <stdlib.h>

static void *copy_of(const void *data, size_t bytes) {
    void *copy = malloc(bytes);
    CHECK(copy);
    memcpy(copy, data, bytes);
    return copy;
}

static void copy_payloads(struct sim_disk *image) {
    for (raft_index index = image->first_index; index <= image->last_index; index++) {
        struct bytes *payload = &image->entries[index].entry.payload;
        if (payload->len > 0)
            payload->data = copy_of(payload->data, payload->len);
    }
}

struct sim_disk *sim_image_take(const struct sim_disk *disk) {
    struct sim_disk *image = copy_of(disk, sizeof *disk);
    image->entries = copy_of(disk->entries, disk->capacity * sizeof *disk->entries);
    image->configurations =
        copy_of(disk->configurations, disk->configuration_capacity * sizeof *disk->configurations);
    image->base = memory_base_copy(disk->base);
    image->old_base = NULL;
    image->unsynced = NULL;
    copy_payloads(image);
    return image;
}

void sim_image_free(struct sim_disk *image) {
    if (image)
        sim_disk_close(image);
    free(image);
}

/* What is not on the disk but of it: chance, life, what ails it. */
static void keep_the_rest(struct sim_disk *image, const struct sim_disk *disk) {
    image->random = disk->random;
    image->life = disk->life;
    image->slow_factor = disk->slow_factor;
    image->is_hung = disk->is_hung;
    image->is_full = disk->is_full;
    image->is_exhausted = disk->is_exhausted;
    image->is_broken = disk->is_broken;
}

void sim_image_restore(struct sim_disk *disk, struct sim_disk *image) {
    CHECK(image != disk->unsynced);
    keep_the_rest(image, disk);
    image->batch_count = image->group_count = 0;
    image->cut = NULL;
    image->room = NULL;
    image->asked_note_count = 0;
    image->flush = NULL;
    image->snapshot = NULL;
    image->is_writing = image->is_waiting = false;
    image->order = (struct log_order){.next = image->last_index + 1};
    sim_disk_close(disk);
    *disk = *image;
    free(image);
}
