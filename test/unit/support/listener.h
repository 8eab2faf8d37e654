/* A port of loopback that nobody serves: connections come about, and nothing is said on them. */
#ifndef PHALANX_TEST_LISTENER_H
#define PHALANX_TEST_LISTENER_H

#include <stddef.h>

/* The listening socket, the caller's to close; its host:port goes into `ret_address`. */
int listener_open(char *ret_address, size_t size);

#endif
