/* A whole cluster on one thread, from one seed: first a storm of faults, then calm, in which it
 * must converge. The checkers watch all along. */
#ifndef PHALANX_SIM_SIM_H
#define PHALANX_SIM_SIM_H

#include "sim/checks.h"
#include "sim/client.h"
#include "sim/events.h"
#include "sim/faults.h"
#include "sim/history.h"
#include "sim/links.h"
#include "sim/losses.h"
#include "sim/network.h"
#include "sim/node.h"
#include "sim/plots.h"
#include "sim/random.h"
#include "sim/transfer.h"
#include "sim/weather.h"

#include <setjmp.h>

struct sim_options {
    uint64_t seed;
    size_t node_count; /* 0: the seed decides */
    bool is_verbose;
    bool is_blind;         /* leave out the checkers that see more than a user could */
    const bool *is_spared; /* by number of the fault: true: it does not happen; or NULL */
};

struct sim_result {
    bool has_failed;
    char failure[512];
    uint64_t digest;     /* of everything that happened */
    uint64_t elapsed_us; /* simulated */
    size_t fault_count;
    size_t op_count;
    size_t install_count;
    size_t loss_count;      /* of identities */
    size_t unnoticed_count; /* of them, rolled back, and nobody could know */
    raft_index applied;
};

struct sim {
    struct sim_options options;
    struct sim_weather weather;
    uint64_t now_us;
    uint64_t ticks;     /* of clients' operations */
    bool is_calm;       /* the storm is over */
    uint64_t snapshots; /* from node to node, until now */
    struct sim_events events;
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_network network;
    struct sim_links links;
    struct sim_snapshots all_snapshots; /* on their way */
    struct sim_client clients[SIM_CLIENTS_MAX];
    struct sim_history history;
    struct sim_faults faults;
    struct sim_plot plot;
    struct sim_losses losses;
    struct sim_checks *checks;
    struct sim_result result;
    jmp_buf escape; /* from a failure, to the end of the run */
};

/* One run, from nothing. */
void sim_run(const struct sim_options *options, struct sim_result *ret_result);

/* Plan an action; the second kind owns `data`, from malloc, until it fires. */
void sim_plan(struct sim *sim, uint64_t delay_us, sim_action *action, void *context, void *data,
              uint64_t tag);
void sim_plan_owned(struct sim *sim, uint64_t delay_us, sim_action *action, void *context,
                    void *data, uint64_t tag);

/* What was promised is broken: ends the run. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_trace_message(struct sim *sim, const struct raft_message *message, size_t count);
void sim_digest(struct sim *sim, uint64_t value);

/* The node that has or had this identity. */
struct sim_node *sim_node_of(struct sim *sim, raft_id id);

/* The leader of the newest term; NULL: nobody leads. */
struct sim_node *sim_leader(struct sim *sim);

#endif
