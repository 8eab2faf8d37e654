/* How many more failures a cluster can take, as far as one node sees. Pure. */
#ifndef PHALANX_SERVER_TOLERANCE_H
#define PHALANX_SERVER_TOLERANCE_H

#include "raft/raft.h"

struct tolerance {
    uint32_t quorum;
    uint32_t in_reach;      /* voters */
    uint32_t failures_left; /* of those in reach; 0 without a quorum as well */
};

/* Of a joint configuration that half which can take less. All 0 without voters. */
struct tolerance tolerance_of(const struct raft_configuration *members,
                              bool (*is_in_reach)(const void *context, raft_id id),
                              const void *context);

#endif
