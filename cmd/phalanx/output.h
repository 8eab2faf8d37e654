/* What the program prints: results on stdout, as text or JSON; errors on stderr, one line each. */
#ifndef PHALANX_CLI_OUTPUT_H
#define PHALANX_CLI_OUTPUT_H

#include "bytes.h"
#include "phalanx/encoding.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- JSON ---------------------------------------------------------------------------------- */

/* One value after another, commas set by the writer. Members of an object have a name, elements of
 * an array and the outermost value have NULL. */
struct cli_json {
    FILE *out;
    bool needs_comma;
};

void cli_json_open(struct cli_json *json, const char *name, char bracket); /* '{' or '[' */
void cli_json_close(struct cli_json *json, char bracket);                  /* '}' or ']' */
void cli_json_text(struct cli_json *json, const char *name, const char *text);
void cli_json_number(struct cli_json *json, const char *name, int64_t number);
void cli_json_count(struct cli_json *json, const char *name, uint64_t count);
void cli_json_bool(struct cli_json *json, const char *name, bool value);
/* Sixteen hexadecimal digits as a string: many readers of JSON round large numbers. */
void cli_json_id(struct cli_json *json, const char *name, uint64_t id);

/* Any bytes. As a string called `name` when they are UTF-8, else in base64 called `name`_base64.
 * CLI_HEX and CLI_BASE64 always give `name`_hex and `name`_base64. */
void cli_json_bytes(struct cli_json *json, const char *name, struct bytes bytes,
                    enum cli_encoding encoding);

/* ---- Text ---------------------------------------------------------------------------------- */

/* In the encoding; raw bytes go out as they are. */
void cli_print_bytes(FILE *out, struct bytes bytes, enum cli_encoding encoding);

/* Raw bytes on one line: what is not printable, and the backslash, as \n, \t, \\ or \xHH. */
void cli_print_escaped(FILE *out, struct bytes bytes);

/* `phalanx: ` and the text, on stderr, as one line. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sends out what was printed so far. False: it could not be, so there is no use in going on. */
bool cli_output_flush(void);

/* Everything printed has left this process. False: it could not, and a line says why (but not when
 * the reader has gone away, as `head` does). */
bool cli_output_finish(void);

#endif
