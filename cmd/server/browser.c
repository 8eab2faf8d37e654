/* The key browser's reads: scans of this node's own state, put to the loop as a client's would be.
 */
#include "server/wiring.h"

#include <stdlib.h>
#include <string.h>

/* It comes back by then, answered or refused. */
#define WAIT_MS 2000

struct browse {
    struct server_call call; /* first: the turn gives it back as this; without an rpc */
    struct kv_request request;
    uint8_t start[KEY_BYTES_MAX];
    uint8_t end[KEY_BYTES_MAX];
    struct debug_keys *keys;
    enum status status;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
};

/* ---- On the loop ----------------------------------------------------------------------------- */

static void take_item(const struct kv_item *item, struct debug_key *key) {
    key->key_len = item->key.len;
    memcpy(key->key, item->key.data, item->key.len);
    key->value_bytes = item->value.len;
    key->value_len =
        item->value.len < DEBUG_VALUE_BYTES_MAX ? item->value.len : DEBUG_VALUE_BYTES_MAX;
    if (key->value_len > 0)
        memcpy(key->value, item->value.data, key->value_len);
    key->mod_revision = item->mod_revision;
    key->version = item->version;
}

static void take_response(struct browse *browse, const struct kv_response *response) {
    struct debug_keys *keys = browse->keys;
    browse->status = response->status;
    if (response->status != STATUS_OK)
        return;
    CHECK(response->item_count <= DEBUG_KEYS_MAX);
    for (size_t i = 0; i < response->item_count; i++)
        take_item(&response->items[i], &keys->keys[i]);
    keys->count = response->item_count;
    keys->has_more = response->has_more;
}

void server__browsed(struct server_call *call, const struct kv_response *response) {
    struct browse *browse = (struct browse *)call;
    take_response(browse, response);
    CHECK(pthread_mutex_lock(&browse->mutex) == 0);
    browse->is_done = true;
    CHECK(pthread_cond_signal(&browse->changed) == 0);
    CHECK(pthread_mutex_unlock(&browse->mutex) == 0);
}

/* ---- On a thread of the debug room's --------------------------------------------------------- */

/* From the key after `after`, or the prefix where that is later. False: there is none. */
static bool find_range(struct browse *browse, struct bytes prefix, struct bytes after) {
    size_t len = 0;
    if (after.len > 0 && !kv_key_successor(after, browse->start, &len))
        return false;
    browse->request.key = bytes_of(browse->start, len);
    if (bytes_compare(browse->request.key, prefix) < 0) {
        memcpy(browse->start, prefix.data, prefix.len);
        browse->request.key.len = prefix.len;
    }
    browse->request.end = bytes_of(browse->end, kv_prefix_end(prefix, browse->end));
    return browse->request.end.len == 0 ||
           bytes_compare(browse->request.key, browse->request.end) < 0;
}

static enum status ask(struct server *s, struct browse *browse) {
    struct turn_request *request = &browse->call.request;
    request->event.kind = TURN_REQUEST;
    request->request = &browse->request;
    request->deadline_ms = clock_ms() + WAIT_MS;
    enum status status = inbox_post_request(&s->inbox, &request->event);
    if (status != STATUS_OK)
        return status;
    CHECK(pthread_mutex_lock(&browse->mutex) == 0);
    while (!browse->is_done)
        CHECK(pthread_cond_wait(&browse->changed, &browse->mutex) == 0);
    CHECK(pthread_mutex_unlock(&browse->mutex) == 0);
    return browse->status;
}

enum status server__browse(void *context, struct bytes prefix, struct bytes after,
                           struct debug_keys *ret_keys) {
    struct browse browse = {
        .request = {.operation = KV_SCAN, .is_stale = true, .limit = (int64_t)DEBUG_KEYS_MAX},
        .keys = ret_keys,
    };
    if (!find_range(&browse, prefix, after))
        return STATUS_OK; /* an empty page */
    CHECK(pthread_mutex_init(&browse.mutex, NULL) == 0);
    CHECK(pthread_cond_init(&browse.changed, NULL) == 0);
    enum status status = ask(context, &browse);
    CHECK(pthread_cond_destroy(&browse.changed) == 0);
    CHECK(pthread_mutex_destroy(&browse.mutex) == 0);
    return status;
}
