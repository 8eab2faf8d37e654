#include "support/name_server.h"

#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_BYTES 12
#define UDP_BYTES 512 /* without EDNS */
#define TYPE_A 1
#define TYPE_AAAA 28
#define FLAGS_ANSWER 0x8180
#define FLAG_TRUNCATED 0x0200
#define CODE_FAILURE 2
#define CODE_NO_NAME 3

struct message {
    uint8_t data[65536];
    size_t len;
};

static void put16(struct message *m, unsigned value) {
    m->data[m->len++] = (uint8_t)(value >> 8);
    m->data[m->len++] = (uint8_t)value;
}

static void set16(struct message *m, size_t at, unsigned value) {
    m->data[at] = (uint8_t)(value >> 8);
    m->data[at + 1] = (uint8_t)value;
}

/* A pointer to the question's name, type, class, ten seconds, and the address. */
static void put_record(struct message *m, unsigned type, unsigned number) {
    uint8_t ip[16] = {0xfd, 0xaa};
    size_t len = type == TYPE_A ? 4 : 16;
    if (type == TYPE_A)
        memcpy(ip, (const uint8_t[4]){10, 0, (uint8_t)(number >> 8), (uint8_t)number}, 4);
    else
        memcpy(ip + 14, (const uint8_t[2]){(uint8_t)(number >> 8), (uint8_t)number}, 2);
    put16(m, 0xc00c);
    put16(m, type);
    put16(m, 1);
    put16(m, 0);
    put16(m, 10);
    put16(m, (unsigned)len);
    memcpy(m->data + m->len, ip, len);
    m->len += len;
}

/* Where the first question ends: behind its name, type and class. */
static size_t question_end(const struct message *m) {
    size_t at = HEADER_BYTES;
    while (at < m->len && m->data[at] != 0)
        at += 1 + (size_t)m->data[at];
    return at + 5;
}

/* Turn the question into its answer; false: none. */
static bool answer(struct name_server *server, struct message *m) {
    enum name_server_mood mood = atomic_load(&server->mood);
    size_t end = question_end(m);
    if (mood == NAME_SERVER_IS_SILENT || m->len < HEADER_BYTES || end > m->len)
        return false;
    if (mood == NAME_SERVER_IS_MAD) {
        memset(m->data + 2, 0xff, m->len - 2);
        return true;
    }
    unsigned type = m->data[end - 3];
    bool is_told = (mood == NAME_SERVER_ANSWERS && type == TYPE_AAAA) ||
                   (mood == NAME_SERVER_IS_V4 && type == TYPE_A);
    unsigned count = is_told ? atomic_load(&server->count) : 0;
    m->len = end;
    set16(m, 2,
          FLAGS_ANSWER + (mood == NAME_SERVER_REFUSES     ? CODE_FAILURE
                          : mood == NAME_SERVER_KNOWS_NOT ? CODE_NO_NAME
                                                          : 0));
    set16(m, 6, count);
    set16(m, 8, 0);
    set16(m, 10, 0);
    for (unsigned i = count; i > 0; i--) /* in no order that anybody should rely on */
        put_record(m, type, i);
    return true;
}

static void serve_udp(struct name_server *server) {
    static struct message m;
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(server->udp_fd, m.data, sizeof m.data, MSG_DONTWAIT,
                           (struct sockaddr *)&from, &from_len);
    if (len <= 0)
        return;
    m.len = (size_t)len;
    atomic_fetch_add(&server->udp_questions, 1);
    if (!answer(server, &m))
        return;
    if (m.len > UDP_BYTES) {
        m.len = question_end(&m);
        set16(&m, 2, FLAGS_ANSWER | FLAG_TRUNCATED);
        set16(&m, 6, 0);
    }
    (void)sendto(server->udp_fd, m.data, m.len, 0, (struct sockaddr *)&from, from_len);
}

/* One connection after another, each with its questions until its end. */
static void serve_tcp(struct name_server *server) {
    static struct message m;
    uint8_t size[2];
    int fd = accept(server->tcp_fd, NULL, NULL);
    if (fd < 0)
        return;
    struct timeval limit = {.tv_sec = 1};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    while (recv(fd, size, sizeof size, MSG_WAITALL) == sizeof size) {
        m.len = (size_t)size[0] << 8 | size[1];
        if (recv(fd, m.data, m.len, MSG_WAITALL) != (ssize_t)m.len)
            break;
        atomic_fetch_add(&server->tcp_questions, 1);
        if (!answer(server, &m))
            break;
        memmove(m.data + 2, m.data, m.len);
        set16(&m, 0, (unsigned)m.len);
        (void)send(fd, m.data, m.len + 2, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *run(void *context) {
    struct name_server *server = context;
    while (!atomic_load(&server->is_stopping)) {
        struct pollfd fds[2] = {{.fd = server->udp_fd, .events = POLLIN},
                                {.fd = server->tcp_fd, .events = POLLIN}};
        if (poll(fds, 2, 20) <= 0)
            continue;
        if (fds[0].revents)
            serve_udp(server);
        if (fds[1].revents)
            serve_tcp(server);
    }
    return NULL;
}

/* UDP takes any port, and TCP the same one; false: it is somebody else's. */
static bool bind_both(struct name_server *server) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    server->udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
    server->tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(server->udp_fd, (struct sockaddr *)&here, len) == 0);
    CHECK(getsockname(server->udp_fd, (struct sockaddr *)&here, &len) == 0);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u", ntohs(here.sin_port));
    return bind(server->tcp_fd, (struct sockaddr *)&here, len) == 0;
}

static void close_both(struct name_server *server) {
    close(server->udp_fd);
    close(server->tcp_fd);
}

void name_server_start(struct name_server *server, enum name_server_mood mood, unsigned count) {
    memset(server, 0, sizeof *server);
    atomic_store(&server->mood, mood);
    atomic_store(&server->count, count);
    while (!bind_both(server))
        close_both(server);
    CHECK(listen(server->tcp_fd, 8) == 0);
    CHECK(pthread_create(&server->thread, NULL, run, server) == 0);
}

void name_server_stop(struct name_server *server) {
    atomic_store(&server->is_stopping, true);
    CHECK(pthread_join(server->thread, NULL) == 0);
    close_both(server);
}
