#include "server/tolerance.h"

static struct tolerance of_half(const struct raft_configuration *members, unsigned right,
                                bool (*is_in_reach)(const void *context, raft_id id),
                                const void *context) {
    struct tolerance half = {0};
    uint32_t voters = 0;
    for (size_t i = 0; i < members->count; i++) {
        if (!(members->members[i].rights & right))
            continue;
        voters++;
        half.in_reach += is_in_reach(context, members->members[i].id);
    }
    half.quorum = voters > 0 ? voters / 2 + 1 : 0;
    half.failures_left = half.in_reach > half.quorum ? half.in_reach - half.quorum : 0;
    return half;
}

/* Voters above the quorum, or below it. */
static int64_t slack(const struct tolerance *half) {
    return (int64_t)half->in_reach - (int64_t)half->quorum;
}

struct tolerance tolerance_of(const struct raft_configuration *members,
                              bool (*is_in_reach)(const void *context, raft_id id),
                              const void *context) {
    struct tolerance next = of_half(members, RAFT_VOTER_NEW, is_in_reach, context);
    if (!members->is_joint)
        return next;
    struct tolerance old = of_half(members, RAFT_VOTER_OLD, is_in_reach, context);
    return slack(&old) < slack(&next) ? old : next;
}
