/* What the program can do: one table, from which dispatch, help and completion are made. */
#ifndef PHALANX_CLI_COMMANDS_H
#define PHALANX_CLI_COMMANDS_H

#include "phalanx/exit.h"
#include "phalanx/flags.h"

#include <stddef.h>

struct cli_command;

/* A command as it was called; the arguments follow the command's name. */
struct cli_invocation {
    const struct cli_command *command;
    const struct cli_flags *flags;
    const char *const *arguments;
    size_t argument_count;
};

struct cli_command {
    const char *name;      /* one word, or two: "snapshot save" */
    const char *arguments; /* such as "KEY VALUE" */
    const char *choices;   /* words for the first argument, with spaces between; or NULL */
    const char *summary;
    const char *details; /* lines for its help; or NULL */
    size_t arguments_min;
    size_t arguments_max;
    unsigned flags; /* set of those it takes, besides -help */
    enum cli_exit (*run)(const struct cli_invocation *invocation);
};

/* All of them, ending with one without a name. */
extern const struct cli_command cli_commands[];

/* The command that the first words name, and how many of them do. NULL: none. */
const struct cli_command *cli_command_find(const char *const *words, size_t count,
                                           size_t *ret_words);

/* Whether a command's first word is `word`, as in "snapshot". */
bool cli_command_is_group(const char *word);

/* Runs a whole command line: the words after the program's name. */
enum cli_exit cli_run(size_t count, const char *const *words);

enum cli_exit cli_run_put(const struct cli_invocation *invocation);
enum cli_exit cli_run_get(const struct cli_invocation *invocation);
enum cli_exit cli_run_delete(const struct cli_invocation *invocation);
enum cli_exit cli_run_scan(const struct cli_invocation *invocation);
enum cli_exit cli_run_status(const struct cli_invocation *invocation);
enum cli_exit cli_run_status_all(const struct cli_invocation *invocation);
enum cli_exit cli_run_top(const struct cli_invocation *invocation);
enum cli_exit cli_run_members(const struct cli_invocation *invocation);
enum cli_exit cli_run_member_add(const struct cli_invocation *invocation);
enum cli_exit cli_run_member_promote(const struct cli_invocation *invocation);
enum cli_exit cli_run_member_remove(const struct cli_invocation *invocation);
enum cli_exit cli_run_member_replace(const struct cli_invocation *invocation);
enum cli_exit cli_run_transfer_leader(const struct cli_invocation *invocation);
enum cli_exit cli_run_snapshot_save(const struct cli_invocation *invocation);
enum cli_exit cli_run_snapshot_inspect(const struct cli_invocation *invocation);
enum cli_exit cli_run_snapshot_restore(const struct cli_invocation *invocation);
enum cli_exit cli_run_version(const struct cli_invocation *invocation);
enum cli_exit cli_run_completion(const struct cli_invocation *invocation);
enum cli_exit cli_run_help(const struct cli_invocation *invocation);

/* The help of one command; NULL: of all. `word` limits the list to one group; or NULL. */
void cli_help_print(const struct cli_command *command, const char *word);

#endif
