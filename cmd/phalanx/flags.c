#include "phalanx/flags.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than anybody waits, and far shorter than a server remembers a request id (an hour). */
#define TIMEOUT_MS_MAX 600000

#define ADDRESS_DEFAULT "127.0.0.1:9000"
#define TIMEOUT_MS_DEFAULT 5000

/* Each takes a flag's text, and answers NULL or what would have been right. */
typedef const char *setter(struct cli_flags *flags, const char *text);

/* ---- Values -------------------------------------------------------------------------------- */

/* A whole number from 0 to `max`; `base` 0 also takes 0x. */
static bool parse_number(const char *text, int base, uint64_t max, uint64_t *ret_number) {
    if (text[0] < '0' || text[0] > '9') /* strtoull takes signs and blanks */
        return false;
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(text, &end, base);
    if (errno != 0 || *end != '\0' || number > max)
        return false;
    *ret_number = number;
    return true;
}

static bool parse_bool(const char *text, bool *ret_value) {
    bool is_true = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    if (!is_true && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return false;
    *ret_value = is_true;
    return true;
}

/* Milliseconds of "5s", "1.5s", "200ms", "2m". */
static bool parse_duration(const char *text, uint64_t *ret_ms) {
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double amount = strtod(text, &end);
    if (digits == 0 || end != text + digits)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double ms = amount * units[i].ms;
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (ms < 1 || ms > TIMEOUT_MS_MAX)
            return false;
        *ret_ms = (uint64_t)ms;
        return true;
    }
    return false;
}

/* ---- Setters ------------------------------------------------------------------------------- */

static const char *set_addresses(struct cli_flags *flags, const char *text) {
    flags->addresses = text;
    return text[0] != '\0' ? NULL : "host:port[,host:port...]";
}

static const char *set_path(const char **path, const char *text) {
    *path = text;
    return text[0] != '\0' ? NULL : "a file";
}

static const char *set_tls_cert(struct cli_flags *flags, const char *text) {
    return set_path(&flags->tls_cert, text);
}

static const char *set_tls_key(struct cli_flags *flags, const char *text) {
    return set_path(&flags->tls_key, text);
}

static const char *set_tls_ca(struct cli_flags *flags, const char *text) {
    return set_path(&flags->tls_ca, text);
}

static const char *set_tls_name(struct cli_flags *flags, const char *text) {
    flags->tls_name = text;
    return text[0] != '\0' ? NULL : "a name";
}

static const char *set_output(struct cli_flags *flags, const char *text) {
    flags->is_json = strcmp(text, "json") == 0;
    return flags->is_json || strcmp(text, "text") == 0 ? NULL : "text or json";
}

static const char *set_timeout(struct cli_flags *flags, const char *text) {
    return parse_duration(text, &flags->timeout_ms) ? NULL : "1ms to 10m, such as 5s";
}

static const char *set_consistency(struct cli_flags *flags, const char *text) {
    flags->is_stale = strcmp(text, "stale") == 0;
    return flags->is_stale || strcmp(text, "linearizable") == 0 ? NULL : "linearizable or stale";
}

static const char *set_prev_revision(struct cli_flags *flags, const char *text) {
    uint64_t number = 0;
    if (!parse_number(text, 10, INT64_MAX, &number))
        return "a revision, or 0: the key must be absent";
    flags->prev_revision = (int64_t)number;
    return NULL;
}

static const char *set_request_id(struct cli_flags *flags, const char *text) {
    static const char wanted[] = "CLIENT:SEQUENCE, two numbers from 1, or none";
    if (strcmp(text, "none") == 0) {
        flags->client_id = 0;
        return NULL;
    }
    const char *colon = strchr(text, ':');
    char client[32];
    if (colon == NULL || (size_t)(colon - text) >= sizeof client)
        return wanted;
    memcpy(client, text, (size_t)(colon - text));
    client[colon - text] = '\0';
    bool is_valid = parse_number(client, 0, UINT64_MAX, &flags->client_id) &&
                    parse_number(colon + 1, 10, UINT64_MAX, &flags->sequence);
    return is_valid && flags->client_id != 0 && flags->sequence != 0 ? NULL : wanted;
}

