/* What the files of the state machine share. */
#ifndef PHALANX_KV_MACHINE_H
#define PHALANX_KV_MACHINE_H

#include "kv/command.h"
#include "kv/record.h"
#include "kv/view.h"

struct kv_machine {
    struct kv_view view;
    struct kv_meta meta;
    size_t overlay_bytes;
    raft_index frozen_index;      /* applied index of the last freeze */
    uint64_t unflushed_log_bytes; /* of the entries applied since */
    struct kv_flush flush;        /* the one under way; valid while view.frozen */
    struct kv_item *items;        /* SCAN_ITEMS_MAX: a scan's answer */
};

/* An internal key in its own memory; with room for the place behind the longest one. */
struct kv_internal_key {
    uint8_t data[KV_INTERNAL_KEY_BYTES_MAX + 1];
    size_t len;
};

static inline struct bytes kv__internal_key(const struct kv_internal_key *key) {
    return bytes_of(key->data, key->len);
}

/* Write a record whose body is `head` and then `tail`. `old` is the sealed record that it replaces,
 * data NULL when there is none: the counts and the hash in the meta follow. */
MUST_USE enum status kv__machine_put(struct kv_machine *m, struct bytes key, struct bytes old,
                                     struct bytes head, struct bytes tail);
MUST_USE enum status kv__machine_remove(struct kv_machine *m, struct bytes key, struct bytes old);

/* Reads the body of a sealed record that came from the view, where its seal was checked. */
static inline struct wire_reader kv__machine_body(struct bytes record) {
    struct wire_reader r = wire_reader_of(record);
    (void)wire_get(&r, KV_SEAL_BYTES);
    return r;
}

/* The configuration's record: u64 index of its entry, then raft_configuration_encode(). */
struct bytes kv__configuration_key(void);
MUST_USE enum status kv__configuration_decode(struct bytes body,
                                              struct raft_configuration *ret_configuration);

/* The answer to a compare-and-set that did not match, at first and whenever it is retried. */
struct kv_response kv__precondition_failed(void);

#endif
