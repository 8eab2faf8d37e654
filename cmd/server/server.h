/* The server: introduces the rooms to each other and runs the one loop. */
#ifndef PHALANX_SERVER_SERVER_H
#define PHALANX_SERVER_SERVER_H

#include "server/settings.h"

/* Open the directory, recover, serve until SIGTERM or SIGINT, stop cleanly. A node whose cluster
 * never came to life sets aside what it holds and goes on as a new one. Returns the process's exit
 * status: 0 after a clean stop, 1 when it could not start (one line in the log says why). A disk
 * that fails ends the process from within. */
int server_run(const struct settings *settings);

#endif