static const char *set_limit(struct cli_flags *flags, const char *text) {
    uint64_t number = 0;
    if (!parse_number(text, 10, INT64_MAX, &number))
        return "a number of keys, or 0: all";
    flags->limit = (int64_t)number;
    return NULL;
}

static const char *set_prefix(struct cli_flags *flags, const char *text) {
    flags->prefix = text;
    return NULL;
}

static const char *set_all(struct cli_flags *flags, const char *text) {
    return parse_bool(text, &flags->wants_all) ? NULL : "true or false";
}

static const char *set_keys_only(struct cli_flags *flags, const char *text) {
    return parse_bool(text, &flags->keys_only) ? NULL : "true or false";
}

static const char *set_encoding(struct cli_flags *flags, const char *text,
                                enum cli_encoding encoding) {
    bool is_on = false;
    if (!parse_bool(text, &is_on))
        return "true or false";
    flags->encoding = is_on ? encoding : CLI_RAW;
    return NULL;
}

static const char *set_hex(struct cli_flags *flags, const char *text) {
    return set_encoding(flags, text, CLI_HEX);
}

static const char *set_base64(struct cli_flags *flags, const char *text) {
    return set_encoding(flags, text, CLI_BASE64);
}

static const char *set_data_dir(struct cli_flags *flags, const char *text) {
    flags->data_dir = text;
    return text[0] != '\0' ? NULL : "a directory";
}

static const char *set_node_id(struct cli_flags *flags, const char *text) {
    flags->node_id = text;
    return text[0] != '\0' ? NULL : "a name";
}

static const char *set_help(struct cli_flags *flags, const char *text) {
    return parse_bool(text, &flags->wants_help) ? NULL : "true or false";
}

/* ---- The table ----------------------------------------------------------------------------- */

static const struct {
    struct cli_flag_info info;
    setter *set;
} table[CLI_FLAG_COUNT] = {
    [CLI_FLAG_ADDR] = {{"addr", "HOST:PORT[,...]", NULL,
                        "servers to ask (PHALANX_ADDR; default " ADDRESS_DEFAULT ")"},
                       set_addresses},
    [CLI_FLAG_TLS_CERT] = {{"tls-cert", "FILE", NULL, "our certificate, PEM (PHALANX_TLS_CERT)"},
                           set_tls_cert},
    [CLI_FLAG_TLS_KEY] = {{"tls-key", "FILE", NULL, "its private key (PHALANX_TLS_KEY)"},
                          set_tls_key},
    [CLI_FLAG_TLS_CA] = {{"tls-ca", "FILE", NULL, "who signed the servers' (PHALANX_TLS_CA)"},
                         set_tls_ca},
    [CLI_FLAG_TLS_NAME] = {{"tls-name", "NAME", NULL,
                            "name in the servers' certificates (PHALANX_TLS_NAME; default: host)"},
                           set_tls_name},
    [CLI_FLAG_OUTPUT] = {{"o", "FORMAT", "text json", "output: text (default) or json"},
                         set_output},
    [CLI_FLAG_TIMEOUT] = {{"timeout", "TIME", NULL, "how long to try, retries included (5s)"},
                          set_timeout},
    [CLI_FLAG_CONSISTENCY] = {{"consistency", "LEVEL", "linearizable stale",
                               "linearizable (default), or stale: whatever the server has"},
                              set_consistency},
    [CLI_FLAG_PREV_REVISION] = {{"prev-revision", "N", NULL,
                                 "only if the key was last modified at revision N; 0: is absent"},
                                set_prev_revision},
    [CLI_FLAG_REQUEST_ID] =
        {{"request-id", "CLIENT:SEQ", NULL,
          "name this write, so that repeating it has no further effect; or none"},
         set_request_id},
    [CLI_FLAG_LIMIT] = {{"limit", "N", NULL, "at most N keys; 0 (default): all"}, set_limit},
    [CLI_FLAG_PREFIX] = {{"prefix", "P", NULL, "only keys that begin with P"}, set_prefix},
    [CLI_FLAG_ALL] = {{"all", NULL, NULL, "every node, as one server sees them"}, set_all},
    [CLI_FLAG_KEYS_ONLY] = {{"keys-only", NULL, NULL, "leave out the values"}, set_keys_only},
    [CLI_FLAG_HEX] = {{"hex", NULL, NULL, "write keys and values as hexadecimal digits"}, set_hex},
    [CLI_FLAG_BASE64] = {{"base64", NULL, NULL, "write keys and values as base64"}, set_base64},
    [CLI_FLAG_DATA_DIR] = {{"data-dir", "DIR", NULL, "the new data directory"}, set_data_dir},
    [CLI_FLAG_NODE_ID] = {{"node-id", "NAME", NULL,
                           "the new node's name; without it, NODE_ID of its first start"},
                          set_node_id},
    [CLI_FLAG_HELP] = {{"help", NULL, NULL, "print this help"}, set_help},
};

