#include "phalanx/argument.h"

#include "bounds.h"
#include "phalanx/output.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

bool cli_argument_read(const struct cli_invocation *invocation, const char *what, const char *word,
                       struct cli_argument *ret_argument) {
    enum cli_encoding encoding = invocation->flags->encoding;
    uint8_t *data = malloc(strlen(word) + 1);
    CHECK(data != NULL);
    size_t len = 0;
    if (!cli_decode(encoding, word, data, &len)) {
        cli_error("%s: %s: %s: not written in %s", invocation->command->name, what, word,
                  encoding == CLI_HEX ? "hexadecimal digits, two for each byte" : "base64");
        free(data);
        return false;
    }
    *ret_argument = (struct cli_argument){bytes_of(data, len), data};
    return true;
}

/* Up to `size` bytes, fewer only at the end. -1: failed. */
static ssize_t read_fully(int fd, uint8_t *data, size_t size) {
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, data + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

bool cli_argument_read_stdin(const struct cli_invocation *invocation,
                             struct cli_argument *ret_argument) {
    const char *command = invocation->command->name;
    uint8_t *data = malloc(VALUE_BYTES_MAX + 1);
    CHECK(data != NULL);
    ssize_t len = read_fully(STDIN_FILENO, data, VALUE_BYTES_MAX + 1);
    if (len < 0)
        cli_error("%s: cannot read stdin: %s", command, strerror(errno));
    else if ((size_t)len > VALUE_BYTES_MAX)
        cli_error("%s: value: at most 1 MiB (1048576 bytes)", command);
    if (len < 0 || (size_t)len > VALUE_BYTES_MAX) {
        free(data);
        return false;
    }
    *ret_argument = (struct cli_argument){bytes_of(data, (size_t)len), data};
    return true;
}

void cli_argument_free(struct cli_argument *argument) {
    free(argument->owned);
    *argument = (struct cli_argument){0};
}
