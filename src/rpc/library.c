/* The gRPC core as a library of this process. */
#include "rpc/rpc.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <stdlib.h>

static void drop(gpr_log_func_args *args) {
    (void)args;
}

/* The core writes its own opinion of failed connections to stderr, in the middle of our lines. What
 * it has to say reaches callers as the status of a call. GRPC_VERBOSITY or GRPC_TRACE in the
 * environment bring it back. */
void rpc_init(void) {
    if (getenv("GRPC_VERBOSITY") == NULL && getenv("GRPC_TRACE") == NULL)
        gpr_set_log_function(drop);
    grpc_init();
}

void rpc_shutdown(void) {
    grpc_shutdown_blocking(); /* so that nothing of it runs while the process ends */
}
