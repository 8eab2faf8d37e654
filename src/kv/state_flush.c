/* Bringing a frozen table into the state.
 *
 * LMDB keeps what a transaction changes on the heap, a page for each record in the worst case. So a
 * large flush is cut into slices, a transaction each; between them the state holds records of two
 * times:
 *
 *     settled ── begin: journal written and synced ──> settled
 *     settled ── first slice: its records, and the mark ──> halfway
 *     halfway ── further slices ──> halfway
 *     halfway ── last slice: its records, the meta, and the mark taken away ──> settled
 *
 * The loop sees nothing of it, since the frozen table hides all that is being written. Other
 * readers wait until it is settled. A start that finds the mark does the whole journal again, which
 * comes out the same. A flush that fits one transaction needs none of this. */
#include "kv/stores.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* How long a reader waits for a flush that is halfway. */
#define SETTLE_SECONDS 15

/* ---- The mark ------------------------------------------------------------------------------ */

/* A record beside the meta: u64 applied index of the flush that is halfway. */
#define MARK_BYTES (KV_SEAL_BYTES + 8)

static struct bytes mark_key(void) {
    static const uint8_t key[] = {KV_TABLE_META, 'f'};
    return bytes_of(key, sizeof key);
}

static enum status put_mark(struct kv_writer *writer, const struct kv_flush *flush) {
    uint8_t record[MARK_BYTES];
    struct wire_writer w = wire_writer_of(record + KV_SEAL_BYTES, sizeof record - KV_SEAL_BYTES);
    wire_put_u64(&w, flush->meta.applied_index);
    kv__record_seal(mark_key(), record, sizeof record);
    return kv__writer_put(writer, mark_key(), bytes_of(record, sizeof record));
}

/* `ret_index` 0: there is none. */
static enum status read_mark(struct kv_reader *reader, raft_index *ret_index) {
    struct bytes record, body;
    enum status status = kv__reader_get(reader, mark_key(), &record);
    *ret_index = 0;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = kv__record_open(mark_key(), record, &body);
    if (status != STATUS_OK)
        return status;
    struct wire_reader r = wire_reader_of(body);
    *ret_index = wire_get_u64(&r);
    return wire_reader_is_done(&r) && *ret_index > 0 ? STATUS_OK : STATUS_CORRUPT;
}

enum status kv__state_is_mixed(struct kv_reader *reader, bool *ret_is_mixed) {
    raft_index index;
    enum status status = read_mark(reader, &index);
    if (status == STATUS_OK)
        *ret_is_mixed = index > 0;
    return status;
}

/* ---- Readers of one moment ------------------------------------------------------------------- */

static void set_settled(struct kv_state *state, bool is_settled) {
    CHECK(pthread_mutex_lock(&state->mutex) == 0);
    state->is_settled = is_settled;
    if (is_settled)
        CHECK(pthread_cond_broadcast(&state->settled) == 0);
    CHECK(pthread_mutex_unlock(&state->mutex) == 0);
}

enum status kv__state_reader_open(struct kv_state *state, struct kv_reader *ret_reader) {
    struct timespec deadline;
    enum status status = STATUS_BUSY;
    int result = 0;
    CHECK(clock_gettime(CLOCK_REALTIME, &deadline) == 0);
    deadline.tv_sec += SETTLE_SECONDS;
    CHECK(pthread_mutex_lock(&state->mutex) == 0);
    while (!state->is_settled && result == 0)
        result = pthread_cond_timedwait(&state->settled, &state->mutex, &deadline);
    if (state->is_settled)
        status = kv__reader_open(state->env, ret_reader);
    CHECK(pthread_mutex_unlock(&state->mutex) == 0);
    return status;
}

/* ---- Pages --------------------------------------------------------------------------------- */

/* The most pages that a flush adds. Each record copies the leaf it falls into and may split it,
 * so two per record, but never more than all leaves there are, copied and split, and what the
 * records fill by themselves. Large values have runs of their own. Branches above the leaves: at
 * least seven to a page. */
struct count {
    const struct kv_env *env;
    uint64_t records;
    uint64_t run_pages;
    size_t leaf_bytes;
};

static enum status count_record(void *context, struct bytes key, struct bytes record) {
    struct count *count = context;
    count->records++;
    count->run_pages += kv__env_run_pages(count->env, key.len, record.len, &count->leaf_bytes);
    return STATUS_OK;
}

