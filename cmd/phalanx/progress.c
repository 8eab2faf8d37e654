#include "phalanx/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Often enough to see it move, and what takes less than this shows nothing. */
#define SHOW_EVERY_MS 250

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void cli_progress_init(struct cli_progress *progress, const char *what, const char *unit,
                       bool to_stdout) {
    *progress = (struct cli_progress){
        .what = what,
        .unit = unit,
        .is_shown = isatty(STDERR_FILENO) && !(to_stdout && isatty(STDOUT_FILENO)),
        .shown_ms = now_ms(),
    };
}

static void show(const struct cli_progress *progress) {
    fprintf(stderr, "\r\033[K%s: ", progress->what);
    if (progress->unit != NULL)
        fprintf(stderr, "%" PRIu64 " %s, ", progress->count, progress->unit);
    fprintf(stderr, "%.1f MB", (double)progress->bytes / 1e6);
    fflush(stderr);
}

void cli_progress_add(struct cli_progress *progress, uint64_t count, uint64_t bytes) {
    progress->count += count;
    progress->bytes += bytes;
    uint64_t now = now_ms();
    if (!progress->is_shown || now - progress->shown_ms < SHOW_EVERY_MS)
        return;
    progress->shown_ms = now;
    show(progress);
}

void cli_progress_close(struct cli_progress *progress) {
    if (progress->is_shown)
        fprintf(stderr, "\r\033[K");
    progress->is_shown = false;
}
