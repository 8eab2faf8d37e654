#include "server/transfers.h"

#include "container.h"
#include "log.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A peer that takes or sends nothing for so long is given up. */
#define STALL_MS 30000

/* A transfer is given up when the state's file has grown by this since it began, rather than keep
 * old pages without end. */
#define GROWTH_BYTES_MAX (1024 * MIB)

/* Both directions, at one time. */
#define JOBS_MAX 4

struct sending {
    LIST_ENTRY(sending) link;
    struct transfers *transfers;
    struct turn_transfer *transfer;
    struct rpc_upload *upload;
    raft_index index; /* what the peer holds in the end */
    raft_id peer;
    raft_index begun_index;
    _Atomic uint64_t sent_bytes;
};

struct transfers {
    struct transfers_config config;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t cluster_id; /* 0: blank; under the mutex, as is the rest */
    size_t count;
    bool is_stopping;
    bool is_receiving; /* one at a time: a node has one state */
    LIST_HEAD(, sending) sendings;
};

static bool enter(struct transfers *t, bool is_receiver) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    bool may_enter = !t->is_stopping && t->count < JOBS_MAX && !(is_receiver && t->is_receiving);
    if (may_enter) {
        t->count++;
        t->is_receiving = t->is_receiving || is_receiver;
    }
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    return may_enter;
}

static void leave(struct transfers *t, bool is_receiver) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    t->count--;
    if (is_receiver)
        t->is_receiving = false;
    CHECK(pthread_cond_broadcast(&t->changed) == 0);
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}

static uint64_t cluster_of(struct transfers *t) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    uint64_t cluster_id = t->cluster_id;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    return cluster_id;
}

static bool is_stopping(struct transfers *t) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    bool is_so = t->is_stopping;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    return is_so;
}

static enum status start_thread(void *(*run)(void *context), void *context) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, context) != 0)
        return STATUS_NO_MEMORY;
    CHECK(pthread_detach(thread) == 0);
    return STATUS_OK;
}

/* ---- Sent ------------------------------------------------------------------------------------ */

static void enlist(struct sending *sending) {
    struct transfers *t = sending->transfers;
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    LIST_INSERT_HEAD(&t->sendings, sending, link);
    bool is_late = t->is_stopping;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    if (is_late)
        rpc_upload_cancel(sending->upload);
}

static void delist(struct sending *sending) {
    CHECK(pthread_mutex_lock(&sending->transfers->mutex) == 0);
    LIST_REMOVE(sending, link);
    CHECK(pthread_mutex_unlock(&sending->transfers->mutex) == 0);
}

static enum status upload_chunk(void *context, struct bytes chunk) {
    struct sending *sending = context;
    if (is_stopping(sending->transfers))
        return STATUS_ABORTED;
    atomic_fetch_add(&sending->sent_bytes, chunk.len);
    return rpc_upload_write(sending->upload, chunk);
}

static void report(const struct sending *sending, enum status status,
                   const struct rpc_outcome *outcome) {
    if (outcome->code == RPC_OK)
        log_info("snapshot sent", log_hex("peer", sending->transfer->peer),
                 log_u64("index", sending->index));
    else
        log_warn("snapshot not sent", log_hex("peer", sending->transfer->peer),
                 log_status("status", status), log_text("reason", outcome->detail));
}

static void *run_sending(void *context) {
    struct sending *sending = context;
    struct transfers *t = sending->transfers;
    struct rpc_outcome outcome;
    enlist(sending);
    struct held_state *held = state_hold(t->config.states);
    enum status status =
        kv_snapshot_save(held->store, cluster_of(t), GROWTH_BYTES_MAX, upload_chunk, sending);
    state_release(t->config.states, held);
    delist(sending);
    rpc_upload_finish(sending->upload, status == STATUS_OK, &outcome, &sending->index);
    report(sending, status, &outcome);
    sending->transfer->is_installed = outcome.code == RPC_OK;
    if (outcome.code == RPC_OK)
        sending->transfer->index = sending->index;
    inbox_post(t->config.inbox, &sending->transfer->event);
    free(sending);
    leave(t, false);
    return NULL;
}

static struct rpc_upload *begin_upload(struct transfers *t, const struct turn_transfer *transfer,
                                       raft_term term, const char *address) {
    struct rpc_upload *upload = NULL;
    struct rpc_upload_config config = {
        .address = address,
        .head = {.cluster_id = cluster_of(t),
                 .from = t->config.identity->id,
                 .to = transfer->peer,
                 .term = term,
                 .index = transfer->index,
                 .index_term = term},
        .stall_ms = STALL_MS,
    };
    if (!address || rpc_upload_new(&config, &upload) != STATUS_OK)
        return NULL;
    return upload;
}

