#include "kv/stores.h"

#include <stdlib.h>

/* What a new segment can take at once; it grows as it is written. */
#define ROOM_BYTES ((uint64_t)MIB)

/* ---- The list ------------------------------------------------------------------------------ */

enum status kv__log_segments_add(struct kv_log *log, struct kv_segment *segment) {
    if (log->segment_count == log->segment_capacity) {
        size_t capacity = log->segment_capacity * 2 + 8;
        struct kv_segment **grown = realloc(log->segments, capacity * sizeof(struct kv_segment *));
        if (!grown)
            return STATUS_NO_MEMORY;
        log->segments = grown;
        log->segment_capacity = capacity;
    }
    log->segments[log->segment_count++] = segment;
    return STATUS_OK;
}

static struct kv_segment *find(const struct kv_log *log, uint64_t number) {
    uint64_t first = log->segments[0]->head.number;
    CHECK(number >= first && number - first < log->segment_count);
    return log->segments[number - first];
}

struct kv_segment *kv__log_segment_take(struct kv_log *log, uint64_t number) {
    struct kv_segment *segment = find(log, number);
    segment->users++;
    return segment;
}

void kv__log_segment_release(struct kv_log *log, struct kv_segment *segment) {
    (void)pthread_mutex_lock(&log->mutex);
    bool is_last = --segment->users == 0 && segment->is_dropped;
    (void)pthread_mutex_unlock(&log->mutex);
    if (is_last)
        kv__segment_close(segment);
}

/* The oldest segment, no longer in the list: NULL when it is to stay. */
static struct kv_segment *detach(struct kv_log *log, bool *ret_is_free) {
    struct kv_segment *segment = NULL;
    (void)pthread_mutex_lock(&log->mutex);
    if (log->segments[0]->head.number < log->head.segments.first) {
        segment = log->segments[0];
        segment->is_dropped = true;
        *ret_is_free = segment->users == 0;
        log->segment_count--;
        memmove(log->segments, log->segments + 1, log->segment_count * sizeof(struct kv_segment *));
    }
    (void)pthread_mutex_unlock(&log->mutex);
    return segment;
}

void kv__log_segments_drop(struct kv_log *log) {
    struct kv_segment *segment;
    bool is_free;
    while ((segment = detach(log, &is_free)) != NULL) {
        (void)kv__segment_remove(log->folder, segment->head.number); /* else the next start does */
        if (is_free)
            kv__segment_close(segment);
    }
    kv__segment_punch(log->segments[0], log->head.segments.start.offset);
}

void kv__log_segments_close(struct kv_log *log) {
    for (size_t i = 0; i < log->segment_count; i++)
        kv__segment_close(log->segments[i]);
    free(log->segments);
    log->segments = NULL;
    log->segment_count = 0;
}

/* ---- Where entries begin ------------------------------------------------------------------- */

static enum status frame_of(struct kv_log *log, const struct kv_log_place *place,
                            struct kv_segment_place *ret_frame) {
    uint8_t memory[KV_SEGMENT_FRAME_BYTES];
    struct kv_segment *segment = find(log, place->segment);
    struct kv_frame_head frame;
    _Static_assert(KV_SEGMENT_FRAME_BYTES == KV_SEGMENT_RECORD_BYTES, "heads of one size");
    enum status status = kv__segment_read(segment, place->offset, memory, sizeof memory);
    if (status != STATUS_OK)
        return status;
    uint64_t offset = place->offset - kv__segment_record_back(memory);
    status = kv__segment_read(segment, offset, memory, sizeof memory);
    if (status != STATUS_OK)
        return status;
    struct bytes head = bytes_of(memory, KV_SEGMENT_FRAME_BYTES);
    if (!kv__frame_head_decode(segment->head.salt, offset, head, &frame))
        return STATUS_CORRUPT;
    *ret_frame = (struct kv_segment_place){.offset = offset, .frame = frame.number};
    return STATUS_OK;
}

