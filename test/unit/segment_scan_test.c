#include "kv/sectors.h"
#include "kv/segment_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECTOR 512
#define FILE_BYTES ((size_t)64 * KIB)

/* ---- A segment in memory --------------------------------------------------------------------- */

struct file {
    struct kv_segment_head head;
    uint8_t data[FILE_BYTES];
    struct kv_segment_place next;
    uint64_t starts[8]; /* of the frames */
    size_t frames;
};

static struct file *new_file(void) {
    struct file *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->head = (struct kv_segment_head){.number = 3,
                                       .salt = 0x1234567890abcdef,
                                       .node = 77,
                                       .previous_end = 9000,
                                       .first_frame = 41};
    kv__segment_head_encode(&f->head, f->data);
    f->next = (struct kv_segment_place){.offset = KV_SEGMENT_HEAD_BYTES, .frame = 41};
    return f;
}

/* One frame with a vote and entries of these sizes; each byte of a payload is `fill`. */
static void add_frame(struct file *f, const size_t *sizes, size_t count, uint8_t fill) {
    static uint8_t payload[20000];
    uint8_t *place = f->data + f->next.offset;
    struct kv_frame_writer w =
        kv__frame_begin(&f->head, &f->next, place, FILE_BYTES - (size_t)f->next.offset);
    memset(payload, fill, sizeof payload);
    (void)kv__frame_add(&w, &(struct kv_segment_record){.type = KV_SEGMENT_HARD, .term = 9});
    for (size_t i = 0; i < count; i++)
        (void)kv__frame_add(&w,
                            &(struct kv_segment_record){.type = RAFT_ENTRY_COMMAND,
                                                        .index = 100 * f->frames + i,
                                                        .term = 9,
                                                        .payload = bytes_of(payload, sizes[i])});
    struct bytes frame = kv__frame_end(&w);
    f->starts[f->frames++] = f->next.offset;
    f->next.offset += frame.len;
    f->next.frame++;
}

/* ---- What a start makes of it ---------------------------------------------------------------- */

struct outcome {
    enum status status;
    size_t records;
    uint64_t sum; /* of what was visited */
    struct kv_segment_place end;
    uint64_t garbage_end;
};

static enum status note(void *context, const struct kv_segment_record *record, uint64_t offset) {
    struct outcome *outcome = context;
    outcome->records++;
    outcome->sum = outcome->sum * 31 + record->index * 7 + record->term * 5 + record->type +
                   kv__crc32c((uint32_t)offset, record->payload);
    return STATUS_OK;
}

static struct outcome start(const struct file *f) {
    struct outcome outcome = {.end = {.offset = KV_SEGMENT_HEAD_BYTES, .frame = 41}};
    struct bytes file = bytes_of(f->data, FILE_BYTES);
    uint64_t last;
    outcome.status = kv__segment_scan(&f->head, file, &outcome.end, &last, note, &outcome);
    if (outcome.status == STATUS_OK)
        outcome.status = kv__segment_check_tail(&f->head, file, &outcome.end, &outcome.garbage_end);
    return outcome;
}

/* Three small frames. */
static struct file *small_file(void) {
    struct file *f = new_file();
    const size_t sizes[] = {20, 0, 7};
    for (int i = 0; i < 3; i++)
        add_frame(f, sizes, 3, (uint8_t)(0x41 + i));
    return f;
}

/* ---- Sound ----------------------------------------------------------------------------------- */

static void every_record_of_every_frame_is_visited(void **state) {
    (void)state;
    struct file *f = small_file();
    struct outcome outcome = start(f);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.records, 12);
    assert_int_equal(outcome.end.offset, f->next.offset);
    assert_int_equal(outcome.end.frame, 44);
    assert_int_equal(outcome.garbage_end, f->next.offset);
    free(f);
}

