#include "phalanx/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_escape(FILE *out, struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        switch (c) {
        case '"': fputs("\\\"", out); break;
        case '\\': fputs("\\\\", out); break;
        case '\n': fputs("\\n", out); break;
        case '\r': fputs("\\r", out); break;
        case '\t': fputs("\\t", out); break;
        default:
            if (c < 0x20 || c == 0x7f)
                fprintf(out, "\\u%04x", c);
            else
                putc(c, out);
        }
    }
}

static void json_string(FILE *out, struct bytes text) {
    putc('"', out);
    json_escape(out, text);
    putc('"', out);
}

/* The comma before a value, and its name with a suffix. */
static void json_name(struct cli_json *json, const char *name, const char *suffix) {
    if (json->needs_comma)
        putc(',', json->out);
    json->needs_comma = true;
    if (name != NULL)
        fprintf(json->out, "\"%s%s\":", name, suffix);
}

void cli_json_open(struct cli_json *json, const char *name, char bracket) {
    json_name(json, name, "");
    putc(bracket, json->out);
    json->needs_comma = false;
}

void cli_json_close(struct cli_json *json, char bracket) {
    putc(bracket, json->out);
    json->needs_comma = true;
}

void cli_json_text(struct cli_json *json, const char *name, const char *text) {
    cli_json_bytes(json, name, bytes_of_text(text), CLI_RAW);
}

void cli_json_number(struct cli_json *json, const char *name, int64_t number) {
    json_name(json, name, "");
    fprintf(json->out, "%" PRId64, number);
}

void cli_json_count(struct cli_json *json, const char *name, uint64_t count) {
    json_name(json, name, "");
    fprintf(json->out, "%" PRIu64, count);
}

void cli_json_bool(struct cli_json *json, const char *name, bool value) {
    json_name(json, name, "");
    fputs(value ? "true" : "false", json->out);
}

void cli_json_id(struct cli_json *json, const char *name, uint64_t id) {
    json_name(json, name, "");
    fprintf(json->out, "\"%016" PRIx64 "\"", id);
}

void cli_json_bytes(struct cli_json *json, const char *name, struct bytes bytes,
                    enum cli_encoding encoding) {
    if (encoding == CLI_RAW && cli_utf8_is_valid(bytes)) {
        json_name(json, name, "");
        json_string(json->out, bytes);
        return;
    }
    json_name(json, name, encoding == CLI_HEX ? "_hex" : "_base64");
    putc('"', json->out);
    cli_print_bytes(json->out, bytes, encoding == CLI_HEX ? CLI_HEX : CLI_BASE64);
    putc('"', json->out);
}

/* ---- Text ---------------------------------------------------------------------------------- */

/* In pieces, so that a large value needs no second copy; a multiple of three for base64. */
#define PIECE_BYTES ((size_t)3072)

void cli_print_bytes(FILE *out, struct bytes bytes, enum cli_encoding encoding) {
    char text[2 * PIECE_BYTES];
    while (bytes.len > 0) {
        size_t len = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;
        cli_encode(encoding, bytes_of(bytes.data, len), text);
        fwrite(text, 1, cli_encoded_size(encoding, len), out);
        bytes = bytes_of(bytes.data + len, bytes.len - len);
    }
}

static void print_escape(FILE *out, uint8_t c) {
    switch (c) {
    case '\n': fputs("\\n", out); return;
    case '\t': fputs("\\t", out); return;
    case '\\': fputs("\\\\", out); return;
    default: fprintf(out, "\\x%02x", c); return;
    }
}

void cli_print_escaped(FILE *out, struct bytes bytes) {
    while (bytes.len > 0) {
        uint8_t c = bytes.data[0];
        size_t len = cli_utf8_length(bytes);
        /* C1 controls (U+0080 to U+009F) move cursors as well as the old ones do. */
        bool is_control = c < 0x20 || c == 0x7f || (c == 0xc2 && len == 2 && bytes.data[1] < 0xa0);
        if (len == 0 || is_control || c == '\\') {
            print_escape(out, c);
            len = 1;
        } else {
            fwrite(bytes.data, 1, len, out);
        }
        bytes = bytes_of(bytes.data + len, bytes.len - len);
    }
}

void cli_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("phalanx: ", stderr);
    vfprintf(stderr, format, arguments);
    putc('\n', stderr);
    va_end(arguments);
}

/* errno of the first failed write to stdout; 0: none failed. */
static int output_error;

bool cli_output_flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (output_error == 0)
        output_error = errno;
    return false;
}

bool cli_output_finish(void) {
    if (cli_output_flush())
        return true;
    if (output_error != EPIPE)
        cli_error("cannot write the output: %s", strerror(output_error));
    return false;
}
