#include "kv/state_build.h"

#include "kv/machine.h"

#include <stdlib.h>

/* Records of one transaction, and what one more may add. */
#define TRANSACTION_BYTES (8 * MIB)

struct kv_build {
    struct kv_stream *stream;
    struct kv_env *env; /* NULL: only checks, or complete */
    struct kv_writer writer;
    bool is_writing;             /* a transaction is open */
    size_t written_bytes;        /* in it */
    uint64_t configuration_hash; /* of the stream's configuration record; 0: it has none */
};

/* ---- Filling it ---------------------------------------------------------------------------------
 */

static enum status end_transaction(struct kv_build *build, enum status so_far) {
    if (!build->is_writing)
        return so_far;
    build->is_writing = false;
    build->written_bytes = 0;
    return kv__writer_end(&build->writer, so_far);
}

static enum status begin_transaction(struct kv_build *build) {
    if (build->is_writing)
        return STATUS_OK;
    struct kv_demand demand = {
        .single_pages =
            kv__env_leaf_pages(build->env, TRANSACTION_BYTES + 2 * KV_RECORD_BYTES_MAX)};
    enum status status = kv__writer_begin(build->env, &demand, true, &build->writer);
    build->is_writing = status == STATUS_OK;
    return status;
}

static enum status append(struct kv_build *build, struct bytes key, struct bytes record) {
    uint8_t *place;
    enum status status = begin_transaction(build);
    if (status == STATUS_OK)
        status = kv__writer_append(&build->writer, key, record.len, &place);
    if (status != STATUS_OK)
        return status;
    memcpy(place, record.data, record.len);
    build->written_bytes += key.len + record.len;
    if (build->written_bytes < TRANSACTION_BYTES)
        return STATUS_OK;
    return end_transaction(build, STATUS_OK);
}

static enum status append_meta(struct kv_build *build) {
    uint8_t memory[KV_META_RECORD_BYTES];
    const struct kv_meta *meta = &kv__stream_info(build->stream)->meta;
    return append(build, kv__state_meta_key(), kv__state_meta_record(meta, memory));
}

/* The meta record sorts first. */
static enum status take_record(void *context, struct bytes key, struct bytes record) {
    struct kv_build *build = context;
    enum status status = STATUS_OK;
    if (kv__stream_info(build->stream)->records == 1)
        status = append_meta(build);
    if (bytes_equal(key, kv__configuration_key()))
        build->configuration_hash = kv__record_hash(record);
    return status == STATUS_OK ? append(build, key, record) : status;
}

/* ---- Another configuration ------------------------------------------------------------------- */

#define RECORD_BYTES_MAX (KV_SEAL_BYTES + 8 + RAFT_CONFIGURATION_BYTES_MAX)

static struct bytes configuration_record(const struct raft_configuration *configuration,
                                         uint8_t memory[RECORD_BYTES_MAX]) {
    struct wire_writer w = wire_writer_of(memory, RECORD_BYTES_MAX);
    wire_put_u32(&w, 0);
    wire_put_u64(&w, configuration->index);
    size_t len =
        w.len + raft_configuration_encode(configuration, memory + w.len, RECORD_BYTES_MAX - w.len);
    kv__record_seal(kv__configuration_key(), memory, len);
    return bytes_of(memory, len);
}

/* Count and hash follow, as when the machine replaces a record. */
static enum status replace_configuration(struct kv_build *build,
                                         const struct raft_configuration *configuration) {
    uint8_t memory[RECORD_BYTES_MAX];
    uint8_t meta_memory[KV_META_RECORD_BYTES];
    struct kv_meta meta = kv__stream_info(build->stream)->meta;
    struct bytes record = configuration_record(configuration, memory);
    meta.record_count += build->configuration_hash == 0;
    meta.hash += kv__record_hash(record) - build->configuration_hash;
    enum status status = begin_transaction(build);
    if (status == STATUS_OK)
        status = kv__writer_put(&build->writer, kv__configuration_key(), record);
    if (status == STATUS_OK)
        status = kv__writer_put(&build->writer, kv__state_meta_key(),
                                kv__state_meta_record(&meta, meta_memory));
    return status;
}

/* ---- The whole ------------------------------------------------------------------------------- */

enum status kv__build_new(struct kv_directory *directory, const char *name,
                          struct kv_build **ret_build) {
    struct kv_env_options options = {0};
    struct kv_build *build = calloc(1, sizeof *build);
    if (!build)
        return STATUS_NO_MEMORY;
    enum status status = kv__stream_new(directory ? take_record : NULL, build, &build->stream);
    if (status == STATUS_OK && directory)
        status = kv__env_open(directory, name, &options, &build->env);
    if (status == STATUS_OK)
        *ret_build = build;
    else
        kv__build_free(build);
    return status;
}

enum status kv__build_write(struct kv_build *build, struct bytes chunk) {
    return kv__stream_write(build->stream, chunk);
}

static enum status complete(struct kv_build *build,
                            const struct raft_configuration *configuration) {
    enum status status = STATUS_OK;
    if (kv__stream_info(build->stream)->records == 0)
        status = append_meta(build);
    if (status == STATUS_OK && configuration)
        status = replace_configuration(build, configuration);
    status = end_transaction(build, status);
    kv__env_close(build->env);
    build->env = NULL;
    return status;
}

enum status kv__build_finish(struct kv_build *build,
                             const struct raft_configuration *configuration) {
    enum status status = kv__stream_finish(build->stream);
    return status == STATUS_OK && build->env ? complete(build, configuration) : status;
}

const struct kv_snapshot_info *kv__build_info(const struct kv_build *build) {
    return kv__stream_info(build->stream);
}

void kv__build_free(struct kv_build *build) {
    if (!build)
        return;
    (void)end_transaction(build, STATUS_ABORTED); /* aborting cannot fail */
    kv__env_close(build->env);
    kv__stream_free(build->stream);
    free(build);
}
