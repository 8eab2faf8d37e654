#include "kv/view.h"

#include "kv/record.h"

/* No writer of ours makes a longer key: the page that it lies on is damaged. */
static bool key_is_ours(struct bytes key) {
    return key.len <= KV_INTERNAL_KEY_BYTES_MAX;
}

static enum status check_seal(struct kv_view *view, struct bytes key, struct bytes record) {
    struct bytes body;
    enum status status = key_is_ours(key) ? kv__record_open(key, record, &body) : STATUS_CORRUPT;
    if (status == STATUS_CORRUPT)
        view->damaged++;
    return status;
}

static const struct kv_overlay_node *find_in_tables(const struct kv_view *view, struct bytes key) {
    const struct kv_overlay_node *node = kv__overlay_find(view->active, key);
    if (!node && view->frozen)
        node = kv__overlay_find(view->frozen, key);
    return node;
}

enum status kv__view_get(struct kv_view *view, struct bytes key, struct bytes *ret_record) {
    const struct kv_overlay_node *node = find_in_tables(view, key);
    if (node && node->is_deleted)
        return STATUS_NOT_FOUND;
    if (node) {
        *ret_record = kv__overlay_record(node);
        return STATUS_OK;
    }
    struct bytes record;
    enum status status = view->base.ops->get(view->base.context, key, &record);
    if (status == STATUS_OK)
        status = check_seal(view, key, record);
    if (status == STATUS_OK)
        *ret_record = record;
    return status;
}

static enum status base_seek(struct kv_cursor *cursor, struct bytes key) {
    const struct kv_base *base = &cursor->view->base;
    enum status status =
        base->ops->seek(base->context, key, &cursor->base_key, &cursor->base_record);
    if (status != STATUS_OK)
        cursor->base_key = (struct bytes){0};
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status base_next(struct kv_cursor *cursor) {
    size_t len = cursor->base_key.len;
    if (!key_is_ours(cursor->base_key)) {
        cursor->base_key = (struct bytes){0}; /* what comes after it cannot be told */
        return STATUS_OK;
    }
    CHECK(len < sizeof cursor->base_next);
    memcpy(cursor->base_next, cursor->base_key.data, len);
    cursor->base_next[len] = 0;
    return base_seek(cursor, bytes_of(cursor->base_next, len + 1));
}

/* The least of the three layers' keys; data NULL when all are at their end. */
static struct bytes least_key(const struct kv_cursor *cursor) {
    struct bytes least = cursor->base_key;
    const struct kv_overlay_node *const nodes[] = {cursor->active, cursor->frozen};
    for (size_t i = 0; i < 2; i++) {
        if (!nodes[i])
            continue;
        struct bytes key = kv__overlay_key(nodes[i]);
        if (!least.data || bytes_compare(key, least) < 0)
            least = key;
    }
    return least;
}

static bool node_is_at(const struct kv_overlay_node *node, struct bytes key) {
    return node && bytes_equal(kv__overlay_key(node), key);
}

/* What the uppermost layer that stands at `key` says of it. */
static enum status look(struct kv_cursor *cursor, struct bytes key, bool *ret_is_deleted) {
    const struct kv_overlay_node *node = node_is_at(cursor->active, key)   ? cursor->active
                                         : node_is_at(cursor->frozen, key) ? cursor->frozen
                                                                           : NULL;
    cursor->key = key;
    *ret_is_deleted = node && node->is_deleted;
    cursor->record = node ? kv__overlay_record(node) : cursor->base_record;
    enum status status = node ? STATUS_OK : check_seal(cursor->view, key, cursor->record);
    if (status != STATUS_OK)
        cursor->record = (struct bytes){0};
    return status;
}

static enum status step_past(struct kv_cursor *cursor, struct bytes key) {
    bool is_base = cursor->base_key.data && bytes_equal(cursor->base_key, key);
    if (node_is_at(cursor->active, key))
        cursor->active = kv__overlay_next(cursor->active);
    if (node_is_at(cursor->frozen, key))
        cursor->frozen = kv__overlay_next(cursor->frozen);
    return is_base ? base_next(cursor) : STATUS_OK;
}

/* The first key from here on that is not hidden. */
static enum status settle(struct kv_cursor *cursor) {
    for (;;) {
        struct bytes key = least_key(cursor);
        if (!key.data)
            return STATUS_NOT_FOUND;
        bool is_deleted;
        enum status status = look(cursor, key, &is_deleted);
        if (status != STATUS_OK || !is_deleted)
            return status;
        status = step_past(cursor, key);
        if (status != STATUS_OK)
            return status;
    }
}

enum status kv__cursor_seek(struct kv_cursor *cursor, struct kv_view *view, struct bytes key) {
    cursor->view = view;
    cursor->active = kv__overlay_seek(view->active, key);
    cursor->frozen = view->frozen ? kv__overlay_seek(view->frozen, key) : NULL;
    enum status status = base_seek(cursor, key);
    return status == STATUS_OK ? settle(cursor) : status;
}

enum status kv__cursor_next(struct kv_cursor *cursor) {
    enum status status = step_past(cursor, cursor->key);
    return status == STATUS_OK ? settle(cursor) : status;
}
