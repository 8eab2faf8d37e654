/* The key-value room: remembers. The replicated state machine, the stores of its log and its state,
 * and the portable snapshot stream. It decides nothing: which entries are appended, committed and
 * applied, and when, comes from outside.
 *
 * Threads: a machine belongs to one thread (the loop). A log store belongs to the log writer once
 * opened, except where a function says otherwise; likewise a state store and the state writer. */
#ifndef PHALANX_KV_H
#define PHALANX_KV_H

#include "bounds.h"
#include "bytes.h"
#include "check.h"
#include "raft/raft.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Requests and answers ------------------------------------------------------------------ */

enum kv_operation { KV_PUT, KV_DELETE, KV_GET, KV_SCAN };

/* All bytes are borrowed from whoever made the request, until it is answered. */
struct kv_request {
    enum kv_operation operation;
    struct bytes key;   /* of a scan: the first key, included */
    struct bytes end;   /* scan: the last key, excluded; empty: to the last */
    struct bytes value; /* put */
    bool is_stale;      /* get, scan: the local state will do */
    bool has_prev_revision;
    int64_t prev_revision; /* put, delete: only at this modification revision; 0: key absent */
    bool has_request_id;
    uint64_t client_id;
    uint64_t sequence;
    int64_t limit; /* scan: items; 0: as many as fit */
};

struct kv_item {
    struct bytes key;
    struct bytes value;
    int64_t create_revision;
    int64_t mod_revision;
    int64_t version;
};

struct kv_response {
    enum status status;
    bool is_not_applied;         /* of a failed write: certainly without effect */
    bool is_found;               /* get: there is such a key; delete: there was one */
    bool has_more;               /* scan */
    int64_t revision;            /* put, delete: the store's revision after it */
    struct kv_item item;         /* get */
    const struct kv_item *items; /* scan; borrowed like the bytes in them */
    size_t item_count;
    const char *detail; /* static text that names what was wrong, or NULL */
};

/* NULL when the request is within the limits; else a static sentence that names the field and the
 * limit, for INVALID_ARGUMENT. */
const char *kv_request_check(const struct kv_request *request);

static inline bool kv_request_is_write(const struct kv_request *request) {
    return request->operation == KV_PUT || request->operation == KV_DELETE;
}

/* The first key after all that begin with `prefix`: at most as many bytes. 0: there is none, such
 * keys go on to the last. */
size_t kv_prefix_end(struct bytes prefix, uint8_t *ret_end);

/* The smallest key after `key` that is not over KEY_BYTES_MAX, which is what `ret_next` has room
 * for. False: `key` is the largest of all. */
MUST_USE bool kv_key_successor(struct bytes key, uint8_t *ret_next, size_t *ret_len);

/* A command is what a log entry carries: versioned, bounded by ENTRY_BYTES_MAX, with the leader's
 * logged time inside. The size first, then the bytes into the caller's memory of that size. */
size_t kv_command_size(const struct kv_request *request);
void kv_command_encode(const struct kv_request *request, uint64_t logged_ms, uint8_t *data,
                       size_t size);

/* ---- Records: what the state holds --------------------------------------------------------- */

/* The state is one ordered map from internal keys to records. An internal key is one byte of
 * table, then the table's own key. A record is sealed: a checksum over key and record comes first
 * (record.h), and every reader checks it. */

struct kv_meta {
    raft_index applied_index;
    raft_term applied_term;
    int64_t revision;
    uint64_t key_count;
    uint64_t key_value_bytes;
    uint64_t session_count;
    uint64_t record_count; /* all tables */
    uint64_t hash;         /* sum over all records, independent of order */
    uint64_t logged_ms;    /* the last logged time */
    uint64_t sweep_client; /* where the search for idle sessions goes on */
};

/* An ordered, read-only map: the state store as the machine sees it; the simulator has its own. */
struct kv_base_ops {
    /* STATUS_OK, STATUS_NOT_FOUND or STATUS_IO. What it returns is borrowed until `renew`. */
    enum status (*get)(void *context, struct bytes key, struct bytes *ret_record);
    /* The first record at or after `key`; otherwise like get. */
    enum status (*seek)(void *context, struct bytes key, struct bytes *ret_key,
                        struct bytes *ret_record);
    /* See the newest flush from now on. */
    enum status (*renew)(void *context);
};

