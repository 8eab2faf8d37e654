#include "kv/stores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- The meta record ----------------------------------------------------------------------- */

struct bytes kv__state_meta_key(void) {
    static const uint8_t key[] = {KV_TABLE_META};
    return bytes_of(key, sizeof key);
}

struct bytes kv__state_meta_record(const struct kv_meta *meta,
                                   uint8_t memory[KV_META_RECORD_BYTES]) {
    kv__meta_encode(meta, memory + KV_SEAL_BYTES);
    kv__record_seal(kv__state_meta_key(), memory, KV_META_RECORD_BYTES);
    return bytes_of(memory, KV_META_RECORD_BYTES);
}

enum status kv__state_meta_read(struct kv_reader *reader, struct kv_meta *ret_meta) {
    struct bytes record, body;
    enum status status = kv__reader_get(reader, kv__state_meta_key(), &record);
    if (status == STATUS_OK)
        status = kv__record_open(kv__state_meta_key(), record, &body);
    if (status == STATUS_OK)
        status = kv__meta_decode(body, ret_meta);
    return status;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* A store without a meta record must have nothing else: no flush was ever finished. */
static enum status load(struct kv_directory *directory, struct kv_reader *reader,
                        struct kv_meta *ret_meta) {
    uint64_t records = kv__reader_count(reader);
    *ret_meta = (struct kv_meta){0};
    if (records == 0)
        return STATUS_OK;
    enum status status = kv__state_meta_read(reader, ret_meta);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_CORRUPT;
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "state: its meta record: %s",
                                     status_text(status));
    if (ret_meta->record_count != records - 1)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "state: it should have %" PRIu64 " records and has %" PRIu64,
                                     ret_meta->record_count, records - 1);
    return STATUS_OK;
}

/* One that was installed was complete before the log named it. */
static enum status check_presence(struct kv_directory *directory, uint64_t generation,
                                  const char *name) {
    char path[PATH_MAX];
    enum status status = kv__directory_join(directory, name, path);
    if (status != STATUS_OK || generation == 0 || kv__path_exists(path))
        return status;
    return kv__directory_problem(directory, STATUS_CORRUPT, "%s: missing", name);
}

static enum status fill(struct kv_directory *directory, uint64_t generation,
                        const struct kv_state_options *options, struct kv_state *state,
                        struct kv_meta *ret_meta) {
    struct kv_env_options env_options = {.reserve_bytes = options->reserve_bytes,
                                         .is_random = true};
    char name[KV_STATE_NAME_BYTES];
    char path[PATH_MAX];
    kv__state_name(generation, name);
    enum status status = check_presence(directory, generation, name);
    if (status == STATUS_OK)
        status = kv__directory_join(directory, name, path);
    if (status == STATUS_OK)
        status = kv__env_open(directory, name, &env_options, &state->env);
    if (status != STATUS_OK)
        return status;
    state->slice_pages =
        options->slice_bytes > 0 ? options->slice_bytes / state->env->page_bytes : UINT32_MAX;
    status = kv__journal_open(path, options->journal_bytes, &state->journal);
    if (status == STATUS_OK)
        status = kv__reader_open(state->env, &state->view);
    if (status == STATUS_OK)
        status = kv__state_flush_finish(state);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "%s: %s", name, status_text(status));
    return load(directory, &state->view, ret_meta);
}

static enum status remove_others(struct kv_directory *directory, uint64_t generation) {
    enum status status = kv__state_remove_others(directory, generation);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "state: removing an old one: %s",
                                     strerror(errno));
    return STATUS_OK;
}

enum status kv_state_open(struct kv_directory *directory, uint64_t generation,
                          const struct kv_state_options *options, struct kv_state **ret_state,
                          struct kv_meta *ret_meta) {
    struct kv_state *state = calloc(1, sizeof *state);
    struct kv_meta meta;
    if (!state)
        return STATUS_NO_MEMORY;
    CHECK(pthread_mutex_init(&state->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&state->settled, NULL) == 0);
    state->is_settled = true;
    enum status status = fill(directory, generation, options, state, &meta);
    if (status == STATUS_OK)
        status = remove_others(directory, generation);
    if (status != STATUS_OK) {
        kv_state_close(state);
        return status;
    }
    *ret_meta = meta;
    *ret_state = state;
    return STATUS_OK;
}

void kv_state_close(struct kv_state *state) {
    if (!state)
        return;
    if (state->view.txn)
        kv__reader_close(&state->view);
    kv__journal_close(&state->journal);
    kv__env_close(state->env);
    CHECK(pthread_cond_destroy(&state->settled) == 0);
    CHECK(pthread_mutex_destroy(&state->mutex) == 0);
    free(state);
}

/* ---- The loop's view ----------------------------------------------------------------------- */

static enum status base_get(void *context, struct bytes key, struct bytes *ret_record) {
    struct kv_state *state = context;
    return kv__reader_get(&state->view, key, ret_record);
}

static enum status base_seek(void *context, struct bytes key, struct bytes *ret_key,
                             struct bytes *ret_record) {
    struct kv_state *state = context;
    return kv__reader_seek(&state->view, key, ret_key, ret_record);
}

static enum status base_renew(void *context) {
    struct kv_state *state = context;
    return kv__reader_renew(&state->view);
}

struct kv_base kv_state_base(struct kv_state *state) {
    static const struct kv_base_ops ops = {
        .get = base_get,
        .seek = base_seek,
        .renew = base_renew,
    };
    return (struct kv_base){.ops = &ops, .context = state};
}

/* ---- Room ---------------------------------------------------------------------------------- */

bool kv_state_has_room(struct kv_state *state) {
    struct kv_demand demand = {0};
    return kv__env_make_room(state->env, &demand, false) == STATUS_OK &&
           kv__journal_has_room(&state->journal);
}

uint64_t kv_state_file_bytes(struct kv_state *state) {
    return kv__env_file_bytes(state->env);
}
