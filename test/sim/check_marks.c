#include "sim/checks.h"

#include <stdio.h>

/* A value that was read though its put was said not to be applied. Values are unique. */
bool sim_check_marks(const struct sim_history *history, char *text, size_t capacity) {
    struct sim_table refused = {0};
    bool is_sound = true;
    for (size_t i = 0; i < history->count; i++) {
        const struct sim_op *op = &history->ops[i];
        bool is_void = op->outcome == SIM_NOT_APPLIED || op->outcome == SIM_PRECONDITION;
        if (op->kind == SIM_PUT && is_void)
            (void)sim_table_settle(&refused, op->value, i + 1);
    }
    for (size_t i = 0; i < history->count && is_sound; i++) {
        const struct sim_op *op = &history->ops[i];
        if (op->kind != SIM_GET || op->outcome != SIM_OK || !op->is_found)
            continue;
        is_sound = op->read_value != 0 && sim_table_get(&refused, op->read_value, 0) == 0;
        if (!is_sound) {
            char line[256];
            sim_op_print(op, line, sizeof line);
            snprintf(text, capacity, "read what was said not to be applied: %s", line);
        }
    }
    sim_table_close(&refused);
    return is_sound;
}
