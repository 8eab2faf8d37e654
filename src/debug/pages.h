/* The pages as text: pure functions of what a request sees. */
#ifndef PHALANX_DEBUG_PAGES_H
#define PHALANX_DEBUG_PAGES_H

#include "node_status.h"
#include "text.h"

/* The largest page, with room to grow. */
#define DEBUG_PAGE_BYTES_MAX (16 * KIB)

/* What one request sees. */
struct debug_view {
    struct node_status status; /* the published copy */
    uint64_t age_ms;           /* since it was published, at most this much */
    uint64_t stall_ms;         /* see debug_server_config */
    const char *region;
    const char *version;
    const char *commit;
};

/* The loop has published lately. */
bool debug__is_sound(const struct debug_view *view);
/* Sound, and the node says it is ready. */
bool debug__is_ready(const struct debug_view *view);

void debug__print_index(const struct debug_view *view, struct text_writer *w);
void debug__print_health(const struct debug_view *view, struct text_writer *w);
void debug__print_ready(const struct debug_view *view, struct text_writer *w);
void debug__print_status(const struct debug_view *view, struct text_writer *w);
void debug__print_metrics(const struct debug_view *view, struct text_writer *w);

/* The address in civetweb's words, with its final zero: "[::]:8080" becomes "+8080", which is IPv6
 * and IPv4. False: it does not fit. */
bool debug__print_listen(const char *address, char *ret_listen, size_t capacity);

#endif
