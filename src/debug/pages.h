/* The pages as text: pure functions of what a request sees. */
#ifndef PHALANX_DEBUG_PAGES_H
#define PHALANX_DEBUG_PAGES_H

#include "debug/debug.h"
#include "debug/json.h"
#include "node_report.h"
#include "process.h"
#include "text.h"

/* The largest page: mostly names of members in rows and columns, each byte of them escaped. What a
 * cluster of five needs is a fiftieth. */
#define DEBUG_PAGE_BYTES_MAX (512 * KIB)

/* What one request sees. */
struct debug_view {
    struct node_status status; /* the published copy */
    struct node_report report; /* likewise; `unix_ms` 0: none yet */
    uint64_t age_ms;           /* since it was published, at most this much */
    uint64_t stall_ms;         /* see debug_server_config */
    struct process_use process;
    bool shows_keys; /* DEBUG_KEYS */
    const char *region;
    const char *version;
    const char *commit;
};

/* The loop has published lately. */
bool debug__is_sound(const struct debug_view *view);
/* Sound, and the node says it is ready. */
bool debug__is_ready(const struct debug_view *view);

/* The parts of /debug/status about the others. */
void debug__put_peer_names(struct debug_json *j, const struct node_report *report);
void debug__put_cluster(struct debug_json *j, const struct debug_view *view);
void debug__put_peers(struct debug_json *j, const struct debug_view *view);
void debug__put_gossip(struct debug_json *j, const struct node_report *report);
void debug__put_mesh(struct debug_json *j, const struct debug_view *view);
void debug__put_log(struct debug_json *j, const struct node_log *log);
const char *debug__role_name(enum node_role role);

void debug__print_index(const struct debug_view *view, struct text_writer *w);
void debug__print_health(const struct debug_view *view, struct text_writer *w);
void debug__print_ready(const struct debug_view *view, struct text_writer *w);
void debug__print_status(const struct debug_view *view, struct text_writer *w);
void debug__print_metrics(const struct debug_view *view, struct text_writer *w);

/* A page of keys. */
#define DEBUG_KEYS_BYTES_MAX \
    (DEBUG_KEYS_MAX * (8 * KEY_BYTES_MAX + 6 * DEBUG_VALUE_BYTES_MAX + 256))
void debug__print_keys(const struct debug_keys *keys, struct text_writer *w);

/* The address in civetweb's words, with its final zero: "[::]:8080" becomes "+8080", which is IPv6
 * and IPv4. False: it does not fit. */
bool debug__print_listen(const char *address, char *ret_listen, size_t capacity);

#endif
