#include "kv/log_index.h"

#include <stdlib.h>

/* Segments are counted in 24 bits, and records lie at multiples of eight. */
#define OFFSET_BITS 40

static uint64_t pack(const struct kv_log_place *place) {
    CHECK(place->offset % 8 == 0 && place->offset / 8 < (uint64_t)1 << OFFSET_BITS);
    CHECK(place->segment < (uint64_t)1 << (64 - OFFSET_BITS));
    return place->segment << OFFSET_BITS | place->offset / 8;
}

static struct kv_log_place unpack(uint64_t packed) {
    uint64_t mask = ((uint64_t)1 << OFFSET_BITS) - 1;
    return (struct kv_log_place){.segment = packed >> OFFSET_BITS, .offset = (packed & mask) * 8};
}

void kv__log_index_reset(struct kv_log_index *index, raft_index first) {
    index->first = first;
    index->count = 0;
    index->skip = 0;
    index->run_count = 0;
    index->configuration_count = 0;
}

void kv__log_index_close(struct kv_log_index *index) {
    free(index->places);
    free(index->runs);
    free(index->configurations);
    *index = (struct kv_log_index){0};
}

/* ---- Growing ------------------------------------------------------------------------------- */

/* Makes `*array` at least `wanted` elements long, or twice as long as it was. */
static enum status grow(void **array, size_t *capacity, size_t wanted, size_t element_bytes) {
    if (wanted <= *capacity)
        return STATUS_OK;
    size_t larger = wanted > 2 * *capacity ? wanted : 2 * *capacity;
    void *grown = realloc(*array, larger * element_bytes);
    if (!grown)
        return STATUS_NO_MEMORY;
    *array = grown;
    *capacity = larger;
    return STATUS_OK;
}

/* Each entry may begin a run, and be a configuration: no more of those than entries. */
enum status kv__log_index_reserve(struct kv_log_index *index, size_t entries) {
    enum status status = grow((void **)&index->places, &index->capacity,
                              index->skip + index->count + entries, sizeof *index->places);
    if (status == STATUS_OK)
        status = grow((void **)&index->runs, &index->run_capacity, index->run_count + entries,
                      sizeof *index->runs);
    if (status == STATUS_OK)
        status = grow((void **)&index->configurations, &index->configuration_capacity,
                      index->configuration_count + entries, sizeof *index->configurations);
    return status;
}

void kv__log_index_add(struct kv_log_index *index, const struct raft_entry *entry,
                       const struct kv_log_place *place) {
    CHECK(entry->index == index->first + index->count);
    CHECK(index->skip + index->count < index->capacity);
    index->places[index->skip + index->count++] = pack(place);
    if (index->run_count == 0 || index->runs[index->run_count - 1].term != entry->term)
        index->runs[index->run_count++] =
            (struct raft_term_run){.first = entry->index, .term = entry->term};
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        index->configurations[index->configuration_count++] = entry->index;
}

/* ---- Shrinking ----------------------------------------------------------------------------- */

void kv__log_index_truncate(struct kv_log_index *index, raft_index from) {
    if (from >= index->first + index->count)
        return;
    index->count = from > index->first ? (size_t)(from - index->first) : 0;
    while (index->run_count > 0 && index->runs[index->run_count - 1].first >= from)
        index->run_count--;
    while (index->configuration_count > 0 &&
           index->configurations[index->configuration_count - 1] >= from)
        index->configuration_count--;
}

/* What was cut is moved over once it is the larger part. */
static void close_gap(struct kv_log_index *index) {
    if (index->skip <= index->count)
        return;
    memmove(index->places, index->places + index->skip, index->count * sizeof *index->places);
    index->skip = 0;
}

static void drop_runs(struct kv_log_index *index) {
    size_t old = 0;
    while (old + 1 < index->run_count && index->runs[old + 1].first <= index->first)
        old++;
    index->run_count -= old;
    memmove(index->runs, index->runs + old, index->run_count * sizeof *index->runs);
}

static void drop_configurations(struct kv_log_index *index) {
    size_t old = 0;
    while (old < index->configuration_count && index->configurations[old] < index->first)
        old++;
    index->configuration_count -= old;
    memmove(index->configurations, index->configurations + old,
            index->configuration_count * sizeof *index->configurations);
}

void kv__log_index_cut(struct kv_log_index *index, raft_index through) {
    CHECK(through + 1 >= index->first && through <= kv__log_index_last(index));
    size_t cut = (size_t)(through + 1 - index->first);
    index->first += cut;
    index->count -= cut;
    index->skip += cut;
    close_gap(index);
    if (index->count == 0)
        index->run_count = 0;
    drop_runs(index);
    drop_configurations(index);
}

/* ---- Asking -------------------------------------------------------------------------------- */

bool kv__log_index_has(const struct kv_log_index *index, raft_index entry) {
    return entry >= index->first && entry - index->first < index->count;
}

struct kv_log_place kv__log_index_place(const struct kv_log_index *index, raft_index entry) {
    CHECK(kv__log_index_has(index, entry));
    return unpack(index->places[index->skip + (size_t)(entry - index->first)]);
}

raft_term kv__log_index_term(const struct kv_log_index *index, raft_index entry) {
    CHECK(kv__log_index_has(index, entry));
    size_t run = index->run_count - 1;
    while (index->runs[run].first > entry)
        run--;
    return index->runs[run].term;
}

void kv__log_index_configurations(const struct kv_log_index *index, raft_index through,
                                  raft_index *ret_newest, raft_index *ret_before) {
    size_t count = index->configuration_count;
    while (count > 0 && index->configurations[count - 1] > through)
        count--;
    *ret_newest = count > 0 ? index->configurations[count - 1] : 0;
    *ret_before = count > 1 ? index->configurations[count - 2] : 0;
}
