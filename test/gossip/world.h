/* Nodes that gossip, in a world on one thread, from one seed.
 *
 * A storm: faults of all kinds, then none; then all must see all within HEAL_MS_MAX, and who is
 * killed after that must be dead everywhere within the bound that the door states, nobody else
 * ever. A calm: hours of a wide network that loses datagrams, while now and then one node is
 * paused: nobody who is healthy may be called dead, and it may not cost much.
 *
 * The machine under test is src/gossip unchanged, behind a caller such as the server's. */
#ifndef PHALANX_GOSSIP_WORLD_H
#define PHALANX_GOSSIP_WORLD_H

#include "gossip/gossip.h"
#include "sim/random.h"
#include "sim/verdict.h"

#include <stdio.h>

#define NODES_MAX 12
#define MAILS_MAX 8192
#define QUEUE_MAX 256 /* datagrams that wait for a paused node: its socket's buffer */
#define OLD_MAX 256   /* datagrams that may come once more, much later */

#define HEAL_MS_MAX 60000

#define WORLD_LABEL "phalanx.internal"

/* Of all nodes in an hour of calm, while one link is cut. */
#define SUSPICIONS_MAX 200

/* IPv6 and UDP around a packet. */
#define WRAPPING_BYTES 48

struct node {
    size_t place;     /* of the machine: its name */
    uint64_t id;      /* of its data directory */
    struct gossip *g; /* NULL: down */
    struct gossip_address address;
    uint64_t starts; /* of the directory */
    bool counts_starts;
    uint64_t rate_ppm; /* of its clock to the world's */
    uint64_t clock_offset_ms;
    uint64_t due_ms; /* the world's clock */
    uint64_t paused_until_ms;
    uint64_t was_unwell_ms;              /* the last time that it was paused, or down */
    uint64_t sent_bytes, received_bytes; /* as on the wire, sealed */
    size_t queued;
    struct {
        uint64_t id, incarnation;
    } seen[NODES_MAX]; /* of each place: the last that it knew */
};

struct mail {
    uint64_t at_ms;
    uint64_t order;
    struct gossip_address from, to;
    size_t len;
    uint8_t bytes[GOSSIP_DATAGRAM_BYTES_MAX];
};

struct world {
    uint64_t seed;
    bool is_verbose;
    bool is_calm;
    struct sim_random random, faults;
    uint64_t now_ms, order, digest;

    uint64_t tick_ms;
    size_t node_count;
    struct node nodes[NODES_MAX];
    uint64_t next_id;
    uint16_t next_port;
    bool has_dns; /* all hear of new addresses; else each knows those of its own start */

    /* The weather, by seed; percent. */
    uint64_t loss, duplication, replays, forgeries;
    uint64_t latency_ms[NODES_MAX][NODES_MAX];
    bool is_cut[NODES_MAX][NODES_MAX]; /* from, to */
    bool has_faults;
    bool has_restarts; /* else only links and pauses: who is dead must be found again */
    uint64_t next_fault_ms;
    uint64_t pace_ms; /* between two faults, in the middle */

    uint64_t killed; /* who is to be called dead; 0: nobody */
    bool must_live;  /* nobody else may be called dead */

    size_t mail_count, old_count;
    size_t fault_count, mail_total, suspicion_count;
    uint64_t heal_ms;       /* how long it took */
    uint64_t death_percent; /* of the bound: how long it took */
    double bytes_per_s;     /* of the busiest node in its busier direction */
    struct verdict verdict;

    /* Last: they are large, and need not be cleared. */
    struct mail mails[MAILS_MAX];
    struct mail old[OLD_MAX];
};

#define LOG(w, ...) \
    do { \
        if ((w)->is_verbose) { \
            printf("%9llu ", (unsigned long long)(w)->now_ms); \
            printf(__VA_ARGS__); \
            printf("\n"); \
        } \
    } while (0)

/* ---- world.c ---- */
void world_storm(struct world *w, uint64_t seed, bool is_verbose);
void world_calm(struct world *w, uint64_t seed, uint64_t hours, bool is_verbose);
/* Lets time pass up to `end_ms`, or until `is_done`, if it is not NULL. */
void world_run(struct world *w, uint64_t end_ms, bool (*is_done)(struct world *w));

/* ---- node.c ---- */
void node_start(struct world *w, struct node *n);
void node_stop(struct world *w, struct node *n);
void node_step(struct world *w, struct node *n, struct gossip_event event);
bool node_is_paused(const struct world *w, const struct node *n);
struct node *node_at(struct world *w, const struct gossip_address *address);
struct node *node_of(struct world *w, uint64_t id);
/* To an address that nobody had before. */
void node_move(struct world *w, struct node *n);
/* A new data directory. */
void node_wipe(struct world *w, struct node *n);
/* Tells it the addresses of all others. */
void node_look_up(struct world *w, struct node *n);
void node_leave(struct world *w, struct node *n);

/* ---- network.c ---- */
void network_send(struct world *w, struct node *from, const struct gossip_datagram *datagram);
/* What is due is delivered, and what waited for a node that runs again. */
void network_deliver(struct world *w);
/* A socket is closed, with all that waits in it. */
void network_drop(struct world *w, const struct gossip_address *to);
/* What waits for a paused node is due now. */
void network_release(struct world *w, const struct node *n);
uint64_t network_next_ms(const struct world *w);

/* ---- forge.c ---- */
/* A lie about a third node, in another one's name; false: there are not enough to lie to. */
bool forge_datagram(struct world *w, struct mail *ret_mail);

/* ---- faults.c ---- */
void faults_next(struct world *w);
void faults_end(struct world *w);

/* ---- checks.c ---- */
/* All that run see all that run, at the right place and with the right words, and no others. */
bool check_is_healed(struct world *w);
bool check_is_rested(struct world *w);
bool check_is_dead_everywhere(struct world *w);
void check_change(struct world *w, struct node *n, const struct gossip_change *change);
/* Says what is missing. */
void check_tell(struct world *w);
/* After each step of `n`: what it knows does not get older. */
void check_knowledge(struct world *w, struct node *n);
void check_suspicions(struct world *w, uint64_t hours);
void check_cost(struct world *w, uint64_t span_ms);

/* ---- plants.c ---- */
/* False: no such plant, or not in this build; says so. */
bool plant_choose(const char *name);

#endif
