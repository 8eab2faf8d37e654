/* The gRPC core as a library of this process. */
#include "rpc/server.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <stdio.h>
#include <stdlib.h>

/* The core writes its own opinion of failed connections to stderr, in the middle of our lines. What
 * it has to say reaches callers as the status of a call. Only its last words before it ends the
 * process are passed on. GRPC_VERBOSITY or GRPC_TRACE in the environment bring all of it back. */
static void keep_last_words(gpr_log_func_args *args) {
    static const char last_words[] = "assertion failed";
    if (strncmp(args->message, last_words, sizeof last_words - 1) == 0)
        fprintf(stderr, "%s:%d: %s\n", args->file, args->line, args->message);
}

void rpc_init(void) {
    if (getenv("GRPC_VERBOSITY") == NULL && getenv("GRPC_TRACE") == NULL)
        gpr_set_log_function(keep_last_words);
    rpc__accept_init();
    grpc_init();
}

void rpc_shutdown(void) {
    grpc_shutdown_blocking(); /* so that nothing of it runs while the process ends */
    rpc__accept_close();
}
