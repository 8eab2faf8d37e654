#include "log.h"

#include "check.h"
#include "text.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(LOG_LINE_BYTES_MAX <= PIPE_BUF, "a pipe takes a line whole");

/* Kept free for the end of the line: the mark of truncation, a brace, the line feed. */
#define LINE_END_BYTES 32
/* A key with its punctuation and a number, or the least that a text is worth printing for. */
#define FIELD_ROOM_BYTES 64

#define CUT_MARK "…"

static _Atomic int level_on = LOG_LEVEL_INFO;
static _Atomic int format_on = LOG_FORMAT_LOGFMT;
static _Atomic uint64_t lost_lines;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

const char *log_level_name(enum log_level level) {
    return level_names[level];
}

void log_configure(enum log_level level, enum log_format format) {
    atomic_store_explicit(&level_on, (int)level, memory_order_relaxed);
    atomic_store_explicit(&format_on, (int)format, memory_order_relaxed);
}

bool log_is_on(enum log_level level) {
    return (int)level >= atomic_load_explicit(&level_on, memory_order_relaxed);
}

/* ---- Fields -------------------------------------------------------------------------------- */

struct log_field log_errno(const char *key, int error) {
    const char *text = strerrordesc_np(error);
    return log_text(key, text ? text : "unknown error");
}

/* A logfmt value needs no quotes when no reader could split or unescape it. */
static bool is_bare(struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return text.len > 0 && text.len <= LOG_VALUE_BYTES_MAX;
}

static void put_quoted_and_cut(struct text_writer *w, struct bytes text) {
    size_t around = strlen("\"" CUT_MARK "\"");
    size_t room = w->capacity - w->len;
    CHECK(room > around);
    room -= around;
    text_put(w, "\"");
    size_t bytes_max = room < LOG_VALUE_BYTES_MAX ? room : LOG_VALUE_BYTES_MAX;
    if (text_put_escaped(w, text, bytes_max) < text.len)
        text_put(w, CUT_MARK);
    text_put(w, "\"");
}

static void put_text(struct text_writer *w, enum log_format format, struct bytes text) {
    if (format == LOG_FORMAT_LOGFMT && is_bare(text) && text.len < w->capacity - w->len)
        text_put_bytes(w, text);
    else
        put_quoted_and_cut(w, text);
}

static void put_hex(struct text_writer *w, enum log_format format, uint64_t value) {
    const char *quote = format == LOG_FORMAT_JSON ? "\"" : "";
    text_put(w, quote);
    text_put_hex(w, value);
    text_put(w, quote);
}

static void put_value(struct text_writer *w, enum log_format format,
                      const struct log_field *field) {
    switch (field->kind) {
    case LOG_KIND_END: break;
    case LOG_KIND_U64: text_put_u64(w, field->u64); break;
    case LOG_KIND_I64: text_put_i64(w, field->i64); break;
    case LOG_KIND_HEX: put_hex(w, format, field->u64); break;
    case LOG_KIND_BOOL: text_put_bool(w, field->flag); break;
    case LOG_KIND_TEXT: put_text(w, format, field->text); break;
    }
}

static void put_key(struct text_writer *w, enum log_format format, const char *key) {
    bool is_json = format == LOG_FORMAT_JSON;
    if (w->len > 0)
        text_put(w, is_json ? "," : " ");
    else if (is_json)
        text_put(w, "{");
    text_put(w, is_json ? "\"" : "");
    text_put(w, key);
    text_put(w, is_json ? "\":" : "=");
}

/* A field that may not fit is left out with all that follow, so that the line stays well-formed. */
static void put_field(struct text_writer *w, enum log_format format,
                      const struct log_field *field) {
    if (w->is_cut || w->capacity - w->len < strlen(field->key) + FIELD_ROOM_BYTES) {
        w->is_cut = true;
        return;
    }
    put_key(w, format, field->key);
    put_value(w, format, field);
}

/* ---- Lines --------------------------------------------------------------------------------- */

/* RFC 3339 in UTC, to the millisecond. */
#define TIME_BYTES_MAX 40