static void head_comes_back_as_it_was(void **state) {
    (void)state;
    struct file *f = new_file();
    struct kv_segment_head head;
    assert_int_equal(kv__segment_head_decode(bytes_of(f->data, KV_SEGMENT_HEAD_BYTES), &head),
                     STATUS_OK);
    assert_memory_equal(&head, &f->head, sizeof head);
    for (size_t i = 0; i < KV_SEGMENT_HEAD_BYTES; i++) {
        f->data[i] ^= 0x20;
        assert_int_equal(kv__segment_head_decode(bytes_of(f->data, KV_SEGMENT_HEAD_BYTES), &head),
                         STATUS_CORRUPT);
        f->data[i] ^= 0x20;
    }
    free(f);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* In the last frame too: nothing of it is missing, so it was written whole. */
static void every_flipped_bit_of_a_frame_is_damage(void **state) {
    (void)state;
    struct file *f = small_file();
    for (size_t i = KV_SEGMENT_HEAD_BYTES; i < f->next.offset; i++)
        for (int bit = 0; bit < 8; bit++) {
            f->data[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(start(f).status, STATUS_CORRUPT);
            f->data[i] ^= (uint8_t)(1 << bit);
        }
    free(f);
}

static void flipped_bit_behind_the_last_frame_harms_nothing(void **state) {
    (void)state;
    struct file *f = small_file();
    uint64_t sum = start(f).sum;
    for (size_t i = (size_t)f->next.offset + KV_SEGMENT_FRAME_BYTES; i < f->next.offset + 2000;
         i++) {
        f->data[i] ^= 0x10;
        struct outcome outcome = start(f);
        assert_int_equal(outcome.status, STATUS_OK);
        assert_true(outcome.sum == sum);
        assert_int_equal(outcome.garbage_end, i + 1);
        f->data[i] ^= 0x10;
    }
    free(f);
}

static void flipped_bit_among_zeros_of_a_payload_is_damage(void **state) {
    (void)state;
    struct file *f = new_file();
    const size_t sizes[] = {5000};
    add_frame(f, sizes, 1, 0);
    assert_int_equal(start(f).status, STATUS_OK);
    for (size_t i = KV_SEGMENT_HEAD_BYTES; i < f->next.offset; i += 3) {
        f->data[i] ^= 0x10;
        assert_int_equal(start(f).status, STATUS_CORRUPT);
        f->data[i] ^= 0x10;
    }
    free(f);
}

/* The next frame was written only after this one's sync: whatever is missing was acknowledged. */
static void frame_behind_a_damaged_one_is_damage(void **state) {
    (void)state;
    struct file *f = new_file();
    const size_t sizes[] = {3000};
    for (int i = 0; i < 3; i++)
        add_frame(f, sizes, 1, 0x55);
    for (uint64_t at = f->starts[1] / SECTOR * SECTOR; at < f->starts[2]; at += SECTOR) {
        uint8_t saved[SECTOR];
        memcpy(saved, f->data + at, SECTOR);
        memset(f->data + at, 0, SECTOR);
        assert_int_equal(start(f).status, STATUS_CORRUPT);
        memcpy(f->data + at, saved, SECTOR);
    }
    assert_int_equal(start(f).status, STATUS_OK);
    free(f);
}

static void frame_in_another_place_is_none(void **state) {
    (void)state;
    struct file *f = small_file();
    size_t len = (size_t)(f->starts[2] - f->starts[1]);
    memcpy(f->data + f->next.offset, f->data + f->starts[1], len);
    assert_int_equal(start(f).status, STATUS_CORRUPT);
    free(f);
}

static void frame_of_another_segment_is_none(void **state) {
    (void)state;
    struct file *f = small_file();
    f->head.salt++;
    assert_int_equal(start(f).records, 0);
    assert_int_equal(start(f).status, STATUS_CORRUPT);
    free(f);
}

/* ---- A crash while the last frame was written ------------------------------------------------ */

/* Which of its sectors came to the disk, in every combination: without any one of them the frame is
 * dropped, and those before it are whole. `shift` moves it within the sectors. */
static void tear_in_every_way(size_t shift) {
    struct file *f = new_file();
    const size_t first[] = {shift};
    const size_t sizes[] = {900, 10, 800};
    add_frame(f, first, 1, 0x44);
    uint64_t sum = start(f).sum;
    uint64_t from = f->next.offset;
    add_frame(f, sizes, 3, 0x66);
    uint8_t *whole = malloc(FILE_BYTES);
    assert_non_null(whole);
    memcpy(whole, f->data, FILE_BYTES);
    uint64_t sector = from / SECTOR;
    size_t sectors = (size_t)((f->next.offset + SECTOR - 1) / SECTOR - sector);
    assert_in_range(sectors, 3, 6);
    for (unsigned there = 0; there < 1u << sectors; there++) {
        memcpy(f->data, whole, FILE_BYTES);
        for (size_t i = 0; i < sectors; i++) {
            uint64_t begin = (sector + i) * SECTOR < from ? from : (sector + i) * SECTOR;
            if (!(there & 1u << i))
                memset(f->data + begin, 0, (size_t)((sector + i + 1) * SECTOR - begin));
        }
        struct outcome outcome = start(f);
        bool is_whole = there == (1u << sectors) - 1;
        assert_int_equal(outcome.status, STATUS_OK);
        assert_int_equal(outcome.end.offset, is_whole ? f->next.offset : from);
        assert_true(is_whole || outcome.sum == sum);
        for (uint64_t i = outcome.garbage_end; i < FILE_BYTES; i++)
            assert_int_equal(f->data[i], 0);
    }
    free(whole);
    free(f);
}

static void frame_that_lacks_sectors_is_dropped(void **state) {
    (void)state;
    for (size_t shift = 0; shift < SECTOR; shift += 8)
        tear_in_every_way(shift);
}

/* As no disk would: still nothing but the frames before it comes out, or a refusal. */
static void frame_cut_at_any_byte_never_counts(void **state) {
    (void)state;
    struct file *f = new_file();
    const size_t sizes[] = {40};
    const size_t large[] = {1500};
    add_frame(f, sizes, 1, 0x44);
    uint64_t sum = start(f).sum;
    add_frame(f, large, 1, 0x66);
    for (uint64_t len = f->next.offset; len-- > f->starts[1];) {
        f->data[len] = 0;
        struct outcome outcome = start(f);
        assert_true(outcome.status == STATUS_CORRUPT || outcome.status == STATUS_OK);
        assert_int_equal(outcome.end.offset,
                         len < f->next.offset - 12 ? f->starts[1] : outcome.end.offset);
        assert_true(outcome.sum == sum || outcome.end.offset == f->next.offset);
    }
    assert_int_equal(start(f).status, STATUS_OK);
    free(f);
}

static void torn_frame_with_zeros_in_it_is_told_from_damage(void **state) {
    (void)state;
    struct file *f = new_file();
    const size_t sizes[] = {2000, 700};
    add_frame(f, sizes, 1, 0x11);
    uint64_t from = f->next.offset;
    add_frame(f, sizes, 2, 0);
    f->data[from + 100] ^= 1; /* damage alone */
    assert_int_equal(start(f).status, STATUS_CORRUPT);
    f->data[from + 100] ^= 1;
    for (uint64_t at = from; at < from + SECTOR; at++) /* the first sector is missing */
        if (at / SECTOR == from / SECTOR)
            f->data[at] = 0;
    assert_int_equal(start(f).status, STATUS_OK);
    assert_int_equal(start(f).end.offset, from);
    free(f);
}

static void file_that_ends_too_early_is_damage(void **state) {
    (void)state;
    struct file *f = small_file();
    uint64_t end;
    for (size_t len = KV_SEGMENT_HEAD_BYTES; len < f->next.offset + KV_SEGMENT_SLACK_BYTES;
         len += 5) {
        struct outcome outcome = {.end = {.offset = KV_SEGMENT_HEAD_BYTES, .frame = 41}};
        struct bytes file = bytes_of(f->data, len);
        uint64_t last;
        assert_int_equal(kv__segment_scan(&f->head, file, &outcome.end, &last, note, &outcome),
                         STATUS_OK);
        assert_int_equal(kv__segment_check_tail(&f->head, file, &outcome.end, &end),
                         STATUS_CORRUPT);
    }
    free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_of_every_frame_is_visited),
        cmocka_unit_test(head_comes_back_as_it_was),
        cmocka_unit_test(every_flipped_bit_of_a_frame_is_damage),
        cmocka_unit_test(flipped_bit_behind_the_last_frame_harms_nothing),
        cmocka_unit_test(flipped_bit_among_zeros_of_a_payload_is_damage),
        cmocka_unit_test(frame_behind_a_damaged_one_is_damage),
        cmocka_unit_test(frame_in_another_place_is_none),
        cmocka_unit_test(frame_of_another_segment_is_none),
        cmocka_unit_test(frame_that_lacks_sectors_is_dropped),
        cmocka_unit_test(frame_cut_at_any_byte_never_counts),
        cmocka_unit_test(torn_frame_with_zeros_in_it_is_told_from_damage),
        cmocka_unit_test(file_that_ends_too_early_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
