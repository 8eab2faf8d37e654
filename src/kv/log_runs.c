/* The terms of a log, found by halving: they only ever rise, and there are few. */
#include "kv/kv.h"

static enum status see_term(void *context, const struct raft_entry *entry) {
    raft_term *term = context;
    *term = entry->term;
    return STATUS_OK;
}

static enum status term_at(struct kv_log *log, raft_index index, raft_term *ret_term) {
    return kv_log_read(log, index, index, see_term, ret_term);
}

/* The first index after `first` whose term is not `term`; last + 1 when there is none. */
static enum status run_end(struct kv_log *log, raft_index first, raft_index last, raft_term term,
                           raft_index *ret_end) {
    raft_index same = first;
    raft_index other = last + 1;
    while (other - same > 1) {
        raft_index middle = same + (other - same) / 2;
        raft_term middle_term;
        enum status status = term_at(log, middle, &middle_term);
        if (status != STATUS_OK)
            return status;
        if (middle_term == term)
            same = middle;
        else
            other = middle;
    }
    *ret_end = other;
    return STATUS_OK;
}

enum status kv_log_runs(struct kv_log *log, raft_index first, raft_index last,
                        struct raft_term_run *runs, size_t capacity, size_t *ret_count) {
    size_t count = 0;
    while (first <= last) {
        if (count == capacity)
            return STATUS_OVERLOAD;
        struct raft_term_run run = {.first = first};
        enum status status = term_at(log, first, &run.term);
        if (status == STATUS_OK)
            status = run_end(log, first, last, run.term, &first);
        if (status != STATUS_OK)
            return status;
        runs[count++] = run;
    }
    *ret_count = count;
    return STATUS_OK;
}
