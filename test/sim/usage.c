#include "sim/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void usage_refuse(const struct usage *usage, const char *what) {
    fprintf(stderr, "%s: %s\n%s", usage->program, what, usage->text);
    exit(2);
}

uint64_t usage_number(const struct usage *usage, const char *text) {
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end != '\0')
        usage_refuse(usage, "not a number");
    return number;
}

void usage_range(const struct usage *usage, const char *text, uint64_t *ret_first,
                 uint64_t *ret_last) {
    char *end;
    uint64_t first = strtoull(text, &end, 10);
    if (end == text || strncmp(end, "..", 2) != 0)
        usage_refuse(usage, "--seeds takes A..B");
    *ret_last = usage_number(usage, end + 2);
    *ret_first = first;
}
