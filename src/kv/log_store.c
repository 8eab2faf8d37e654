#include "kv/stores.h"

#include <stdlib.h>

/* A segment takes frames up to this; the next frame goes into another. */
#define SEGMENT_BYTES ((uint64_t)16 * MIB)

/* After a full disk, so much more goes into the newest one before it is tried again. */
#define ROTATE_AGAIN_BYTES ((uint64_t)MIB)

/* Memory for frames that is kept between them. */
#define FRAME_BYTES_KEPT (1 * MIB)

/* What heads and padding add to a client's batch, at most: it has few entries, or small ones. */
#define OVERHEAD_BYTES (64 * KIB)

/* ---- Writing ------------------------------------------------------------------------------- */

static size_t size_of_batch(const struct kv_log_batch *batch, size_t *records) {
    size_t fixed = (batch->truncate_from != 0) + (batch->hard != NULL);
    size_t size = fixed * kv__segment_record_bytes(0);
    for (size_t i = 0; i < batch->entry_count; i++) {
        CHECK(batch->entries[i].payload.len <= ENTRY_BYTES_MAX);
        size += kv__segment_record_bytes(batch->entries[i].payload.len);
    }
    *records += fixed + batch->entry_count;
    return size;
}

/* Truncate, then vote, then append. */
static void add_batch(struct kv_frame_writer *w, const struct kv_log_batch *batch) {
    if (batch->truncate_from != 0)
        (void)kv__frame_add(w, &(struct kv_segment_record){.type = KV_SEGMENT_TRUNCATE,
                                                           .index = batch->truncate_from});
    if (batch->hard)
        (void)kv__frame_add(w, &(struct kv_segment_record){.type = KV_SEGMENT_HARD,
                                                           .index = batch->hard->vote,
                                                           .term = batch->hard->term});
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct raft_entry *entry = &batch->entries[i];
        (void)kv__frame_add(w, &(struct kv_segment_record){.type = (uint8_t)entry->type,
                                                           .index = entry->index,
                                                           .term = entry->term,
                                                           .payload = entry->payload});
    }
}

/* Remember what add_batch() has put at `place`, which moves behind it. */
static void follow_batch(struct kv_log *log, const struct kv_log_batch *batch,
                         struct kv_log_place *place) {
    size_t fixed = (batch->truncate_from != 0) + (batch->hard != NULL);
    place->offset += fixed * kv__segment_record_bytes(0);
    if (batch->truncate_from != 0)
        kv__log_index_truncate(&log->index, batch->truncate_from);
    if (batch->hard)
        log->hard = *batch->hard;
    for (size_t i = 0; i < batch->entry_count; i++) {
        kv__log_index_add(&log->index, &batch->entries[i], place);
        place->offset += kv__segment_record_bytes(batch->entries[i].payload.len);
    }
}

/* They share one frame, so one client's batch among them must leave the reserve alone. */
static bool are_essential(const struct kv_log_batch *const *batches, size_t batch_count) {
    for (size_t b = 0; b < batch_count; b++)
        if (!batches[b]->is_essential)
            return false;
    return true;
}

static enum status reserve_memory(struct kv_log *log, size_t size, size_t entries) {
    size_t wanted = size + KV_SEGMENT_AHEAD_BYTES;
    bool is_spare = log->frame_bytes > FRAME_BYTES_KEPT + KV_SEGMENT_AHEAD_BYTES;
    if (wanted > log->frame_bytes || is_spare) {
        uint8_t *frame = realloc(log->frame, wanted);
        if (!frame)
            return STATUS_NO_MEMORY;
        log->frame = frame;
        log->frame_bytes = wanted;
    }
    (void)pthread_mutex_lock(&log->mutex);
    enum status status = kv__log_index_reserve(&log->index, entries);
    (void)pthread_mutex_unlock(&log->mutex);
    return status;
}

static enum status write_frame(struct kv_log *log, const struct kv_log_batch *const *batches,
                               size_t batch_count, size_t size) {
    struct kv_segment *segment = kv__log_newest(log);
    struct kv_frame_writer w = kv__frame_begin(&segment->head, &log->next, log->frame, size);
    for (size_t b = 0; b < batch_count; b++)
        add_batch(&w, batches[b]);
    struct bytes frame = kv__frame_end(&w);
    CHECK(frame.len == size);
    enum status status = kv__segment_write(segment, log->next.offset, log->frame, size);
    log->has_failed = status == STATUS_IO;
    return status;
}

static void follow(struct kv_log *log, const struct kv_log_batch *const *batches,
                   size_t batch_count, size_t size) {
    struct kv_log_place place = {.segment = kv__log_newest(log)->head.number,
                                 .offset = log->next.offset + KV_SEGMENT_FRAME_BYTES};
    log->next.offset += size;
    log->next.frame++;
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t b = 0; b < batch_count; b++)
        follow_batch(log, batches[b], &place);
    log->room_from = log->next.offset;
    (void)pthread_mutex_unlock(&log->mutex);
    CHECK(place.offset == log->next.offset);
}

