/* put, get, delete: one request each. */
#include "phalanx/argument.h"
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"

#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- What they share ----------------------------------------------------------------------- */

static bool id_is_given(const struct cli_flags *flags) {
    return (flags->given & CLI_FLAG_BIT(CLI_FLAG_REQUEST_ID)) != 0;
}

/* A name for this write: the user's, or one that nobody else makes, unless the user wants none.
 * With it every attempt but the first that is applied has no effect, so all of them may be
 * repeated. */
static void set_request_id(const struct cli_flags *flags, struct kv_request *request) {
    request->has_request_id = !id_is_given(flags) || flags->client_id != 0;
    request->client_id = flags->client_id;
    request->sequence = flags->sequence;
    if (id_is_given(flags))
        return;
    CHECK(getrandom(&request->client_id, sizeof request->client_id, 0) ==
          (ssize_t)sizeof request->client_id);
    request->client_id |= 1; /* 0 is no client */
    request->sequence = 1;
}

static struct kv_request write_request(const struct cli_flags *flags, enum kv_operation operation,
                                       struct bytes key, struct bytes value) {
    struct kv_request request = {
        .operation = operation,
        .key = key,
        .value = value,
        .has_prev_revision = (flags->given & CLI_FLAG_BIT(CLI_FLAG_PREV_REVISION)) != 0,
        .prev_revision = flags->prev_revision,
    };
    set_request_id(flags, &request);
    return request;
}

typedef enum cli_exit printer(const struct cli_invocation *invocation,
                              const struct kv_request *request, const struct kv_response *response);

/* Ask, and print the answer while it is there. */
static enum cli_exit ask(const struct cli_invocation *invocation, const struct kv_request *request,
                         printer *print) {
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller != NULL) {
        struct kv_response response;
        end = cli_caller_kv(caller, invocation->command->name, request,
                            !id_is_given(invocation->flags), &response);
        if (end == CLI_EXIT_OK)
            end = print(invocation, request, &response);
    }
    cli_caller_free(caller);
    rpc_shutdown();
    return end;
}

static enum cli_exit no_such_key(const struct cli_invocation *invocation) {
    cli_error("%s: no such key", invocation->command->name);
    return CLI_EXIT_NOT_FOUND;
}

/* ---- put ----------------------------------------------------------------------------------- */

static enum cli_exit print_put(const struct cli_invocation *invocation,
                               const struct kv_request *request,
                               const struct kv_response *response) {
    (void)request;
    if (!invocation->flags->is_json) {
        printf("revision %" PRId64 "\n", response->revision);
        return CLI_EXIT_OK;
    }
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_number(&json, "revision", response->revision);
    cli_json_close(&json, '}');
    putchar('\n');
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_put(const struct cli_invocation *invocation) {
    const char *word = invocation->arguments[1];
    struct cli_argument key = {0};
    struct cli_argument value = {0};
    enum cli_exit end = CLI_EXIT_USAGE;
    if (!cli_argument_read(invocation, "KEY", invocation->arguments[0], &key))
        return end;
    bool is_read = strcmp(word, "-") == 0 ? cli_argument_read_stdin(invocation, &value)
                                          : cli_argument_read(invocation, "VALUE", word, &value);
    if (is_read) {
        struct kv_request request =
            write_request(invocation->flags, KV_PUT, key.bytes, value.bytes);
        end = ask(invocation, &request, print_put);
    }
    cli_argument_free(&key);
    cli_argument_free(&value);
    return end;
}

/* ---- get ----------------------------------------------------------------------------------- */

static void print_get_json(const struct cli_flags *flags, const struct kv_request *request,
                           const struct kv_response *response) {
    const struct kv_item *item = &response->item;
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_bool(&json, "found", response->is_found);
    cli_json_bytes(&json, "key", request->key, flags->encoding);
    if (response->is_found) {
        cli_json_bytes(&json, "value", item->value, flags->encoding);
        cli_json_number(&json, "mod_revision", item->mod_revision);
        cli_json_number(&json, "create_revision", item->create_revision);
        cli_json_number(&json, "version", item->version);
    }
    cli_json_close(&json, '}');
    putchar('\n');
}

static enum cli_exit print_get(const struct cli_invocation *invocation,
                               const struct kv_request *request,
                               const struct kv_response *response) {
    const struct cli_flags *flags = invocation->flags;
    if (flags->is_json)
        print_get_json(flags, request, response);
    if (!response->is_found)
        return no_such_key(invocation);
    if (flags->is_json)
        return CLI_EXIT_OK;
    cli_print_bytes(stdout, response->item.value, flags->encoding);
    if (flags->encoding != CLI_RAW || isatty(STDOUT_FILENO))
        putchar('\n');
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_get(const struct cli_invocation *invocation) {
    struct cli_argument key = {0};
    if (!cli_argument_read(invocation, "KEY", invocation->arguments[0], &key))
        return CLI_EXIT_USAGE;
    struct kv_request request = {
        .operation = KV_GET,
        .key = key.bytes,
        .is_stale = invocation->flags->is_stale,
    };
    enum cli_exit end = ask(invocation, &request, print_get);
    cli_argument_free(&key);
    return end;
}

/* ---- delete -------------------------------------------------------------------------------- */

static enum cli_exit print_delete(const struct cli_invocation *invocation,
                                  const struct kv_request *request,
                                  const struct kv_response *response) {
    (void)request;
    if (invocation->flags->is_json) {
        struct cli_json json = {.out = stdout};
        cli_json_open(&json, NULL, '{');
        cli_json_bool(&json, "deleted", response->is_found);
        cli_json_number(&json, "revision", response->revision);
        cli_json_close(&json, '}');
        putchar('\n');
    }
    if (!response->is_found)
        return no_such_key(invocation);
    if (!invocation->flags->is_json)
        printf("revision %" PRId64 "\n", response->revision);
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_delete(const struct cli_invocation *invocation) {
    struct cli_argument key = {0};
    if (!cli_argument_read(invocation, "KEY", invocation->arguments[0], &key))
        return CLI_EXIT_USAGE;
    struct kv_request request =
        write_request(invocation->flags, KV_DELETE, key.bytes, bytes_of(NULL, 0));
    enum cli_exit end = ask(invocation, &request, print_delete);
    cli_argument_free(&key);
    return end;
}
