#include "support/death.h"

#include "check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

bool death_follows(void (*act)(void *context), void *context) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka would report a failed test */
        act(context);
        _exit(0);
    }
    int ending;
    CHECK(waitpid(child, &ending, 0) == child);
    return WIFSIGNALED(ending) && WTERMSIG(ending) == SIGABRT;
}