static struct sending *sending_new(struct transfers *t, struct turn_transfer *transfer,
                                   raft_term term, const char *address) {
    struct sending *sending = calloc(1, sizeof *sending);
    if (!sending)
        return NULL;
    *sending = (struct sending){.transfers = t,
                                .transfer = transfer,
                                .peer = transfer->peer,
                                .begun_index = transfer->index};
    sending->upload = begin_upload(t, transfer, term, address);
    if (sending->upload)
        return sending;
    free(sending);
    return NULL;
}

void transfers_send(struct transfers *t, struct turn_transfer *transfer, raft_term term,
                    const char *address) {
    if (enter(t, false)) {
        struct sending *sending = sending_new(t, transfer, term, address);
        if (sending && start_thread(run_sending, sending) == STATUS_OK)
            return;
        struct rpc_outcome outcome;
        if (sending)
            rpc_upload_finish(sending->upload, false, &outcome, &sending->index);
        free(sending);
        leave(t, false);
    }
    transfer->is_installed = false;
    inbox_post(t->config.inbox, &transfer->event);
}

void transfers_look(struct transfers *t, raft_id peer, uint64_t *ret_index,
                    uint64_t *ret_sent_bytes) {
    const struct sending *sending;
    *ret_index = 0;
    *ret_sent_bytes = 0;
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    LIST_FOREACH (sending, &t->sendings, link) {
        if (sending->peer != peer)
            continue;
        *ret_index = sending->begun_index;
        *ret_sent_bytes = atomic_load(&sending->sent_bytes);
    }
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}

/* ---- Received -------------------------------------------------------------------------------- */

struct receiving {
    struct turn_install install; /* first: the turn gives it back as this */
    struct transfers *transfers;
    struct rpc_incoming *incoming;
    struct kv_state *state; /* opened, once it is the current one */
    struct log_job job;
    bool is_done; /* under the mutex of `transfers`: the turn gave it back */
    enum status status;
};

static enum status take_stream(struct receiving *r, struct kv_install *build) {
    struct bytes chunk = {0};
    enum status status = rpc_incoming_read(r->incoming, STALL_MS, &chunk);
    while (status == STATUS_OK && chunk.len > 0) {
        status = is_stopping(r->transfers) ? STATUS_ABORTED : kv_install_write(build, chunk);
        if (status == STATUS_OK)
            status = rpc_incoming_read(r->incoming, STALL_MS, &chunk);
    }
    return status;
}

static enum status build_state(struct receiving *r) {
    const struct transfers_config *config = &r->transfers->config;
    struct kv_install *build;
    struct kv_snapshot_info info;
    enum status status = kv_install_new(config->directory, r->install.generation, &build);
    if (status != STATUS_OK)
        return status;
    status = take_stream(r, build);
    if (status == STATUS_OK)
        status = kv_install_finish(build, &info);
    kv_install_free(build);
    if (status != STATUS_OK)
        return status;
    if (info.cluster_id != cluster_of(r->transfers) || info.configuration.count == 0)
        return STATUS_CORRUPT;
    r->install.index = info.meta.applied_index;
    r->install.term = info.meta.applied_term;
    r->install.configuration = info.configuration;
    return STATUS_OK;
}

/* The loop decides; wait for it. */
static enum status offer(struct receiving *r) {
    struct transfers *t = r->transfers;
    inbox_post(t->config.inbox, &r->install.event);
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    while (!r->is_done)
        CHECK(pthread_cond_wait(&t->changed, &t->mutex) == 0);
    enum status status = r->status;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    return status;
}

static void *run_receiving(void *context) {
    struct receiving *r = context;
    struct transfers *t = r->transfers;
    enum status status = build_state(r);
    if (status == STATUS_OK)
        status = offer(r);
    if (status == STATUS_STALE) /* this node has come as far by itself */
        status = STATUS_OK;
    if (status != STATUS_OK)
        log_warn("snapshot not installed", log_status("status", status),
                 log_u64("index", r->install.index));
    rpc_incoming_finish(r->incoming, status, status_name(status), r->install.index);
    free(r);
    leave(t, true);
    return NULL;
}

static uint64_t next_generation(struct transfers *t) {
    struct held_state *held = state_hold(t->config.states);
    uint64_t generation = held->generation + 1;
    state_release(t->config.states, held);
    return generation;
}

