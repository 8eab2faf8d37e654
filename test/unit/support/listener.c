#include "support/listener.h"

#include "check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

int listener_open(char *ret_address, size_t size) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0);
    CHECK(bind(listener, (struct sockaddr *)&name, sizeof name) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&name, &len) == 0);
    snprintf(ret_address, size, "127.0.0.1:%d", ntohs(name.sin_port));
    return listener;
}
