#include "rpc/address.h"

#include "bounds.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct host_port {
    char host[ADDRESS_BYTES_MAX];
    const char *port;
};

static bool is_port(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 5 && text[digits] == '\0' && strtoul(text, NULL, 10) <= 65535;
}

/* host:port or [host]:port */
static bool split(const char *address, struct host_port *ret_split) {
    size_t len = strlen(address);
    if (len >= sizeof ret_split->host)
        return false;
    memcpy(ret_split->host, address, len + 1);
    char *colon = strrchr(ret_split->host, ':');
    if (colon == NULL || colon == ret_split->host || !is_port(colon + 1))
        return false;
    *colon = '\0';
    ret_split->port = colon + 1;
    if (ret_split->host[0] != '[')
        return strchr(ret_split->host, ':') == NULL;
    if (colon[-1] != ']')
        return false;
    colon[-1] = '\0';
    memmove(ret_split->host, ret_split->host + 1, strlen(ret_split->host));
    return true;
}

/* 0 or errno. */
static int try_bind(const struct addrinfo *info) {
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    static const int yes = 1;
    static const int no = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* as gRPC does */
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no); /* absent: no matter */
    int error = bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, 1) == 0 ? 0 : errno;
    (void)close(fd); /* nothing was written */
    return error;
}

/* One usable address will do, but none may be somebody else's. */
static enum status try_all(const struct addrinfo *infos) {
    enum status status = STATUS_INVALID;
    for (const struct addrinfo *info = infos; info != NULL; info = info->ai_next) {
        int error = try_bind(info);
        if (error == EADDRINUSE)
            return STATUS_BUSY;
        /* gRPC falls back to IPv4 where "[::]" has no IPv6 under it. */
        if (error == 0 || error == EAFNOSUPPORT)
            status = STATUS_OK;
    }
    return status;
}

enum status rpc__address_probe(const char *address) {
    struct host_port parts;
    if (!split(address, &parts))
        return STATUS_INVALID;
    static const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *infos = NULL;
    if (getaddrinfo(parts.host, parts.port, &hints, &infos) != 0)
        return STATUS_INVALID;
    enum status status = try_all(infos);
    freeaddrinfo(infos);
    return status;
}
