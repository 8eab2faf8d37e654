/* completion: a script for each shell, made from the tables of commands and flags. */
#include "phalanx/commands.h"
#include "phalanx/output.h"

#include <stdio.h>
#include <string.h>

/* The first words of commands, each once: "snapshot save" gives "snapshot". */
static void print_first_words(void) {
    const char *last = "";
    size_t last_len = 0;
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        size_t len = strcspn(c->name, " ");
        if (len != last_len || memcmp(c->name, last, len) != 0)
            printf("%s%.*s", c == cli_commands ? "" : " ", (int)len, c->name);
        last = c->name;
        last_len = len;
    }
}

static void print_flag_words(unsigned flags) {
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++)
        if ((flags & CLI_FLAG_BIT(i)) != 0)
            printf(" -%s", cli_flag_info((enum cli_flag)i)->name);
}

/* ---- bash, and zsh by its bash mode -------------------------------------------------------- */

static bool has_same_first_word(const struct cli_command *a, const struct cli_command *b) {
    size_t len = strcspn(a->name, " ");
    return b->name != NULL && strcspn(b->name, " ") == len && memcmp(a->name, b->name, len) == 0;
}

/* What may follow each command's first word: second words or choices, and flags. Commands that
 * share it follow each other, and share one arm: zsh has no ";;&" to fall through by. */
static void print_bash_command(const struct cli_command *c) {
    const char *second = strchr(c->name, ' ');
    size_t len = strcspn(c->name, " ");
    if (c == cli_commands || !has_same_first_word(c, c - 1))
        printf("    %.*s) words+=\"", (int)len, c->name);
    if (second != NULL)
        printf("%s", second);
    if (c->choices != NULL)
        printf(" %s", c->choices);
    print_flag_words(c->flags | CLI_FLAG_BIT(CLI_FLAG_HELP));
    if (!has_same_first_word(c, c + 1))
        printf("\" ;;\n");
}

static void print_bash_values(void) {
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++) {
        const struct cli_flag_info *info = cli_flag_info((enum cli_flag)i);
        if (info->choices != NULL)
            printf("    -%s|--%s) words='%s' ;;\n", info->name, info->name, info->choices);
    }
}

static void print_bash(void) {
    printf("_phalanx() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local command=${COMP_WORDS[1]} words=''\n"
           "    COMPREPLY=()\n"
           "    case $previous in\n");
    print_bash_values();
    printf("    -data-dir|--data-dir|save|inspect|restore) return ;;\n"
           "    esac\n"
           "    if [ -z \"$words\" ] && [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        words='");
    print_first_words();
    printf("'\n"
           "    elif [ -z \"$words\" ]; then\n"
           "    case $command in\n");
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        if (c->run != cli_run_help)
            print_bash_command(c);
    printf("    help) words='");
    print_first_words();
    printf("' ;;\n"
           "    esac\n"
           "    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _phalanx phalanx\n");
}

static void print_zsh(void) {
    printf("autoload -Uz compinit bashcompinit && compinit && bashcompinit\n");
    print_bash();
}

/* ---- fish ---------------------------------------------------------------------------------- */

/* In single quotes, in which fish knows \' and \\. */
static void print_fish_text(const char *text) {
    printf(" -d '");
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void print_fish_flags(const char *seen, unsigned flags) {
    for (unsigned i = 0; i < CLI_FLAG_COUNT; i++) {
        const struct cli_flag_info *info = cli_flag_info((enum cli_flag)i);
        if ((flags & CLI_FLAG_BIT(i)) == 0)
            continue;
        printf("complete -c phalanx -n '__fish_seen_subcommand_from %s' -o %s", seen, info->name);
        print_fish_text(info->help);
        if (info->argument != NULL)
            printf(" -r");
        if (info->choices != NULL)
            printf(" -f -a '%s'", info->choices);
        putchar('\n');
    }
}

static void print_fish_command(const struct cli_command *c) {
    const char *second = strchr(c->name, ' ');
    if (second == NULL) {
        printf("complete -c phalanx -f -n __fish_use_subcommand -a %s", c->name);
        print_fish_text(c->summary);
        putchar('\n');
        if (c->choices != NULL)
            printf("complete -c phalanx -f -n '__fish_seen_subcommand_from %s' -a '%s'\n", c->name,
                   c->choices);
        print_fish_flags(c->name, c->flags);
        return;
    }
    int len = (int)strcspn(c->name, " ");
    printf("complete -c phalanx -f -n __fish_use_subcommand -a %.*s\n", len, c->name);
    printf("complete -c phalanx -n '__fish_seen_subcommand_from %.*s' -a %s", len, c->name,
           second + 1);
    print_fish_text(c->summary);
    putchar('\n');
    print_fish_flags(second + 1, c->flags);
}

static void print_fish(void) {
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        print_fish_command(c);
}

enum cli_exit cli_run_completion(const struct cli_invocation *invocation) {
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(invocation->arguments[0], shells[i].name) != 0)
            continue;
        shells[i].print();
        return CLI_EXIT_OK;
    }
    cli_error("completion: %s: must be bash, zsh or fish", invocation->arguments[0]);
    return CLI_EXIT_USAGE;
}
