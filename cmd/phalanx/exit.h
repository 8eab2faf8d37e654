/* How the program ends; scripts rely on these. */
#ifndef PHALANX_CLI_EXIT_H
#define PHALANX_CLI_EXIT_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_ERROR = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_NOT_FOUND = 3,    /* there is no such key, or no such node */
    CLI_EXIT_UNAVAILABLE = 4,  /* nobody could at the moment, and certainly nothing was applied */
    CLI_EXIT_UNKNOWN = 5,      /* a write or a change that may or may not have been applied */
    CLI_EXIT_PRECONDITION = 6, /* -prev-revision did not match, or the cluster refused the change;
                                  nothing was applied */
};

#endif
