#include "raft/trail.h"

#include <stdlib.h>

enum status raft__trail_init(struct raft_trail *trail, const struct raft_config *config) {
    CHECK(config->run_count <= RAFT_RUNS_MAX);
    trail->runs = calloc(RAFT_RUNS_MAX, sizeof *trail->runs);
    trail->sizes = calloc(TRAIL_SIZES_MAX, sizeof *trail->sizes);
    if (!trail->runs || !trail->sizes)
        return STATUS_NO_MEMORY;
    trail->cut_index = config->cut_index;
    trail->cut_term = config->cut_term;
    trail->last_index = config->last_index;
    trail->sized_from = config->last_index + 1;
    trail->run_count = config->run_count;
    for (size_t i = 0; i < config->run_count; i++)
        trail->runs[i] = config->runs[i];
    return STATUS_OK;
}

void raft__trail_close(struct raft_trail *trail) {
    free(trail->runs);
    free(trail->sizes);
}

/* The position of the run that holds `index`, which is in the log. */
static size_t run_of(const struct raft_trail *trail, raft_index index) {
    size_t low = 0;
    size_t high = trail->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (trail->runs[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

raft_term raft__trail_term(const struct raft_trail *trail, raft_index index) {
    if (index == trail->cut_index)
        return trail->cut_term;
    if (index < trail->cut_index || index > trail->last_index)
        return 0;
    return trail->runs[run_of(trail, index)].term;
}

raft_term raft__trail_last_term(const struct raft_trail *trail) {
    return raft__trail_term(trail, trail->last_index);
}

size_t raft__trail_size(const struct raft_trail *trail, raft_index index) {
    bool is_known = index >= trail->sized_from && trail->last_index - index < TRAIL_SIZES_MAX;
    return is_known ? trail->sizes[index % TRAIL_SIZES_MAX] : TRAIL_SIZE_GUESS;
}

bool raft__trail_append(struct raft_trail *trail, raft_term term, size_t payload_bytes) {
    bool is_new_run = trail->run_count == 0 || trail->runs[trail->run_count - 1].term != term;
    if (is_new_run && trail->run_count == RAFT_RUNS_MAX)
        return false;
    trail->last_index++;
    trail->sizes[trail->last_index % TRAIL_SIZES_MAX] = (uint32_t)payload_bytes;
    if (is_new_run)
        trail->runs[trail->run_count++] =
            (struct raft_term_run){.first = trail->last_index, .term = term};
    return true;
}

void raft__trail_truncate(struct raft_trail *trail, raft_index from) {
    CHECK(from > trail->cut_index);
    CHECK(from <= trail->last_index);
    while (trail->run_count > 0 && trail->runs[trail->run_count - 1].first >= from)
        trail->run_count--;
    trail->last_index = from - 1;
    if (trail->sized_from > from)
        trail->sized_from = from;
}

/* The runs before `first` go. */
static void drop_runs(struct raft_trail *trail, size_t first) {
    trail->run_count -= first;
    for (size_t i = 0; i < trail->run_count; i++)
        trail->runs[i] = trail->runs[i + first];
}

void raft__trail_cut(struct raft_trail *trail, raft_index through) {
    if (through <= trail->cut_index)
        return;
    CHECK(through <= trail->last_index);
    raft_term term = raft__trail_term(trail, through);
    if (through == trail->last_index) {
        raft__trail_reset(trail, through, term);
        return;
    }
    size_t run = run_of(trail, through + 1);
    drop_runs(trail, run);
    if (trail->runs[0].first <= through)
        trail->runs[0].first = through + 1;
    trail->cut_index = through;
    trail->cut_term = term;
}

void raft__trail_reset(struct raft_trail *trail, raft_index index, raft_term term) {
    trail->cut_index = index;
    trail->cut_term = term;
    trail->last_index = index;
    trail->run_count = 0;
    trail->sized_from = index + 1;
}

raft_index raft__trail_find_term(const struct raft_trail *trail, raft_index index, raft_term term) {
    if (index > trail->last_index)
        index = trail->last_index;
    while (index > trail->cut_index) {
        const struct raft_term_run *run = &trail->runs[run_of(trail, index)];
        if (run->term <= term)
            return index;
        index = run->first - 1;
    }
    return trail->cut_index;
}
