/* The files of the dashboard, built in: those of `page/` and uPlot's, compressed when the program
 * is built (cmake/assets.cmake) and sent as they are. */
#ifndef PHALANX_DEBUG_ASSETS_H
#define PHALANX_DEBUG_ASSETS_H

#include "bytes.h"

struct debug_asset {
    const char *path; /* as requested: "/dashboard.js"; that of index.html is "/" */
    const char *type;
    const char *etag; /* of the content, in its quotation marks */
    struct bytes gzip;
};

/* NULL: there is none. */
const struct debug_asset *debug__find_asset(const char *path);

/* All of them, generated. */
extern const struct debug_asset debug__assets[];
extern const size_t debug__asset_count;

#endif
