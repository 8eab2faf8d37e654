/* Reading entries where the index says they are. From any thread: what was written is never
 * changed, and a segment stays open while somebody reads it. */
#include "kv/stores.h"

#include <stdlib.h>

/* Looked up at a time. */
#define PLACES_MAX ((size_t)256)

/* Read from the file at a time: for one entry, for many. */
#define WINDOW_BYTES_MIN (4 * KIB)
#define WINDOW_BYTES_MAX (64 * KIB)

struct places {
    struct kv_segment *segment;
    uint64_t offsets[PLACES_MAX];
    size_t count;
};

/* Those of entries first.. up to `last` that lie in one segment, which is taken. */
static enum status look_up(struct kv_log *log, raft_index first, raft_index last,
                           struct places *ret_places) {
    enum status status = STATUS_NOT_FOUND;
    ret_places->count = 0;
    (void)pthread_mutex_lock(&log->mutex);
    if (kv__log_index_has(&log->index, first)) {
        uint64_t number = kv__log_index_place(&log->index, first).segment;
        ret_places->segment = kv__log_segment_take(log, number);
        while (ret_places->count < PLACES_MAX && first <= last &&
               kv__log_index_has(&log->index, first)) {
            struct kv_log_place place = kv__log_index_place(&log->index, first++);
            if (place.segment != number)
                break;
            ret_places->offsets[ret_places->count++] = place.offset;
        }
        status = STATUS_OK;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return status;
}

/* ---- A piece of the file in memory --------------------------------------------------------- */

struct window {
    const struct kv_segment *segment;
    size_t step; /* bytes to read at a time, unless more are needed */
    uint8_t *memory;
    size_t capacity;
    uint64_t offset;
    size_t len;
};

static enum status refill(struct window *w, uint64_t offset, size_t needed) {
    size_t wanted = needed > w->step ? needed : w->step;
    if (wanted > w->capacity) {
        uint8_t *memory = realloc(w->memory, wanted);
        if (!memory)
            return STATUS_NO_MEMORY;
        w->memory = memory;
        w->capacity = wanted;
    }
    w->offset = offset;
    w->len = 0;
    return kv__segment_read_some(w->segment, offset, w->memory, needed, wanted, &w->len);
}

/* What is there from `offset` on, at least `needed` bytes. */
static enum status look(struct window *w, uint64_t offset, size_t needed, struct bytes *ret_bytes) {
    bool is_there = offset >= w->offset && offset + needed <= w->offset + w->len;
    if (!is_there) {
        enum status status = refill(w, offset, needed);
        if (status != STATUS_OK)
            return status;
    }
    size_t skip = (size_t)(offset - w->offset);
    *ret_bytes = bytes_of(w->memory + skip, w->len - skip);
    return STATUS_OK;
}

static enum status read_record(struct window *w, uint64_t offset,
                               struct kv_segment_record *ret_record) {
    struct bytes bytes;
    size_t needed = KV_SEGMENT_RECORD_BYTES;
    enum status status = STATUS_NOT_FOUND;
    while (status == STATUS_NOT_FOUND) {
        status = look(w, offset, needed, &bytes);
        if (status == STATUS_OK)
            status = kv__segment_record_decode(w->segment->head.salt, offset, bytes, ret_record,
                                               &needed);
    }
    return status;
}

static enum status read_entry(struct window *w, uint64_t offset, raft_index index,
                              struct raft_entry *ret_entry) {
    struct kv_segment_record record;
    enum status status = read_record(w, offset, &record);
    if (status != STATUS_OK)
        return status;
    if (record.index != index)
        return STATUS_CORRUPT;
    *ret_entry = (struct raft_entry){.index = index,
                                     .term = record.term,
                                     .type = (enum raft_entry_type)record.type,
                                     .payload = record.payload};
    return STATUS_OK;
}

/* ---- Ranges -------------------------------------------------------------------------------- */

/* Visits the entries from `*next` on that lie in `places`, and moves it behind them. */
static enum status visit_places(const struct places *places, raft_index *next,
                                kv_entry_visit *visit, void *context) {
    struct window w = {.segment = places->segment,
                       .step = places->count == 1 ? WINDOW_BYTES_MIN : WINDOW_BYTES_MAX};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < places->count && status == STATUS_OK; i++) {
        struct raft_entry entry;
        status = read_entry(&w, places->offsets[i], *next, &entry);
        if (status == STATUS_OK)
            status = visit(context, &entry);
        if (status == STATUS_OK)
            ++*next;
    }
    free(w.memory);
    return status;
}

/* What was cut while it was read may be gone from the file: it is not there, and no damage. */
static enum status explain(struct kv_log *log, raft_index index, enum status status) {
    if (status != STATUS_CORRUPT)
        return status;
    (void)pthread_mutex_lock(&log->mutex);
    bool is_there = kv__log_index_has(&log->index, index);
    (void)pthread_mutex_unlock(&log->mutex);
    return is_there ? STATUS_CORRUPT : STATUS_NOT_FOUND;
}

enum status kv_log_read(struct kv_log *log, raft_index first, raft_index last,
                        kv_entry_visit *visit, void *context) {
    CHECK(first > 0);
    struct places places;
    enum status status = STATUS_OK;
    while (first <= last && status == STATUS_OK) {
        status = look_up(log, first, last, &places);
        if (status != STATUS_OK)
            return status;
        status = visit_places(&places, &first, visit, context);
        kv__log_segment_release(log, places.segment);
    }
    return explain(log, first, status);
}

/* ---- Terms --------------------------------------------------------------------------------- */

/* The runs that reach into first..last, the first of them from `first` on. */
static enum status copy_runs(const struct kv_log_index *index, raft_index first, raft_index last,
                             struct raft_term_run *runs, size_t capacity, size_t *ret_count) {
    size_t count = 0;
    for (size_t i = 0; i < index->run_count && index->runs[i].first <= last; i++) {
        bool is_over = i + 1 < index->run_count && index->runs[i + 1].first <= first;
        if (is_over)
            continue;
        if (count == capacity)
            return STATUS_OVERLOAD;
        runs[count] = index->runs[i];
        if (runs[count].first < first)
            runs[count].first = first;
        count++;
    }
    *ret_count = count;
    return STATUS_OK;
}

enum status kv_log_runs(struct kv_log *log, raft_index first, raft_index last,
                        struct raft_term_run *runs, size_t capacity, size_t *ret_count) {
    enum status status = STATUS_NOT_FOUND;
    if (first > last) {
        *ret_count = 0;
        return STATUS_OK;
    }
    (void)pthread_mutex_lock(&log->mutex);
    if (kv__log_index_has(&log->index, first) && kv__log_index_has(&log->index, last))
        status = copy_runs(&log->index, first, last, runs, capacity, ret_count);
    (void)pthread_mutex_unlock(&log->mutex);
    return status;
}