/* On a full disk the newest segment becomes longer than it should; it is tried again later. */
static enum status rotate(struct kv_log *log) {
    if (log->next.offset < SEGMENT_BYTES + log->overlong_bytes)
        return STATUS_OK;
    enum status status = kv__log_segments_rotate(log);
    log->overlong_bytes = 0;
    if (status != STATUS_DISK_FULL)
        return status;
    log->overlong_bytes = log->next.offset + ROTATE_AGAIN_BYTES - SEGMENT_BYTES;
    return STATUS_OK;
}

/* Before anything of it is on the disk: entries follow each other, and nothing is cut twice. */
static void check_order(const struct kv_log *log, const struct kv_log_batch *const *batches,
                        size_t batch_count) {
    raft_index last = kv__log_index_last(&log->index);
    for (size_t b = 0; b < batch_count; b++) {
        raft_index from = batches[b]->truncate_from;
        CHECK(from == 0 || from >= log->index.first);
        if (from != 0 && from <= last)
            last = from - 1;
        for (size_t i = 0; i < batches[b]->entry_count; i++)
            CHECK(batches[b]->entries[i].index == ++last);
    }
}

enum status kv_log_write(struct kv_log *log, const struct kv_log_batch *const *batches,
                         size_t batch_count) {
    size_t size = KV_SEGMENT_FRAME_BYTES;
    size_t records = 0;
    if (kv__log_has_failed(log))
        return STATUS_IO;
    check_order(log, batches, batch_count);
    for (size_t b = 0; b < batch_count; b++)
        size += size_of_batch(batches[b], &records);
    if (records == 0)
        return STATUS_OK;
    CHECK(size <= UINT32_MAX);
    size_t keep = are_essential(batches, batch_count) ? 0 : log->reserve_bytes;
    enum status status = rotate(log);
    if (status == STATUS_OK)
        status = kv__segment_make_room(kv__log_newest(log), log->next.offset,
                                       log->next.offset + size, keep);
    if (status == STATUS_OK)
        status = reserve_memory(log, size, records);
    if (status == STATUS_OK)
        status = write_frame(log, batches, batch_count, size);
    if (status == STATUS_OK)
        follow(log, batches, batch_count, size);
    return status;
}

/* ---- Cutting ------------------------------------------------------------------------------- */

/* The new cut point: the last entry that goes, and the newest configuration up to there. */
static enum status make_cut(struct kv_log *log, raft_index through, struct kv_log_head *head) {
    struct kv_log_configurations configurations;
    enum status status = kv__log_configurations(log, &head->cut, through, &configurations);
    if (status != STATUS_OK)
        return status;
    head->cut = (struct kv_cut_point){.index = through,
                                      .term = kv__log_index_term(&log->index, through),
                                      .configuration = configurations.newest,
                                      .configuration_term = configurations.newest_term};
    head->hard = log->hard;
    return kv__log_segments_start(log, through + 1, &head->segments);
}

enum status kv_log_cut(struct kv_log *log, raft_index through, raft_index *ret_first) {
    CHECK(through <= kv__log_index_last(&log->index));
    struct kv_log_head head = log->head;
    if (through >= log->index.first) {
        enum status status = make_cut(log, through, &head);
        if (status == STATUS_OK)
            status = kv__log_head_save(log, &head);
        if (status != STATUS_OK)
            return status;
        (void)pthread_mutex_lock(&log->mutex);
        kv__log_index_cut(&log->index, through);
        (void)pthread_mutex_unlock(&log->mutex);
        kv__log_segments_drop(log);
    }
    *ret_first = log->index.first;
    return STATUS_OK;
}

/* ---- Room ---------------------------------------------------------------------------------- */

uint64_t kv_log_file_bytes(struct kv_log *log) {
    uint64_t bytes = kv__env_file_bytes(log->env);
    (void)pthread_mutex_lock(&log->mutex);
    for (size_t i = 0; i < log->segment_count; i++)
        bytes += kv__segment_disk_bytes(log->segments[i]);
    (void)pthread_mutex_unlock(&log->mutex);
    return bytes;
}

bool kv_log_has_room(struct kv_log *log, size_t bytes) {
    (void)pthread_mutex_lock(&log->mutex);
    uint64_t used = log->room_from;
    struct kv_segment *segment = kv__log_segment_take(log, kv__log_newest(log)->head.number);
    (void)pthread_mutex_unlock(&log->mutex);
    enum status status =
        kv__segment_make_room(segment, used, used + bytes + OVERHEAD_BYTES, log->reserve_bytes);
    kv__log_segment_release(log, segment);
    return status == STATUS_OK;
}
