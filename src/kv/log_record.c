#include "kv/log_record.h"

#define TABLE_META 1
#define TABLE_START 2
#define TABLE_NOTE 4

/* One for all records of this store. Before 3, entries were records too. */
#define FORMAT_VERSION 3

/* ---- Keys ---------------------------------------------------------------------------------- */

struct bytes kv__log_meta_key(enum kv_log_meta meta, uint8_t memory[KV_LOG_META_KEY_BYTES]) {
    memory[0] = TABLE_META;
    memory[1] = (uint8_t)meta;
    return bytes_of(memory, KV_LOG_META_KEY_BYTES);
}

struct bytes kv__log_start_key(uint64_t counter, uint8_t memory[KV_LOG_START_KEY_BYTES]) {
    uint64_t sorting = htobe64(counter);
    memory[0] = TABLE_START;
    memcpy(memory + 1, &sorting, sizeof sorting);
    return bytes_of(memory, KV_LOG_START_KEY_BYTES);
}

struct bytes kv__log_note_key(struct bytes name, uint8_t memory[KV_LOG_NOTE_KEY_BYTES_MAX]) {
    CHECK(name.len <= KV_NOTE_KEY_BYTES_MAX);
    memory[0] = TABLE_NOTE;
    if (name.len > 0)
        memcpy(memory + 1, name.data, name.len);
    return bytes_of(memory, 1 + name.len);
}

bool kv__log_name_of_note(struct bytes key, struct bytes *ret_name) {
    if (key.len < 1 || key.data[0] != TABLE_NOTE)
        return false;
    *ret_name = bytes_of(key.data + 1, key.len - 1);
    return true;
}

/* ---- Records ------------------------------------------------------------------------------- */

/* A writer behind the seal's place and the version. */
static struct wire_writer begin(uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = wire_writer_of(memory, KV_LOG_META_BYTES_MAX);
    wire_put_u32(&w, 0);
    wire_put_u8(&w, FORMAT_VERSION);
    return w;
}

static struct bytes seal(struct bytes key, const struct wire_writer *w) {
    CHECK(!w->has_failed);
    kv__record_seal(key, w->data, w->len);
    return bytes_of(w->data, w->len);
}

static struct bytes seal_meta(enum kv_log_meta meta, const struct wire_writer *w) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    return seal(kv__log_meta_key(meta, key), w);
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
    return seal_meta(KV_LOG_HARD, &w);
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
    return seal_meta(KV_LOG_IDENTITY, &w);
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

/* The configuration is empty when none is known. */
struct bytes kv__log_cut_record(const struct kv_cut_point *cut,
                                uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    uint8_t configuration[RAFT_CONFIGURATION_BYTES_MAX];
    size_t len =
        cut->configuration.count == 0
            ? 0
            : raft_configuration_encode(&cut->configuration, configuration, sizeof configuration);
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, cut->index);
    wire_put_u64(&w, cut->term);
    wire_put_u64(&w, cut->configuration_term);
    wire_put_u64(&w, cut->configuration.index);
    wire_put_u32(&w, (uint32_t)len);
    wire_put(&w, configuration, len);
    return seal_meta(KV_LOG_CUT, &w);
}

static enum status read_configuration(struct wire_reader *r,
                                      struct raft_configuration *ret_configuration) {
    raft_index index = wire_get_u64(r);
    struct bytes body = wire_get(r, wire_get_u32(r));
    *ret_configuration = (struct raft_configuration){0};
    if (!wire_reader_is_done(r))
        return STATUS_CORRUPT;
    if (body.len == 0)
        return STATUS_OK;
    enum status status = raft_configuration_decode(body, ret_configuration);
    ret_configuration->index = index;
    return status;
}

enum status kv__log_cut_decode(struct bytes record, struct kv_cut_point *ret_cut) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_CUT, record, &r);
    if (status != STATUS_OK)
        return status;
    struct kv_cut_point cut = {.index = wire_get_u64(&r),
                               .term = wire_get_u64(&r),
                               .configuration_term = wire_get_u64(&r)};
    status = read_configuration(&r, &cut.configuration);
    if (status == STATUS_OK && cut.configuration.index > cut.index)
        status = STATUS_CORRUPT;
    if (status == STATUS_OK)
        *ret_cut = cut;
    return status;
}

