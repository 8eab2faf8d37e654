#include "sim/node.h"

#include "plant.h"
#include "sim/checks.h"
#include "sim/image.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS_MAX 4096

/* ---- The clock ------------------------------------------------------------------------------- */

static uint64_t local_us(const struct sim_node *node) {
    uint64_t elapsed_us = node->sim->now_us - node->clock_true_us;
    return node->clock_local_us + elapsed_us * node->clock_rate_ppm / 1000000;
}

static uint64_t local_ms(const struct sim_node *node) {
    return local_us(node) / 1000;
}

/* How long until its clock shows `ms`. */
static uint64_t true_us_until(const struct sim_node *node, uint64_t ms) {
    uint64_t now_us = local_us(node);
    if (ms * 1000 <= now_us)
        return 0;
    return (ms * 1000 - now_us) * 1000000 / node->clock_rate_ppm + 2;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void take_turn(void *context, void *data, uint64_t tag);

static void wake(struct sim_node *node, uint64_t delay_us) {
    uint64_t at_us = node->sim->now_us + delay_us;
    if (at_us >= node->wake_us)
        return;
    node->wake_us = at_us;
    sim_plan(node->sim, delay_us, take_turn, node, NULL, ++node->wake_number);
}

static void wake_never(struct sim_node *node) {
    node->wake_number++;
    node->wake_us = UINT64_MAX;
}

static void plan_next_turn(struct sim_node *node) {
    uint64_t deadline_ms = turn_deadline_ms(node->turn);
    if (deadline_ms == UINT64_MAX)
        return;
    uint64_t delay_us = true_us_until(node, deadline_ms);
    wake(node, delay_us > node->sim->weather.turn_us ? delay_us : node->sim->weather.turn_us);
}

/* False: the process ends in the middle of it. */
static bool run_turn(struct sim_node *node) {
    if (setjmp(node->escape) != 0)
        return false;
    turn_run(node->turn, local_ms(node), &node->inbox);
    if (node->has_met_rot)
        sim_fail(node->sim, "node %zu goes on though its log is damaged", node->number);
    return true;
}

static void take_turn(void *context, void *data, uint64_t tag) {
    struct sim_node *node = context;
    (void)data;
    if (tag != node->wake_number || node->pauses > 0 || !node->turn)
        return;
    wake_never(node);
    if (!run_turn(node)) {
        sim_node_give_up(node);
        return;
    }
    sim_check_turn(node->sim, node);
    sim_plot_watch(node->sim);
    plan_next_turn(node);
}

void sim_node_post(struct sim_node *node, struct turn_event *event) {
    CHECK(node->turn);
    STAILQ_INSERT_TAIL(&node->inbox, event, link);
    if (node->pauses == 0)
        wake(node, node->sim->weather.turn_us);
}

void sim_node_pause(struct sim_node *node) {
    node->pauses++;
}

void sim_node_resume(struct sim_node *node) {
    if (--node->pauses > 0 || !node->turn)
        return;
    wake_never(node);
    wake(node, 0);
}

/* ---- Who may speak --------------------------------------------------------------------------- */

/* A node that was rolled back and met nobody who knows better, as long as it waited, is more than
 * is promised to be borne: it ends here. */
static bool may_speak(struct sim_node *node) {
    bool has_spoken = node->memory.may_speak;
    bool may_speak =
        gate_memory_may_speak(&node->memory, raft_configuration(node->turn->raft), node->id,
                              local_ms(node) - node->started_ms, node->disk.declared_ms);
    if (may_speak && !has_spoken && node->is_rolled_back && !PLANTED(gate_trusts_counter)) {
        node->sim->result.unnoticed_count++;
        longjmp(node->escape, 1);
    }
    return may_speak;
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static void port_send(void *context, const struct raft_message *message,
                      const struct raft_entry *entries, size_t count) {
    struct sim_node *node = context;
    uint64_t link_number = may_speak(node) ? sim_links_let_out(node, message->to) : 0;
    if (link_number == 0)
        return;
    sim_check_send(node->sim, node, message);
    sim_trace_message(node->sim, message, count);
    sim_network_send(&node->sim->network, message, entries, count,
                     &(struct sim_stamp){.link_number = link_number, .start = node->self.current});
}

static void port_message_done(void *context, struct turn_message *message) {
    (void)context;
    free(message);
}

static void port_order_done(void *context, struct turn_order *order) {
    struct sim_node *node = context;
    sim_trace(node->sim, "node %zu is done with an order: %s %s", node->number,
              status_name(order->status), order->detail);
    LIST_REMOVE((struct sim_order *)order, link);
    free(order);
}

static void port_log_submit(void *context, struct turn_batch *batch) {
    struct sim_node *node = context;
    sim_disk_submit(&node->disk, batch);
}

static void port_log_cut(void *context, struct turn_cut *cut) {
    struct sim_node *node = context;
    sim_disk_cut(&node->disk, cut);
}

static enum status port_log_read(void *context, raft_index first, raft_index last,
                                 kv_entry_visit *visit, void *visitor) {
    struct sim_node *node = context;
    for (raft_index index = first; index <= last; index++) {
        const struct sim_entry *entry = sim_disk_entry(&node->disk, index);
        if (entry && index == node->disk.rot_index) {
            node->has_met_rot = true;
            return STATUS_CORRUPT;
        }
        enum status status = entry ? visit(visitor, &entry->entry) : STATUS_NOT_FOUND;
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void port_state_flush(void *context, struct turn_flush *flush) {
    struct sim_node *node = context;
    sim_disk_flush(&node->disk, flush);
}

static void port_room_check(void *context, struct turn_room *room) {
    struct sim_node *node = context;
    sim_disk_check_room(&node->disk, room);
}

static void port_reply(void *context, struct turn_request *request,
                       const struct kv_response *response) {
    struct sim_node *node = context;
    struct sim_call *call = (struct sim_call *)request;
    LIST_REMOVE(call, link);
    sim_check_reply(node->sim, node, call, response);
    sim_client_answer(call, node, response);
}

/* Clients of the simulation find the leader by themselves. */
static void port_forward(void *context, struct turn_request *request, raft_id leader) {
    (void)leader;
    port_reply(context, request,
               &(struct kv_response){
                   .status = STATUS_NOT_LEADER,
                   .is_not_applied = kv_request_is_write(request->request),
               });
}

static void port_members(void *context, const struct raft_configuration *configuration) {
    struct sim_node *node = context;
    sim_trace(node->sim, "node %zu knows %zu members at %llu", node->number, configuration->count,
              (unsigned long long)configuration->index);
}

static void port_snapshot(void *context, struct turn_snapshot *snapshot) {
    (void)context, (void)snapshot;
    CHECK(!"nobody asks for a snapshot");
}

static void port_transfer(void *context, struct turn_transfer *transfer) {
    sim_transfer_begin(context, transfer);
}

static void port_install(void *context, struct turn_install *install) {
    struct sim_node *node = context;
    sim_disk_install(&node->disk, (struct sim_snapshot *)install);
}

static void port_install_done(void *context, struct turn_install *install, enum status status) {
    struct sim_node *node = context;
    if (status == STATUS_OK) {
        sim_check_installed(node->sim, node, install);
        sim_disk_forget_old(&node->disk);
    }
    sim_transfer_end((struct sim_snapshot *)install, status);
}

static void port_publish(void *context, const struct node_status *status) {
    (void)context, (void)status;
}

static void port_fail(void *context, enum status status, raft_index index) {
    struct sim_node *node = context;
    if (status != STATUS_CORRUPT || !node->is_doomed)
        sim_fail(node->sim, "node %zu gives up at %llu: %s", node->number,
                 (unsigned long long)index, status_name(status));
    longjmp(node->escape, 1);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void sim_node_open(struct sim_node *node, struct sim *sim, size_t number,
                   const struct raft_configuration *founding) {
    *node = (struct sim_node){
        .sim = sim,
        .number = number,
        .id = number + 1,
        .random = sim_random_of(sim_mix(sim->options.seed, number), SIM_STREAM_NODES),
        .wake_us = UINT64_MAX,
    };
    uint64_t drift_ppm = sim->weather.drift_percent * 10000;
    node->clock_rate_ppm =
        sim_random_between(&node->random, 1000000 - drift_ppm, 1000000 + drift_ppm);
    node->clock_local_us = sim_random_between(&node->random, 1, 1000000) * 1000;
    sim_disk_open(&node->disk, sim, node, founding);
}

void sim_node_set_clock(struct sim_node *node, uint64_t rate_ppm) {
    node->clock_local_us = local_us(node);
    node->clock_true_us = node->sim->now_us;
    node->clock_rate_ppm = rate_ppm;
    if (!node->turn || node->pauses > 0)
        return;
    wake_never(node);
    wake(node, 0); /* its timers are due at another time now */
}

static size_t runs_of(const struct sim_disk *disk, struct raft_term_run *runs) {
    size_t count = 0;
    for (raft_index index = disk->first_index; index <= disk->last_index; index++) {
        raft_term term = disk->entries[index].entry.term;
        if (count > 0 && runs[count - 1].term == term)
            continue;
        CHECK(count < RUNS_MAX);
        runs[count++] = (struct raft_term_run){.first = index, .term = term};
    }
    return count;
}

/* Silence is for the largest timeout ever declared, and that is durable before it is declared. */
static void declare(struct sim_node *node, struct raft_config *config) {
    const struct sim_weather *weather = &node->sim->weather;
    uint64_t percent = weather->has_own_timeouts ? sim_random_between(&node->random, 50, 200) : 100;
    config->election_timeout_ms = weather->election_ms * percent / 100;
    config->silence_ms = node->disk.declared_ms;
    if (node->disk.declared_ms < config->election_timeout_ms)
        node->disk.declared_ms = config->election_timeout_ms;
}

static struct raft_config engine_config(struct sim_node *node, struct raft_term_run *runs) {
    const struct raft_configuration blank = {0};
    const struct sim_disk *disk = &node->disk;
    size_t known = disk->configuration_count;
    struct raft_config config = {
        .self = node->id,
        .hard = disk->hard,
        .cut_index = disk->first_index - 1,
        .cut_term = disk->entries[disk->first_index - 1].entry.term,
        .runs = runs,
        .run_count = runs_of(disk, runs),
        .last_index = disk->last_index,
        .configuration = known > 0 ? disk->configurations[known - 1] : blank,
        .configuration_before = known > 1 ? disk->configurations[known - 2] : blank,
        .heartbeat_ms = node->sim->weather.heartbeat_ms,
        .commit_tell_ms = node->sim->weather.commit_tell_ms,
        .has_lease_reads = node->sim->weather.has_lease_reads,
        .seed = sim_random_next(&node->random),
        .now_ms = local_ms(node),
    };
    declare(node, &config);
    return config;
}

static struct turn_config config_of(struct sim_node *node, struct raft_term_run *runs) {
    struct turn_config config = {
        .ports = {.context = node,
                  .send = port_send,
                  .message_done = port_message_done,
                  .order_done = port_order_done,
                  .log_submit = port_log_submit,
                  .log_cut = port_log_cut,
                  .log_read = port_log_read,
                  .state_flush = port_state_flush,
                  .room_check = port_room_check,
                  .reply = port_reply,
                  .forward = port_forward,
                  .members = port_members,
                  .snapshot = port_snapshot,
                  .transfer = port_transfer,
                  .install = port_install,
                  .install_done = port_install_done,
                  .publish = port_publish,
                  .fail = port_fail},
        .raft = engine_config(node, runs),
        .identity = {.id = node->id, .cluster_id = 1},
        .address = "",
        .flush_ms = node->sim->weather.flush_ms,
        .keep_entries = node->sim->weather.keep_entries,
        .keep_bytes = UINT64_MAX / 2,
        .hold_bytes = node->sim->weather.hold_bytes,
        .stop_ms = 1000,
    };
    config.machine = (struct kv_machine_config){
        .base = memory_base_view(node->disk.base),
        .meta = memory_base_reopen(node->disk.base),
        .generation = 1,
        .overlay_bytes = 16 * MIB,
    };
    config.raft.applied_index = config.machine.meta.applied_index;
    snprintf(config.identity.name, sizeof config.identity.name, "node-%zu", node->number);
    return config;
}

static bool find_start(void *context, uint64_t counter, uint64_t *ret_nonce) {
    const struct sim_node *node = context;
    return sim_disk_find_start(&node->disk, counter, ret_nonce);
}

static void begin_start(struct sim_node *node) {
    node->self = (struct gate_self){.id = node->id,
                                    .cluster_id = 1,
                                    .current = sim_disk_begin_start(&node->disk),
                                    .find_start = find_start,
                                    .context = node};
    gate_memory_init(&node->memory);
    for (size_t i = 0; i < node->disk.note_count; i++)
        CHECK(gate_memory_load(&node->memory, node->disk.notes[i].id, node->disk.notes[i].pair) ==
              STATUS_OK);
    node->started_ms = local_ms(node);
}

void sim_node_boot(struct sim_node *node) {
    struct raft_term_run runs[RUNS_MAX];
    CHECK(!node->turn && !node->is_lost);
    sim_disk_start(&node->disk);
    if (sim_disk_is_found_rotten(&node->disk)) {
        sim_lose(node->sim, node);
        return;
    }
    if (PLANTED(forget_answers))
        sim_disk_forget_answers(node->disk.base);
    STAILQ_INIT(&node->inbox);
    LIST_INIT(&node->calls);
    LIST_INIT(&node->snapshots);
    LIST_INIT(&node->orders);
    struct turn_config config = config_of(node, runs);
    sim_trace(node->sim, "node %zu starts: term %llu, log %llu, state %llu", node->number,
              (unsigned long long)config.raft.hard.term, (unsigned long long)config.raft.last_index,
              (unsigned long long)config.raft.applied_index);
    enum status status = turn_new(&config, &node->turn);
    if (status != STATUS_OK)
        sim_fail(node->sim, "node %zu cannot start: %s", node->number, status_name(status));
    node->seen_applied = config.raft.applied_index;
    node->has_met_rot = false;
    begin_start(node);
    sim_links_up(node);
    wake_never(node);
    wake(node, 0);
}

/* What the turn was given and did not take yet. */
static void drop_inbox(struct sim_node *node) {
    while (!STAILQ_EMPTY(&node->inbox)) {
        struct turn_event *event = STAILQ_FIRST(&node->inbox);
        STAILQ_REMOVE_HEAD(&node->inbox, link);
        if (event->kind == TURN_MESSAGE)
            free(event);
    }
}

static void drop_calls(struct sim_node *node) {
    while (!LIST_EMPTY(&node->calls)) {
        struct sim_call *call = LIST_FIRST(&node->calls);
        LIST_REMOVE(call, link);
        sim_client_broken(call, node);
    }
}

static void drop_orders(struct sim_node *node) {
    while (!LIST_EMPTY(&node->orders)) {
        struct sim_order *order = LIST_FIRST(&node->orders);
        LIST_REMOVE(order, link);
        free(order);
    }
}

static void drop_snapshots(struct sim_node *node) {
    while (!LIST_EMPTY(&node->snapshots))
        sim_transfer_drop(LIST_FIRST(&node->snapshots));
}

void sim_node_crash(struct sim_node *node) {
    CHECK(node->turn);
    sim_trace(node->sim, "node %zu stops", node->number);
    sim_links_down(node);
    sim_disk_crash(&node->disk);
    drop_inbox(node);
    drop_calls(node);
    drop_orders(node);
    drop_snapshots(node);
    turn_free(node->turn);
    node->turn = NULL;
    wake_never(node);
}

/* Damage was met: of the log, which ends the identity, or of the state, which the log can make
 * again. */
void sim_node_give_up(struct sim_node *node) {
    sim_trace(node->sim, "node %zu gives up", node->number);
    sim_check_given_up(node->sim);
    if (node->is_rolled_back || node->disk.rot_index != 0 || !sim_disk_rebuild_state(&node->disk))
        sim_lose(node->sim, node);
    else
        sim_end_process(node->sim, node);
}

void sim_node_close(struct sim_node *node) {
    if (node->turn)
        sim_node_crash(node);
    sim_image_free(node->image);
    sim_disk_close(&node->disk);
}

void sim_node_lose(struct sim_node *node, raft_id peer) {
    if (!node->turn || node->pauses > 0)
        return;
    turn_peer_lost(node->turn, peer);
    wake(node, node->sim->weather.turn_us);
}

void sim_node_call(struct sim_node *node, struct sim_call *call) {
    LIST_INSERT_HEAD(&node->calls, call, link);
    call->turn.event.kind = TURN_REQUEST;
    call->turn.deadline_ms = local_ms(node) + call->wait_ms;
    sim_node_post(node, &call->turn.event);
}

void sim_node_order(struct sim_node *node, struct sim_order *order) {
    LIST_INSERT_HEAD(&node->orders, order, link);
    order->turn.deadline_ms = local_ms(node) + 10 * node->sim->weather.election_ms;
    sim_node_post(node, &order->turn.event);
}

bool sim_node_leads(const struct sim_node *node) {
    return node->turn && raft_status(node->turn->raft)->role == RAFT_LEADER;
}

raft_index sim_node_applied(const struct sim_node *node) {
    return kv_machine_meta(node->turn->machine)->applied_index;
}
