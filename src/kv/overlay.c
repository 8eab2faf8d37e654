#include "kv/overlay.h"

#include "kv/overlay_index.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Large enough that a table of the default budget takes 64 calls to the kernel. */
#define CHUNK_BYTES (256 * KIB)
#define ALIGNMENT ((size_t)8)

struct chunk {
    SLIST_ENTRY(chunk) link;
    size_t size; /* this header included */
    size_t used;
};

RB_HEAD(tree, kv_overlay_node);

struct kv_overlay {
    struct tree tree;              /* in key order */
    struct kv_overlay_index index; /* by key */
    SLIST_HEAD(, chunk) chunks;
    size_t count;
    size_t bytes;
};

static int node_compare(struct kv_overlay_node *a, struct kv_overlay_node *b) {
    return bytes_compare(kv__overlay_key(a), kv__overlay_key(b));
}

RB_GENERATE_INTERNAL(tree, kv_overlay_node, link, node_compare, __attribute__((unused)) static)

enum status kv__overlay_new(struct kv_overlay **ret_overlay) {
    struct kv_overlay *overlay = calloc(1, sizeof *overlay);
    if (!overlay)
        return STATUS_NO_MEMORY;
    RB_INIT(&overlay->tree);
    SLIST_INIT(&overlay->chunks);
    *ret_overlay = overlay;
    return STATUS_OK;
}

void kv__overlay_free(struct kv_overlay *overlay) {
    if (!overlay)
        return;
    kv__overlay_index_free(&overlay->index);
    while (!SLIST_EMPTY(&overlay->chunks)) {
        struct chunk *chunk = SLIST_FIRST(&overlay->chunks);
        SLIST_REMOVE_HEAD(&overlay->chunks, link);
        (void)munmap(chunk, chunk->size); /* cannot fail: these are the bounds it was mapped with */
    }
    free(overlay);
}

static size_t align_up(size_t size) {
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static struct chunk *chunk_new(struct kv_overlay *overlay, size_t need) {
    size_t head = align_up(sizeof(struct chunk));
    size_t size = head + need > CHUNK_BYTES ? head + need : CHUNK_BYTES;
    struct chunk *chunk =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED)
        return NULL;
    chunk->size = size;
    chunk->used = head;
    SLIST_INSERT_HEAD(&overlay->chunks, chunk, link);
    return chunk;
}

static void *take_memory(struct kv_overlay *overlay, size_t size) {
    size_t need = align_up(size);
    struct chunk *chunk = SLIST_FIRST(&overlay->chunks);
    if (!chunk || chunk->size - chunk->used < need)
        chunk = chunk_new(overlay, need);
    if (!chunk)
        return NULL;
    void *memory = (uint8_t *)chunk + chunk->used;
    chunk->used += need;
    overlay->bytes += need;
    return memory;
}

/* NULL: no memory. */
static struct kv_overlay_node *find_or_add(struct kv_overlay *overlay, struct bytes key,
                                           size_t record_len) {
    CHECK(key.len > 0 && key.len <= UINT32_MAX && record_len <= UINT32_MAX);
    struct kv_overlay_node *node = kv__overlay_index_find(&overlay->index, key);
    if (node || kv__overlay_index_reserve(&overlay->index) != STATUS_OK)
        return node;
    size_t head = align_up(sizeof *node + key.len);
    node = take_memory(overlay, head + record_len);
    if (!node)
        return NULL;
    node->record = (uint8_t *)node + head;
    node->capacity = (uint32_t)record_len;
    node->record_len = 0;
    node->key_len = (uint32_t)key.len;
    node->is_deleted = true;
    memcpy(node->key, key.data, key.len);
    (void)RB_INSERT(tree, &overlay->tree, node); /* no equal key is there */
    kv__overlay_index_add(&overlay->index, node);
    overlay->count++;
    return node;
}

enum status kv__overlay_put(struct kv_overlay *overlay, struct bytes key, size_t len,
                            uint8_t **ret_record) {
    struct kv_overlay_node *node = find_or_add(overlay, key, len);
    if (!node)
        return STATUS_NO_MEMORY;
    if (node->capacity < len) {
        uint8_t *record = take_memory(overlay, len);
        if (!record)
            return STATUS_NO_MEMORY;
        node->record = record;
        node->capacity = (uint32_t)len;
    }
    node->record_len = (uint32_t)len;
    node->is_deleted = false;
    *ret_record = node->record;
    return STATUS_OK;
}

enum status kv__overlay_delete(struct kv_overlay *overlay, struct bytes key) {
    struct kv_overlay_node *node = find_or_add(overlay, key, 0);
    if (!node)
        return STATUS_NO_MEMORY;
    node->is_deleted = true;
    return STATUS_OK;
}

const struct kv_overlay_node *kv__overlay_find(const struct kv_overlay *overlay, struct bytes key) {
    return kv__overlay_index_find(&overlay->index, key);
}

const struct kv_overlay_node *kv__overlay_seek(const struct kv_overlay *overlay, struct bytes key) {
    struct kv_overlay_node *node = RB_ROOT(&overlay->tree);
    struct kv_overlay_node *after = NULL;
    while (node) {
        int order = bytes_compare(key, kv__overlay_key(node));
        if (order == 0)
            return node;
        if (order < 0)
            after = node;
        node = order < 0 ? RB_LEFT(node, link) : RB_RIGHT(node, link);
    }
    return after;
}

/* The tree's macro takes a node that it may change; it does not. */
const struct kv_overlay_node *kv__overlay_next(const struct kv_overlay_node *node) {
    return RB_NEXT(tree, unused, (struct kv_overlay_node *)(uintptr_t)node);
}

size_t kv__overlay_count(const struct kv_overlay *overlay) {
    return overlay->count;
}

size_t kv__overlay_bytes(const struct kv_overlay *overlay) {
    return overlay->bytes + overlay->count * KV_OVERLAY_INDEX_BYTES;
}

enum status kv_overlay_each(const struct kv_overlay *overlay, kv_record_visit *visit,
                            void *context) {
    const struct kv_overlay_node *node = kv__overlay_seek(overlay, bytes_of(NULL, 0));
    for (; node; node = kv__overlay_next(node)) {
        enum status status = visit(context, kv__overlay_key(node), kv__overlay_record(node));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
