/* top: the whole cluster, again and again; and the same once, for `status -all`. */
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/mesh_table.h"
#include "phalanx/output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

/* The servers tell each other as often. */
#define REFRESH_MS 1000

/* Home, and erase what is below: the lines are then written over. */
#define TO_THE_TOP "\033[H"
#define ERASE_BELOW "\033[J"
#define CLEAR "\033[2J"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number) {
    (void)number;
    is_interrupted = 1;
}

static void attempt_report(void *context, struct rpc_client *client, uint64_t timeout_ms,
                           struct rpc_outcome *ret_outcome) {
    rpc_client_report(client, timeout_ms, context, ret_outcome);
}

static enum cli_exit show_once(const struct cli_invocation *invocation, struct cli_caller *caller) {
    static struct node_report report; /* large */
    enum cli_exit end =
        cli_caller_read(caller, invocation->command->name, false, attempt_report, &report);
    if (end != CLI_EXIT_OK)
        return end;
    if (invocation->flags->is_json)
        cli_mesh_print_json(&report);
    else
        cli_mesh_print(&report);
    return CLI_EXIT_OK;
}

/* ---- Refreshed ----------------------------------------------------------------------------- */

/* Keys without waiting for a line feed, and without their echo. False: the input is no terminal. */
static bool take_keys(struct termios *ret_before) {
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, ret_before) != 0)
        return false;
    raw = *ret_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* Waits for the next refresh. False: it is to end. */
static bool wait_for_key(bool has_keys) {
    struct pollfd input = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key = 0;
    int ready = poll(&input, 1, REFRESH_MS);
    if (is_interrupted || (ready < 0 && errno != EINTR))
        return false;
    return ready <= 0 || (read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q');
}

static enum cli_exit refresh(const struct cli_invocation *invocation, struct cli_caller *caller) {
    printf(TO_THE_TOP ERASE_BELOW);
    (void)cli_output_flush();
    enum cli_exit end = show_once(invocation, caller);
    printf("\nq ends it\n");
    return cli_output_flush() ? end : CLI_EXIT_ERROR;
}

/* An outage is what one may be watching for: it goes on. */
static enum cli_exit show_until_key(const struct cli_invocation *invocation,
                                    struct cli_caller *caller) {
    struct termios before;
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool has_keys = take_keys(&before);
    printf(HIDE_CURSOR CLEAR);
    enum cli_exit end = refresh(invocation, caller);
    while (wait_for_key(has_keys))
        end = refresh(invocation, caller);
    printf(SHOW_CURSOR);
    if (has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before); /* the terminal may be gone */
    return end;
}

/* ---- Commands ------------------------------------------------------------------------------ */

static enum cli_exit run(const struct cli_invocation *invocation, bool may_refresh) {
    rpc_init();
    enum cli_exit end = CLI_EXIT_USAGE;
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller != NULL)
        end = may_refresh && isatty(STDOUT_FILENO) ? show_until_key(invocation, caller)
                                                   : show_once(invocation, caller);
    cli_caller_free(caller);
    rpc_shutdown();
    return end;
}

enum cli_exit cli_run_top(const struct cli_invocation *invocation) {
    return run(invocation, !invocation->flags->is_json);
}

enum cli_exit cli_run_status_all(const struct cli_invocation *invocation) {
    return run(invocation, false);
}