enum status kv__log_segments_start(struct kv_log *log, raft_index first,
                                   struct kv_segments *ret_segments) {
    if (!kv__log_index_has(&log->index, first)) {
        ret_segments->first = kv__log_newest(log)->head.number;
        ret_segments->start = log->next;
        return STATUS_OK;
    }
    struct kv_log_place place = kv__log_index_place(&log->index, first);
    enum status status = frame_of(log, &place, &ret_segments->start);
    if (status == STATUS_OK)
        ret_segments->first = place.segment;
    return status;
}

/* ---- Making them --------------------------------------------------------------------------- */

static enum status create(const char *folder, struct kv_segment_head *head, size_t reserve_bytes,
                          struct kv_segment **ret_segment) {
    enum status status = kv__random_id(&head->salt);
    if (status == STATUS_OK)
        status = kv__segment_create(folder, head, ROOM_BYTES + reserve_bytes, ret_segment);
    return status;
}

enum status kv__log_segments_create(const char *folder, uint64_t node, size_t reserve_bytes,
                                    struct kv_segments *ret_segments) {
    struct kv_segment_head head = {.number = 1, .node = node, .first_frame = 1};
    struct kv_segment *segment;
    enum status status = create(folder, &head, reserve_bytes, &segment);
    if (status == STATUS_DISK_FULL) /* to be read from, and for what is essential */
        status = create(folder, &head, 0, &segment);
    if (status != STATUS_OK)
        return status;
    kv__segment_close(segment);
    *ret_segments = (struct kv_segments){.first = 1,
                                         .start = {.offset = KV_SEGMENT_HEAD_BYTES, .frame = 1},
                                         .newest = 1};
    return STATUS_OK;
}

static enum status append_segment(struct kv_log *log, struct kv_segment *segment) {
    struct kv_log_head head = log->head;
    head.segments.newest = segment->head.number;
    enum status status = kv__log_head_save(log, &head);
    if (status != STATUS_OK)
        return status;
    uint64_t end = log->next.offset;
    struct kv_segment *before = kv__log_newest(log);
    (void)pthread_mutex_lock(&log->mutex);
    status = kv__log_segments_add(log, segment);
    if (status == STATUS_OK) {
        log->next.offset = KV_SEGMENT_HEAD_BYTES;
        log->room_from = log->next.offset;
    }
    (void)pthread_mutex_unlock(&log->mutex);
    if (status == STATUS_OK)
        kv__segment_trim(before, end);
    return status;
}

/* The file, then the record that says that it must be there, then frames. */
enum status kv__log_segments_rotate(struct kv_log *log) {
    struct kv_segment_head head = {.number = log->head.segments.newest + 1,
                                   .node = log->head.identity.id,
                                   .previous_end = log->next.offset,
                                   .first_frame = log->next.frame};
    struct kv_segment *segment;
    enum status status = create(log->folder, &head, log->reserve_bytes, &segment);
    if (status != STATUS_OK)
        return status;
    status = append_segment(log, segment);
    if (status == STATUS_OK)
        return STATUS_OK;
    kv__segment_close(segment);
    if (log->head.segments.newest < head.number)
        (void)kv__segment_remove(log->folder, head.number); /* else the next start does */
    return status;
}

/* ---- What a folder without meta records has -------------------------------------------------- */

/* One without frames is left by a start that was killed. */
static enum status check_blank(void *context, const char *folder, uint64_t number) {
    bool *exist = context;
    bool is_blank;
    enum status status = kv__segment_is_blank(folder, number, &is_blank);
    if (status == STATUS_OK && is_blank)
        return kv__segment_remove(folder, number);
    *exist = true;
    return status;
}

enum status kv__log_segments_exist(const char *folder, bool *ret_exist) {
    *ret_exist = false;
    return kv__segment_each(folder, check_blank, ret_exist);
}