struct kv_base {
    const struct kv_base_ops *ops;
    void *context;
};

/* ---- The machine --------------------------------------------------------------------------- */

struct kv_machine;

/* What a flush writes: it counts as a whole. Immutable, readable by the state writer until
 * kv_machine_flushed(). */
struct kv_flush {
    uint64_t generation; /* of the environment */
    uint64_t number;     /* of the flush, from 1 */
    struct kv_meta meta;
    const struct kv_overlay *overlay; /* records in key order: kv_overlay_each() */
    size_t bytes;                     /* of keys and records in it */
};

struct kv_machine_config {
    struct kv_base base;
    struct kv_meta meta;  /* of the base */
    uint64_t generation;  /* of the environment behind the base */
    size_t overlay_bytes; /* flush when the active table reaches this */
};

MUST_USE enum status kv_machine_new(const struct kv_machine_config *config,
                                    struct kv_machine **ret_machine);
void kv_machine_free(struct kv_machine *m);

/* Apply the next entry; `entry->index` follows the last one applied. The answer to its request is
 * in `ret_response`, the same on every node; borrowed until the next call.
 *
 * STATUS_CORRUPT, STATUS_IO  the base or the entry is damaged: the state cannot follow the log.
 * STATUS_UNSUPPORTED         the entry was made by a later version.
 * STATUS_NO_MEMORY           as said.
 * After any of these the entry may be half applied: this machine must not be used again. */
MUST_USE enum status kv_machine_apply(struct kv_machine *m, const struct raft_entry *entry,
                                      struct kv_response *ret_response);

/* Answer a get or a scan from what is applied. A damaged record gives STATUS_CORRUPT. What the
 * response points to is borrowed until the next call that changes the machine. */
void kv_machine_read(struct kv_machine *m, const struct kv_request *request,
                     struct kv_response *ret_response);

const struct kv_meta *kv_machine_meta(const struct kv_machine *m);
uint64_t kv_machine_damaged(const struct kv_machine *m); /* damaged records met */

/* The newest configuration applied. STATUS_NOT_FOUND: none was. STATUS_CORRUPT, STATUS_IO: as for
 * kv_machine_apply(). */
MUST_USE enum status kv_machine_configuration(struct kv_machine *m,
                                              struct raft_configuration *ret_configuration);

/* False while the active table is at its budget: nothing more is to be applied until it is
 * frozen, for which the flush under way must end first. So no flush is larger than its budget by
 * more than the last entry. */
bool kv_machine_has_room(const struct kv_machine *m);

/* True when nothing is being flushed, and the active table is at its budget or came from much more
 * log than that: a start would have to apply all of it again. */
bool kv_machine_wants_flush(const struct kv_machine *m);

/* True when anything was applied since the last freeze. */
bool kv_machine_is_dirty(const struct kv_machine *m);

/* Freeze the active table and start a new one. Not while a flush is under way. Owned by the
 * machine until kv_machine_flushed(). NULL: no memory, nothing changed. */
const struct kv_flush *kv_machine_freeze(struct kv_machine *m);

/* A part of the flush is durable, not all: renew the base. The frozen table hides what it shows.
 * Nobody need call this, but while the base shows the past its pages cannot be used again. */
MUST_USE enum status kv_machine_flush_renew(struct kv_machine *m, uint64_t generation,
                                            uint64_t number);

/* The flush is durable: renew the base, then drop the frozen table. For both:
 *
 * STATUS_STALE  not the flush that is under way; nothing changed.
 * STATUS_IO     the base could not be renewed. */
MUST_USE enum status kv_machine_flushed(struct kv_machine *m, uint64_t generation, uint64_t number);

/* Visits the records of a frozen table in key order; `record.data == NULL`: deleted. Stops at the
 * first status that is not OK and returns it. */
typedef enum status kv_record_visit(void *context, struct bytes key, struct bytes record);
enum status kv_overlay_each(const struct kv_overlay *overlay, kv_record_visit *visit,
                            void *context);

/* ---- The data directory -------------------------------------------------------------------- */

