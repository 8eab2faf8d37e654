#include "sim/client.h"

#include "sim/sim.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_US ((uint64_t)4000)

/* An answer on its way back. */
struct answer {
    struct sim_client *client;
    uint64_t try;
    enum status status;
    bool is_not_applied;
    bool is_found;
    int64_t revision;
    int64_t create_revision;
    int64_t version;
    uint64_t read_value;
    size_t leader; /* as the node knows it; SIM_NODES_MAX: it does not */
};

static void begin(void *context, void *data, uint64_t tag);
static void try_somewhere(struct sim_client *client);

static struct sim_op *op_of(const struct sim_client *client) {
    return &client->sim->history.ops[client->op];
}

void sim_client_open(struct sim_client *client, struct sim *sim, size_t number) {
    uint64_t seed = sim_mix(sim->options.seed, number);
    *client = (struct sim_client){.sim = sim,
                                  .number = number,
                                  .random = sim_random_of(seed, SIM_STREAM_CLIENTS)};
    client->id = sim_random_next(&client->random) | 1;
}

static void think(struct sim_client *client) {
    client->is_busy = false;
    if (client->is_finishing && client->last_ops == 0) {
        client->is_idle = true;
        return;
    }
    uint64_t think_us = client->is_finishing ? 10000 : client->sim->weather.think_us;
    if (client->sim->plot.fault && think_us > BUSY_US)
        think_us = BUSY_US; /* the moment that counts is short */
    sim_plan(client->sim, sim_random_latency(&client->random, think_us), begin, client, NULL, 0);
}

void sim_client_start(struct sim_client *client) {
    think(client);
}

