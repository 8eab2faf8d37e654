#include "kv/log_record.h"

#define TABLE_META 1
#define TABLE_ENTRY 2

/* One for all records of this store so far. */
#define FORMAT_VERSION 1

/* ---- Keys ---------------------------------------------------------------------------------- */

struct bytes kv__log_meta_key(enum kv_log_meta meta, uint8_t memory[KV_LOG_META_KEY_BYTES]) {
    memory[0] = TABLE_META;
    memory[1] = (uint8_t)meta;
    return bytes_of(memory, KV_LOG_META_KEY_BYTES);
}

struct bytes kv__log_entry_key(raft_index index, uint8_t memory[KV_LOG_ENTRY_KEY_BYTES]) {
    uint64_t sorting = htobe64(index);
    memory[0] = TABLE_ENTRY;
    memcpy(memory + 1, &sorting, sizeof sorting);
    return bytes_of(memory, KV_LOG_ENTRY_KEY_BYTES);
}

static enum status index_of_key(struct bytes key, raft_index *ret_index) {
    uint64_t sorting;
    if (key.len != KV_LOG_ENTRY_KEY_BYTES || key.data[0] != TABLE_ENTRY)
        return STATUS_CORRUPT;
    memcpy(&sorting, key.data + 1, sizeof sorting);
    *ret_index = be64toh(sorting);
    return STATUS_OK;
}

/* ---- Records ------------------------------------------------------------------------------- */

/* A writer behind the seal's place and the version. */
static struct wire_writer begin(uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = wire_writer_of(memory, KV_LOG_META_BYTES_MAX);
    wire_put_u32(&w, 0);
    wire_put_u8(&w, FORMAT_VERSION);
    return w;
}

static struct bytes seal(enum kv_log_meta meta, const struct wire_writer *w) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    CHECK(!w->has_failed);
    kv__record_seal(kv__log_meta_key(meta, key), w->data, w->len);
    return bytes_of(w->data, w->len);
}

/* A reader behind seal and version. */
static enum status unseal(struct bytes key, struct bytes record, struct wire_reader *ret_reader) {
    struct bytes body;
    enum status status = kv__record_open(key, record, &body);
    if (status != STATUS_OK)
        return status;
    *ret_reader = wire_reader_of(body);
    return wire_get_u8(ret_reader) == FORMAT_VERSION ? STATUS_OK : STATUS_UNSUPPORTED;
}

static enum status unseal_meta(enum kv_log_meta meta, struct bytes record,
                               struct wire_reader *ret_reader) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    return unseal(kv__log_meta_key(meta, key), record, ret_reader);
}

struct bytes kv__log_hard_record(const struct raft_hard_state *hard,
                                 uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, hard->term);
    wire_put_u64(&w, hard->vote);
    return seal(KV_LOG_HARD, &w);
}

enum status kv__log_hard_decode(struct bytes record, struct raft_hard_state *ret_hard) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_HARD, record, &r);
    if (status != STATUS_OK)
        return status;
    struct raft_hard_state hard = {.term = wire_get_u64(&r), .vote = wire_get_u64(&r)};
    if (!wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_hard = hard;
    return STATUS_OK;
}

struct bytes kv__log_identity_record(const struct kv_identity *identity,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, identity->id);
    wire_put_u64(&w, identity->cluster_id);
    wire_put_u64(&w, identity->start_counter);
    wire_put_u64(&w, identity->start_nonce);
    wire_put_u64(&w, identity->previous_counter);
    wire_put_u64(&w, identity->previous_nonce);
    size_t name_len = strnlen(identity->name, NAME_BYTES_MAX - 1);
    wire_put_u8(&w, (uint8_t)name_len);
    wire_put(&w, identity->name, name_len);
    return seal(KV_LOG_IDENTITY, &w);
}

enum status kv__log_identity_decode(struct bytes record, struct kv_identity *ret_identity) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_IDENTITY, record, &r);
    if (status != STATUS_OK)
        return status;
    struct kv_identity identity = {
        .id = wire_get_u64(&r),
        .cluster_id = wire_get_u64(&r),
        .start_counter = wire_get_u64(&r),
        .start_nonce = wire_get_u64(&r),
        .previous_counter = wire_get_u64(&r),
        .previous_nonce = wire_get_u64(&r),
    };
    struct bytes name = wire_get(&r, wire_get_u8(&r));
    if (!wire_reader_is_done(&r) || name.len >= NAME_BYTES_MAX || identity.id == 0)
        return STATUS_CORRUPT;
    if (name.len > 0)
        memcpy(identity.name, name.data, name.len);
    *ret_identity = identity;
    return STATUS_OK;
}

/* Followed by the newest configuration among what was cut: empty while there is one voter. */
struct bytes kv__log_cut_record(const struct kv_cut_point *cut,
                                uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, cut->index);
    wire_put_u64(&w, cut->term);
    wire_put_u32(&w, 0);
    return seal(KV_LOG_CUT, &w);
}

enum status kv__log_cut_decode(struct bytes record, struct kv_cut_point *ret_cut) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_CUT, record, &r);
    if (status != STATUS_OK)
        return status;
    struct kv_cut_point cut = {.index = wire_get_u64(&r), .term = wire_get_u64(&r)};
    uint32_t configuration_bytes = wire_get_u32(&r);
    if (!r.has_failed && configuration_bytes > 0)
        return STATUS_UNSUPPORTED;
    if (!wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_cut = cut;
    return STATUS_OK;
}

/* ---- Entries ------------------------------------------------------------------------------- */

void kv__log_entry_encode(const struct raft_entry *entry, struct bytes key, uint8_t *record) {
    size_t size = KV_LOG_ENTRY_EXTRA_BYTES + entry->payload.len;
    struct wire_writer w = wire_writer_of(record, size);
    wire_put_u32(&w, 0);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u8(&w, (uint8_t)entry->type);
    wire_put_u64(&w, entry->term);
    wire_put(&w, entry->payload.data, entry->payload.len);
    CHECK(!w.has_failed && w.len == size);
    kv__record_seal(key, record, size);
}

static bool is_type(uint8_t type) {
    return type == RAFT_ENTRY_NOOP || type == RAFT_ENTRY_COMMAND ||
           type == RAFT_ENTRY_CONFIGURATION;
}

enum status kv__log_entry_decode(struct bytes key, struct bytes record,
                                 struct raft_entry *ret_entry) {
    struct raft_entry entry;
    struct wire_reader r;
    enum status status = index_of_key(key, &entry.index);
    if (status == STATUS_OK)
        status = unseal(key, record, &r);
    if (status != STATUS_OK)
        return status;
    uint8_t type = wire_get_u8(&r);
    entry.term = wire_get_u64(&r);
    entry.payload = wire_get(&r, r.len);
    if (r.has_failed)
        return STATUS_CORRUPT;
    if (!is_type(type))
        return STATUS_UNSUPPORTED;
    entry.type = (enum raft_entry_type)type;
    *ret_entry = entry;
    return STATUS_OK;
}
