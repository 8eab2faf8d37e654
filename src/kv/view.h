/* The state as one ordered map: the active table over the frozen one over the base. The upper layer
 * wins; a tombstone hides what lies below. */
#ifndef PHALANX_KV_VIEW_H
#define PHALANX_KV_VIEW_H

#include "kv/overlay.h"

struct kv_view {
    struct kv_overlay *active;
    struct kv_overlay *frozen; /* NULL while no flush is under way */
    struct kv_base base;
    uint64_t damaged; /* sealed records of the base that did not fit their seal */
};

/* The sealed record under an internal key; its seal was checked when it came from the base.
 *
 * STATUS_NOT_FOUND, STATUS_CORRUPT, STATUS_IO. */
MUST_USE enum status kv__view_get(struct kv_view *view, struct bytes key, struct bytes *ret_record);

/* Walks the map in order. The record where the walk stands may be hidden in the active table; any
 * other change of the view ends the walk. */
struct kv_cursor {
    struct kv_view *view;
    const struct kv_overlay_node *active;
    const struct kv_overlay_node *frozen;
    struct bytes base_key; /* data NULL: the base is at its end */
    struct bytes base_record;
    uint8_t base_next[KEY_BYTES_MAX + 2]; /* the least key after base_key */
    struct bytes key;                     /* where the walk stands */
    struct bytes record;
};

/* Start at or after `key`: STATUS_OK with cursor->key and ->record, STATUS_NOT_FOUND at the end,
 * STATUS_CORRUPT for a damaged record (cursor->key tells which; the walk may go on), STATUS_IO. */
MUST_USE enum status kv__cursor_seek(struct kv_cursor *cursor, struct kv_view *view,
                                     struct bytes key);
MUST_USE enum status kv__cursor_next(struct kv_cursor *cursor);

#endif