void sim_client_finish(struct sim_client *client) {
    client->is_finishing = true;
    client->last_ops = 3 + client->sim->weather.key_count;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static size_t own_key(const struct sim_client *client) {
    return client->sim->weather.key_count + client->number;
}

/* Mostly keys that all share; at times one that only this client writes. */
static void choose(struct sim_client *client, struct sim_op *op) {
    const struct sim_weather *weather = &client->sim->weather;
    struct sim_random *random = &client->random;
    op->key = (size_t)sim_random_below(random, weather->key_count);
    bool is_reader = client->number < weather->reader_count;
    if (is_reader || sim_random_percent(random, weather->reads_percent) ||
        sim_plot_is_lull(client->sim))
        return;
    op->kind = sim_random_percent(random, 25) ? SIM_DELETE : SIM_PUT;
    op->has_prev = sim_random_percent(random, 30);
    op->prev_revision = client->known_revisions[op->key];
    if (sim_random_percent(random, 30)) {
        op->key = own_key(client);
        op->kind = SIM_PUT;
        op->has_prev = false;
    }
}

/* Two writes of its own key and a read, then a read of each shared one. */
static void choose_last(struct sim_client *client, struct sim_op *op) {
    size_t keys = client->sim->weather.key_count;
    client->last_ops--;
    op->key = client->last_ops < keys ? client->last_ops : own_key(client);
    if (client->last_ops > keys)
        op->kind = SIM_PUT;
}

static void begin(void *context, void *data, uint64_t tag) {
    struct sim_client *client = context;
    (void)data, (void)tag;
    struct sim *sim = client->sim;
    struct sim_op op = {.client = client->number, .start = ++sim->ticks, .end = SIM_NEVER};
    if (client->is_finishing && client->last_ops == 0) {
        think(client);
        return;
    }
    if (client->is_finishing)
        choose_last(client, &op);
    else
        choose(client, &op);
    if (op.kind == SIM_PUT)
        op.value = op.start;
    client->op = sim_history_add(&sim->history, &op);
    client->is_busy = true;
    client->is_doubtful = false;
    client->has_request_id =
        op.kind != SIM_GET &&
        (client->is_finishing ||
         sim_random_percent(&client->random, sim->weather.request_ids_percent));
    client->sequence += client->has_request_id;
    client->patience_us = sim->now_us + sim_random_between(&client->random, 500, 5000) * 1000;
    try_somewhere(client);
}

static void end(struct sim_client *client, enum sim_outcome outcome) {
    struct sim_op *op = op_of(client);
    op->outcome = outcome;
    if (outcome != SIM_UNKNOWN)
        op->end = ++client->sim->ticks;
    if (client->sim->options.is_verbose) {
        char text[256];
        sim_op_print(op, text, sizeof text);
        sim_trace(client->sim, "%s", text);
    }
    think(client);
}

/* ---- Tries ----------------------------------------------------------------------------------- */

static struct sim_call *call_of(struct sim_client *client) {
    const struct sim_op *op = op_of(client);
    size_t value_bytes = op->kind == SIM_PUT ? 8 + op->value % 5 * 40 : 0;
    struct sim_call *call = calloc(1, sizeof *call + value_bytes);
    CHECK(call);
    uint64_t value = htole64(op->value);
    if (value_bytes > 0)
        memcpy(call->value, &value, sizeof value);
    int key_bytes = snprintf((char *)call->key, sizeof call->key, "key-%zu", op->key);
    call->client = client;
    call->try = client->try;
    call->request = (struct kv_request){
        .operation = op->kind == SIM_GET   ? KV_GET
                     : op->kind == SIM_PUT ? KV_PUT
                                           : KV_DELETE,
        .key = bytes_of(call->key, (size_t)key_bytes),
        .value = bytes_of(call->value, value_bytes),
        .has_prev_revision = op->has_prev,
        .prev_revision = op->prev_revision,
        .has_request_id = client->has_request_id,
        .client_id = client->has_request_id ? client->id : 0,
        .sequence = client->has_request_id ? client->sequence : 0,
    };
    call->turn.request = &call->request;
    return call;
}

static uint64_t trip_us(struct sim_client *client) {
    return sim_random_latency(&client->random, client->sim->weather.delay_us);
}

static void answer_arrives(void *context, void *data, uint64_t tag);

static void send_answer(struct sim_call *call, struct answer answer) {
    struct sim_client *client = call->client;
    struct answer *copy = malloc(sizeof *copy);
    CHECK(copy);
    answer.client = client;
    answer.try = call->try;
    *copy = answer;
    sim_plan_owned(client->sim, trip_us(client), answer_arrives, client, copy, 0);
    free(call);
}

static void call_arrives(void *context, void *data, uint64_t tag) {
    struct sim *sim = context;
    struct sim_call *call = data;
    (void)tag;
    struct sim_node *node = &sim->nodes[call->node];
    if (node->turn)
        sim_node_call(node, call);
    else /* nobody listens there */
        send_answer(call, (struct answer){.status = STATUS_UNAVAILABLE,
                                          .is_not_applied = true,
                                          .leader = SIM_NODES_MAX});
}

static void no_answer(void *context, void *data, uint64_t tag);

static void try_somewhere(struct sim_client *client) {
    struct sim *sim = client->sim;
    struct sim_random *random = &client->random;
    client->try++;
    struct sim_call *call = call_of(client);
    call->node = client->leader;
    if (sim_random_percent(random, sim->weather.wander_percent))
        call->node = (size_t)sim_random_below(random, sim->weather.node_count);
    uint64_t knows_percent = sim->plot.fault ? 80 : 20;
    if (op_of(client)->kind != SIM_GET && sim_random_percent(random, knows_percent) &&
        sim_leader(sim))
        call->node = sim_leader(sim)->number; /* one that knows better than most */
    call->wait_ms = sim_random_between(random, 100, 2000);
    uint64_t timeout_us = call->wait_ms * sim_random_between(random, 900, 1600);
    sim_plan_owned(sim, trip_us(client), call_arrives, sim, call, 0);
    sim_plan(sim, timeout_us, no_answer, client, NULL, client->try);
}

static void try_again(void *context, void *data, uint64_t tag) {
    struct sim_client *client = context;
    (void)data;
    if (tag == client->try && client->is_busy)
        try_somewhere(client);
}

/* Without a request id a second try could happen beside the first. */
static void retry_or_give_up(struct sim_client *client) {
    bool may_retry =
        op_of(client)->kind == SIM_GET || client->has_request_id || !client->is_doubtful;
    bool is_patient = client->is_finishing || client->sim->now_us < client->patience_us;
    if (!may_retry || !is_patient) {
        end(client, client->is_doubtful ? SIM_UNKNOWN : SIM_NOT_APPLIED);
        return;
    }
    client->leader = (size_t)sim_random_below(&client->random, client->sim->weather.node_count);
    uint64_t pause_us = sim_random_between(&client->random, 1, 50) * 1000;
    sim_plan(client->sim, pause_us, try_again, client, NULL, ++client->try);
}

static void no_answer(void *context, void *data, uint64_t tag) {
    struct sim_client *client = context;
    (void)data;
    if (tag != client->try || !client->is_busy)
        return;
    client->is_doubtful = true;
    retry_or_give_up(client);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void take_answer(struct sim_client *client, const struct answer *answer) {
    struct sim_op *op = op_of(client);
    op->is_found = answer->is_found;
    op->revision = answer->revision;
    op->create_revision = answer->create_revision;
    op->version = answer->version;
    op->read_value = answer->read_value;
    bool is_gone = op->kind == SIM_DELETE || (op->kind == SIM_GET && !op->is_found);
    client->known_revisions[op->key] = is_gone ? 0 : op->revision;
}

static void answer_arrives(void *context, void *data, uint64_t tag) {
    struct sim_client *client = context;
    struct answer answer = *(struct answer *)data;
    (void)tag;
    free(data);
    if (answer.try != client->try || !client->is_busy)
        return; /* nobody waits for it any more */
    if (answer.leader < SIM_NODES_MAX)
        client->leader = answer.leader;
    if (answer.status == STATUS_OK) {
        take_answer(client, &answer);
        end(client, SIM_OK);
    } else if (answer.status == STATUS_PRECONDITION) {
        client->known_revisions[op_of(client)->key] = 0;
        end(client, SIM_PRECONDITION);
    } else {
        client->is_doubtful = client->is_doubtful || !answer.is_not_applied;
        size_t leader = client->leader;
        retry_or_give_up(client);
        client->leader = answer.leader < SIM_NODES_MAX ? leader : client->leader;
    }
}

static uint64_t value_in(struct bytes value) {
    uint64_t le = 0;
    if (value.len >= sizeof le)
        memcpy(&le, value.data, sizeof le);
    return le64toh(le);
}

void sim_client_answer(struct sim_call *call, struct sim_node *node,
                       const struct kv_response *response) {
    bool is_get = call->request.operation == KV_GET;
    raft_id leader = raft_status(node->turn->raft)->leader;
    sim_digest(node->sim, response->status);
    send_answer(call,
                (struct answer){
                    .status = response->status,
                    .is_not_applied = response->is_not_applied,
                    .is_found = response->is_found,
                    .revision = is_get ? response->item.mod_revision : response->revision,
                    .create_revision = response->item.create_revision,
                    .version = response->item.version,
                    .read_value = value_in(response->item.value),
                    .leader = leader == 0 ? SIM_NODES_MAX : (size_t)(leader - 1) % SIM_NODES_MAX,
                });
}

/* Some connections are reset, of others nothing is heard any more. */
void sim_client_broken(struct sim_call *call, struct sim_node *node) {
    (void)node;
    if (sim_random_percent(&call->client->random, 50))
        free(call);
    else
        send_answer(call, (struct answer){.status = STATUS_UNAVAILABLE, .leader = SIM_NODES_MAX});
}
