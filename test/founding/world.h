/* Blank machines that are to found one cluster, in a world on one thread, from one seed: first with
 * faults of all kinds, then with none; then there must be one cluster, within TIME_LIMIT_RETRIES.
 *
 * The machine under test is src/founding unchanged, behind a caller such as the server's: a store
 * that answers late and may lose what it had not answered for, a network, sightings by something
 * like gossip, and as much of Raft as matters here: that a cluster commits once a majority of its
 * members has started and can talk. */
#ifndef PHALANX_FOUNDING_WORLD_H
#define PHALANX_FOUNDING_WORLD_H

#include "founding/founding.h"
#include "sim/random.h"
#include "sim/verdict.h"

#include <stdio.h>

#define MACHINES_MAX 14
#define IDENTITIES_MAX 256
#define CLUSTERS_MAX 64
#define EVENTS_MAX 16384

/* After the last fault, in multiples of retry_ms. */
#define TIME_LIMIT_RETRIES 600

/* What was made with a data directory, and ends with it. */
struct identity {
    raft_id id;
    size_t machine;
    bool is_wiped;
    bool is_lost;   /* for ever, and no other takes its name */
    bool was_reset; /* and belongs to nothing but what it has founded since */
    uint64_t found; /* the last cluster that it was told to found and not to drop */
};

/* The disk of a machine: survives crashes, not wipes. */
struct disk {
    uint8_t record[FOUNDING_RECORD_BYTES_MAX];
    size_t record_bytes;
    uint64_t cluster_id;
    bool has_committed;
};

struct machine {
    char name[NAME_BYTES_MAX];
    size_t identity;
    struct disk disk;
    struct founding *f; /* NULL: down */
    uint64_t life;      /* counts starts: what was under way before is void */
    uint64_t waking_ms; /* when an event for its deadline is due; 0: none */
    uint64_t paused_until_ms;
    bool is_lost;
    bool is_due; /* to be started by an event that is under way */
    /* The server's memory. */
    uint64_t writing_record; /* number; 0: none */
    struct disk written;     /* with the record that is under way, */
    uint64_t cluster_id;     /* and what the store is to hold */
    bool is_writing_store;
    uint64_t stored_ms; /* when its last write is done: they stay in order */
    bool was_stopped;   /* the engine, before a reset; until it founds again */
    uint64_t joinable;
    bool in_sight[IDENTITIES_MAX];
};

/* Founded: somebody was told so. */
struct cluster {
    uint64_t id;
    struct raft_configuration configuration;
    bool has_committed;
};

enum event_kind {
    EVENT_START,
    EVENT_WAKE,
    EVENT_LOOK,
    EVENT_MESSAGE,
    EVENT_RECORD,
    EVENT_STORE,
    EVENT_FAULT,
    EVENT_RAFT,
    EVENT_JOIN
};

struct event {
    uint64_t at_ms;
    uint64_t order; /* of those at one time */
    enum event_kind kind;
    size_t machine;
    uint64_t life;
    uint64_t number; /* of a record */
    raft_id from, to;
    size_t len;
    uint8_t *bytes; /* a message's; owned */
};

struct world {
    uint64_t seed;
    bool is_verbose;
    struct sim_random random;
    uint64_t now_ms;
    uint64_t digest;
    uint64_t order;

    bool has_names;
    const char *names[MACHINES_MAX];
    size_t machine_count, expect;
    uint64_t retry_ms;
    /* The weather, by seed. */
    bool has_faults;  /* now */
    bool is_careless; /* committed clusters may be wiped away: nothing has to come of it */
    uint64_t faults_end_ms;
    uint64_t loss, duplication, lateness, crash_ppm, pause; /* percent but for the one */
    uint64_t latency_ms, sync_ms;
    uint64_t ambushed; /* kinds of messages, a bit each, that suffer more than others: */
    uint64_t ambush;   /* so many percent of them are late, some lost, or the last word for long */
    uint64_t pace;     /* of faults: higher is faster */
    size_t wipes_left, losses_left, resets_left;
    bool is_cut[MACHINES_MAX][MACHINES_MAX]; /* from, to */

    struct machine machines[MACHINES_MAX];
    struct identity identities[IDENTITIES_MAX];
    size_t identity_count;
    struct cluster clusters[CLUSTERS_MAX];
    size_t cluster_count;
    struct event events[EVENTS_MAX];
    size_t event_count;

    size_t fault_count, message_count;
    uint64_t settled_ms; /* when all was well */
    struct verdict verdict;
};

#define LOG(w, ...) \
    do { \
        if ((w)->is_verbose) { \
            printf("%8llu ", (unsigned long long)(w)->now_ms); \
            printf(__VA_ARGS__); \
            printf("\n"); \
        } \
    } while (0)

/* ---- world.c ---- */
void world_run(struct world *w, uint64_t seed, bool is_verbose);

/* ---- events.c ---- */
/* Takes `event` over, in `delay_ms` from now. */
void events_add(struct world *w, uint64_t delay_ms, struct event event);
bool events_take(struct world *w, struct event *ret_event);
void events_clear(struct world *w);

/* ---- machine.c ---- */
void machine_start(struct world *w, struct machine *m);
/* What was under way to its disk is there afterwards, or not. */
void machine_crash(struct world *w, struct machine *m);
/* A new data directory, a new identity, the same name. */
void machine_wipe(struct world *w, struct machine *m);
void machine_reset(struct world *w, struct machine *m);
void machine_handle(struct world *w, struct machine *m, const struct event *event);
void machine_step(struct world *w, struct machine *m, struct founding_event event);
struct identity *machine_identity(struct world *w, const struct machine *m);
struct machine *machine_of(struct world *w, raft_id id);

/* ---- network.c ---- */
void network_send(struct world *w, struct machine *from, const struct founding_message *message);
bool network_can_talk(const struct world *w, const struct machine *a, const struct machine *b);
void network_look(struct world *w, struct machine *m);

/* ---- faults.c ---- */
void faults_next(struct world *w);
void faults_end(struct world *w);

/* ---- raft.c ---- */
/* Commits in the clusters that can, and takes nodes in. */
void raft_round(struct world *w);

/* ---- checks.c ---- */
struct cluster *check_cluster(struct world *w, uint64_t id);
void check_found(struct world *w, struct machine *m, const struct founding_decision *decision);
void check_drop(struct world *w, struct machine *m, uint64_t cluster_id);
void check_join(struct world *w, struct machine *m, uint64_t cluster_id);
/* Whether losing one more of its identities leaves a committed cluster with a majority. */
bool check_can_lose(struct world *w, const struct machine *m);
/* All machines that are up belong to one cluster, and it has committed. */
bool check_is_settled(struct world *w);

/* ---- plants.c ---- */
/* False: no such plant, or not in this build; says so. */
bool plant_choose(const char *name);

#endif