const struct cli_flag_info *cli_flag_info(enum cli_flag flag) {
    return &table[flag].info;
}

/* CLI_FLAG_COUNT: there is none of that name. */
static enum cli_flag flag_named(const char *name, size_t len) {
    if (len == 1 && name[0] == 'h')
        return CLI_FLAG_HELP;
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++)
        if (strlen(table[i].info.name) == len && memcmp(table[i].info.name, name, len) == 0)
            return (enum cli_flag)i;
    return CLI_FLAG_COUNT;
}

/* ---- Parsing ------------------------------------------------------------------------------- */

struct parser {
    const char *const *words;
    size_t count;
    size_t next;
    struct cli_flags flags;
    char *error;
    size_t error_size;
};

static bool fail(struct parser *p, const char *word, const char *what, const char *more) {
    snprintf(p->error, p->error_size, "%s: %s%s", word, what, more);
    return false;
}

/* The word just taken is a flag. */
static bool parse_flag(struct parser *p, const char *word) {
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    enum cli_flag flag = flag_named(name, len);
    if (flag == CLI_FLAG_COUNT)
        return fail(p, word, "unknown flag", " (after -- everything is an argument)");
    const char *text = name[len] == '=' ? name + len + 1 : NULL;
    if (text == NULL && table[flag].info.argument == NULL)
        text = "true";
    if (text == NULL && p->next == p->count)
        return fail(p, word, "needs a value: ", table[flag].info.argument);
    if (text == NULL)
        text = p->words[p->next++];
    const char *wanted = table[flag].set(&p->flags, text);
    if (wanted != NULL)
        return fail(p, word, "must be ", wanted);
    p->flags.given |= CLI_FLAG_BIT(flag);
    return true;
}

static const char *variable_or(const char *name, const char *fallback) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? text : fallback;
}

static struct cli_flags defaults(void) {
    return (struct cli_flags){
        .addresses = variable_or("PHALANX_ADDR", ADDRESS_DEFAULT),
        .tls_cert = variable_or("PHALANX_TLS_CERT", ""),
        .tls_key = variable_or("PHALANX_TLS_KEY", ""),
        .tls_ca = variable_or("PHALANX_TLS_CA", ""),
        .tls_name = variable_or("PHALANX_TLS_NAME", ""),
        .timeout_ms = TIMEOUT_MS_DEFAULT,
    };
}

bool cli_flags_parse(size_t count, const char *const *words, struct cli_flags *ret_flags,
                     const char **ret_arguments, size_t *ret_argument_count, char *ret_error,
                     size_t error_size) {
    struct parser p = {
        .words = words,
        .count = count,
        .flags = defaults(),
        .error = ret_error,
        .error_size = error_size,
    };
    size_t arguments = 0;
    bool has_flags = true; /* until -- */
    while (p.next < count) {
        const char *word = words[p.next++];
        if (has_flags && strcmp(word, "--") == 0)
            has_flags = false;
        else if (!has_flags || word[0] != '-' || word[1] == '\0')
            ret_arguments[arguments++] = word;
        else if (!parse_flag(&p, word))
            return false;
    }
    *ret_flags = p.flags;
    *ret_argument_count = arguments;
    return true;
}
