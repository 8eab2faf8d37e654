/* Keys and values that a user hands over: words of the command line, or stdin. */
#ifndef PHALANX_CLI_ARGUMENT_H
#define PHALANX_CLI_ARGUMENT_H

#include "bytes.h"
#include "check.h"
#include "phalanx/commands.h"

#include <stdbool.h>

/* Bytes that belong to whoever reads them; starts zeroed. */
struct cli_argument {
    struct bytes bytes;
    uint8_t *owned;
};

/* The bytes that a word stands for, in the encoding that the flags name. False: it is not written
 * so; a line on stderr says it. `what` names the word there. */
MUST_USE bool cli_argument_read(const struct cli_invocation *invocation, const char *what,
                                const char *word, struct cli_argument *ret_argument);

/* All of stdin, as it is. False: it cannot be read, or is longer than a value may be. */
MUST_USE bool cli_argument_read_stdin(const struct cli_invocation *invocation,
                                      struct cli_argument *ret_argument);

void cli_argument_free(struct cli_argument *argument);

#endif
