/* One node's disk: what was synced, and two writers that finish late, in order, or never.
 *
 * A batch is on the disk as a whole or not at all. A crash keeps some of those that were being
 * written, without anybody having been told; the next start syncs what it reads, so what it found
 * is there for good. */
#ifndef PHALANX_SIM_DISK_H
#define PHALANX_SIM_DISK_H

#include "server/gate_memory.h"
#include "server/log_order.h"
#include "server/turn.h"
#include "sim/random.h"
#include "support/memory_base.h"

struct sim;
struct sim_node;
struct sim_snapshot;

struct sim_entry {
    struct raft_entry entry; /* payload from malloc */
    uint64_t chain;          /* digest of this entry and of all before it */
};

/* A start of another node, as this one's disk remembers it. */
struct sim_note {
    raft_id id;
    struct gate_pair pair;
};

#define SIM_STARTS_MAX ((size_t)2048)
#define SIM_NOTES_MAX GATE_PEERS_MAX

struct sim_disk {
    struct sim *sim;
    struct sim_node *node;
    struct sim_random random;

    /* Durable. */
    struct raft_hard_state hard;
    struct sim_entry *entries; /* by index; 0 is a sentinel */
    size_t capacity;
    raft_index first_index;
    raft_index last_index;
    raft_index
        installed_index; /* of the last snapshot: what was before it may never have been here */
    struct raft_configuration *configurations; /* oldest first, back to the cut; none: blank */
    size_t configuration_count;
    size_t configuration_capacity;
    uint64_t declared_ms; /* the largest election timeout ever declared; 0: none */
    uint64_t start_count;
    uint64_t nonces[SIM_STARTS_MAX]; /* of the starts, from 1 */
    struct sim_note notes[SIM_NOTES_MAX];
    size_t note_count;
    struct memory_base *base;
    struct memory_base *old_base; /* replaced, but the turn still looks at it; or NULL */

    /* The log writer. */
    struct turn_batch *batches[BATCHES_IN_FLIGHT_MAX]; /* in the order of submission */
    size_t batch_count;
    size_t group_count; /* of them, being written */
    struct turn_cut *cut;
    struct turn_room *room;
    struct sim_note asked_notes[SIM_NOTES_MAX]; /* to be written */
    size_t asked_note_count;
    struct sim_snapshot *snapshot; /* being installed */
    struct log_order order;
    bool is_writing;
    bool is_waiting; /* for the hang to end, to begin */

    /* The state writer. */
    struct turn_flush *flush;

    uint64_t life;        /* completions of an earlier one are void */
    uint64_t slow_factor; /* of all latencies */
    bool is_hung;         /* begins no write */
    bool is_full;         /* clients' batches and flushes find no room, */
    bool is_exhausted;    /* and at times not even what may use the reserve */
    bool is_broken;       /* the next write fails, which ends the process */

    /* What really is on it, while the log was not synced since a start: what that start read was in
     * the page cache. NULL: everything is. */
    struct sim_disk *unsynced;

    raft_index rot_index; /* of an entry with a flipped bit; 0: none */
    bool has_rotten_meta; /* term, vote, identity */
};

void sim_disk_open(struct sim_disk *disk, struct sim *sim, struct sim_node *node,
                   const struct raft_configuration *founding);
void sim_disk_close(struct sim_disk *disk);

/* The process or the machine stops; to be called while the turn's memory is still there. */
void sim_disk_crash(struct sim_disk *disk);

/* What the turn asks for; each comes back through sim_node_post(). */
void sim_disk_submit(struct sim_disk *disk, struct turn_batch *batch);
void sim_disk_cut(struct sim_disk *disk, struct turn_cut *cut);
void sim_disk_flush(struct sim_disk *disk, struct turn_flush *flush);
void sim_disk_check_room(struct sim_disk *disk, struct turn_room *room);

/* A note is to be written; sim_links_noted() follows. */
void sim_disk_note(struct sim_disk *disk, raft_id id, struct gate_pair pair);
void sim_disk_install(struct sim_disk *disk, struct sim_snapshot *snapshot);

/* Nobody looks at the state that was replaced any more. */
void sim_disk_forget_old(struct sim_disk *disk);

/* starts.c: a start begins, synced; the nonce of one; whether a start of another node, or a later
 * one, is remembered; remember it. */
struct gate_pair sim_disk_begin_start(struct sim_disk *disk);
bool sim_disk_find_start(const struct sim_disk *disk, uint64_t counter, uint64_t *ret_nonce);
bool sim_disk_has_noted(const struct sim_disk *disk, raft_id id, struct gate_pair pair);
void sim_disk_write_note(struct sim_disk *disk, const struct sim_note *note);

/* A planted bug: a state loses what sessions were answered. */
void sim_disk_forget_answers(struct memory_base *base);

/* An empty one, in its place. */
void sim_disk_erase(struct sim_disk *disk);

/* Flip a bit somewhere: of the vote, of the log, of the state. */
void sim_disk_rot(struct sim_disk *disk, uint64_t pick);

/* Whether the next start sees it: the vote, the first and the last entry are read then. */
bool sim_disk_is_found_rotten(const struct sim_disk *disk);

/* Without its damaged state the log is replayed. False: the log no longer reaches back so far. */
bool sim_disk_rebuild_state(struct sim_disk *disk);

void sim_disk_hang(struct sim_disk *disk, bool is_hung);

/* A start reads everything, and syncs it before it relies on it. */
void sim_disk_start(struct sim_disk *disk);

/* NULL: not on the disk (any more, or yet). */
const struct sim_entry *sim_disk_entry(const struct sim_disk *disk, raft_index index);

/* The digest of the log up to an index that is there, or 0. */
uint64_t sim_disk_chain(const struct sim_disk *disk, raft_index index);

/* Whether it holds what was committed at an index, or a snapshot of a state that has it. */
bool sim_disk_holds(const struct sim_disk *disk, raft_index index);

#endif
