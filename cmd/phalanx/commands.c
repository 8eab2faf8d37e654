#include "phalanx/commands.h"

#include "phalanx/output.h"

#include <stdlib.h>
#include <string.h>

#define BIT(flag) CLI_FLAG_BIT(CLI_FLAG_##flag)

/* Every command that asks a server. */
#define ASKING \
    (BIT(ADDR) | BIT(TIMEOUT) | BIT(OUTPUT) | BIT(TLS_CERT) | BIT(TLS_KEY) | BIT(TLS_CA) | \
     BIT(TLS_NAME))
#define WRITING (ASKING | BIT(PREV_REVISION) | BIT(REQUEST_ID) | BIT(HEX) | BIT(BASE64))
/* Nodes and how to name them; shared by the commands that change the cluster. */
#define NODE_NAMES \
    "A node is named by its NODE_ID, or as id:HEX by the identity that `phalanx members` shows.\n" \
    "Any server takes it. Exits with 3 when there is no such node, with 6 when the cluster\n" \
    "refuses and says why, with 4 when nothing was begun, as while another change is under\n" \
    "way, and with 5 when it may have been done."

#define READING (ASKING | BIT(CONSISTENCY) | BIT(HEX) | BIT(BASE64))

const struct cli_command cli_commands[] = {
    {"put", "KEY VALUE", NULL, "set a key",
     "VALUE - takes the value from stdin, any bytes. Prints the new revision.\n"
     "Each put carries a request id, so that a retry takes effect once. The servers remember\n"
     "65536 clients for an hour, and each put is one: a script that writes more passes\n"
     "-request-id none, or ids of its own; a put without one is repeated only while it has\n"
     "certainly not been applied.",
     2, 2, WRITING, cli_run_put},
    {"get", "KEY", NULL, "print a key's value",
     "Prints the value's bytes as they are, and a newline after them on a terminal.\n"
     "Exits with 3 when there is no such key.",
     1, 1, READING, cli_run_get},
    {"delete", "KEY", NULL, "remove a key",
     "Prints the revision. Exits with 3 when there was no such key.", 1, 1, WRITING,
     cli_run_delete},
    {"scan", "[START [END]]", NULL, "print keys and values in order",
     "From START, included, to END, excluded. One line each: the key, a tab, the value;\n"
     "what is not printable appears as \\xHH, a backslash as \\\\. The whole is read in\n"
     "pages: each is consistent, keys written meanwhile may or may not appear.",
     0, 2, READING | BIT(LIMIT) | BIT(PREFIX) | BIT(KEYS_ONLY), cli_run_scan},
    {"status", "", NULL, "print what each server says of itself",
     "Asks every address given. JSON is one object for each, on a line of its own. With -all one\n"
     "server tells what every node of its cluster last said of itself.",
     0, 0, ASKING | BIT(ALL), cli_run_status},
    {"top", "", NULL, "show every node, once a second",
     "What `phalanx status -all` prints, until q or Ctrl-C; once when the output is no terminal.\n"
     "Latencies are milliseconds of the last ten seconds, RTT is from the asked server and back.",
     0, 0, ASKING, cli_run_top},
    {"members", "", NULL, "list the cluster's members",
     "As the leader sees them: how far the log of each is known to equal the leader's, how many\n"
     "entries it lacks, and for how long nothing was heard of it. While there is no leader, any\n"
     "server tells what it knows.",
     0, 0, ASKING, cli_run_members},
    {"member add", "NODE", NULL, "take a node in as a learner",
     "A learner receives everything and does not vote. The node runs, and has met the "
     "cluster.\n" NODE_NAMES,
     1, 1, ASKING, cli_run_member_add},
    {"member promote", "NODE", NULL, "make a learner a voter",
     "Once it has caught up. A silent member of the same name leaves with the same "
     "change.\n" NODE_NAMES,
     1, 1, ASKING, cli_run_member_promote},
    {"member remove", "NODE", NULL, "remove a member",
     "The node then stops by itself.\n" NODE_NAMES, 1, 1, ASKING, cli_run_member_remove},
    {"member replace", "OLD NEW", NULL, "let a learner vote in a member's place",
     "Both in one change.\n" NODE_NAMES, 2, 2, ASKING, cli_run_member_replace},
    {"transfer-leader", "[NODE]", NULL, "hand leadership over",
     "To NODE, or to the voter that is furthest.\n" NODE_NAMES, 0, 1, ASKING,
     cli_run_transfer_leader},
    {"snapshot save", "FILE", NULL, "write the whole state of a server to a file",
     "The file appears only once it is complete, checked and synced.\n"
     "-timeout is how long to wait for each next piece.",
     1, 1, ASKING, cli_run_snapshot_save},
    {"snapshot inspect", "FILE", NULL, "check a snapshot and print what it holds", NULL, 1, 1,
     BIT(OUTPUT), cli_run_snapshot_inspect},
    {"snapshot restore", "FILE", NULL, "make a data directory of a snapshot",
     "For a new cluster of one server, with the snapshot's keys; others then join it.", 1, 1,
     BIT(OUTPUT) | BIT(DATA_DIR) | BIT(NODE_ID), cli_run_snapshot_restore},
    {"version", "", NULL, "print the program's version", NULL, 0, 0, BIT(OUTPUT), cli_run_version},
    {"completion", "SHELL", "bash zsh fish", "print a script that completes commands",
     "bash: source <(phalanx completion bash)\n"
     "zsh:  source <(phalanx completion zsh)\n"
     "fish: phalanx completion fish | source",
     1, 1, 0, cli_run_completion},
    {"help", "[COMMAND]", NULL, "print help, for one command or all", NULL, 0, 2, 0, cli_run_help},
    {.name = NULL},
};

