#include "sim/checks.h"

#include "sim/sim.h"

#include <stdlib.h>

struct sim_checks *sim_checks_new(struct sim *sim) {
    struct sim_checks *checks = calloc(1, sizeof *checks);
    CHECK(checks);
    checks->sim = sim;
    return checks;
}

void sim_checks_free(struct sim_checks *checks) {
    sim_table_close(&checks->leaders);
    sim_table_close(&checks->chains);
    sim_table_close(&checks->hashes);
    free(checks->commits);
    free(checks);
}

void sim_check_appended(struct sim *sim, struct sim_node *node, const struct sim_entry *entry) {
    sim_digest(sim, entry->chain);
    if (!sim->options.is_blind)
        sim_check_match(sim->checks, node, entry);
}

void sim_check_truncated(struct sim *sim, struct sim_node *node, raft_index from) {
    if (!sim->options.is_blind)
        sim_check_not_committed(sim->checks, node, from);
}

void sim_check_installed(struct sim *sim, struct sim_node *node,
                         const struct turn_install *install) {
    if (install->index > sim->checks->commit_count || !sim_disk_holds(&node->disk, install->index))
        sim_fail(sim, "node %zu installed what was not committed at %llu", node->number,
                 (unsigned long long)install->index);
    node->seen_applied = install->index;
    sim->result.install_count++;
}

void sim_check_hard(struct sim *sim, struct sim_node *node, const struct raft_hard_state *hard) {
    if (!sim->options.is_blind)
        sim_check_kept(sim->checks, node, hard);
}

void sim_check_send(struct sim *sim, struct sim_node *node, const struct raft_message *message) {
    if (!sim->options.is_blind)
        sim_check_promise(sim->checks, node, message);
}

/* The turn goes on after its answers: what they told is looked at when it has ended. */
void sim_check_reply(struct sim *sim, struct sim_node *node, const struct sim_call *call,
                     const struct kv_response *response) {
    bool is_acked = kv_request_is_write(&call->request) && response->status == STATUS_OK;
    if (is_acked && call->turn.index > sim->checks->acked_index) {
        sim->checks->acked_index = call->turn.index;
        sim->checks->acked_by = node;
    }
}

void sim_check_turn(struct sim *sim, struct sim_node *node) {
    struct sim_checks *checks = sim->checks;
    sim_check_commit(checks, node);
    sim_check_state(checks, node);
    if (sim_node_leads(node))
        sim_check_one_leader(checks, node);
    if (sim_node_leads(node) && !sim->options.is_blind)
        sim_check_complete(checks, node);
    if (checks->acked_index != 0)
        sim_check_acked(checks, node);
}

/* The history of what clients were told has it all the same. */
void sim_check_given_up(struct sim *sim) {
    sim->checks->acked_index = 0;
}

void sim_check_end(struct sim *sim) {
    size_t keys = sim->weather.key_count + sim->weather.client_count;
    char *text = sim->result.failure;
    size_t capacity = sizeof sim->result.failure;
    sim_check_acked_stay(sim->checks);
    bool is_sound = sim_check_once(&sim->history, keys, text, capacity) &&
                    sim_check_marks(&sim->history, text, capacity) &&
                    sim_check_linear(&sim->history, keys, text, capacity);
    sim->result.applied = sim_node_applied(&sim->nodes[0]);
    sim->result.has_failed = !is_sound;
}
