#include "raft/progress.h"

void raft__progress_init(struct raft_progress *progress, raft_id id, raft_index next_index) {
    *progress = (struct raft_progress){.id = id, .state = RAFT_PROBE, .next_index = next_index};
}

static void clear_window(struct raft_progress *progress) {
    progress->window_first = 0;
    progress->window_count = 0;
    progress->window_bytes = 0;
}

void raft__progress_to_probe(struct raft_progress *progress, raft_index next_index) {
    progress->state = RAFT_PROBE;
    progress->is_probing = false;
    progress->next_index =
        next_index > progress->match_index ? next_index : progress->match_index + 1;
    clear_window(progress);
}

/* Its log meets ours. If that is where the probe asked, it has taken the probe's entries too,
 * though they may not yet be durable there. */
static void to_replicate(struct raft_progress *progress, raft_index index) {
    bool has_taken = progress->is_probing && index + 1 >= progress->next_index;
    raft_index taken = has_taken ? progress->window[0].last_index : 0;
    progress->state = RAFT_REPLICATE;
    progress->is_probing = false;
    progress->next_index = progress->match_index + 1;
    if (taken >= progress->next_index)
        progress->next_index = taken + 1;
    else
        clear_window(progress);
}

void raft__progress_to_snapshot(struct raft_progress *progress) {
    progress->state = RAFT_SNAPSHOT;
    progress->is_probing = false;
    clear_window(progress);
}

bool raft__progress_may_send(const struct raft_progress *progress) {
    switch (progress->state) {
    case RAFT_PROBE: return !progress->is_probing;
    case RAFT_REPLICATE:
        return progress->window_count < WINDOW_MESSAGES_MAX &&
               progress->window_bytes < WINDOW_BYTES_MAX;
    case RAFT_SNAPSHOT: return false;
    }
    return false;
}

void raft__progress_sent(struct raft_progress *progress, raft_index last_index, size_t bytes) {
    CHECK(raft__progress_may_send(progress));
    if (progress->state == RAFT_PROBE) {
        clear_window(progress);
        progress->is_probing = true;
    } else {
        progress->next_index = last_index + 1;
    }
    size_t slot = (progress->window_first + progress->window_count) % WINDOW_MESSAGES_MAX;
    progress->window[slot] = (struct raft_in_flight){.last_index = last_index, .bytes = bytes};
    progress->window_count++;
    progress->window_bytes += bytes;
}

static void free_window(struct raft_progress *progress, raft_index index) {
    while (progress->window_count > 0) {
        struct raft_in_flight *oldest = &progress->window[progress->window_first];
        if (oldest->last_index > index)
            return;
        progress->window_bytes -= oldest->bytes;
        progress->window_first = (progress->window_first + 1) % WINDOW_MESSAGES_MAX;
        progress->window_count--;
    }
}

void raft__progress_matched(struct raft_progress *progress, raft_index index) {
    if (index > progress->match_index)
        progress->match_index = index;
    if (progress->state == RAFT_PROBE)
        to_replicate(progress, index);
    if (progress->next_index <= progress->match_index)
        progress->next_index = progress->match_index + 1;
    free_window(progress, index);
}

void raft__progress_check(const struct raft_progress *progress) {
    CHECK(progress->match_index < progress->next_index);
    CHECK(progress->window_count <= WINDOW_MESSAGES_MAX);
    CHECK(progress->state != RAFT_SNAPSHOT || progress->window_count == 0);
    CHECK(progress->state != RAFT_PROBE || progress->window_count <= 1);
    CHECK(progress->state == RAFT_PROBE || !progress->is_probing);
}
