#include "sim/verdict.h"

#include <stdarg.h>
#include <stdio.h>

void verdict_fail(struct verdict *verdict, const char *format, ...) {
    if (verdict->has_failed)
        return;
    verdict->has_failed = true;
    va_list args;
    va_start(args, format);
    /* Cut is good enough. */
    (void)vsnprintf(verdict->failure, sizeof verdict->failure, format, args);
    va_end(args);
}