static const char *format_time(char text[TIME_BYTES_MAX], uint64_t unix_ms) {
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc = {0};
    (void)gmtime_r(&seconds, &utc); /* on failure the zeros show */
    char date[32] = "";
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, TIME_BYTES_MAX, "%s.%03uZ", date, (unsigned)(unix_ms % 1000));
    return text;
}

size_t log_line(char line[LOG_LINE_BYTES_MAX], enum log_format format,
                const struct log_event *event) {
    struct text_writer w = text_writer_of(line, LOG_LINE_BYTES_MAX - LINE_END_BYTES);
    char time_text[TIME_BYTES_MAX];
    const struct log_field head[] = {
        log_text("time", format_time(time_text, event->unix_ms)),
        log_text("level", log_level_name(event->level)),
        log_text("msg", event->name),
    };
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_field(&w, format, &head[i]);
    if (event->lost_lines > 0)
        put_field(&w, format,
                  &(struct log_field){.key = "lost_lines",
                                      .kind = LOG_KIND_U64,
                                      .u64 = event->lost_lines});
    for (const struct log_field *field = event->fields; field->kind != LOG_KIND_END; field++)
        put_field(&w, format, field);

    bool is_cut = w.is_cut;
    w = (struct text_writer){.data = line, .capacity = LOG_LINE_BYTES_MAX, .len = w.len};
    if (is_cut) {
        put_key(&w, format, "truncated");
        text_put_bool(&w, true);
    }
    text_put(&w, format == LOG_FORMAT_JSON ? "}\n" : "\n");
    CHECK(!w.is_cut);
    return w.len;
}

/* ---- Output -------------------------------------------------------------------------------- */

static uint64_t clock_ms(clockid_t clock) {
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* these clocks exist on every Linux */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* poll() promises room for PIPE_BUF bytes, to one thread at least. */
static bool has_room(int fd, int wait_ms) {
    struct pollfd request = {.fd = fd, .events = POLLOUT};
    return poll(&request, 1, wait_ms) > 0 && (request.revents & POLLOUT) != 0;
}

/* The second turn is for a signal, or for a file whose disk took only a part. */
static bool write_whole(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        len -= (size_t)written;
    }
    return true;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields) {
    int saved_errno = errno;
    uint64_t lost = atomic_exchange_explicit(&lost_lines, 0, memory_order_relaxed);
    const struct log_event row = {
        .level = level,
        .unix_ms = clock_ms(CLOCK_REALTIME),
        .name = event,
        .fields = fields,
        .lost_lines = lost,
    };
    enum log_format format =
        (enum log_format)atomic_load_explicit(&format_on, memory_order_relaxed);
    char line[LOG_LINE_BYTES_MAX];
    size_t len = log_line(line, format, &row);
    if (!has_room(STDERR_FILENO, lost > 0 ? 0 : LOG_WAIT_MS_MAX) ||
        !write_whole(STDERR_FILENO, line, len))
        atomic_fetch_add_explicit(&lost_lines, lost + 1, memory_order_relaxed);
    errno = saved_errno;
}

/* ---- Pace ---------------------------------------------------------------------------------- */

bool log_pace_take_at(struct log_pace *pace, uint64_t now_ms, uint64_t interval_ms,
                      uint64_t *ret_suppressed) {
    uint64_t next_ms = atomic_load_explicit(&pace->next_ms, memory_order_relaxed);
    /* Of several threads that find a line due, the one that moves the time writes it. */
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong_explicit(&pace->next_ms, &next_ms, now_ms + interval_ms,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&pace->suppressed, 1, memory_order_relaxed);
        return false;
    }
    *ret_suppressed = atomic_exchange_explicit(&pace->suppressed, 0, memory_order_relaxed);
    return true;
}

bool log_pace_take(struct log_pace *pace, uint64_t interval_ms, uint64_t *ret_suppressed) {
    return log_pace_take_at(pace, clock_ms(CLOCK_MONOTONIC), interval_ms, ret_suppressed);
}
