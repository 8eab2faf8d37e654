#include "server/clock.h"

#include "check.h"

static uint64_t read_ms(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_ms(void) {
    return read_ms(CLOCK_BOOTTIME);
}

uint64_t clock_us(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_unix_ms(void) {
    return read_ms(CLOCK_REALTIME);
}

void clock_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(cond, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
}

struct timespec clock_after(uint64_t wait_ms) {
    uint64_t at_ms = read_ms(CLOCK_MONOTONIC) + wait_ms;
    return (struct timespec){.tv_sec = (time_t)(at_ms / 1000),
                             .tv_nsec = (long)(at_ms % 1000) * 1000000};
}
