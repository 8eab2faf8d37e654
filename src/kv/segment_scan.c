#include "kv/sectors.h"
#include "kv/segment_format.h"

static struct bytes from(struct bytes file, uint64_t offset) {
    return offset < file.len ? bytes_of(file.data + offset, file.len - offset) : (struct bytes){0};
}

/* Visits the records of one frame, or (visit NULL) only checks them: false when one does not. */
static bool walk(const struct kv_segment_head *head, struct bytes file, uint64_t start,
                 const struct kv_frame_head *frame, kv_segment_visit *visit, void *context,
                 enum status *ret_status) {
    uint64_t offset = start + KV_SEGMENT_FRAME_BYTES;
    uint64_t end = offset + frame->body_bytes;
    uint32_t records = 0;
    *ret_status = STATUS_OK;
    while (offset < end && *ret_status == STATUS_OK) {
        struct kv_segment_record record;
        size_t size;
        struct bytes rest = bytes_of(file.data + offset, end - offset);
        if (kv__segment_record_decode(head->salt, offset, rest, &record, &size) != STATUS_OK ||
            record.back != offset - start)
            return false;
        if (visit)
            *ret_status = visit(context, &record, offset);
        offset += size;
        records++;
    }
    return *ret_status != STATUS_OK || records == frame->records;
}

/* Whether a whole frame with this number lies there. */
static bool is_sound(const struct kv_segment_head *head, struct bytes file,
                     const struct kv_segment_place *place, struct kv_frame_head *ret_frame) {
    struct bytes rest = from(file, place->offset);
    enum status status;
    return kv__frame_head_decode(head->salt, place->offset, rest, ret_frame) &&
           ret_frame->number == place->frame && ret_frame->records > 0 &&
           ret_frame->body_bytes <= rest.len - KV_SEGMENT_FRAME_BYTES &&
           walk(head, file, place->offset, ret_frame, NULL, NULL, &status);
}

enum status kv__segment_scan(const struct kv_segment_head *head, struct bytes file,
                             struct kv_segment_place *place, uint64_t *ret_last,
                             kv_segment_visit *visit, void *context) {
    struct kv_frame_head frame;
    enum status status = STATUS_OK;
    *ret_last = place->offset;
    while (status == STATUS_OK && is_sound(head, file, place, &frame)) {
        (void)walk(head, file, place->offset, &frame, visit, context, &status);
        *ret_last = place->offset;
        place->offset += KV_SEGMENT_FRAME_BYTES + frame.body_bytes;
        place->frame++;
    }
    return status;
}

/* ---- The tail ------------------------------------------------------------------------------ */

static uint64_t end_of_bytes(struct bytes file, uint64_t offset) {
    uint64_t end = file.len;
    while (end > offset && kv__is_zero(bytes_of(file.data + end - 1, 1))) {
        /* By large steps first: most of what is allocated is zero. */
        uint64_t step = end - offset < 4096 ? 1 : 4096;
        end -= kv__is_zero(bytes_of(file.data + end - step, step)) ? step : 1;
    }
    return end;
}

/* Another frame behind this one was written only after this one's sync. */
static bool has_frame(const struct kv_segment_head *head, struct bytes file, uint64_t offset,
                      uint64_t end) {
    struct kv_frame_head frame;
    for (; offset < end; offset += 8)
        if (kv__frame_head_decode(head->salt, offset, from(file, offset), &frame))
            return true;
    return false;
}

/* Whether sectors are missing from what lies there, up to `end`: of one frame, and of no other. */
static bool is_torn(const struct kv_segment_head *head, struct bytes file,
                    const struct kv_segment_place *place, uint64_t end) {
    struct kv_frame_head frame;
    struct bytes rest = from(file, place->offset);
    if (!kv__frame_head_decode(head->salt, place->offset, rest, &frame))
        return kv__zero_sectors(place->offset, bytes_of(rest.data, KV_SEGMENT_FRAME_BYTES)) > 0;
    size_t size = KV_SEGMENT_FRAME_BYTES + (size_t)frame.body_bytes;
    if (frame.number != place->frame || size > rest.len || place->offset + size < end)
        return false;
    return kv__zero_sectors(place->offset, bytes_of(rest.data, size)) > frame.zero_sectors;
}

enum status kv__segment_check_tail(const struct kv_segment_head *head, struct bytes file,
                                   const struct kv_segment_place *end, uint64_t *ret_end) {
    if (file.len < end->offset + KV_SEGMENT_SLACK_BYTES)
        return STATUS_CORRUPT; /* shortened: what is allocated always reaches further */
    *ret_end = end_of_bytes(file, end->offset);
    if (*ret_end == end->offset)
        return STATUS_OK;
    if (has_frame(head, file, end->offset + 8, *ret_end) || !is_torn(head, file, end, *ret_end))
        return STATUS_CORRUPT;
    return STATUS_OK;
}
