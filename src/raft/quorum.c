#include "raft/quorum.h"

#include "plant.h"

bool raft__is_voter(const struct raft_configuration *configuration, raft_id id) {
    const struct raft_member *member = raft_configuration_find(configuration, id);
    return member && member->rights != RAFT_LEARNER;
}

/* Insertion keeps the values descending; there are few. */
static void insert_descending(uint64_t *values, size_t count, uint64_t value) {
    size_t at = count;
    while (at > 0 && values[at - 1] < value) {
        values[at] = values[at - 1];
        at--;
    }
    values[at] = value;
}

/* Of n values in descending order, a majority has reached the one at n / 2. */
static uint64_t half_value(const struct raft_configuration *configuration,
                           enum raft_vote_right half,
                           uint64_t (*value_of)(const void *context, raft_id id),
                           const void *context) {
    uint64_t values[MEMBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (member->rights & half)
            insert_descending(values, count++, value_of(context, member->id));
    }
    return count == 0 ? 0 : values[count / 2];
}

uint64_t raft__quorum_value(const struct raft_configuration *configuration,
                            uint64_t (*value_of)(const void *context, raft_id id),
                            const void *context) {
    uint64_t value = half_value(configuration, RAFT_VOTER_NEW, value_of, context);
    if (!configuration->is_joint || PLANTED(new_half_only))
        return value;
    uint64_t old = half_value(configuration, RAFT_VOTER_OLD, value_of, context);
    return old < value ? old : value;
}

static enum raft_tally half_tally(const struct raft_configuration *configuration,
                                  enum raft_vote_right half,
                                  int (*vote_of)(const void *context, raft_id id),
                                  const void *context) {
    size_t voters = 0, granted = 0, refused = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (!(member->rights & half))
            continue;
        int vote = vote_of(context, member->id);
        voters++;
        granted += PLANTED(count_vote_twice) && vote > 1 ? 2 : vote > 0;
        refused += vote < 0;
    }
    size_t majority = voters / 2 + 1;
    if (granted >= majority)
        return RAFT_TALLY_WON;
    return voters - refused < majority ? RAFT_TALLY_LOST : RAFT_TALLY_OPEN;
}

enum raft_tally raft__quorum_tally(const struct raft_configuration *configuration,
                                   int (*vote_of)(const void *context, raft_id id),
                                   const void *context) {
    enum raft_tally new = half_tally(configuration, RAFT_VOTER_NEW, vote_of, context);
    if (!configuration->is_joint || PLANTED(new_half_only))
        return new;
    enum raft_tally old = half_tally(configuration, RAFT_VOTER_OLD, vote_of, context);
    if (new == RAFT_TALLY_LOST || old == RAFT_TALLY_LOST)
        return RAFT_TALLY_LOST;
    return new == RAFT_TALLY_WON ? old : new;
}