static enum status demand_of(const struct kv_state *state, const struct kv_flush *flush,
                             struct kv_demand *ret_demand) {
    struct count count = {.env = state->env};
    enum status status = kv_overlay_each(flush->overlay, count_record, &count);
    if (status != STATUS_OK)
        return status;
    uint64_t touched = 2 * count.records;
    uint64_t all = 2 * atomic_load(&state->env->record_pages);
    uint64_t leaves = touched < all ? touched : all;
    ret_demand->single_pages =
        leaves + leaves / 6 + kv__env_leaf_pages(state->env, count.leaf_bytes);
    ret_demand->run_pages = count.run_pages;
    return STATUS_OK;
}

static bool fits_one_slice(const struct kv_state *state, const struct kv_demand *demand) {
    return demand->single_pages + demand->run_pages <= 2 * state->slice_pages;
}

/* A slice ends with the record that reaches its bound; that one may be as large as any. */
static struct kv_demand demand_of_slice(const struct kv_state *state) {
    uint64_t leaves = 2 * (state->slice_pages + 1);
    return (struct kv_demand){
        .single_pages = leaves + leaves / 6 + 1,
        .run_pages = state->slice_pages + KV_RECORD_BYTES_MAX / state->env->page_bytes + 2,
    };
}

/* ---- Slices -------------------------------------------------------------------------------- */

/* About how many pages a slice has touched so far. Records come in key order, so one that does not
 * lie in the page of those before it is in a new one; where LMDB's pages begin is not known. */
struct touched {
    uint64_t pages;
    uintptr_t place; /* of the first record in the last page */
};

static void touch(const struct kv_state *state, struct bytes record, struct touched *touched) {
    uintptr_t place = (uintptr_t)record.data;
    uintptr_t distance = place > touched->place ? place - touched->place : touched->place - place;
    if (distance < state->env->page_bytes)
        return;
    touched->pages += 1 + record.len / state->env->page_bytes;
    touched->place = place;
}

/* It may have been made and deleted since the last flush. */
static enum status delete_record(const struct kv_state *state, struct kv_writer *writer,
                                 struct bytes key, struct touched *touched) {
    struct bytes record;
    enum status status = kv__writer_get(writer, key, &record);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    touch(state, record, touched);
    return kv__writer_delete(writer, key);
}

static enum status write_record(const struct kv_state *state, struct kv_writer *writer,
                                const struct kv_overlay_node *node, struct touched *touched) {
    struct bytes record = kv__overlay_record(node);
    uint8_t *place;
    if (!record.data)
        return delete_record(state, writer, kv__overlay_key(node), touched);
    enum status status = kv__writer_place(writer, kv__overlay_key(node), record.len, &place);
    if (status != STATUS_OK)
        return status;
    memcpy(place, record.data, record.len);
    touch(state, bytes_of(place, record.len), touched);
    return STATUS_OK;
}

/* From walk->next on; a flush that was not journaled goes to its end. */
static enum status write_records(const struct kv_state *state, struct kv_writer *writer,
                                 struct kv_flush_walk *walk) {
    struct touched touched = {0};
    enum status status = STATUS_OK;
    bool is_full = false;
    while (walk->next && status == STATUS_OK && !is_full) {
        status = write_record(state, writer, walk->next, &touched);
        walk->next = kv__overlay_next(walk->next);
        is_full = walk->is_journaled && touched.pages >= state->slice_pages;
    }
    return status;
}

static enum status write_end(struct kv_writer *writer, const struct kv_flush *flush,
                             struct kv_flush_walk *walk) {
    uint8_t memory[KV_META_RECORD_BYTES];
    enum status status =
        kv__writer_put(writer, kv__state_meta_key(), kv__state_meta_record(&flush->meta, memory));
    if (status == STATUS_OK && walk->is_marked)
        status = kv__writer_delete(writer, mark_key());
    walk->is_marked = false;
    return status;
}

static enum status write_mark(struct kv_state *state, struct kv_writer *writer,
                              const struct kv_flush *flush, struct kv_flush_walk *walk) {
    if (walk->is_marked)
        return STATUS_OK;
    walk->is_marked = true;
    set_settled(state, false); /* before anyone can see it */
    return put_mark(writer, flush);
}

static enum status write_slice(struct kv_state *state, struct kv_writer *writer,
                               const struct kv_flush *flush, struct kv_flush_walk *walk) {
    enum status status = write_records(state, writer, walk);
    if (status != STATUS_OK)
        return status;
    return walk->next ? write_mark(state, writer, flush, walk) : write_end(writer, flush, walk);
}