/* Which node this is (design: Identity). Lives in the log's store, synced before it is shown. */
struct kv_identity {
    uint64_t id;         /* random, made with the directory; never 0 */
    uint64_t cluster_id; /* 0 while unknown */
    char name[NAME_BYTES_MAX];
    uint64_t start_counter;    /* this start: from 1 */
    uint64_t start_nonce;      /* this start: random */
    uint64_t previous_counter; /* the start before it; 0 at the first */
    uint64_t previous_nonce;
};

struct kv_directory;

/* Makes DATA_DIR (with parents, mode 0750) where missing and locks it against a second server.
 *
 * STATUS_BUSY  another process has it open.
 * STATUS_IO    it cannot be made or opened; errno says why. */
MUST_USE enum status kv_directory_open(const char *path, struct kv_directory **ret_directory);
void kv_directory_close(struct kv_directory *directory);
const char *kv_directory_path(const struct kv_directory *directory);

/* What was wrong and where, as a sentence for people, when the last opening of a store in it, or
 * setting it aside, did not give STATUS_OK. Borrowed until the next one. */
const char *kv_directory_problem(const struct kv_directory *directory);

/* The name of the folder that holds what was set aside: "aside-1" and so on. */
#define KV_ASIDE_NAME_BYTES ((size_t)40)

/* Set identity, log and state aside, into a new folder in the directory, which is blank then. Looks
 * into none of them, damaged ones will do. No store of the directory is open. Durable, and crash
 * safe: cut short, it leaves a directory that kv_log_open() refuses until this is called again and
 * has finished it.
 *
 * STATUS_OK  `ret_name` tells the folder; empty: the directory was blank already.
 * STATUS_DISK_FULL, STATUS_IO  cut short. kv_directory_problem() says more. */
MUST_USE enum status kv_directory_set_aside(struct kv_directory *directory,
                                            char ret_name[KV_ASIDE_NAME_BYTES]);

/* ---- The log's store: log/ ----------------------------------------------------------------- */

struct kv_log;

struct kv_log_options {
    const char *name; /* NODE_ID, or NULL: the directory's, else `default_name` */
    const char *default_name;
    bool adopts_name;     /* `name` takes the place of the directory's */
    bool is_sole_voter;   /* a new directory founds a cluster of one, as kv_log_found() does */
    size_t reserve_bytes; /* preallocated, for what must not fail on a full disk */
};

/* What the store held when it was opened. */
struct kv_log_summary {
    struct kv_identity identity;
    struct raft_hard_state hard;
    raft_term cut_term;     /* of the last entry cut; 0: none was */
    raft_index first_index; /* of the entries kept; last_index + 1 when none is */
    raft_index last_index;
    raft_term last_term;
    /* The newest configuration at or below last_index, and the one before it: from the entries that
     * are kept, else from the cut point. Count 0: none is known. What is at or below the cut point
     * is committed, so an older one than its newest is never asked for. */
    struct raft_configuration configuration;
    struct raft_configuration configuration_before;
    raft_term configuration_term; /* of the newest one's entry, at most */
    uint64_t state_generation;    /* which state is the current one: kv_state_open() */
    bool is_new;                  /* made by this call */
};

struct kv_log_batch {
    const struct raft_hard_state *hard; /* NULL: unchanged */
    raft_index truncate_from;           /* delete from here on first; 0: nothing */
    const struct raft_entry *entries;   /* consecutive, after what is kept */
    size_t entry_count;
    bool is_essential; /* may use the reserve: votes, truncations, no-ops, configurations */
};

/* Opens or makes `<directory>/log`, reads and checks all of it, syncs it and its parents, and
 * stores this start's pair. Everything in the summary is durable. Before kv_state_open(): a state
 * without a log means that the log was lost, or a restore was cut short, and is refused as damage.
 *
 * A batch that was being written when a start ended is dropped, if it lacks what a crash leaves
 * out: whole sectors. Anything else that does not check was acknowledged, and is damage. What is
 * damaged later is found by whoever reads it, and by the scrub.
 *
 * STATUS_INVALID      `options->name` differs from the directory's; summary.identity.name tells it.
 * STATUS_BUSY         kv_directory_set_aside() was cut short.
 * STATUS_CORRUPT      damaged: this node may have forgotten what it said, and must not run.
 * STATUS_UNSUPPORTED  made by a later version.
 * STATUS_DISK_FULL    no room for this start's pair.
 * STATUS_IO           as said. For all of these kv_directory_problem() says more. */
