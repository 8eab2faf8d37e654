/* From a member to the struct it lies in. */
#ifndef PHALANX_CONTAINER_H
#define PHALANX_CONTAINER_H

#include <stddef.h>

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
