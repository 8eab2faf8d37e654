/* The clocks of the process: one that the turn believes, one that threads wait by. */
#ifndef PHALANX_SERVER_CLOCK_H
#define PHALANX_SERVER_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds on the clock that counts suspended time: a machine that slept must know it. */
uint64_t clock_ms(void);

/* Microseconds that only go up, to measure how long something takes. */
uint64_t clock_us(void);

/* Milliseconds since 1970, to be shown to people. */
uint64_t clock_unix_ms(void);

/* A condition whose timed waits end by clock_after(): on CLOCK_MONOTONIC. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_after(uint64_t wait_ms);

#endif
