/* Any bytes where a segment's frames should be, and any changes to sound ones: what is visited was
 * written, in order, from the first on; what is missing at the end is refused or was never whole.
 *
 * Input: u8 count of frames, u8 size of their entries, then changes: u16 place, u8 to be added. */
#include "kv/segment_format.h"

#include <stdlib.h>

#define FILE_BYTES ((size_t)32 * KIB)
#define FRAMES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    uint64_t records;
    uint64_t first; /* the record that must come first */
};

static enum status see(void *context, const struct kv_segment_record *record, uint64_t offset) {
    struct seen *seen = context;
    (void)offset;
    CHECK(record->type == RAFT_ENTRY_COMMAND);
    CHECK(record->index == seen->first + seen->records);
    for (size_t i = 0; i < record->payload.len; i++)
        CHECK(record->payload.data[i] == (uint8_t)(record->index * i));
    seen->records++;
    return STATUS_OK;
}

static enum status see_any(void *context, const struct kv_segment_record *record, uint64_t offset) {
    (void)context, (void)record, (void)offset;
    return STATUS_OK;
}

static void add_frame(const struct kv_segment_head *head, struct kv_segment_place *place,
                      uint8_t *file, uint64_t *index, size_t entry_bytes) {
    uint8_t payload[256 * 8];
    size_t capacity = FILE_BYTES - KV_SEGMENT_SLACK_BYTES - (size_t)place->offset;
    struct kv_frame_writer w = kv__frame_begin(head, place, file + place->offset, capacity);
    for (int i = 0; i < 2; i++) {
        size_t len = entry_bytes * (size_t)(1 + i * 3);
        for (size_t at = 0; at < len; at++)
            payload[at] = (uint8_t)(*index * at);
        (void)kv__frame_add(&w, &(struct kv_segment_record){.type = RAFT_ENTRY_COMMAND,
                                                            .index = (*index)++,
                                                            .term = 3,
                                                            .payload = bytes_of(payload, len)});
    }
    place->offset += kv__frame_end(&w).len;
    place->frame++;
}

static void change(uint8_t *file, const uint8_t *data, size_t size) {
    for (; size >= 3; data += 3, size -= 3) {
        size_t at = ((size_t)data[0] << 8 | data[1]) % (FILE_BYTES - KV_SEGMENT_HEAD_BYTES);
        file[KV_SEGMENT_HEAD_BYTES + at] += data[2];
    }
}

static void check(const struct kv_segment_head *head, const uint8_t *memory,
                  kv_segment_visit *visit) {
    struct bytes file = bytes_of(memory, FILE_BYTES);
    struct kv_segment_place place = {.offset = KV_SEGMENT_HEAD_BYTES, .frame = head->first_frame};
    struct seen seen = {.first = 1};
    uint64_t last;
    uint64_t end;
    CHECK(kv__segment_scan(head, file, &place, &last, visit, &seen) == STATUS_OK);
    if (kv__segment_check_tail(head, file, &place, &end) == STATUS_OK)
        CHECK(end >= place.offset && end <= FILE_BYTES);
}

static void check_changed(const struct kv_segment_head *head, const uint8_t *data, size_t size) {
    struct kv_segment_place place = {.offset = KV_SEGMENT_HEAD_BYTES, .frame = head->first_frame};
    uint8_t *file = calloc(1, FILE_BYTES);
    uint64_t index = 1;
    CHECK(file);
    for (size_t i = 0; i < data[0] % FRAMES_MAX; i++)
        add_frame(head, &place, file, &index, data[1] / 2);
    change(file, data + 2, size - 2);
    check(head, file, see);
    free(file);
}

static void check_any(const struct kv_segment_head *head, const uint8_t *data, size_t size) {
    uint8_t *file = calloc(1, FILE_BYTES);
    CHECK(file);
    size_t len =
        size < FILE_BYTES - KV_SEGMENT_HEAD_BYTES ? size : FILE_BYTES - KV_SEGMENT_HEAD_BYTES;
    memcpy(file + KV_SEGMENT_HEAD_BYTES, data, len);
    check(head, file, see_any);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct kv_segment_head head = {.number = 1, .salt = 42, .node = 7, .first_frame = 1};
    if (size < 2)
        return 0;
    check_changed(&head, data, size);
    check_any(&head, data, size);
    return 0;
}
