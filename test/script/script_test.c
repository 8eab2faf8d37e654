/* Stories in files: script/<name>.txt holds commands, one a line after "> ", and below each what
 * the engines did, byte by byte.
 *
 *     build/test/script/script_test              compares all of them
 *     build/test/script/script_test --rewrite    writes them anew: explain what changed
 *
 * Lines that begin with # are comments; they and empty lines stay. The commands are in the table
 * below. */
#include "support/net.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 16

struct story {
    struct net *net;
    FILE *out;
    int count;
    char *arguments[ARGUMENTS_MAX]; /* after the command */
};

static raft_id number(const struct story *s, int at) {
    return at < s->count ? strtoul(s->arguments[at], NULL, 10) : 0;
}

/* The arguments from `at` on, with spaces between. */
static const char *rest(const struct story *s, int at) {
    static char text[256];
    text[0] = 0;
    for (; at < s->count; at++) {
        if (text[0])
            strncat(text, " ", sizeof text - strlen(text) - 1);
        strncat(text, s->arguments[at], sizeof text - strlen(text) - 1);
    }
    return text;
}

static void say(struct story *s, enum status status) {
    if (status != STATUS_OK)
        (void)fprintf(s->out, "refused: %s\n", status_name(status)); /* to memory */
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* nodes <count> [<founders>]: nothing is started yet */
static void do_nodes(struct story *s) {
    raft_id founders = s->count > 1 ? number(s, 1) : number(s, 0);
    s->net = net_unstarted(number(s, 0), founders, 1);
    s->net->trace = s->out;
    s->net->hides_heartbeats = true;
}

/* prepare <id> <term> <vote> <entries> */
static void do_prepare(struct story *s) {
    net_prepare(s->net, number(s, 0), rest(s, 3), number(s, 1), number(s, 2));
}

static void do_start(struct story *s) {
    net_start_all(s->net);
}

static void do_heartbeats(struct story *s) {
    s->net->hides_heartbeats = strcmp(rest(s, 0), "shown") != 0;
}

static void do_leases(struct story *s) {
    for (raft_id id = 1; id <= s->net->node_count; id++)
        net_node(s->net, id)->has_lease_reads = strcmp(rest(s, 0), "on") == 0;
}

static void do_elect(struct story *s) {
    net_elect(s->net, number(s, 0));
}

static void do_propose(struct story *s) {
    say(s, net_propose(s->net, number(s, 0), rest(s, 1)));
}

static void do_read(struct story *s) {
    say(s, net_read(s->net, number(s, 0)));
}

static void do_transfer(struct story *s) {
    say(s, net_transfer(s->net, number(s, 0), number(s, 1)));
}

/* members <leader> <ids>: l after an id makes it a learner */
static void do_members(struct story *s) {
    say(s, net_configure(s->net, number(s, 0), rest(s, 1)));
}

static void do_deliver(struct story *s) {
    net_settle(s->net);
}

static void do_tick(struct story *s) {
    net_elapse(s->net, number(s, 0));
}

static void do_cut(struct story *s) {
    net_cut(s->net, number(s, 0), number(s, 1));
}

static void do_isolate(struct story *s) {
    net_isolate(s->net, number(s, 0));
}

static void do_heal(struct story *s) {
    net_heal(s->net);
}

static void do_hold(struct story *s) {
    net_hold(s->net, number(s, 0), number(s, 1));
}

static void do_release(struct story *s) {
    net_release(s->net, number(s, 0), number(s, 1));
}

static void do_drop(struct story *s) {
    net_drop(s->net, number(s, 0), number(s, 1));
}

static void do_slow(struct story *s) {
    net_disk_hold(s->net, number(s, 0));
}

static void do_fast(struct story *s) {
    net_disk_heal(s->net, number(s, 0));
}

static void do_sync(struct story *s) {
    if (!net_sync(s->net, number(s, 0)))
        (void)fprintf(s->out, "nothing to sync\n"); /* to memory */
}

static void do_crash(struct story *s) {
    net_crash(s->net, number(s, 0));
}

static void do_restart(struct story *s) {
    net_restart(s->net, number(s, 0));
}

/* shorten <id> <index>: cut the log up to there */
static void do_shorten(struct story *s) {
    net_cut_log(s->net, number(s, 0), number(s, 1));
}

static void do_status(struct story *s) {
    for (raft_id id = 1; id <= s->net->node_count; id++) {
        if (!net_node(s->net, id)->raft) {
            (void)fprintf(s->out, "%lu: down\n", id); /* to memory */
            continue;
        }
        const struct raft_status *status = net_status(s->net, id);
        (void)fprintf(s->out, "%lu: %s, term %lu, leader %lu, commit %lu, durable %lu%s, log %s\n",
                      id, net_role_text(status->role), status->term, status->leader,
                      status->commit_index, status->durable_index,
                      net_has_lease(s->net, id) ? ", lease" : "",
                      net_log_text(s->net, id)); /* to memory */
    }
}

static const struct {
    const char *name;
    void (*run)(struct story *s);
} commands[] = {
    {"nodes", do_nodes},     {"prepare", do_prepare}, {"start", do_start},
    {"elect", do_elect},     {"propose", do_propose}, {"read", do_read},
    {"members", do_members}, {"deliver", do_deliver}, {"transfer", do_transfer},
    {"tick", do_tick},       {"cut", do_cut},         {"isolate", do_isolate},
    {"heal", do_heal},       {"hold", do_hold},       {"release", do_release},
    {"drop", do_drop},       {"slow", do_slow},       {"fast", do_fast},
    {"sync", do_sync},       {"crash", do_crash},     {"restart", do_restart},
    {"status", do_status},   {"shorten", do_shorten}, {"heartbeats", do_heartbeats},
    {"leases", do_leases},
};

static void run_command(struct story *s, char *line) {
    char *name = strtok(line, " ");
    s->count = 0;
    for (char *word; s->count < ARGUMENTS_MAX && (word = strtok(NULL, " "));)
        s->arguments[s->count++] = word;
    for (size_t i = 0; name && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(s);
            return;
        }
    (void)fprintf(s->out, "unknown command\n"); /* to memory */
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t len = 0;
    if (!file || (getdelim(&text, &len, EOF, file) < 0 && !feof(file)))
        exit(2);
    (void)fclose(file); /* only read */
    return text;
}

/* The story told anew; freed by the caller. */
static char *tell(const char *text) {
    char *copy = strdup(text), *told = NULL, *end;
    size_t len;
    struct story s = {.out = open_memstream(&told, &len)};
    for (char *line = copy; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        bool is_kept = line[0] == '#' || line[0] == 0 || line[0] == '>';
        if (is_kept)
            (void)fprintf(s.out, "%s\n", line); /* to memory */
        if (strncmp(line, "> ", 2) == 0)
            run_command(&s, line + 2);
    }
    if (s.net)
        s.net->trace = NULL;
    if (s.net)
        net_free(s.net);
    (void)fclose(s.out); /* memory */
    free(copy);
    return told;
}

/* The first line that differs. */
static void show_difference(const char *path, const char *expected, const char *told) {
    size_t line = 1, start = 0, i = 0;
    for (; expected[i] && expected[i] == told[i]; i++)
        if (expected[i] == '\n') {
            line++;
            start = i + 1;
        }
    printf("%s:%zu\n  expected: %.*s\n  told:     %.*s\n", path, line,
           (int)strcspn(expected + start, "\n"), expected + start, (int)strcspn(told + start, "\n"),
           told + start);
}

static bool check(const char *path, bool rewrites) {
    char *expected = read_file(path);
    char *told = tell(expected);
    bool is_equal = strcmp(expected, told) == 0;
    if (!is_equal && rewrites) {
        FILE *file = fopen(path, "w");
        if (!file || fputs(told, file) < 0 || fclose(file) != 0)
            exit(2);
        printf("%s: written\n", path);
    } else if (!is_equal) {
        show_difference(path, expected, told);
    } else {
        printf("%s: as told\n", path);
    }
    free(expected);
    free(told);
    return is_equal || rewrites;
}

int main(int argc, char **argv) {
    bool rewrites = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    bool is_good = true;
    glob_t files;
    if (glob("script/*.txt", 0, NULL, &files) != 0) {
        puts("no script/*.txt here: run it in the folder test");
        return 2;
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        is_good = check(files.gl_pathv[i], rewrites) && is_good;
    globfree(&files);
    return is_good ? 0 : 1;
}
