#include "server/commit_watch.h"

static void begin_office(struct commit_watch *watch, const struct raft_status *raft) {
    watch->term = raft->role == RAFT_LEADER ? raft->term : 0;
    watch->last_index = raft->last_index;
    watch->count = 0;
}

static void mark(struct commit_watch *watch, raft_index last_index, uint64_t now_us) {
    uint64_t count = last_index - watch->last_index;
    watch->last_index = last_index;
    if (watch->count == COMMIT_WATCH_MARKS)
        return;
    size_t at = (watch->first + watch->count++) % COMMIT_WATCH_MARKS;
    watch->marks[at] =
        (struct commit_mark){.last_index = last_index, .count = count, .at_us = now_us};
}

static void settle(struct commit_watch *watch, raft_index commit_index, uint64_t now_us) {
    while (watch->count > 0) {
        const struct commit_mark *oldest = &watch->marks[watch->first];
        if (oldest->last_index > commit_index)
            return;
        durations_add_many(&watch->durations, now_us - oldest->at_us, oldest->count);
        watch->first = (watch->first + 1) % COMMIT_WATCH_MARKS;
        watch->count--;
    }
}

void commit_watch_look(struct commit_watch *watch, const struct raft_status *raft,
                       uint64_t now_us) {
    bool leads = raft->role == RAFT_LEADER;
    if (watch->term != (leads ? raft->term : 0)) {
        begin_office(watch, raft);
        return;
    }
    if (!leads)
        return;
    settle(watch, raft->commit_index, now_us);
    if (raft->last_index > watch->last_index)
        mark(watch, raft->last_index, now_us);
}
