/* What a start finds in the segments: every frame is read and checked, from the place on that the
 * meta records tell. */
#include "kv/stores.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct recovery {
    struct kv_log *log;
    struct kv_directory *directory;
    struct kv_segment_place place; /* behind the last sound frame */
    uint64_t segment;              /* the one being read */
};

static enum status problem(const struct recovery *r, enum status status, const char *what) {
    return kv__directory_problem(r->directory, status, "log/%08" PRIu64 ".seg at %" PRIu64 ": %s",
                                 r->segment, r->place.offset, what);
}

/* ---- Records ------------------------------------------------------------------------------- */

/* The meta records may know a newer one: they win over an older term. */
static enum status take_hard(struct kv_log *log, const struct kv_segment_record *record) {
    if (record->term >= log->hard.term)
        log->hard = (struct raft_hard_state){.term = record->term, .vote = record->index};
    return STATUS_OK;
}

static enum status take_truncation(struct kv_log *log, raft_index from) {
    raft_index first = log->index.first;
    kv__log_index_truncate(&log->index, from > first ? from : first);
    return STATUS_OK;
}

/* Entries at or below the cut point share a frame with the first one behind it. */
static enum status take_entry(struct recovery *r, const struct kv_segment_record *record,
                              uint64_t offset) {
    struct kv_log_index *index = &r->log->index;
    struct raft_entry entry = {.index = record->index,
                               .term = record->term,
                               .type = (enum raft_entry_type)record->type};
    struct kv_log_place place = {.segment = r->segment, .offset = offset};
    if (entry.index < index->first)
        return STATUS_OK;
    if (entry.index != index->first + index->count)
        return STATUS_CORRUPT;
    if (index->count > 0 && entry.term < index->runs[index->run_count - 1].term)
        return STATUS_CORRUPT;
    enum status status = kv__log_index_reserve(index, 1);
    if (status == STATUS_OK)
        kv__log_index_add(index, &entry, &place);
    return status;
}

static enum status take_record(void *context, const struct kv_segment_record *record,
                               uint64_t offset) {
    struct recovery *r = context;
    switch (record->type) {
    case KV_SEGMENT_HARD: return take_hard(r->log, record);
    case KV_SEGMENT_TRUNCATE: return take_truncation(r->log, record->index);
    case RAFT_ENTRY_NOOP:
    case RAFT_ENTRY_COMMAND:
    case RAFT_ENTRY_CONFIGURATION: return take_entry(r, record, offset);
    default: return STATUS_UNSUPPORTED; /* a byte of the file, not our enum */
    }
}

/* ---- Segments ------------------------------------------------------------------------------ */

/* Frames from r->place on, to the segment's end or to what does not check. */
static enum status scan(struct recovery *r, struct kv_segment *segment, struct bytes file,
                        uint64_t *ret_last) {
    enum status status =
        kv__segment_scan(&segment->head, file, &r->place, ret_last, take_record, r);
    return status == STATUS_OK ? STATUS_OK : problem(r, status, status_text(status));
}

/* The last frame is written again: after a failed sync the page cache may show, clean, what the
 * disk never got. So are the zeros behind it. */
static enum status settle(struct recovery *r, struct kv_segment *segment, struct bytes file,
                          uint64_t last, uint64_t garbage_end) {
    size_t len = (size_t)(r->place.offset - last);
    enum status status = kv__segment_settle(segment, r->place.offset);
    if (status == STATUS_OK && garbage_end > r->place.offset)
        status = kv__segment_clear(segment, r->place.offset, garbage_end);
    if (status != STATUS_OK || len == 0)
        return status;
    uint8_t *memory = malloc(len + KV_SEGMENT_AHEAD_BYTES);
    if (!memory)
        return STATUS_NO_MEMORY;
    memcpy(memory, file.data + last, len);
    status = kv__segment_write(segment, last, memory, len);
    free(memory);
    return status;
}

static enum status finish_newest(struct recovery *r, struct kv_segment *segment, struct bytes file,
                                 uint64_t last) {
    uint64_t garbage_end;
    enum status status = kv__segment_check_tail(&segment->head, file, &r->place, &garbage_end);
    if (status != STATUS_OK)
        return problem(r, status, "what was acknowledged is damaged or missing");
    status = settle(r, segment, file, last, garbage_end);
    return status == STATUS_OK ? STATUS_OK : problem(r, status, status_text(status));
}

static enum status read_segment(struct recovery *r, struct kv_segment *segment, bool is_newest) {
    struct bytes file;
    uint8_t *memory;
    uint64_t last;
    if (r->place.offset > segment->size)
        return problem(r, STATUS_CORRUPT, "shorter than what was acknowledged");
    enum status status = kv__segment_load(segment, r->place.offset, &memory, &file);
    if (status != STATUS_OK)
        return problem(r, status, status_text(status));
    status = scan(r, segment, file, &last);
    if (status == STATUS_OK && is_newest)
        status = finish_newest(r, segment, file, last);
    free(memory);
    return status;
}

/* A segment says how far the one before it went. */
static enum status check_order(struct recovery *r, const struct kv_segment *segment) {
    const struct kv_segment_head *head = &segment->head;
    if (head->node != r->log->head.identity.id)
        return problem(r, STATUS_CORRUPT, "of another node");
    if (head->number == r->log->head.segments.first)
        return STATUS_OK;
    bool is_next = head->previous_end == r->place.offset && head->first_frame == r->place.frame;
    r->place.offset = KV_SEGMENT_HEAD_BYTES;
    return is_next ? STATUS_OK : problem(r, STATUS_CORRUPT, "frames are missing before it");
}

static enum status open_segment(struct recovery *r) {
    struct kv_segment *segment;
    enum status status = kv__segment_open(r->log->folder, r->segment, &segment);
    if (status == STATUS_NOT_FOUND)
        return problem(r, STATUS_CORRUPT, "missing");
    if (status != STATUS_OK)
        return problem(r, status, status_text(status));
    status = kv__log_segments_add(r->log, segment);
    if (status != STATUS_OK) {
        kv__segment_close(segment);
        return status;
    }
    status = check_order(r, segment);
    bool is_newest = r->segment == r->log->head.segments.newest;
    return status == STATUS_OK ? read_segment(r, segment, is_newest) : status;
}

/* Left over: cut away, or made and never named. */
static enum status remove_other(void *context, const char *folder, uint64_t number) {
    const struct kv_segments *segments = context;
    bool is_ours = number >= segments->first && number <= segments->newest;
    return is_ours ? STATUS_OK : kv__segment_remove(folder, number);
}

enum status kv__log_segments_open(struct kv_log *log, struct kv_directory *directory) {
    struct kv_segments *segments = &log->head.segments;
    struct recovery r = {.log = log, .directory = directory, .place = segments->start};
    enum status status = kv__segment_each(log->folder, remove_other, segments);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: %s", status_text(status));
    kv__log_index_reset(&log->index, log->head.cut.index + 1);
    log->hard = log->head.hard;
    for (r.segment = segments->first; r.segment <= segments->newest && status == STATUS_OK;
         r.segment++)
        status = open_segment(&r);
    log->next = r.place;
    log->room_from = r.place.offset;
    return status;
}
