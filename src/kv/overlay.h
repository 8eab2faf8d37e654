/* An ordered in-memory table of records: what was applied and is not yet flushed.
 *
 * Memory comes from the kernel in chunks and goes back to it as a whole, so that a dropped table
 * leaves nothing behind in the heap. A frozen table may be read by two threads. */
#ifndef PHALANX_KV_OVERLAY_H
#define PHALANX_KV_OVERLAY_H

#include "kv/kv.h"

#include <bsd/sys/tree.h>

struct kv_overlay_node {
    RB_ENTRY(kv_overlay_node) link;
    uint8_t *record;   /* sealed */
    uint32_t capacity; /* bytes behind `record` */
    uint32_t record_len;
    uint32_t key_len;
    bool is_deleted; /* a tombstone: hides what lies below */
    uint8_t key[];
};

MUST_USE enum status kv__overlay_new(struct kv_overlay **ret_overlay);
void kv__overlay_free(struct kv_overlay *overlay);

/* Room for a sealed record of `len` bytes under `key`, replacing what was there. The caller fills
 * it before anyone reads. A record that fits takes the place of the one before: a hot key costs its
 * bytes once. STATUS_NO_MEMORY: nothing changed. */
MUST_USE enum status kv__overlay_put(struct kv_overlay *overlay, struct bytes key, size_t len,
                                     uint8_t **ret_record);

/* Hide `key`. STATUS_NO_MEMORY: nothing changed. */
MUST_USE enum status kv__overlay_delete(struct kv_overlay *overlay, struct bytes key);

/* NULL when the table says nothing of `key`. */
const struct kv_overlay_node *kv__overlay_find(const struct kv_overlay *overlay, struct bytes key);

/* The first node at or after `key`, and the one after a node; NULL at the end. */
const struct kv_overlay_node *kv__overlay_seek(const struct kv_overlay *overlay, struct bytes key);
const struct kv_overlay_node *kv__overlay_next(const struct kv_overlay_node *node);

size_t kv__overlay_count(const struct kv_overlay *overlay); /* nodes, tombstones included */
size_t kv__overlay_bytes(const struct kv_overlay *overlay); /* memory in use */

static inline struct bytes kv__overlay_key(const struct kv_overlay_node *node) {
    return bytes_of(node->key, node->key_len);
}

static inline struct bytes kv__overlay_record(const struct kv_overlay_node *node) {
    return bytes_of(node->is_deleted ? NULL : node->record,
                    node->is_deleted ? 0 : node->record_len);
}

#endif