/* One number under a key. */
static enum status decode_number(struct bytes key, struct bytes record, uint64_t *ret_number) {
    struct wire_reader r;
    enum status status = unseal(key, record, &r);
    if (status != STATUS_OK)
        return status;
    uint64_t number = wire_get_u64(&r);
    if (!wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_number = number;
    return STATUS_OK;
}

struct bytes kv__log_state_record(uint64_t generation, uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, generation);
    return seal_meta(KV_LOG_STATE, &w);
}

enum status kv__log_state_decode(struct bytes record, uint64_t *ret_generation) {
    uint8_t key[KV_LOG_META_KEY_BYTES];
    return decode_number(kv__log_meta_key(KV_LOG_STATE, key), record, ret_generation);
}

struct bytes kv__log_start_record(uint64_t counter, uint64_t nonce,
                                  uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    uint8_t key[KV_LOG_START_KEY_BYTES];
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, nonce);
    return seal(kv__log_start_key(counter, key), &w);
}

enum status kv__log_start_decode(uint64_t counter, struct bytes record, uint64_t *ret_nonce) {
    uint8_t key[KV_LOG_START_KEY_BYTES];
    return decode_number(kv__log_start_key(counter, key), record, ret_nonce);
}

struct bytes kv__log_segments_record(const struct kv_segments *segments,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    wire_put_u64(&w, segments->first);
    wire_put_u64(&w, segments->start.offset);
    wire_put_u64(&w, segments->start.frame);
    wire_put_u64(&w, segments->newest);
    return seal_meta(KV_LOG_SEGMENTS, &w);
}

enum status kv__log_segments_decode(struct bytes record, struct kv_segments *ret_segments) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_SEGMENTS, record, &r);
    if (status != STATUS_OK)
        return status;
    struct kv_segments segments = {.first = wire_get_u64(&r)};
    segments.start.offset = wire_get_u64(&r);
    segments.start.frame = wire_get_u64(&r);
    segments.newest = wire_get_u64(&r);
    if (!wire_reader_is_done(&r) || segments.first == 0 || segments.newest < segments.first ||
        segments.start.offset < KV_SEGMENT_HEAD_BYTES)
        return STATUS_CORRUPT;
    *ret_segments = segments;
    return STATUS_OK;
}

/* Empty where this node founded nothing. */
struct bytes kv__log_founding_record(const struct raft_configuration *configuration,
                                     uint8_t memory[KV_LOG_META_BYTES_MAX]) {
    struct wire_writer w = begin(memory);
    if (configuration->count > 0)
        w.len += raft_configuration_encode(configuration, memory + w.len, w.capacity - w.len);
    return seal_meta(KV_LOG_FOUNDING, &w);
}

enum status kv__log_founding_decode(struct bytes record,
                                    struct raft_configuration *ret_configuration) {
    struct wire_reader r;
    enum status status = unseal_meta(KV_LOG_FOUNDING, record, &r);
    if (status != STATUS_OK)
        return status;
    *ret_configuration = (struct raft_configuration){0};
    return r.len == 0 ? STATUS_OK
                      : raft_configuration_decode(bytes_of(r.data, r.len), ret_configuration);
}

/* ---- Notes --------------------------------------------------------------------------------- */

void kv__log_note_encode(struct bytes value, struct bytes key, uint8_t *record) {
    size_t size = KV_LOG_HEAD_BYTES + value.len;
    struct wire_writer w = wire_writer_of(record, size);
    wire_put_u32(&w, 0);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put(&w, value.data, value.len);
    CHECK(!w.has_failed && w.len == size);
    kv__record_seal(key, record, size);
}

enum status kv__log_note_decode(struct bytes key, struct bytes record, struct bytes *ret_value) {
    struct wire_reader r;
    enum status status = unseal(key, record, &r);
    if (status == STATUS_OK)
        *ret_value = bytes_of(r.data, r.len);
    return status;
}