MUST_USE enum status kv_log_open(struct kv_directory *directory,
                                 const struct kv_log_options *options, struct kv_log **ret_log,
                                 struct kv_log_summary *ret_summary);
void kv_log_close(struct kv_log *log);

/* Found a cluster: store its id and its first entry, index 1 of term 1, whose payload is
 * `configuration` (raft_configuration_encode()). The term becomes 1. All of it is durable, or
 * nothing is.
 *
 * STATUS_BUSY     the log belongs to a cluster already, or has entries.
 * STATUS_INVALID  `configuration` is none, or has no members.
 * STATUS_DISK_FULL, STATUS_IO  as for kv_log_write(). */
MUST_USE enum status kv_log_found(struct kv_log *log, uint64_t cluster_id,
                                  struct bytes configuration);

/* Store the id of the cluster that a blank node joins. STATUS_OK also when it is stored already.
 *
 * STATUS_BUSY  the log belongs to another cluster, or has entries of none. Else as above. */
MUST_USE enum status kv_log_join(struct kv_log *log, uint64_t cluster_id);

/* The random number of this node's start `counter`; the last STARTS_KEPT are known. From any
 * thread. STATUS_NOT_FOUND: never made, or too long ago. */
MUST_USE enum status kv_log_start_nonce(struct kv_log *log, uint64_t counter, uint64_t *ret_nonce);

/* Write and sync batches, in order, as one: all or nothing. The reserve is used only
 * when every one of them is essential.
 *
 * STATUS_DISK_FULL  nothing was written; may be tried again, those that are essential by
 * themselves. STATUS_IO         the device failed: what is on it is unknown, and the process must
 * end. */
MUST_USE enum status kv_log_write(struct kv_log *log, const struct kv_log_batch *const *batches,
                                  size_t batch_count);

/* Visit entries first..last in order, checksums checked; the entry is borrowed for the call. From
 * any thread. Stops at the first status that is not OK and returns it.
 *
 * STATUS_NOT_FOUND  one of them is not there.
 * STATUS_CORRUPT    one of them is damaged. */
typedef enum status kv_entry_visit(void *context, const struct raft_entry *entry);
MUST_USE enum status kv_log_read(struct kv_log *log, raft_index first, raft_index last,
                                 kv_entry_visit *visit, void *context);

/* The terms of the entries first..last, as runs in order.
 *
 * STATUS_OVERLOAD  there are more than `capacity`. Else as for kv_log_read(). */
MUST_USE enum status kv_log_runs(struct kv_log *log, raft_index first, raft_index last,
                                 struct raft_term_run *runs, size_t capacity, size_t *ret_count);

/* Delete entries up to and including `through`; synced. The term of the last one cut is kept, and
 * the newest configuration among them. `ret_first`: the first entry now kept. */
MUST_USE enum status kv_log_cut(struct kv_log *log, raft_index through, raft_index *ret_first);

/* A snapshot's state, complete and synced, takes the place of the current one. */
struct kv_log_install {
    raft_index index; /* of the last entry in it */
    raft_term term;
    const struct raft_configuration *configuration; /* the newest at `index`; borrowed */
    uint64_t state_generation;                      /* where it lies */
    bool is_rebuild; /* the state was damaged: the cut point's own index will do */
};

/* What is left of the log. */
struct kv_log_installed {
    bool is_kept;           /* it held the snapshot's last entry, and keeps what follows it */
    raft_index first_index; /* install.index + 1 */
    raft_index last_index;
    raft_term last_term;
    struct raft_hard_state hard;
    struct raft_configuration configuration; /* the newest at or below last_index */
};

/* Make a snapshot the log's beginning, in one synced transaction. Where the log holds entry `index`
 * with this term, the entries after it stay, as they may have been acknowledged; else the log
 * begins anew after it. The cut point becomes the snapshot's, and an older term becomes its term,
 * voting for nobody. Before that nothing of the snapshot counts, after it the state of this
 * generation is the current one: a start redoes what follows from either.
 *
 * STATUS_STALE    `index` is at or below the cut point (below it: with is_rebuild).
 * STATUS_CORRUPT  a rebuild whose term is not the cut point's, or the log is damaged.
 * STATUS_DISK_FULL, STATUS_IO  as for kv_log_write(). With all of them nothing changed. */
