/* How gRPC accepts connections: by this accept4() in front of libc's.
 *
 * gRPC 1.51 takes every error of accept4() but two as the end of its listener. Out of file
 * descriptors for an instant, or a connection that broke while it waited, and the server listens no
 * more until it is started again. So errors that pass stay in here, and when the descriptors run
 * out, connections are accepted on a spare one and closed: their clients know at once, and those
 * that come later are heard.
 *
 * This is for the whole process, as a descriptor is. Others see what accept(2) promises, but for
 * EMFILE and its like, which appear as EAGAIN. */
#include "rpc/server.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSALS_LOGGED_EVERY_MS 10000

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static int spare = -1; /* a descriptor kept for what cannot be accepted otherwise */

static void spare_open(void) {
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void rpc__accept_init(void) {
    pthread_mutex_lock(&spare_lock);
    if (spare < 0)
        spare_open();
    pthread_mutex_unlock(&spare_lock);
}

void rpc__accept_close(void) {
    pthread_mutex_lock(&spare_lock);
    if (spare >= 0)
        close(spare);
    spare = -1;
    pthread_mutex_unlock(&spare_lock);
}

static int accept_now(int listener, struct sockaddr *address, socklen_t *len, int flags) {
    return (int)syscall(SYS_accept4, listener, address, len, flags);
}

/* Accept a connection and close it. False: none waits, or even that needs a descriptor more. */
static bool refuse_one(int listener) {
    pthread_mutex_lock(&spare_lock);
    if (spare >= 0)
        close(spare);
    int refused = accept_now(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (refused >= 0)
        close(refused);
    spare_open();
    pthread_mutex_unlock(&spare_lock);
    return refused >= 0;
}

static bool is_out_of_something(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* That connection is gone, the next one may be there: accept(2) lists them for Linux. */
static bool is_of_one_connection(int error) {
    static const int errors[] = {ECONNABORTED, EPERM,  EPROTO,       ENETDOWN,   ENOPROTOOPT,
                                 EHOSTDOWN,    ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (error == errors[i])
            return true;
    return false;
}

__attribute__((visibility("default"))) int accept4(int listener, struct sockaddr *address,
                                                   socklen_t *len, int flags) {
    socklen_t size = len != NULL ? *len : 0;
    for (;;) {
        int connection = accept_now(listener, address, len, flags);
        if (connection >= 0) {
            rpc__guard_accepted(connection);
            return connection;
        }
        if (len != NULL)
            *len = size;
        int error = errno;
        if (is_of_one_connection(error))
            continue;
        if (!is_out_of_something(error))
            return -1;
        log_every(REFUSALS_LOGGED_EVERY_MS, LOG_LEVEL_WARN, "connections are refused",
                  log_text("reason", strerror(error)));
        if (!refuse_one(listener)) {
            errno = EAGAIN;
            return -1;
        }
    }
}
