/* CHECK ends the process: to see that, a child does the deed. */
#ifndef PHALANX_TEST_DEATH_H
#define PHALANX_TEST_DEATH_H

#include <stdbool.h>

/* Whether a child process aborts when it acts. What it prints is dropped. */
bool death_follows(void (*act)(void *context), void *context);

#endif
