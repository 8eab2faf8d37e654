/* Is there an order? The search behind check_linear.c (Wing and Gong 1993, Lowe 2017), for one key
 * whose writes have revisions: those of which a revision is known happen in its order, and only
 * where the others fit in between, if at all, is there a choice. */
#ifndef PHALANX_SIM_LINEAR_SEARCH_H
#define PHALANX_SIM_LINEAR_SEARCH_H

#include "sim/history.h"

enum sim_verdict { SIM_LINEAR, SIM_NOT_LINEAR, SIM_UNDECIDED };

/* A write that happened, or may have. */
struct sim_write {
    const struct sim_op *op;
    int64_t revision; /* 0: unknown, and nobody saw it */
    int64_t version;  /* as reads found it; 0: none did */
    int64_t create_revision;
    size_t reads; /* that found it */
};

/* `known`: operations whose answer is known, by start. `pinned`: writes with a revision, in its
 * order. `wild`: those that may have happened unseen, by start. When there is no order,
 * `ret_stuck` is an operation that none of the orders tried got past. */
enum sim_verdict sim_linear_search(const struct sim_op *const *known, size_t known_count,
                                   const struct sim_write *pinned, size_t pinned_count,
                                   const struct sim_write *wild, size_t wild_count,
                                   const struct sim_op **ret_stuck);

#endif
