#include "sim/sim.h"

#include "sim/orders.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* In calm weather a cluster has everything done long before this. */
#define CALM_US ((uint64_t)60 * 1000000)
#define STEP_US ((uint64_t)50 * 1000)
#define BREATH_US ((uint64_t)500 * 1000)

static struct sim *running; /* the one whose CHECKs fail */

/* ---- Failures -------------------------------------------------------------------------------- */

void sim_fail(struct sim *sim, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->result.failure, sizeof sim->result.failure, format, arguments);
    va_end(arguments);
    sim->result.has_failed = true;
    sim_trace(sim, "FAILED: %s", sim->result.failure);
    longjmp(sim->escape, 1);
}

/* Stands in for the ground floor's, so that a run may fail and the next one go on. */
void check_failed(const char *condition, const char *file, int line) {
    if (running)
        sim_fail(running, "%s:%d: CHECK failed: %s", file, line, condition);
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
    abort();
}

void sim_trace(const struct sim *sim, const char *format, ...) {
    if (!sim->options.is_verbose)
        return;
    va_list arguments;
    printf("%10.3f ", (double)sim->now_us / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static const char *kind_name(enum raft_message_kind kind) {
    static const char *const names[] = {
        "pre-vote",    "pre-vote answer",  "vote",
        "vote answer", "append",           "append answer",
        "heartbeat",   "heartbeat answer", "timeout now",
        "read",        "read answer",
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

static void trace_details(const struct raft_message *m, size_t count, char *text, size_t capacity) {
    switch (m->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        snprintf(text, capacity, "last %" PRIu64 "/%" PRIu64 "%s", m->vote.last_index,
                 m->vote.last_term, m->vote.is_transfer ? " transfer" : "");
        return;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER:
        snprintf(text, capacity, "%s", m->vote_answer.is_granted ? "granted" : "refused");
        return;
    case RAFT_APPEND:
        snprintf(text, capacity, "prev %" PRIu64 "/%" PRIu64 " +%zu commit %" PRIu64,
                 m->append.prev_index, m->append.prev_term, count, m->append.commit_index);
        return;
    case RAFT_APPEND_ANSWER:
        snprintf(text, capacity, "%s %" PRIu64 " hint %" PRIu64 "/%" PRIu64,
                 m->append_answer.is_match ? "match" : "refused", m->append_answer.index,
                 m->append_answer.hint_index, m->append_answer.hint_term);
        return;
    case RAFT_HEARTBEAT:
        snprintf(text, capacity, "round %" PRIu64 " commit %" PRIu64, m->heartbeat.round,
                 m->heartbeat.commit_index);
        return;
    case RAFT_HEARTBEAT_ANSWER:
        snprintf(text, capacity, "round %" PRIu64, m->heartbeat_answer.round);
        return;
    case RAFT_READ:
    case RAFT_READ_ANSWER:
        snprintf(text, capacity, "token %" PRIu64 " index %" PRIu64, m->read.token, m->read.index);
        return;
    case RAFT_TIMEOUT_NOW: return;
    }
}

void sim_trace_message(struct sim *sim, const struct raft_message *m, size_t count) {
    sim_digest(sim, m->kind + 16 * (m->from + 16 * m->to));
    sim_digest(sim, m->term + ((uint64_t)count << 32));
    if (!sim->options.is_verbose)
        return;
    char details[128] = "";
    trace_details(m, count, details, sizeof details);
    sim_trace(sim, "%" PRIu64 " -> %" PRIu64 " term %" PRIu64 " %s %s", m->from - 1, m->to - 1,
              m->term, kind_name(m->kind), details);
}

void sim_digest(struct sim *sim, uint64_t value) {
    sim->result.digest = sim_mix(sim->result.digest, value);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void plan(struct sim *sim, uint64_t delay_us, sim_action *action, void *context, void *data,
                 uint64_t tag, bool is_owned) {
    sim_events_add(&sim->events, (struct sim_event){.at_us = sim->now_us + delay_us,
                                                    .action = action,
                                                    .context = context,
                                                    .data = data,
                                                    .tag = tag,
                                                    .is_owned = is_owned});
}

void sim_plan(struct sim *sim, uint64_t delay_us, sim_action *action, void *context, void *data,
              uint64_t tag) {
    plan(sim, delay_us, action, context, data, tag, false);
}

void sim_plan_owned(struct sim *sim, uint64_t delay_us, sim_action *action, void *context,
                    void *data, uint64_t tag) {
    plan(sim, delay_us, action, context, data, tag, true);
}

static void mark(void *context, void *data, uint64_t tag) {
    bool *is_over = data;
    (void)context, (void)tag;
    *is_over = true;
}

static void elapse(struct sim *sim, uint64_t us) {
    bool is_over = false;
    struct sim_event event;
    sim_plan(sim, us, mark, sim, &is_over, 0);
    while (!is_over && sim_events_take(&sim->events, &event)) {
        sim->now_us = event.at_us;
        sim_digest(sim, event.at_us);
        event.action(event.context, event.data, event.tag);
    }
}

/* ---- The cluster ----------------------------------------------------------------------------- */

struct sim_node *sim_node_of(struct sim *sim, raft_id id) {
    size_t number = (size_t)(id - 1) % SIM_NODES_MAX;
    CHECK(id != 0 && number < sim->weather.node_count);
    return &sim->nodes[number];
}

struct sim_node *sim_leader(struct sim *sim) {
    struct sim_node *leader = NULL;
    raft_term term = 0;
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (!sim_node_leads(node) || raft_status(node->turn->raft)->term <= term)
            continue;
        leader = node;
        term = raft_status(node->turn->raft)->term;
    }
    return leader;
}

static struct raft_configuration founding(const struct sim_weather *weather) {
    struct raft_configuration configuration = {0};
    for (size_t i = 0; i < weather->voter_count + weather->learner_count; i++) {
        struct raft_member *member = &configuration.members[configuration.count++];
        member->id = i + 1;
        member->rights = i < weather->voter_count ? RAFT_VOTER_NEW : RAFT_LEARNER;
    }
    return configuration;
}

static void open_all(struct sim *sim) {
    const struct sim_weather *weather = &sim->weather;
    struct raft_configuration members = founding(weather);
    struct raft_configuration blank = {0};
    sim->checks = sim_checks_new(sim);
    sim_network_open(&sim->network, sim);
    for (size_t i = 0; i < weather->node_count; i++)
        sim_node_open(&sim->nodes[i], sim, i, i < members.count ? &members : &blank);
    for (size_t i = 0; i < weather->client_count; i++)
        sim_client_open(&sim->clients[i], sim, i);
    sim_faults_open(&sim->faults, sim);
}

static void close_all(struct sim *sim) {
    for (size_t i = 0; i < sim->weather.node_count; i++)
        sim_node_close(&sim->nodes[i]);
    sim_transfers_close(sim);
    sim_events_close(&sim->events);
    sim_history_close(&sim->history);
    sim_faults_close(&sim->faults);
    sim_losses_close(&sim->losses);
    sim_checks_free(sim->checks);
}

/* ---- The story ------------------------------------------------------------------------------- */

static void storm(struct sim *sim) {
    for (size_t i = 0; i < sim->weather.node_count; i++)
        sim_node_boot(&sim->nodes[i]);
    for (size_t i = 0; i < sim->weather.client_count; i++)
        sim_client_start(&sim->clients[i]);
    sim_faults_plan(&sim->faults);
    elapse(sim, sim->weather.storm_us);
}

static bool clients_are_idle(const struct sim *sim) {
    bool is_idle = true;
    for (size_t i = 0; i < sim->weather.client_count; i++)
        is_idle = is_idle && sim->clients[i].is_idle;
    return is_idle;
}

static bool is_level(struct sim *sim) {
    raft_index applied = sim_node_applied(&sim->nodes[0]);
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        const struct raft_status *raft = raft_status(sim->nodes[i].turn->raft);
        if (sim_node_applied(&sim->nodes[i]) != applied || raft->last_index != applied)
            return false;
    }
    return true;
}

static void trace_nodes(const struct sim *sim) {
    for (size_t i = 0; i < sim->weather.node_count; i++) {
        const struct turn *turn = sim->nodes[i].turn;
        const struct raft_status *raft = raft_status(turn->raft);
        sim_trace(sim,
                  "node %zu: role %d term %" PRIu64 " leader %" PRIu64 " last %" PRIu64
                  " durable %" PRIu64 " commit %" PRIu64 " applied %" PRIu64 " disk %" PRIu64
                  " refused %" PRIu64,
                  i, raft->role, raft->term, raft->leader - 1, raft->last_index,
                  raft->durable_index, raft->commit_index, sim_node_applied(&sim->nodes[i]),
                  sim->nodes[i].disk.last_index, turn->status.refused_messages_total);
    }
}

static void await(struct sim *sim, bool (*is_so)(struct sim *), const char *what) {
    uint64_t end_us = sim->now_us + CALM_US;
    while (!is_so(sim)) {
        if (sim->now_us >= end_us)
            trace_nodes(sim);
        if (sim->now_us >= end_us)
            sim_fail(sim, "does not converge: %s", what);
        elapse(sim, STEP_US);
    }
}

static bool all_are_members(struct sim *sim) {
    struct sim_node *leader = sim_leader(sim);
    if (leader && sim_all_are_admitted(sim, leader))
        return true;
    if (leader)
        sim_order_admit_all(sim, leader);
    return false;
}

static bool clients_have_finished(struct sim *sim) {
    return clients_are_idle(sim);
}

static void calm(struct sim *sim) {
    sim->is_calm = true;
    sim_trace(sim, "calm");
    sim_faults_heal(&sim->faults);
    elapse(sim, BREATH_US); /* what was frozen takes what was said to it meanwhile */
    await(sim, all_are_members, "not all nodes are members");
    for (size_t i = 0; i < sim->weather.client_count; i++)
        sim_client_finish(&sim->clients[i]);
    await(sim, clients_have_finished, "clients get no answers");
    await(sim, is_level, "the nodes do not come level");
}

static void sum_up(struct sim *sim) {
    struct sim_result *result = &sim->result;
    result->elapsed_us = sim->now_us;
    result->fault_count = sim->faults.count;
    result->op_count = sim->history.count;
}

void sim_run(const struct sim_options *options, struct sim_result *ret_result) {
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        abort();
    sim->options = *options;
    sim->weather = sim_weather_of(options->seed, options->node_count);
    running = sim;
    if (setjmp(sim->escape) == 0) {
        open_all(sim);
        storm(sim);
        calm(sim);
        sim_check_end(sim);
        sum_up(sim);
        close_all(sim);
    } else {
        sum_up(sim); /* what a broken run holds is left behind: it may be in any state */
    }
    running = NULL;
    *ret_result = sim->result;
    free(sim);
}
