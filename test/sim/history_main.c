/* phalanx-history: judges a history that real clients recorded, by the simulator's checkers.
 *
 * On stdin a line an operation, by start, in fields apart by one space; unset numbers are 0:
 *
 *   client   a number
 *   kind     get, put or delete
 *   key      a number, from 0 on without large gaps
 *   value    put: unique in the history, not 0
 *   prev     the revision it asked for; -: none
 *   start    ticks: unique, and as the operations truly lie in time
 *   end      -: unknown, or still under way
 *   outcome  ok, precondition, not-applied or unknown
 *   found    0 or 1
 *   revision create_revision version read_value
 *
 * Exit status 0: all is well. 1: it is not, and stdout says why. 2: no such history. */
#include "sim/checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 1000000

static const char *const kinds[] = {"get", "put", "delete"};
static const char *const outcomes[] = {"unknown", "ok", "precondition", "not-applied"};

_Static_assert(SIM_GET == 0 && SIM_DELETE == 2, "positions in the lists above");
_Static_assert(SIM_UNKNOWN == 0 && SIM_NOT_APPLIED == 3, "positions in the lists above");

static bool find(const char *const *names, size_t count, const char *name, unsigned *ret_at) {
    for (unsigned i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_at = i;
            return true;
        }
    return false;
}

/* The words of a line, which are no numbers or may be none. */
struct words {
    char kind[8];
    char prev[24];
    char end[24];
    char outcome[16];
};

static bool take_words(const struct words *words, struct sim_op *op) {
    unsigned kind;
    unsigned outcome;
    if (!find(kinds, 3, words->kind, &kind) || !find(outcomes, 4, words->outcome, &outcome))
        return false;
    op->kind = (enum sim_op_kind)kind;
    op->outcome = (enum sim_outcome)outcome;
    op->has_prev = strcmp(words->prev, "-") != 0;
    op->prev_revision = op->has_prev ? strtoll(words->prev, NULL, 10) : 0;
    op->end = strcmp(words->end, "-") != 0 ? strtoull(words->end, NULL, 10) : SIM_NEVER;
    return op->key < KEYS_MAX && op->start < op->end;
}

static bool read_op(const char *line, struct sim_op *ret_op) {
    struct words words;
    struct sim_op op = {0};
    int found;
    int count = sscanf(line,
                       "%zu %7s %zu %" SCNu64 " %23s %" SCNu64 " %23s %15s %d %" SCNd64 " %" SCNd64
                       " %" SCNd64 " %" SCNu64,
                       &op.client, words.kind, &op.key, &op.value, words.prev, &op.start, words.end,
                       words.outcome, &found, &op.revision, &op.create_revision, &op.version,
                       &op.read_value);
    if (count != 13 || !take_words(&words, &op))
        return false;
    op.is_found = found != 0;
    *ret_op = op;
    return true;
}

static bool is_next(const struct sim_history *history, const struct sim_op *op) {
    return history->count == 0 || history->ops[history->count - 1].start < op->start;
}

static bool read_history(struct sim_history *history, size_t *ret_keys) {
    char line[512];
    struct sim_op op;
    while (fgets(line, sizeof line, stdin)) {
        if (!read_op(line, &op) || !is_next(history, &op)) {
            fprintf(stderr, "phalanx-history: line %zu: %s", history->count + 1, line);
            return false;
        }
        (void)sim_history_add(history, &op);
        if (op.key >= *ret_keys)
            *ret_keys = op.key + 1;
    }
    return true;
}

int main(void) {
    struct sim_history history = {0};
    size_t keys = 0;
    char text[512] = "";
    if (!read_history(&history, &keys))
        return 2;
    bool is_sound = sim_check_marks(&history, text, sizeof text) &&
                    sim_check_once(&history, keys, text, sizeof text) &&
                    sim_check_linear(&history, keys, text, sizeof text);
    printf("%zu operations, %zu keys: %s\n", history.count, keys, is_sound ? "linear" : text);
    sim_history_close(&history);
    return is_sound ? 0 : 1;
}
