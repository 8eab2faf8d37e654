/* Finds a table's node by its exact key, in a look or two where the tree takes one a level. Open
 * addressing; nothing is ever removed. */
#ifndef PHALANX_KV_OVERLAY_INDEX_H
#define PHALANX_KV_OVERLAY_INDEX_H

#include "kv/kv.h"

struct kv_overlay_node;

struct kv_overlay_slot {
    struct kv_overlay_node *node; /* NULL: free */
    uint32_t hash;                /* of its key */
};

/* What a node costs here, about: a quarter to five eighths of the slots are free. */
#define KV_OVERLAY_INDEX_BYTES (2 * sizeof(struct kv_overlay_slot))

struct kv_overlay_index {
    struct kv_overlay_slot *slots; /* from the kernel, like the table's chunks */
    size_t capacity;               /* a power of two, or 0 */
    size_t count;
};

/* Zeros are an empty one. */
void kv__overlay_index_free(struct kv_overlay_index *index);

/* Room for one more node. STATUS_NO_MEMORY: nothing changed. */
MUST_USE enum status kv__overlay_index_reserve(struct kv_overlay_index *index);

/* Room was made, and no node with this key is there. */
void kv__overlay_index_add(struct kv_overlay_index *index, struct kv_overlay_node *node);

/* NULL: none. */
struct kv_overlay_node *kv__overlay_index_find(const struct kv_overlay_index *index,
                                               struct bytes key);

#endif
