#include "mesh/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define OBEYED '+'
#define REFUSED '-'

static bool address_of(const char *path, struct sockaddr_un *address) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
    errno = ENAMETOOLONG;
    return len < (int)sizeof address->sun_path;
}

int mesh_control_open(const char *path) {
    struct sockaddr_un address;
    if (!address_of(path, &address))
        return -1;
    int control = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)unlink(path); /* what an earlier network left; else binding says what is wrong */
    if (control >= 0 && bind(control, (struct sockaddr *)&address, sizeof address) != 0) {
        close(control);
        return -1;
    }
    return control;
}

void mesh_control_serve(int control, struct mesh_network *network) {
    static char memory[MESH_ANSWER_BYTES]; /* too much for a stack, and there is one thread */
    char line[MESH_LINE_BYTES];
    struct sockaddr_un from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(control, line, sizeof line - 1, 0, (struct sockaddr *)&from, &from_len);
    if (len < 0)
        return;
    line[len] = '\0';
    struct text_writer answer = text_writer_of(memory + 1, sizeof memory - 1);
    memory[0] = mesh_command_run(network, line, &answer) ? OBEYED : REFUSED;
    /* Whoever does not wait for the answer does not get it. */
    (void)sendto(control, memory, answer.len + 1, MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
}

/* Bound to a path of its own, which the network answers to: names without one do not reach into
 * another namespace. The caller removes it. */
static int connect_to(const char *path, struct sockaddr_un *own) {
    struct sockaddr_un address;
    struct timeval limit = {.tv_sec = 5};
    char own_path[256];
    snprintf(own_path, sizeof own_path, "%s.%ld", path, (long)getpid());
    if (!address_of(path, &address) || !address_of(own_path, own))
        return -1;
    int caller = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (caller < 0)
        return -1;
    if (bind(caller, (struct sockaddr *)own, sizeof *own) == 0 &&
        setsockopt(caller, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        connect(caller, (struct sockaddr *)&address, sizeof address) == 0)
        return caller;
    int error = errno;
    close(caller);
    errno = error;
    return -1;
}

int mesh_control_tell(const char *path, const char *line) {
    static char answer[MESH_ANSWER_BYTES];
    struct sockaddr_un own = {.sun_path = ""};
    int caller = connect_to(path, &own);
    ssize_t len = -1;
    if (caller >= 0 && send(caller, line, strlen(line), 0) >= 0)
        len = recv(caller, answer, sizeof answer, 0);
    int error = errno;
    (void)unlink(own.sun_path); /* it may not have come to that */
    if (caller >= 0)
        close(caller);
    if (len < 1) {
        fprintf(stderr, "phalanx-mesh: %s: nobody answers: %s\n", path, strerror(error));
        return EXIT_FAILURE;
    }
    bool is_obeyed = answer[0] == OBEYED;
    if (len > 1)
        fprintf(is_obeyed ? stdout : stderr, "%.*s\n", (int)len - 1, answer + 1);
    return is_obeyed ? EXIT_SUCCESS : EXIT_FAILURE;
}
