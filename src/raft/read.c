#include "raft/engine.h"

/* "If the leader has not yet marked an entry from its current term committed, it waits until it has
 * done so." (thesis 6.4, step 1) Then the commit index is the read index: a sole voter needs no
 * round to know that nobody else leads. */
enum status raft__read(struct raft *r) {
    if (r->status.role != RAFT_LEADER || r->status.commit_index < r->noop_index)
        return STATUS_NOT_LEADER;
    r->has_read = true;
    return STATUS_OK;
}