static const char *refusal(struct transfers *t, const struct rpc_install_head *head) {
    uint64_t cluster_id = cluster_of(t);
    if (cluster_id == 0 || head->cluster_id != cluster_id)
        return "this node belongs to another cluster, or to none";
    return head->to == t->config.identity->id ? NULL : "this node has another identity";
}

void transfers_receive(struct transfers *t, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head) {
    const char *why = refusal(t, head);
    if (why) {
        rpc_incoming_finish(incoming, STATUS_PRECONDITION, why, 0);
        return;
    }
    if (!enter(t, true)) {
        rpc_incoming_finish(incoming, STATUS_OVERLOAD, "another snapshot is on its way", 0);
        return;
    }
    struct receiving *r = calloc(1, sizeof *r);
    CHECK(r);
    r->transfers = t;
    r->incoming = incoming;
    r->install.event.kind = TURN_INSTALL;
    r->install.generation = next_generation(t);
    if (start_thread(run_receiving, r) == STATUS_OK)
        return;
    rpc_incoming_finish(incoming, STATUS_NO_MEMORY, "no thread left", 0);
    free(r);
    leave(t, true);
}

/* ---- Installed ------------------------------------------------------------------------------- */

/* The state that the log's store names from here on must open: if it does not, this node ends, and
 * its next start finds out why. */
static enum status open_state(struct receiving *r) {
    const struct transfers_config *config = &r->transfers->config;
    struct turn_install *install = &r->install;
    enum status status = kv_state_open(config->directory, install->generation, &config->state,
                                       &r->state, &install->meta);
    if (status != STATUS_OK)
        return STATUS_IO;
    install->base = kv_state_base(r->state);
    state_replace(config->states, r->state, install->generation);
    return STATUS_OK;
}

static enum status write_install(struct log_job *job, struct kv_log *log) {
    struct receiving *r = CONTAINER_OF(job, struct receiving, job);
    struct turn_install *install = &r->install;
    struct kv_log_installed installed;
    struct kv_log_install write = {.index = install->index,
                                   .term = install->term,
                                   .configuration = &install->configuration,
                                   .state_generation = install->generation};
    install->status = kv_log_install(log, &write, &installed);
    if (install->status != STATUS_OK)
        return install->status;
    install->is_log_kept = installed.is_kept;
    log_writer_restart(r->transfers->config.log_writer, installed.last_index + 1);
    return open_state(r);
}

void transfers_install(struct transfers *t, struct turn_install *install) {
    struct receiving *r = (struct receiving *)install;
    CHECK(r->transfers == t);
    r->job = (struct log_job){.write = write_install, .done = &install->event};
    log_writer_do(t->config.log_writer, &r->job);
}

void transfers_done(struct transfers *t, struct turn_install *install, enum status status) {
    struct receiving *r = (struct receiving *)install;
    if (status == STATUS_OK)
        log_info("snapshot installed", log_u64("index", install->index),
                 log_u64("term", install->term), log_u64("generation", install->generation));
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    r->is_done = true;
    r->status = status;
    CHECK(pthread_cond_broadcast(&t->changed) == 0);
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}

/* ---- Life ------------------------------------------------------------------------------------ */

enum status transfers_new(const struct transfers_config *config, struct transfers **ret_transfers) {
    struct transfers *t = calloc(1, sizeof *t);
    if (!t)
        return STATUS_NO_MEMORY;
    t->config = *config;
    t->cluster_id = config->identity->cluster_id;
    LIST_INIT(&t->sendings);
    CHECK(pthread_mutex_init(&t->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&t->changed, NULL) == 0);
    *ret_transfers = t;
    return STATUS_OK;
}

void transfers_join(struct transfers *t, uint64_t cluster_id) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    t->cluster_id = cluster_id;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}

void transfers_stop(struct transfers *t) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    t->is_stopping = true;
    struct sending *sending;
    LIST_FOREACH (sending, &t->sendings, link)
        rpc_upload_cancel(sending->upload);
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
}

bool transfers_is_busy(struct transfers *t) {
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    bool is_busy = t->count > 0;
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    return is_busy;
}

void transfers_free(struct transfers *t) {
    if (!t)
        return;
    CHECK(pthread_mutex_lock(&t->mutex) == 0);
    while (t->count > 0)
        CHECK(pthread_cond_wait(&t->changed, &t->mutex) == 0);
    CHECK(pthread_mutex_unlock(&t->mutex) == 0);
    CHECK(pthread_cond_destroy(&t->changed) == 0);
    CHECK(pthread_mutex_destroy(&t->mutex) == 0);
    free(t);
}
