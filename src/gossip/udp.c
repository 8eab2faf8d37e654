#include "gossip/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room in the kernel for what arrives while the thread does not run. */
#define RECEIVE_BUFFER_BYTES (4 * 1024 * 1024)

/* Datagrams taken from it at a time. */
#define CATCH_MAX 32

struct udp {
    struct udp_config config;
    int fd;
    int wake_fd; /* readable: stop */
    bool is_v4;  /* the machine has no IPv6 */
    uint16_t port;
    bool is_started;
    pthread_t thread;
    _Atomic uint64_t unsent_total;
    _Atomic uint64_t oversize_total;
};

/* Either family, as the kernel takes it. */
union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- Addresses ----------------------------------------------------------------------------- */

static socklen_t name_of(const struct udp *udp, const struct gossip_address *address,
                         union name *ret_name) {
    *ret_name = (union name){0};
    if (!udp->is_v4) {
        ret_name->v6.sin6_family = AF_INET6;
        ret_name->v6.sin6_port = htons(address->port);
        memcpy(&ret_name->v6.sin6_addr, address->ip, sizeof address->ip);
        return sizeof ret_name->v6;
    }
    ret_name->v4.sin_family = AF_INET;
    ret_name->v4.sin_port = htons(address->port);
    memcpy(&ret_name->v4.sin_addr, address->ip + 12, sizeof ret_name->v4.sin_addr);
    return sizeof ret_name->v4;
}

static struct gossip_address address_of(const union name *name) {
    struct gossip_address address = {0};
    if (name->any.sa_family == AF_INET6) {
        memcpy(address.ip, &name->v6.sin6_addr, sizeof address.ip);
        address.port = ntohs(name->v6.sin6_port);
        return address;
    }
    memset(address.ip + 10, 0xff, 2);
    memcpy(address.ip + 12, &name->v4.sin_addr, sizeof name->v4.sin_addr);
    address.port = ntohs(name->v4.sin_port);
    return address;
}

/* ---- Binding ------------------------------------------------------------------------------- */

static enum status open_socket(struct udp *udp) {
    int off = 0, bytes = RECEIVE_BUFFER_BYTES;
    udp->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    udp->is_v4 = udp->fd < 0 && errno == EAFNOSUPPORT;
    if (udp->is_v4)
        udp->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (udp->fd < 0)
        return STATUS_IO;
    if (!udp->is_v4)
        CHECK(setsockopt(udp->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0);
    if (setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)setsockopt(udp->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* if it may be */
    return STATUS_OK;
}

static enum status bind_port(struct udp *udp, uint16_t port) {
    struct gossip_address address;
    union name name;
    if (!gossip_address_parse(udp->config.ip, port, &address))
        return STATUS_INVALID;
    socklen_t len = name_of(udp, &address, &name);
    if (bind(udp->fd, &name.any, len) == 0)
        return STATUS_OK;
    return errno == EADDRINUSE ? STATUS_BUSY : STATUS_INVALID;
}

static enum status bind_first(struct udp *udp) {
    enum status status = STATUS_BUSY;
    for (uint32_t i = 0; status == STATUS_BUSY && i < udp->config.port_count; i++) {
        uint32_t port = udp->config.port + i;
        if (port > UINT16_MAX)
            break;
        udp->port = (uint16_t)port;
        status = bind_port(udp, udp->port);
    }
    return status;
}

enum status udp_new(const struct udp_config *config, struct udp **ret_udp) {
    struct udp *udp = calloc(1, sizeof *udp);
    CHECK(config->port > 0 && config->port_count > 0);
    if (!udp)
        return STATUS_NO_MEMORY;
    udp->config = *config;
    udp->fd = udp->wake_fd = -1;
    enum status status = open_socket(udp);
    if (status == STATUS_OK)
        status = bind_first(udp);
    if (status != STATUS_OK) {
        udp_free(udp);
        return status;
    }
    *ret_udp = udp;
    return STATUS_OK;
}

uint16_t udp_port(const struct udp *udp) {
    return udp->port;
}

/* ---- Receiving ----------------------------------------------------------------------------- */

/* What one call to the kernel fills. */
struct catch {
    struct mmsghdr messages[CATCH_MAX];
    struct iovec parts[CATCH_MAX];
    union name names[CATCH_MAX];
    uint8_t data[CATCH_MAX][UDP_BYTES_MAX];
};

static void prepare(struct catch *c) {
    for (size_t i = 0; i < CATCH_MAX; i++) {
        c->parts[i] = (struct iovec){.iov_base = c->data[i], .iov_len = sizeof c->data[i]};
        c->messages[i].msg_hdr = (struct msghdr){.msg_name = &c->names[i],
                                                 .msg_namelen = sizeof c->names[i],
                                                 .msg_iov = &c->parts[i],
                                                 .msg_iovlen = 1};
    }
}

static void hand_over(struct udp *udp, const struct catch *c, size_t at) {
    if (c->messages[at].msg_hdr.msg_flags & MSG_TRUNC) {
        atomic_fetch_add(&udp->oversize_total, 1);
        return;
    }
    struct gossip_address from = address_of(&c->names[at]);
    udp->config.on_datagram(udp->config.context, &from,
                            bytes_of(c->data[at], c->messages[at].msg_len));
}

/* Several at a time, so that a flood costs little and does not fill the kernel's room. */
static void receive(struct udp *udp, struct catch *c) {
    prepare(c);
    int count = recvmmsg(udp->fd, c->messages, CATCH_MAX, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) /* -1: nothing there, or an error of an earlier send */
        hand_over(udp, c, (size_t)i);
}

static void *run(void *context) {
    struct udp *udp = context;
    struct catch c;
    struct pollfd fds[2] = {{.fd = udp->fd, .events = POLLIN},
                            {.fd = udp->wake_fd, .events = POLLIN}};
    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) > 0 && fds[0].revents != 0)
            receive(udp, &c);
    }
    return NULL;
}

void udp_start(struct udp *udp) {
    CHECK(!udp->is_started);
    udp->wake_fd = eventfd(0, EFD_CLOEXEC);
    CHECK(udp->wake_fd >= 0);
    CHECK(pthread_create(&udp->thread, NULL, run, udp) == 0);
    udp->is_started = true;
}

void udp_free(struct udp *udp) {
    if (!udp)
        return;
    if (udp->is_started) {
        CHECK(eventfd_write(udp->wake_fd, 1) == 0);
        CHECK(pthread_join(udp->thread, NULL) == 0);
        CHECK(close(udp->wake_fd) == 0);
    }
    if (udp->fd >= 0)
        CHECK(close(udp->fd) == 0);
    free(udp);
}

/* ---- Sending ------------------------------------------------------------------------------- */

void udp_send(struct udp *udp, const struct gossip_address *to, struct bytes bytes) {
    union name name;
    CHECK(bytes.len <= UDP_BYTES_MAX);
    socklen_t len = name_of(udp, to, &name);
    if (sendto(udp->fd, bytes.data, bytes.len, MSG_DONTWAIT, &name.any, len) < 0)
        atomic_fetch_add(&udp->unsent_total, 1);
}

uint64_t udp_unsent_total(const struct udp *udp) {
    return atomic_load(&udp->unsent_total);
}

uint64_t udp_oversize_total(const struct udp *udp) {
    return atomic_load(&udp->oversize_total);
}
