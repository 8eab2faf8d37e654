#include "kv/overlay_index.h"

#include "kv/overlay.h"
#include "kv/record.h"

#include <sys/mman.h>

#define CAPACITY_MIN ((size_t)1024)

static size_t bytes_of_slots(const struct kv_overlay_index *index) {
    return index->capacity * sizeof *index->slots;
}

void kv__overlay_index_free(struct kv_overlay_index *index) {
    if (index->slots)
        (void)munmap(index->slots, bytes_of_slots(index)); /* cannot fail: as mapped */
    *index = (struct kv_overlay_index){0};
}

/* The slot of `key`, or the free one where it belongs. */
static struct kv_overlay_slot *slot_of(const struct kv_overlay_index *index, struct bytes key,
                                       uint32_t hash) {
    size_t at = hash & (index->capacity - 1);
    for (;;) {
        struct kv_overlay_slot *slot = &index->slots[at];
        if (!slot->node || (slot->hash == hash && bytes_equal(kv__overlay_key(slot->node), key)))
            return slot;
        at = (at + 1) & (index->capacity - 1);
    }
}

struct kv_overlay_node *kv__overlay_index_find(const struct kv_overlay_index *index,
                                               struct bytes key) {
    return index->count > 0 ? slot_of(index, key, kv__crc32c(0, key))->node : NULL;
}

void kv__overlay_index_add(struct kv_overlay_index *index, struct kv_overlay_node *node) {
    struct bytes key = kv__overlay_key(node);
    uint32_t hash = kv__crc32c(0, key);
    struct kv_overlay_slot *slot = slot_of(index, key, hash);
    CHECK(!slot->node);
    *slot = (struct kv_overlay_slot){.node = node, .hash = hash};
    index->count++;
}

/* Keys are all different, so the hash alone finds each its place. */
static void move(const struct kv_overlay_index *from, struct kv_overlay_index *to) {
    for (size_t i = 0; i < from->capacity; i++) {
        size_t at = from->slots[i].hash & (to->capacity - 1);
        if (!from->slots[i].node)
            continue;
        while (to->slots[at].node)
            at = (at + 1) & (to->capacity - 1);
        to->slots[at] = from->slots[i];
    }
    to->count = from->count;
}

enum status kv__overlay_index_reserve(struct kv_overlay_index *index) {
    if (index->count < index->capacity / 4 * 3)
        return STATUS_OK;
    struct kv_overlay_index grown = {.capacity =
                                         index->capacity > 0 ? 2 * index->capacity : CAPACITY_MIN};
    void *slots = mmap(NULL, bytes_of_slots(&grown), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED)
        return STATUS_NO_MEMORY;
    grown.slots = slots;
    move(index, &grown);
    kv__overlay_index_free(index);
    *index = grown;
    return STATUS_OK;
}
