/* The gRPC core as a library of this process. */
#include "rpc/credentials.h"
#include "rpc/server.h"

#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The core writes its own opinion of failed connections to stderr, in the middle of our lines. What
 * it has to say reaches callers as the status of a call. Only its last words before it ends the
 * process are passed on. GRPC_VERBOSITY or GRPC_TRACE in the environment bring all of it back. */
static void keep_last_words(gpr_log_func_args *args) {
    static const char last_words[] = "assertion failed";
    if (strncmp(args->message, last_words, sizeof last_words - 1) == 0)
        fprintf(stderr, "%s:%d: %s\n", args->file, args->line, args->message);
}

/* Debian's Abseil is built without NDEBUG, so each of the core's mutexes is followed through a
 * graph that looks for deadlocks: a twentieth of the time that a server takes for a put. It can be
 * told not to, by a function that has a C++ name; a library without it has nothing to be told. */
static void stop_deadlock_detection(void) {
    enum { IGNORE = 0 };
    static const char name[] =
        "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE";
    void (*set_mode)(int mode) = NULL;
    void *symbol = dlsym(RTLD_DEFAULT, name);
    if (!symbol)
        return;
    memcpy(&set_mode, &symbol, sizeof set_mode);
    set_mode(IGNORE);
}

void rpc_init(void) {
    stop_deadlock_detection();
    if (getenv("GRPC_VERBOSITY") == NULL && getenv("GRPC_TRACE") == NULL)
        gpr_set_log_function(keep_last_words);
    rpc__accept_init();
    grpc_init();
}

void rpc_shutdown(void) {
    rpc__credentials_close();
    grpc_shutdown_blocking(); /* so that nothing of it runs while the process ends */
    rpc__accept_close();
}