MUST_USE enum status kv_log_install(struct kv_log *log, const struct kv_log_install *install,
                                    struct kv_log_installed *ret_installed);

/* ---- Notes: small durable facts of others, in the log's store -------------------------------- */

#define KV_NOTE_KEY_BYTES_MAX ((size_t)64)
#define KV_NOTE_VALUE_BYTES_MAX (64 * KIB)

struct kv_note {
    struct bytes key;   /* 1 .. KV_NOTE_KEY_BYTES_MAX bytes */
    struct bytes value; /* up to KV_NOTE_VALUE_BYTES_MAX; empty: delete it */
};

/* Write one, or several in one transaction; synced. May use the reserve.
 * STATUS_INVALID: beyond the bounds, nothing written. Else as for kv_log_write(). */
MUST_USE enum status kv_log_note_write(struct kv_log *log, struct bytes key, struct bytes value);
MUST_USE enum status kv_log_notes_write(struct kv_log *log, const struct kv_note *notes,
                                        size_t count);

/* Copy one into the caller's memory. From any thread. STATUS_NOT_FOUND; STATUS_OVERLOAD: longer
 * than `capacity`; STATUS_CORRUPT. */
MUST_USE enum status kv_log_note_read(struct kv_log *log, struct bytes key, uint8_t *memory,
                                      size_t capacity, size_t *ret_len);

/* Visit those whose key begins with `prefix`, in key order; borrowed for the call, in which nothing
 * is to be written. From any thread. Stops at the first status that is not OK and returns it. */
typedef enum status kv_note_visit(void *context, struct bytes key, struct bytes value);
MUST_USE enum status kv_log_notes_each(struct kv_log *log, struct bytes prefix,
                                       kv_note_visit *visit, void *context);

/* ---- Room ---------------------------------------------------------------------------------- */

/* Bytes the file takes on the disk; and whether a client's batch of `bytes` fits without the
 * reserve. Also restores the reserve when there is room for it: no system call while it stands.
 * Both from any thread. */
uint64_t kv_log_file_bytes(struct kv_log *log);
bool kv_log_has_room(struct kv_log *log, size_t bytes);

/* ---- The state's store: state/, later state.1/ and so on
 * ------------------------------------------------------------- */

struct kv_state;

struct kv_state_options {
    size_t reserve_bytes; /* preallocated: what a flush adds */
    size_t journal_bytes; /* likewise, for the largest flush's journal */
    size_t slice_bytes;   /* a flush that changes more pages takes several transactions; 0: never */
};

/* Opens the state of a generation, as the log's summary or an installation names it: checks its
 * meta record and that no record is missing, and syncs it and its parents before anything in it is
 * relied on. Generation 0 is made where it is missing, with a meta of zeros; any other was complete
 * before it was named. Then the other generations are removed: they are left over. One that is
 * still open can be read until it is closed.
 *
 * Statuses as for kv_log_open(); STATUS_CORRUPT: the state must be rebuilt. */
MUST_USE enum status kv_state_open(struct kv_directory *directory, uint64_t generation,
                                   const struct kv_state_options *options,
                                   struct kv_state **ret_state, struct kv_meta *ret_meta);
void kv_state_close(struct kv_state *state);

/* The loop's view of it. Belongs to the loop, whoever flushes. */
struct kv_base kv_state_base(struct kv_state *state);

/* Write a part of a frozen table, in one synced transaction; the last part with the table's meta,
 * and `ret_is_done`. To be called with the same flush until then, and with no other before. A crash
 * leaves the state as it was or, once its first part is written, as it will be: the next opening
 * brings it to its end. Statuses as for kv_log_write(): nothing of this part was written. */
MUST_USE enum status kv_state_flush(struct kv_state *state, const struct kv_flush *flush,
                                    bool *ret_is_done);

/* Whether the reserves stand, made again where there is room. Both from any thread. */
bool kv_state_has_room(struct kv_state *state);
uint64_t kv_state_file_bytes(struct kv_state *state);

/* ---- The scrub: reads what nobody reads ---------------------------------------------------- */

