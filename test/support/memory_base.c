#include "support/memory_base.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>

struct node {
    RB_ENTRY(node) link;
    SLIST_ENTRY(node) pending_link;
    uint8_t *seen; /* owned, as is `newest`; NULL: no such record */
    size_t seen_len;
    uint8_t *newest; /* of a pending node: what the next renewal shows */
    size_t newest_len;
    bool is_pending;
    bool is_damaged; /* what is seen */
    size_t key_len;
    uint8_t key[];
};

RB_HEAD(tree, node);

struct memory_base {
    struct tree tree;
    SLIST_HEAD(, node) pending;
    struct kv_meta meta; /* of the newest flush */
    uint64_t count;
    enum status failure;
};

static struct bytes key_of(const struct node *node) {
    return bytes_of(node->key, node->key_len);
}

static int node_compare(struct node *a, struct node *b) {
    return bytes_compare(key_of(a), key_of(b));
}

RB_GENERATE_INTERNAL(tree, node, link, node_compare, __attribute__((unused)) static)

static void *allocate(size_t size) {
    void *memory = calloc(1, size);
    CHECK(memory);
    return memory;
}

/* The first node at or after `key`, seen or not. */
static struct node *at_or_after(const struct memory_base *base, struct bytes key) {
    struct node *node = RB_ROOT(&base->tree);
    struct node *after = NULL;
    while (node) {
        int order = bytes_compare(key, key_of(node));
        if (order <= 0)
            after = node;
        if (order == 0)
            break;
        node = order < 0 ? RB_LEFT(node, link) : RB_RIGHT(node, link);
    }
    return after;
}

static struct node *find(const struct memory_base *base, struct bytes key) {
    struct node *node = at_or_after(base, key);
    return node && bytes_equal(key_of(node), key) ? node : NULL;
}

static struct node *find_or_add(struct memory_base *base, struct bytes key) {
    struct node *node = find(base, key);
    if (node)
        return node;
    CHECK(key.len > 0);
    node = allocate(sizeof *node + key.len);
    node->key_len = key.len;
    memcpy(node->key, key.data, key.len);
    (void)RB_INSERT(tree, &base->tree, node); /* no equal key is there */
    return node;
}

struct memory_base *memory_base_new(void) {
    struct memory_base *base = allocate(sizeof *base);
    RB_INIT(&base->tree);
    SLIST_INIT(&base->pending);
    return base;
}

static void node_free(struct node *node) {
    free(node->seen);
    free(node->newest);
    free(node);
}

void memory_base_free(struct memory_base *base) {
    if (!base)
        return;
    while (!RB_EMPTY(&base->tree)) {
        struct node *node = RB_ROOT(&base->tree);
        (void)RB_REMOVE(tree, &base->tree, node);
        node_free(node);
    }
    free(base);
}

/* ---- The disk ------------------------------------------------------------------------------ */

static void add_pending(struct memory_base *base, struct node *node) {
    if (node->is_pending)
        return;
    node->is_pending = true;
    SLIST_INSERT_HEAD(&base->pending, node, pending_link);
}

/* The counts are of the disk: of what is newest, seen already or not. */
static void count(struct memory_base *base, const struct node *node, int sign) {
    const uint8_t *record = node->is_pending ? node->newest : node->seen;
    if (!record)
        return;
    base->count += (uint64_t)sign;
}

void memory_base_write(struct memory_base *base, struct bytes key, struct bytes record) {
    struct node *node = find_or_add(base, key);
    count(base, node, -1);
    free(node->newest);
    node->newest = NULL;
    node->newest_len = record.len;
    if (record.data) {
        node->newest = allocate(record.len);
        memcpy(node->newest, record.data, record.len);
    }
    add_pending(base, node);
    count(base, node, +1);
}

struct memory_base *memory_base_copy(const struct memory_base *base) {
    struct memory_base *copy = memory_base_new();
    struct tree *tree = (struct tree *)(uintptr_t)&base->tree;
    struct node *node;
    RB_FOREACH (node, tree, tree) {
        const uint8_t *record = node->is_pending ? node->newest : node->seen;
        size_t len = node->is_pending ? node->newest_len : node->seen_len;
        if (record)
            memory_base_write(copy, key_of(node), bytes_of(record, len));
    }
    copy->meta = base->meta;
    return copy;
}

static enum status write_record(void *context, struct bytes key, struct bytes record) {
    memory_base_write(context, key, record);
    return STATUS_OK;
}

void memory_base_flush(struct memory_base *base, const struct kv_flush *flush) {
    CHECK(kv_overlay_each(flush->overlay, write_record, base) == STATUS_OK);
    base->meta = flush->meta;
}

static void show(struct memory_base *base, struct node *node) {
    free(node->seen);
    node->seen = node->newest;
    node->seen_len = node->newest_len;
    node->newest = NULL;
    node->is_pending = false;
    node->is_damaged = false;
    if (!node->seen) {
        (void)RB_REMOVE(tree, &base->tree, node);
        node_free(node);
    }
}

static void show_all(struct memory_base *base) {
    while (!SLIST_EMPTY(&base->pending)) {
        struct node *node = SLIST_FIRST(&base->pending);
        SLIST_REMOVE_HEAD(&base->pending, pending_link);
        show(base, node);
    }
}

struct kv_meta memory_base_reopen(struct memory_base *base) {
    show_all(base);
    return base->meta;
}

void memory_base_damage(struct memory_base *base, struct bytes key) {
    struct node *node = find(base, key);
    CHECK(node && node->seen);
    node->seen[node->seen_len / 2] ^= 0x10;
    node->is_damaged = true;
}

bool memory_base_is_sound(const struct memory_base *base) {
    struct tree *tree = (struct tree *)(uintptr_t)&base->tree;
    struct node *node;
    bool is_sound = true;
    RB_FOREACH (node, tree, tree)
        is_sound = is_sound && !node->is_damaged;
    return is_sound;
}

void memory_base_fail(struct memory_base *base, enum status status) {
    base->failure = status;
}

uint64_t memory_base_count(const struct memory_base *base) {
    return base->count;
}

/* ---- The view ------------------------------------------------------------------------------ */

static enum status view_get(void *context, struct bytes key, struct bytes *ret_record) {
    const struct memory_base *base = context;
    if (base->failure != STATUS_OK)
        return base->failure;
    const struct node *node = find(base, key);
    if (!node || !node->seen)
        return STATUS_NOT_FOUND;
    *ret_record = bytes_of(node->seen, node->seen_len);
    return STATUS_OK;
}

static enum status view_seek(void *context, struct bytes key, struct bytes *ret_key,
                             struct bytes *ret_record) {
    const struct memory_base *base = context;
    if (base->failure != STATUS_OK)
        return base->failure;
    struct node *node = at_or_after(base, key);
    while (node && !node->seen)
        node = RB_NEXT(tree, &base->tree, node);
    if (!node)
        return STATUS_NOT_FOUND;
    *ret_key = key_of(node);
    *ret_record = bytes_of(node->seen, node->seen_len);
    return STATUS_OK;
}

static enum status view_renew(void *context) {
    struct memory_base *base = context;
    if (base->failure == STATUS_OK)
        show_all(base);
    return base->failure;
}

struct kv_base memory_base_view(struct memory_base *base) {
    static const struct kv_base_ops ops = {
        .get = view_get,
        .seek = view_seek,
        .renew = view_renew,
    };
    return (struct kv_base){.ops = &ops, .context = base};
}
