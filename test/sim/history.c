#include "sim/history.h"

#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

size_t sim_history_add(struct sim_history *history, const struct sim_op *op) {
    if (history->count == history->capacity) {
        history->capacity = history->capacity == 0 ? 256 : 2 * history->capacity;
        history->ops = realloc(history->ops, history->capacity * sizeof *history->ops);
        CHECK(history->ops);
    }
    history->ops[history->count] = *op;
    return history->count++;
}

void sim_history_close(struct sim_history *history) {
    free(history->ops);
}

static const char *kind_name(enum sim_op_kind kind) {
    switch (kind) {
    case SIM_GET: return "get";
    case SIM_PUT: return "put";
    case SIM_DELETE: return "delete";
    }
    return "?";
}

static const char *outcome_name(enum sim_outcome outcome) {
    switch (outcome) {
    case SIM_UNKNOWN: return "unknown";
    case SIM_OK: return "ok";
    case SIM_PRECONDITION: return "precondition";
    case SIM_NOT_APPLIED: return "not applied";
    }
    return "?";
}

void sim_op_print(const struct sim_op *op, char *text, size_t capacity) {
    snprintf(text, capacity,
             "client %zu %s key %zu value %" PRIu64 " if %" PRId64 " [%" PRIu64 ", %" PRId64
             "] %s found %d revision %" PRId64 " version %" PRId64 " read %" PRIu64,
             op->client, kind_name(op->kind), op->key, op->value,
             op->has_prev ? op->prev_revision : -1, op->start, (int64_t)op->end,
             outcome_name(op->outcome), op->is_found, op->revision, op->version, op->read_value);
}