static enum status begin(struct kv_state *state, const struct kv_flush *flush) {
    struct kv_flush_walk walk = {
        .number = flush->number,
        .next = kv__overlay_seek(flush->overlay, bytes_of(NULL, 0)),
    };
    enum status status = demand_of(state, flush, &walk.demand);
    if (status != STATUS_OK)
        return status;
    walk.is_journaled = !fits_one_slice(state, &walk.demand);
    if (walk.is_journaled) {
        walk.demand = demand_of_slice(state);
        status = kv__journal_write(&state->journal, flush);
    }
    if (status == STATUS_OK)
        state->walk = walk;
    return status;
}

static enum status go_on(struct kv_state *state, const struct kv_flush *flush) {
    struct kv_flush_walk walk = state->walk;
    struct kv_writer writer;
    enum status status = kv__writer_begin(state->env, &walk.demand, true, &writer);
    if (status == STATUS_OK)
        status = kv__writer_end(&writer, write_slice(state, &writer, flush, &walk));
    if (status == STATUS_OK)
        state->walk = walk;
    return status;
}

enum status kv_state_flush(struct kv_state *state, const struct kv_flush *flush,
                           bool *ret_is_done) {
    CHECK(flush->number > 0);
    enum status status = state->walk.number == flush->number ? STATUS_OK : begin(state, flush);
    if (status == STATUS_OK)
        status = go_on(state, flush);
    if (status != STATUS_OK)
        return status;
    *ret_is_done = !state->walk.next;
    if (*ret_is_done) {
        set_settled(state, true);
        kv__env_unmap(state->env);
    }
    return STATUS_OK;
}

/* ---- After a crash --------------------------------------------------------------------------- */

static enum status take_record(struct kv_overlay *overlay, struct bytes key, struct bytes record) {
    uint8_t *place;
    if (!record.data)
        return kv__overlay_delete(overlay, key);
    enum status status = kv__overlay_put(overlay, key, record.len, &place);
    if (status == STATUS_OK)
        memcpy(place, record.data, record.len);
    return status;
}

static enum status take_records(struct kv_overlay *overlay, struct bytes body) {
    struct wire_reader r = wire_reader_of(body);
    struct bytes key, record;
    enum status status = kv__journal_next(&r, &key, &record);
    while (status == STATUS_OK) {
        status = take_record(overlay, key, record);
        if (status == STATUS_OK)
            status = kv__journal_next(&r, &key, &record);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_journal(const struct kv_state *state, raft_index index,
                                struct kv_overlay *overlay, struct kv_meta *ret_meta) {
    uint8_t *body = NULL;
    size_t len = 0;
    enum status status = kv__journal_read(&state->journal, ret_meta, &body, &len);
    if (status == STATUS_OK)
        status = take_records(overlay, bytes_of(body, len));
    if (status == STATUS_OK && ret_meta->applied_index != index)
        status = STATUS_CORRUPT; /* another flush's */
    free(body);
    return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
}

static enum status write_again(struct kv_state *state, struct kv_overlay *overlay,
                               const struct kv_meta *meta) {
    struct kv_flush flush = {.number = UINT64_MAX, .meta = *meta, .overlay = overlay};
    enum status status = STATUS_OK;
    bool is_done = false;
    state->walk = (struct kv_flush_walk){
        .number = flush.number,
        .next = kv__overlay_seek(overlay, bytes_of(NULL, 0)),
        .demand = demand_of_slice(state),
        .is_journaled = true,
        .is_marked = true,
    };
    while (status == STATUS_OK && !is_done) {
        status = kv_state_flush(state, &flush, &is_done);
        if (status == STATUS_OK)
            status = kv__reader_renew(&state->view);
    }
    return status;
}

enum status kv__state_flush_finish(struct kv_state *state) {
    raft_index index;
    struct kv_meta meta;
    struct kv_overlay *overlay;
    enum status status = read_mark(&state->view, &index);
    if (status != STATUS_OK || index == 0)
        return status;
    status = kv__overlay_new(&overlay);
    if (status != STATUS_OK)
        return status;
    status = read_journal(state, index, overlay, &meta);
    if (status == STATUS_OK)
        status = write_again(state, overlay, &meta);
    kv__overlay_free(overlay);
    return status;
}
