/* How far a long work has come, on stderr, when somebody is looking. */
#ifndef PHALANX_CLI_PROGRESS_H
#define PHALANX_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct cli_progress {
    const char *what; /* such as "snapshot save" */
    const char *unit; /* of the count, such as "keys"; NULL: only bytes are counted */
    bool is_shown;    /* stderr is a terminal, and the output does not go to it */
    uint64_t shown_ms;
    uint64_t count;
    uint64_t bytes;
};

/* `to_stdout`: the work's output goes to stdout, where a terminal shows progress enough. */
void cli_progress_init(struct cli_progress *progress, const char *what, const char *unit,
                       bool to_stdout);
void cli_progress_add(struct cli_progress *progress, uint64_t count, uint64_t bytes);
/* Removes the line; before any other. */
void cli_progress_close(struct cli_progress *progress);

#endif
