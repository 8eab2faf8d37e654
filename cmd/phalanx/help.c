#include "phalanx/commands.h"

#include "phalanx/output.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

static void print_flags(unsigned flags) {
    printf("\nFlags, before or after the arguments, with one dash or two; -- ends them:\n");
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++) {
        if ((flags & CLI_FLAG_BIT(i)) == 0)
            continue;
        const struct cli_flag_info *info = cli_flag_info((enum cli_flag)i);
        int width = printf("  -%s %s", info->name, info->argument == NULL ? "" : info->argument);
        printf("%*s  %s\n", width < 26 ? 26 - width : 0, "", info->help);
    }
}

static void print_command(const struct cli_command *command) {
    printf("phalanx %s%s%s [flags]: %s\n", command->name, command->arguments[0] == '\0' ? "" : " ",
           command->arguments, command->summary);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
    print_flags(command->flags | CLI_FLAG_BIT(CLI_FLAG_HELP));
}

/* Those of one group, or all. */
static void print_list(const char *group) {
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        if (group != NULL && strncmp(command->name, group, strlen(group)) != 0)
            continue;
        int width = printf("  %s %s", command->name, command->arguments);
        printf("%*s  %s\n", width < 26 ? 26 - width : 0, "", command->summary);
    }
}

void cli_help_print(const struct cli_command *command, const char *word) {
    if (command != NULL) {
        print_command(command);
        return;
    }
    printf("phalanx COMMAND [arguments] [flags]: the command line of a Phalanx cluster\n\n");
    print_list(word);
    if (word != NULL)
        return;
    printf("\n`phalanx help COMMAND` tells the flags. All that ask a server take -addr\n"
           "HOST:PORT[,...] (or PHALANX_ADDR; default 127.0.0.1:9000), -timeout, -o text|json,\n"
           "and -tls-cert, -tls-key, -tls-ca and -tls-name (or PHALANX_TLS_CERT and so on).\n"
           "\n"
           "Exit codes: 0 ok, 1 error, 2 usage, 3 no such key or node, 4 unavailable and not "
           "applied,\n"
           "5 outcome unknown, 6 precondition failed or change refused.\n");
}

enum cli_exit cli_run_help(const struct cli_invocation *invocation) {
    size_t named = 0;
    const char *const *words = invocation->arguments;
    size_t count = invocation->argument_count;
    const struct cli_command *command = cli_command_find(words, count, &named);
    bool is_group = count == 1 && cli_command_is_group(words[0]);
    if (count > 0 && named != count && !is_group) {
        cli_error("help: %s: no such command; `phalanx help` lists them", words[count - 1]);
        return CLI_EXIT_USAGE;
    }
    cli_help_print(command, is_group ? words[0] : NULL);
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_version(const struct cli_invocation *invocation) {
    if (!invocation->flags->is_json) {
        printf("phalanx %s (%s)\n", PHALANX_VERSION, PHALANX_COMMIT);
        return CLI_EXIT_OK;
    }
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "version", PHALANX_VERSION);
    cli_json_text(&json, "commit", PHALANX_COMMIT);
    cli_json_close(&json, '}');
    putchar('\n');
    return CLI_EXIT_OK;
}
