/* The log of events, one line each, on standard error.
 *
 *     log_info("leader elected", log_u64("term", term), log_text("node", name));
 *
 *     time=2024-05-01T12:00:00.250Z level=info msg="leader elected" term=7 node=node-1
 *     {"time":"2024-05-01T12:00:00.250Z","level":"info","msg":"leader elected","term":7,...}
 *
 * A line is made on the stack and leaves in one write(2) of at most LOG_LINE_BYTES_MAX bytes, which
 * a pipe takes whole: lines of several threads never mix, and no lock is held. The log is not the
 * work: when its reader stands still, lines are dropped and counted rather than waited for, and the
 * next line that goes out says how many (`lost_lines`).
 *
 * Pure rooms do not log. SIGPIPE is for main to ignore. */
#ifndef PHALANX_LOG_H
#define PHALANX_LOG_H

#include "bytes.h"
#include "status.h"

#include <stdatomic.h>

/* POSIX lets a pipe mix what is longer than PIPE_BUF, 4096 on Linux; the line feed is included. */
#define LOG_LINE_BYTES_MAX ((size_t)4096)

/* One field's value as it is printed, so that a large one leaves room for the others. What is cut
 * ends in "…"; a line that lost whole fields ends in truncated=true. */
#define LOG_VALUE_BYTES_MAX ((size_t)1024)

/* How long a line waits for room in a full pipe before it is dropped, milliseconds. Once lines are
 * being dropped they do not wait. */
#define LOG_WAIT_MS_MAX 20

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* Until it is called: info, logfmt. Any thread, at any time. */
void log_configure(enum log_level level, enum log_format format);

/* ---- Lines --------------------------------------------------------------------------------- */

/* log_info(event, field ...): the event is a short constant text, the variables are fields. Fields
 * are not evaluated when the level is off. What they point to is borrowed for the call. `errno` is
 * left as it was. */
#define log_debug(...) LOG_LINE(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END)
#define log_info(...) LOG_LINE(LOG_LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_warn(...) LOG_LINE(LOG_LEVEL_WARN, __VA_ARGS__, LOG_END)
#define log_error(...) LOG_LINE(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END)

/* At most one line in `interval_ms` from this place in the code, for what a peer, a client or a
 * disk can cause as often as it likes; `suppressed` says how many were left out before it. */
#define log_every(interval_ms, level, ...) \
    do { \
        static struct log_pace log_pace_here; \
        uint64_t log_suppressed = 0; \
        if (log_is_on(level) && log_pace_take(&log_pace_here, (interval_ms), &log_suppressed)) \
            LOG_LINE(level, __VA_ARGS__, log_u64("suppressed", log_suppressed), LOG_END); \
    } while (0)

/* ---- Fields -------------------------------------------------------------------------------- */

enum log_kind {
    LOG_KIND_END,
    LOG_KIND_U64,
    LOG_KIND_I64,
    LOG_KIND_HEX,
    LOG_KIND_BOOL,
    LOG_KIND_TEXT
};

struct log_field {
    const char *key; /* constant, in [a-z0-9_]; the unit last, as in `wait_ms` */
    enum log_kind kind;
    union {
        uint64_t u64;
        int64_t i64;
        bool flag;
        struct bytes text; /* any bytes whatever */
    };
};

static inline struct log_field log_u64(const char *key, uint64_t value) {
    return (struct log_field){.key = key, .kind = LOG_KIND_U64, .u64 = value};
}

static inline struct log_field log_i64(const char *key, int64_t value) {
    return (struct log_field){.key = key, .kind = LOG_KIND_I64, .i64 = value};
}

/* Identities, hashes: sixteen digits, a text in JSON since numbers there lose bits above 2^53. */
static inline struct log_field log_hex(const char *key, uint64_t value) {
    return (struct log_field){.key = key, .kind = LOG_KIND_HEX, .u64 = value};
}

static inline struct log_field log_bool(const char *key, bool value) {
    return (struct log_field){.key = key, .kind = LOG_KIND_BOOL, .flag = value};
}

static inline struct log_field log_bytes(const char *key, struct bytes value) {
    return (struct log_field){.key = key, .kind = LOG_KIND_TEXT, .text = value};
}

/* NULL is the empty text. */
static inline struct log_field log_text(const char *key, const char *value) {
    return log_bytes(key, value ? bytes_of_text(value) : (struct bytes){0});
}

static inline struct log_field log_status(const char *key, enum status value) {
    return log_text(key, status_name(value));
}

/* What an errno means, in the C locale's words. */
struct log_field log_errno(const char *key, int error);

/* ---- Behind the macros --------------------------------------------------------------------- */

#define LOG_END ((struct log_field){.kind = LOG_KIND_END})

#define LOG_LINE(level, event, ...) \
    (log_is_on(level) ? log_write((level), (event), (const struct log_field[]){__VA_ARGS__}) \
                      : (void)0)

bool log_is_on(enum log_level level);

/* `fields` ends with LOG_END. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Zero before its first use. */
struct log_pace {
    _Atomic uint64_t next_ms; /* no line before this time */
    _Atomic uint64_t suppressed;
};

/* Whether a line is due; then also how many were not since the last. Any thread. */
bool log_pace_take(struct log_pace *pace, uint64_t interval_ms, uint64_t *ret_suppressed);
bool log_pace_take_at(struct log_pace *pace, uint64_t now_ms, uint64_t interval_ms,
                      uint64_t *ret_suppressed);

/* Make one line, line feed included, of `unix_ms` milliseconds since 1970; returns its length.
 * Pure, for tests and for log_write(). */
struct log_event {
    enum log_level level;
    uint64_t unix_ms;
    const char *name;
    const struct log_field *fields; /* ends with LOG_END */
    uint64_t lost_lines;            /* dropped before this one */
};
size_t log_line(char line[LOG_LINE_BYTES_MAX], enum log_format format,
                const struct log_event *event);

const char *log_level_name(enum log_level level);

#endif
