#include "support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Ports ----------------------------------------------------------------------------------- */

static void send(void *context, const struct raft_message *message,
                 const struct raft_entry *entries, size_t count) {
    struct world *w = context;
    (void)entries;
    if (message->kind == RAFT_APPEND)
        assert_int_equal(count, message->append.last_index - message->append.prev_index);
    assert_true(w->members.count > 1); /* a sole voter speaks to nobody */
    w->sent[w->sent_count++ % WORLD_SENT_MAX] = *message;
}

static void message_done(void *context, struct turn_message *message) {
    struct world *w = context;
    w->messages_done++;
    free(message);
}

static void order_done(void *context, struct turn_order *order) {
    struct world *w = context;
    (void)order;
    w->orders_done++;
}

static void forward(void *context, struct turn_request *request, raft_id leader) {
    struct world_client *client = (struct world_client *)request;
    (void)context;
    assert_false(client->is_answered);
    client->is_forwarded = true;
    client->forwarded_to = leader;
}

static void take_members(void *context, const struct raft_configuration *configuration) {
    struct world *w = context;
    w->told = *configuration;
    w->told_count++;
}

static void transfer(void *context, struct turn_transfer *transfer) {
    struct world *w = context;
    assert_true(w->transfer_count < MEMBERS_MAX);
    w->transfers[w->transfer_count++] = transfer;
}

static void install(void *context, struct turn_install *install) {
    struct world *w = context;
    assert_null(w->install);
    w->install = install;
}

static void install_done(void *context, struct turn_install *install, enum status status) {
    struct world *w = context;
    (void)install;
    w->installs_done++;
    w->install_status = status;
}

static void log_submit(void *context, struct turn_batch *batch) {
    struct world *w = context;
    assert_null(w->install);
    STAILQ_INSERT_TAIL(&w->batches, &batch->event, link);
}

static void log_cut(void *context, struct turn_cut *cut) {
    struct world *w = context;
    assert_null(w->cut);
    assert_null(w->install);
    w->cut = cut;
}

