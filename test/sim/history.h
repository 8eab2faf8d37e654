/* What clients did and what they were told: all that a user of the cluster can see. */
#ifndef PHALANX_SIM_HISTORY_H
#define PHALANX_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_op_kind { SIM_GET, SIM_PUT, SIM_DELETE };

enum sim_outcome {
    SIM_UNKNOWN, /* may have happened, or may yet */
    SIM_OK,
    SIM_PRECONDITION, /* the key was not at the revision asked for */
    SIM_NOT_APPLIED,  /* a write that certainly never happens */
};

/* Times are ticks: unique, so that "ended before it began" is never a tie. */
#define SIM_NEVER UINT64_MAX

struct sim_op {
    size_t client;
    enum sim_op_kind kind;
    size_t key;
    uint64_t value; /* put: unique in the run */
    bool has_prev;
    int64_t prev_revision;
    uint64_t start;
    uint64_t end; /* SIM_NEVER: unknown, or still under way */
    enum sim_outcome outcome;
    /* Answers: */
    bool is_found;    /* get, delete */
    int64_t revision; /* put, delete: the store's after it; get: the key's modification revision */
    int64_t create_revision; /* get */
    int64_t version;         /* get */
    uint64_t read_value;     /* get */
};

struct sim_history {
    struct sim_op *ops; /* by start */
    size_t count;
    size_t capacity;
};

/* Returns its position. */
size_t sim_history_add(struct sim_history *history, const struct sim_op *op);
void sim_history_close(struct sim_history *history);

/* One line about an operation, for people. */
void sim_op_print(const struct sim_op *op, char *text, size_t capacity);

#endif
