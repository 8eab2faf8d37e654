/* Flags: Go-style with one dash or two, before or after the arguments. */
#ifndef PHALANX_CLI_FLAGS_H
#define PHALANX_CLI_FLAGS_H

#include "check.h"
#include "phalanx/encoding.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_flag {
    CLI_FLAG_ADDR,
    CLI_FLAG_TLS_CERT,
    CLI_FLAG_TLS_KEY,
    CLI_FLAG_TLS_CA,
    CLI_FLAG_TLS_NAME,
    CLI_FLAG_OUTPUT,
    CLI_FLAG_TIMEOUT,
    CLI_FLAG_CONSISTENCY,
    CLI_FLAG_PREV_REVISION,
    CLI_FLAG_REQUEST_ID,
    CLI_FLAG_LIMIT,
    CLI_FLAG_PREFIX,
    CLI_FLAG_KEYS_ONLY,
    CLI_FLAG_ALL,
    CLI_FLAG_HEX,
    CLI_FLAG_BASE64,
    CLI_FLAG_DATA_DIR,
    CLI_FLAG_NODE_ID,
    CLI_FLAG_HELP,
    CLI_FLAG_COUNT,
};

/* A set of flags, by their numbers. */
#define CLI_FLAG_BIT(flag) (1U << (flag))

struct cli_flags {
    unsigned given; /* set of those on the command line; the others have their defaults */
    const char *addresses;
    const char *tls_cert; /* paths; all three, or all empty: in the clear */
    const char *tls_key;
    const char *tls_ca;
    const char *tls_name; /* or empty */
    bool is_json;
    uint64_t timeout_ms;
    bool is_stale;
    int64_t prev_revision; /* when given */
    uint64_t client_id;    /* of the request id, when given; 0: none is wanted */
    uint64_t sequence;
    int64_t limit; /* 0: no limit */
    const char *prefix;
    bool keys_only;
    bool wants_all;             /* the whole cluster */
    enum cli_encoding encoding; /* of keys and values, in arguments and in text output */
    const char *data_dir;
    const char *node_id;
    bool wants_help;
};

/* For help and completion. */
struct cli_flag_info {
    const char *name;     /* without dashes */
    const char *argument; /* what follows it, such as "N"; NULL: nothing */
    const char *choices;  /* words to choose from, with spaces between; or NULL */
    const char *help;
};
const struct cli_flag_info *cli_flag_info(enum cli_flag flag);

/* Splits the words of a command line into flags and arguments. `ret_arguments` has room for `count`
 * pointers; they point into `words`. False: `ret_error` says what is wrong, in one line. */
MUST_USE bool cli_flags_parse(size_t count, const char *const *words, struct cli_flags *ret_flags,
                              const char **ret_arguments, size_t *ret_argument_count,
                              char *ret_error, size_t error_size);

#endif
