/* A name server for tests, on this host's loopback: it knows one name, over UDP and TCP. */
#ifndef PHALANX_TEST_NAME_SERVER_H
#define PHALANX_TEST_NAME_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum name_server_mood {
    NAME_SERVER_ANSWERS, /* AAAA: fdaa::1 .. fdaa::count; A: none */
    NAME_SERVER_IS_V4,   /* A: 10.0.0.1 .. 10.0.0.count; AAAA: none */
    NAME_SERVER_IS_SILENT,
    NAME_SERVER_IS_MAD,    /* bytes that are no answer */
    NAME_SERVER_REFUSES,   /* the server's failure */
    NAME_SERVER_KNOWS_NOT, /* there is no such name */
};

struct name_server {
    int udp_fd;
    int tcp_fd;
    char address[32]; /* ip:port */
    pthread_t thread;
    atomic_bool is_stopping;
    _Atomic enum name_server_mood mood;
    atomic_uint count;         /* addresses; more than fit a datagram are told over TCP */
    atomic_uint udp_questions; /* that came, of either kind */
    atomic_uint tcp_questions;
};

void name_server_start(struct name_server *server, enum name_server_mood mood, unsigned count);
void name_server_stop(struct name_server *server);

#endif
