#include "debug/assets.h"

#include <string.h>

const struct debug_asset *debug__find_asset(const char *path) {
    for (size_t i = 0; i < debug__asset_count; i++)
        if (strcmp(path, debug__assets[i].path) == 0)
            return &debug__assets[i];
    return NULL;
}
