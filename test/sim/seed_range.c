#include "sim/seed_range.h"

#include <stdlib.h>
#include <string.h>

bool seed_number_parse(const char *text, uint64_t *ret_number) {
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text || *end != '\0')
        return false;
    *ret_number = number;
    return true;
}

bool seed_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last) {
    char *end;
    uint64_t first = strtoull(text, &end, 10);
    if (end == text || strncmp(end, "..", 2) != 0 || !seed_number_parse(end + 2, ret_last))
        return false;
    *ret_first = first;
    return true;
}