static enum status log_read(void *context, raft_index first, raft_index last, kv_entry_visit *visit,
                            void *visitor) {
    struct world *w = context;
    assert_true(first >= w->first_index && last <= w->last_index);
    for (raft_index index = first; index <= last; index++) {
        enum status status = visit(visitor, &w->entries[index].entry);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void state_flush(void *context, struct turn_flush *flush) {
    struct world *w = context;
    assert_null(w->flush);
    w->flush = flush;
}

static void room_check(void *context, struct turn_room *room) {
    struct world *w = context;
    assert_null(w->room);
    w->room = room;
}

static void reply(void *context, struct turn_request *request, const struct kv_response *response) {
    struct world_client *client = (struct world_client *)request;
    (void)context;
    assert_false(client->is_answered);
    client->is_answered = true;
    client->response = *response;
    size_t len = response->item.value.len;
    if (client->request.operation == KV_GET && response->is_found && len < sizeof client->value)
        memcpy(client->value, response->item.value.data, len);
}

static void snapshot(void *context, struct turn_snapshot *unused) {
    struct world *w = context;
    (void)unused;
    w->snapshots++;
}

static void publish(void *context, const struct node_status *status) {
    struct world *w = context;
    w->status = *status;
}

static void give_up(void *context, enum status status, raft_index index) {
    struct world *w = context;
    (void)index;
    w->failure = status;
    fail_msg("the turn gave up: %s", status_name(status));
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct world *world_new(void) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->clients = calloc(WORLD_CLIENTS_MAX, sizeof *w->clients);
    assert_non_null(w->clients);
    w->base = memory_base_new();
    w->first_index = 1;
    w->now_ms = 1000;
    w->members =
        (struct raft_configuration){.count = 1, .members = {{.id = 7, .rights = RAFT_VOTER_NEW}}};
    w->config = (struct turn_config){
        .ports = {.context = w,
                  .send = send,
                  .message_done = message_done,
                  .order_done = order_done,
                  .log_submit = log_submit,
                  .log_cut = log_cut,
                  .log_read = log_read,
                  .state_flush = state_flush,
                  .room_check = room_check,
                  .reply = reply,
                  .forward = forward,
                  .members = take_members,
                  .snapshot = snapshot,
                  .transfer = transfer,
                  .install = install,
                  .install_done = install_done,
                  .publish = publish,
                  .fail = give_up},
        .identity = {.id = 7, .cluster_id = 9, .name = "node-0"},
        .address = "127.0.0.1:9000",
        .flush_ms = 5000,
        .keep_entries = 10,
        .keep_bytes = 1 * MIB,
        .stop_ms = 10000,
    };
    w->config.machine.overlay_bytes = 16 * MIB;
    return w;
}

static void forget_entries(struct world *w, raft_index from, raft_index to) {
    for (raft_index index = from; index <= to; index++) {
        free((void *)(uintptr_t)w->entries[index].entry.payload.data);
        w->entries[index] = (struct world_entry){0};
    }
}

void world_free(struct world *w) {
    forget_entries(w, w->first_index, w->last_index);
    turn_free(w->turn);
    memory_base_free(w->base);
    free(w->clients);
    free(w);
}

void world_boot(struct world *w) {
    STAILQ_INIT(&w->inbox);
    STAILQ_INIT(&w->batches);
    struct raft_term_run runs[64];
    size_t run_count = 0;
    for (raft_index index = w->first_index; index <= w->last_index; index++) {
        raft_term term = w->entries[index].entry.term;
        if (run_count > 0 && runs[run_count - 1].term == term)
            continue;
        assert_true(run_count < 64);
        runs[run_count++] = (struct raft_term_run){.first = index, .term = term};
    }
    w->config.raft = (struct raft_config){
        .self = 7,
        .hard = w->hard,
        .cut_index = w->first_index - 1,
        .cut_term = w->cut_term,
        .runs = runs,
        .run_count = run_count,
        .last_index = w->last_index,
        .configuration = w->members,
        .configuration_before = w->members,
        .election_timeout_ms = 1000,
        .heartbeat_ms = 300,
        .silence_ms = w->hard.term == 0 ? 0 : 1000,
        .has_lease_reads = true,
        .seed = 1,
        .now_ms = w->now_ms,
    };
    w->meta = memory_base_reopen(w->base);
    w->config.raft.applied_index = w->meta.applied_index;
    w->config.machine.base = memory_base_view(w->base);
    w->config.machine.meta = w->meta;
    w->config.machine.generation = 1;
    assert_int_equal(turn_new(&w->config, &w->turn), STATUS_OK);
}

void world_power_off(struct world *w) {
    turn_free(w->turn);
    w->turn = NULL;
    w->cut = NULL;
    w->flush = NULL;
    w->room = NULL;
}

/* ---- Clients --------------------------------------------------------------------------------- */

struct world_client *world_ask(struct world *w, const struct kv_request *request,
                               uint64_t wait_ms) {
    assert_true(w->client_count < WORLD_CLIENTS_MAX);
    struct world_client *client = &w->clients[w->client_count++];
    client->request = *request;
    client->turn.event.kind = TURN_REQUEST;
    client->turn.request = &client->request;
    client->turn.deadline_ms = w->now_ms + wait_ms;
    STAILQ_INSERT_TAIL(&w->inbox, &client->turn.event, link);
    return client;
}

struct world_client *world_put(struct world *w, const char *key, const char *value) {
    struct kv_request request = {.operation = KV_PUT,
                                 .key = bytes_of_text(key),
                                 .value = bytes_of_text(value)};
    return world_ask(w, &request, REQUEST_WAIT_MS_MAX);
}

struct world_client *world_get(struct world *w, const char *key) {
    struct kv_request request = {.operation = KV_GET, .key = bytes_of_text(key)};
    return world_ask(w, &request, REQUEST_WAIT_MS_MAX);
}

void world_comes_back(struct world *w, struct world_client *client, uint64_t not_before_ms) {
    assert_true(client->is_forwarded);
    client->is_forwarded = false;
    client->turn.not_before_ms = not_before_ms;
    STAILQ_INSERT_TAIL(&w->inbox, &client->turn.event, link);
}

/* ---- The clock and the turn ------------------------------------------------------------------ */

void world_turn(struct world *w) {
    do
        turn_run(w->turn, w->now_ms, &w->inbox);
    while (turn_deadline_ms(w->turn) <= w->now_ms && !turn_is_stopped(w->turn));
}

void world_elapse(struct world *w, uint64_t ms) {
    uint64_t end_ms = w->now_ms + ms;
    while (turn_deadline_ms(w->turn) <= end_ms) {
        uint64_t due_ms = turn_deadline_ms(w->turn);
        w->now_ms = due_ms > w->now_ms ? due_ms : w->now_ms;
        world_turn(w);
    }
    w->now_ms = end_ms;
}

/* ---- The disk -------------------------------------------------------------------------------- */

static void store(struct world *w, const struct kv_log_batch *batch) {
    if (batch->hard)
        w->hard = *batch->hard;
    if (batch->truncate_from != 0 && batch->truncate_from <= w->last_index) {
        forget_entries(w, batch->truncate_from, w->last_index);
        w->last_index = batch->truncate_from - 1;
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct raft_entry *entry = &batch->entries[i];
        assert_int_equal(entry->index, w->last_index + 1);
        assert_true(entry->index < WORLD_ENTRIES_MAX);
        struct raft_entry copy = *entry;
        uint8_t *payload = malloc(entry->payload.len + 1);
        assert_non_null(payload);
        if (entry->payload.len > 0)
            memcpy(payload, entry->payload.data, entry->payload.len);
        copy.payload.data = payload;
        w->entries[entry->index].entry = copy;
        w->last_index = entry->index;
    }
}

bool world_log_syncs_one(struct world *w) {
    struct turn_event *event = STAILQ_FIRST(&w->batches);
    if (!event)
        return false;
    STAILQ_REMOVE_HEAD(&w->batches, link);
    struct turn_batch *batch = (struct turn_batch *)event;
    batch->status = w->is_full ? STATUS_DISK_FULL : STATUS_OK;
    batch->has_room = !w->is_full;
    if (!w->is_full)
        store(w, &batch->log);
    STAILQ_INSERT_TAIL(&w->inbox, event, link);
    return true;
}

void world_log_syncs(struct world *w) {
    while (world_log_syncs_one(w))
        continue;
}

void world_cut_done(struct world *w) {
    struct turn_cut *cut = w->cut;
    if (!cut)
        return;
    w->cut = NULL;
    w->cut_term = w->entries[cut->through].entry.term;
    forget_entries(w, w->first_index, cut->through);
    w->first_index = cut->through + 1;
    cut->first_index = w->first_index;
    STAILQ_INSERT_TAIL(&w->inbox, &cut->event, link);
}

void world_state_syncs(struct world *w) {
    struct turn_flush *flush = w->flush;
    if (!flush)
        return;
    w->flush = NULL;
    flush->status = w->is_full ? STATUS_DISK_FULL : STATUS_OK;
    flush->has_room = !w->is_full;
    flush->is_done = true;
    if (!w->is_full) {
        memory_base_flush(w->base, flush->flush);
        w->meta = flush->flush->meta;
    }
    STAILQ_INSERT_TAIL(&w->inbox, &flush->event, link);
}

void world_room_answers(struct world *w) {
    struct turn_room *room = w->room;
    if (!room)
        return;
    w->room = NULL;
    room->log_has_room = !w->is_full;
    room->state_has_room = !w->is_full;
    STAILQ_INSERT_TAIL(&w->inbox, &room->event, link);
}

void world_forget_log(struct world *w, raft_index index, raft_term term, bool is_kept) {
    forget_entries(w, w->first_index, is_kept ? index : w->last_index);
    w->first_index = index + 1;
    w->last_index = is_kept ? w->last_index : index;
    w->cut_term = term;
}

static bool is_idle(const struct world *w) {
    return STAILQ_EMPTY(&w->inbox) && STAILQ_EMPTY(&w->batches) && !w->cut && !w->flush &&
           !w->room && turn_deadline_ms(w->turn) > w->now_ms;
}

void world_settle(struct world *w) {
    while (!is_idle(w)) {
        world_turn(w);
        world_log_syncs(w);
        world_cut_done(w);
        world_state_syncs(w);
        world_room_answers(w);
    }
}