/* ---- Finding ------------------------------------------------------------------------------- */

/* How many of the words are the command's name; 0: they are not. */
static size_t words_matched(const struct cli_command *command, const char *const *words,
                            size_t count) {
    const char *space = strchr(command->name, ' ');
    if (space == NULL)
        return count >= 1 && strcmp(words[0], command->name) == 0 ? 1 : 0;
    size_t len = (size_t)(space - command->name);
    bool is_named = count >= 2 && strlen(words[0]) == len &&
                    memcmp(words[0], command->name, len) == 0 && strcmp(words[1], space + 1) == 0;
    return is_named ? 2 : 0;
}

const struct cli_command *cli_command_find(const char *const *words, size_t count,
                                           size_t *ret_words) {
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        size_t matched = words_matched(command, words, count);
        if (matched == 0)
            continue;
        *ret_words = matched;
        return command;
    }
    return NULL;
}

bool cli_command_is_group(const char *word) {
    size_t len = strlen(word);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        if (strncmp(command->name, word, len) == 0 && command->name[len] == ' ')
            return true;
    return false;
}

/* ---- Running ------------------------------------------------------------------------------- */

/* The words name no command. */
static enum cli_exit run_none(const struct cli_flags *flags, const char *const *words,
                              size_t count) {
    if (count == 0 && flags->wants_help) {
        cli_help_print(NULL, NULL);
        return CLI_EXIT_OK;
    }
    if (count == 0) {
        cli_error("which command? `phalanx help` lists them");
    } else if (!cli_command_is_group(words[0])) {
        cli_error("%s: no such command; `phalanx help` lists them", words[0]);
    } else if (flags->wants_help) {
        cli_help_print(NULL, words[0]);
        return CLI_EXIT_OK;
    } else {
        cli_error("%s: which one? `phalanx help %s` lists them", words[0], words[0]);
    }
    return CLI_EXIT_USAGE;
}

/* A flag that the command has no use for would be ignored in silence. */
static bool flags_fit(const struct cli_command *command, const struct cli_flags *flags) {
    unsigned excess = flags->given & ~(command->flags | BIT(HELP));
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++) {
        if ((excess & CLI_FLAG_BIT(i)) == 0)
            continue;
        cli_error("%s: takes no -%s; see `phalanx help %s`", command->name,
                  cli_flag_info((enum cli_flag)i)->name, command->name);
        return false;
    }
    if ((flags->given & BIT(HEX)) == 0 || (flags->given & BIT(BASE64)) == 0)
        return true;
    cli_error("%s: either -hex or -base64", command->name);
    return false;
}

static bool arguments_fit(const struct cli_command *command, size_t count) {
    if (count >= command->arguments_min && count <= command->arguments_max)
        return true;
    cli_error("%s: too %s arguments; usage: phalanx %s%s%s [flags]", command->name,
              count < command->arguments_min ? "few" : "many", command->name,
              command->arguments[0] == '\0' ? "" : " ", command->arguments);
    return false;
}

static enum cli_exit run_words(const struct cli_flags *flags, const char *const *words,
                               size_t count) {
    size_t named = 0;
    const struct cli_command *command = cli_command_find(words, count, &named);
    if (command == NULL)
        return run_none(flags, words, count);
    if (flags->wants_help) {
        cli_help_print(command, NULL);
        return CLI_EXIT_OK;
    }
    if (!flags_fit(command, flags) || !arguments_fit(command, count - named))
        return CLI_EXIT_USAGE;
    struct cli_invocation invocation = {command, flags, words + named, count - named};
    return command->run(&invocation);
}

enum cli_exit cli_run(size_t count, const char *const *words) {
    const char **arguments = calloc(count + 1, sizeof *arguments);
    CHECK(arguments != NULL);
    struct cli_flags flags;
    size_t argument_count = 0;
    char error[256];
    enum cli_exit end = CLI_EXIT_USAGE;
    if (cli_flags_parse(count, words, &flags, arguments, &argument_count, error, sizeof error))
        end = run_words(&flags, arguments, argument_count);
    else
        cli_error("%s", error);
    free(arguments);
    if (!cli_output_finish() && end == CLI_EXIT_OK)
        end = CLI_EXIT_ERROR;
    return end;
}