/* Walks a store in slices, each under a short read transaction, from any thread. */
struct kv_scrub {
    uint64_t checked;    /* records or entries, in this walk */
    uint64_t damaged;    /* found in all walks */
    uint64_t walks;      /* completed */
    uint64_t mismatches; /* walks whose count or hash differ from the meta */
    uint8_t next[512];   /* where the next slice starts; next_len 0: at the start */
    size_t next_len;
    uint64_t hash;  /* of this walk */
    uint64_t flush; /* the applied index under which this walk started */
};

/* Check up to `records` further ones. A completed walk compares count and hash with the meta, when
 * no flush came in between. STATUS_CORRUPT: damage was found in this slice. */
MUST_USE enum status kv_state_scrub(struct kv_state *state, struct kv_scrub *scrub, size_t records);
MUST_USE enum status kv_log_scrub(struct kv_log *log, struct kv_scrub *scrub, size_t records);

/* ---- Snapshots: the portable stream --------------------------------------------------------- */

/* Takes bytes of a stream; a status that is not OK ends the work and is returned. */
typedef enum status kv_sink(void *context, struct bytes chunk);

/* What a stream says of itself. */
struct kv_snapshot_info {
    uint32_t version;
    uint64_t cluster_id;
    struct kv_meta meta;
    struct raft_configuration configuration; /* among the records; count 0: none */
    uint64_t records;                        /* counted */
    uint64_t bytes;                          /* of the stream */
    uint64_t hash; /* computed over the records; equals meta.hash when sound */
};

/* Write the state of one read transaction to `sink`, in chunks of at most 64 KiB. From any thread,
 * while flushes go on; the transaction pins old pages for as long as it takes, so the walk is
 * abandoned with STATUS_OVERLOAD once the file has grown by `growth_bytes_max` (0: no bound).
 * STATUS_BUSY: a flush is halfway, and does not end. */
MUST_USE enum status kv_snapshot_save(struct kv_state *state, uint64_t cluster_id,
                                      uint64_t growth_bytes_max, kv_sink *sink, void *context);

/* Reads a stream piece by piece, checks it, and (with a directory) rebuilds a data directory from
 * it: a state with these records, and a log that starts after it, as a cluster of one voter with a
 * new identity and a new cluster id. Only the configuration's record is another: the new voter. */
struct kv_restore;

/* `directory` NULL: only inspect. `name` NULL: the first start gives one. All calls about one
 * restore come from one thread.
 *
 * STATUS_BUSY  it holds a log or a state already, or kv_directory_set_aside() was cut short; what
 *              an unfinished restore left is removed. */
MUST_USE enum status kv_restore_new(struct kv_directory *directory, const char *name,
                                    struct kv_restore **ret_restore);
/* STATUS_CORRUPT: not a stream, or damaged. STATUS_UNSUPPORTED: of a later version. Or
 * STATUS_DISK_FULL, STATUS_IO. The same again from then on. */
MUST_USE enum status kv_restore_write(struct kv_restore *restore, struct bytes chunk);
/* The stream has ended; once. Only STATUS_OK makes the directory usable. STATUS_CORRUPT: it was cut
 * short. */
MUST_USE enum status kv_restore_finish(struct kv_restore *restore,
                                       struct kv_snapshot_info *ret_info);
void kv_restore_free(struct kv_restore *restore);

/* Reads a stream that a peer sends, and builds the state of a new generation from it, beside the
 * current one. Nobody looks at it until kv_log_install() has named it. */
struct kv_install;

/* `generation` is above 0 and not the current one; what an earlier attempt left of it is removed.
 * All calls about one installation come from one thread. STATUS_DISK_FULL, STATUS_IO. */
MUST_USE enum status kv_install_new(struct kv_directory *directory, uint64_t generation,
                                    struct kv_install **ret_install);
/* As for kv_restore_write(). */
MUST_USE enum status kv_install_write(struct kv_install *install, struct bytes chunk);
/* The stream has ended; once. STATUS_OK: the state is whole, and durable with its name. */
MUST_USE enum status kv_install_finish(struct kv_install *install,
                                       struct kv_snapshot_info *ret_info);
/* Removes an unfinished state. */
void kv_install_free(struct kv_install *install);

#endif
