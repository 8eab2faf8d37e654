/* What a majority agrees on; in a joint configuration, both majorities (thesis 4.3: "agreement
 * requires majorities from both the old and new configurations"). Pure functions of a configuration
 * and of something known about each member. */
#ifndef PHALANX_RAFT_QUORUM_H
#define PHALANX_RAFT_QUORUM_H

#include "raft/raft.h"

/* Whether a member may vote at all, in either half. */
bool raft__is_voter(const struct raft_configuration *configuration, raft_id id);

/* The largest value that a quorum of voters has reached: for match indexes the commit index, for
 * times the moment since when a quorum has answered. A configuration without voters has reached 0.
 */
uint64_t raft__quorum_value(const struct raft_configuration *configuration,
                            uint64_t (*value_of)(const void *context, raft_id id),
                            const void *context);

enum raft_tally { RAFT_TALLY_OPEN, RAFT_TALLY_WON, RAFT_TALLY_LOST };

/* How an election stands. `vote_of`: above 0 for, below 0 against, 0 unknown. */
enum raft_tally raft__quorum_tally(const struct raft_configuration *configuration,
                                   int (*vote_of)(const void *context, raft_id id),
                                   const void *context);

#endif
