/* The debug room: shows. An HTTP server for people, probes and Prometheus; it only reads a
 * published copy of the node's status, so that nothing asked here can hold up the loop.
 *
 *     /              the dashboard, live; without gzip a list of these
 *     /health        200 while the process is sound, leader or not; says what it waits for
 *     /ready         200 only while the node is ready to serve, else 503
 *     /debug/status  the status as JSON
 *     /debug/events  the status once a second and the timeline, as server-sent events
 *     /metrics       the same for Prometheus
 *
 * GET and HEAD only. No path shows keys or values but one, which is there only when it was switched
 * on (DEBUG_KEYS):
 *
 *     /debug/keys?prefix=P&after=K   up to 64 keys that begin with P, after K, both percent-encoded
 *
 *     {"items":[{"key":"a\\xff","key_hex":"61ff","value":"its beginning","value_bytes":1000,
 *                "mod_revision":7,"version":1}],"more":true}
 *
 * `test/debug/status_example.json` shows every field of /debug/status. What its reader must know:
 *
 * - `id` is NODE_ID everywhere, `identity` the random one as hexadecimal digits (a number would
 *   lose bits). `region` and addresses may be empty. Names come from operators: escape them.
 * - null means: not known. `_ms` are milliseconds, round trips and latencies with three decimals;
 *   `as_of_ms` is the wall clock since 1970; `_per_s` have three decimals. Totals begin at the
 *   node's start.
 * - `state`: LEADER, FOLLOWER, CANDIDATE, LEARNER; in `mesh` of a node never heard: absent.
 * - `cluster.failures_left`: voters that may still fail before writes stop, counting those out of
 *   this node's reach as failed; it is 0 without a quorum too (`voters_in_reach` < `quorum`).
 * - `raft.peers` are the other members. `match_index`, `next_index`, `lag`, `in_flight` (appends),
 *   `in_flight_bytes` and `state` (PROBE, REPLICATE, SNAPSHOT) are known to the leader alone, and
 *   null elsewhere. `snapshot` is one being sent to it, or null. `connected`: there is a
 * connection, and something came over it within an election timeout.
 * - `mesh` are all members and this node, itself first, each with what it last said of itself;
 *   `age_ms` is how long ago. Of who was not heard since this node's start `age_ms` is null and
 *   everything after it is missing. `rtt_ms` has, by name, its round trips to the others: rows of
 *   the matrix; null without a connection.
 * - `log` is one scale: first kept entry, what the state on disk holds (`snapshot`), applied,
 *   committed, last.
 * - `gossip.members[].state`: alive, suspect, dead, left; `in_state_ms`: for how long.
 *
 * /debug/events is a stream of server-sent events. At once and then once a second
 *
 *     event: status
 *     data: what /debug/status answers, in one line
 *
 * and for each event of the timeline, first all that are kept, or, with Last-Event-ID, those after
 * that one,
 *
 *     event: timeline
 *     id: 1763850000123-17
 *     data: {"id":"1763850000123-17","at_ms":1763850012000,"level":"info","kind":"leader",
 *            "text":"node-0 leads term 7"}
 *
 * `level`: info, warn, error. `kind`: start, election, leader, step_down, members, snapshot,
 * slow_sync, peer_found, peer_lost, disk, seeds. An id of an earlier run of the node counts as
 * none. */
#ifndef PHALANX_DEBUG_H
#define PHALANX_DEBUG_H

#include "bytes.h"
#include "check.h"
#include "node_report.h"
#include "status.h"

struct debug_server;

/* One page of the store, for people: only with a read_keys(). */
#define DEBUG_KEYS_MAX ((size_t)64)
#define DEBUG_VALUE_BYTES_MAX ((size_t)256)

struct debug_key {
    uint8_t key[KEY_BYTES_MAX];
    size_t key_len;
    uint8_t value[DEBUG_VALUE_BYTES_MAX]; /* its beginning */
    size_t value_len;                     /* of the beginning */
    uint64_t value_bytes;                 /* of all of it */
    int64_t mod_revision;
    int64_t version;
};

struct debug_keys {
    size_t count;
    bool has_more;
    struct debug_key keys[DEBUG_KEYS_MAX];
};

/* What happens to a node, for its timeline. */
enum debug_level { DEBUG_INFO, DEBUG_WARN, DEBUG_ERROR };

/* Of an event's text, with its final zero; a longer one is cut. */
#define DEBUG_EVENT_BYTES_MAX ((size_t)256)

/* Borrowed for the call to debug_server_new(); `context` until debug_server_free(). */
struct debug_server_config {
    const char *address; /* host:port; "[::]:8080" is dual-stack; port 0: a free one */
    const char *region;  /* NODE_REGION; may be empty */
    /* A published copy older than this means that the loop stands still: /health and /ready answer
     * 503. Milliseconds; it must be well above what lies between two publications of an idle loop.
     * 0: never. */
    uint64_t stall_ms;
    /* Copy what is published. On any of the room's threads, at any time: must not wait. Before the
     * first publication `uptime_ms` is 0. */
    void (*read_status)(void *context, struct node_status *ret_status);
    void (*read_report)(void *context, struct node_report *ret_report);
    /* The keys that begin with `prefix`, after `after` (empty: from the first on), as this node
     * has them. On a thread that may wait. NULL: nobody sees any. Any other status than STATUS_OK:
     * it cannot tell at the moment. */
    enum status (*read_keys)(void *context, struct bytes prefix, struct bytes after,
                             struct debug_keys *ret_keys);
    void *context;
};

/* Listens and answers from here on, on threads of its own. Where it does not, it logs why.
 *
 * STATUS_BUSY       the port is taken.
 * STATUS_INVALID    the address cannot be understood or does not belong to this host.
 * STATUS_NO_MEMORY  no memory or no threads. */
MUST_USE enum status debug_server_new(const struct debug_server_config *config,
                                      struct debug_server **ret_server);

/* The bound port, for addresses with port 0. */
int debug_server_port(const struct debug_server *server);

/* Add an event to the timeline. `kind` is a constant of the list above; `text` is a sentence
 * without a full stop, copied. Any thread; waits for nobody. */
void debug_tell(struct debug_server *server, enum debug_level level, const char *kind,
                const char *text);

/* Stops listening, lets running answers end, joins the threads. */
void debug_server_free(struct debug_server *server);

#endif
